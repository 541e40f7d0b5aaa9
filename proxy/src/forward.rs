//! Phase 5: the permitted request goes to the private API, and its response comes back, both streamed.

mod body;
mod certificate;
mod connect;
mod forwarded;
mod headers;
mod identity;
mod ours;
mod pool;
mod trace;
mod upstream;
mod xfcc;

use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;

pub use self::body::{Progress, ResponseBody};
use self::connect::TrustedBundles;
pub use self::headers::Asker;
pub use self::identity::IdentityHeaderValues;
use self::upstream::Upstream;
use crate::authorize::Permit;
use crate::config::{Config, Invalid};
use crate::refusal::Refusal;

/// One worker's ways to all upstreams.
pub struct Forwarder {
    /// In the order of [`Config::upstreams`].
    upstreams: Vec<Upstream>,
}

impl Forwarder {
    /// Reads what TLS with the upstreams needs. Does not connect: an upstream may come up later than the proxy.
    ///
    /// # Errors
    ///
    /// Every trust bundle that cannot be used.
    pub fn new(config: &Config) -> Result<Self, Vec<Invalid>> {
        let mut bundles = TrustedBundles::default();
        let upstreams = config.upstreams.iter().filter_map(|upstream| {
            let trusted = bundles.get(upstream.trust_bundle.as_ref())?;
            Some(Upstream::new(upstream, trusted))
        });
        let upstreams = upstreams.collect();
        bundles.problems().map(|()| Self { upstreams })
    }

    /// Another worker's ways: the same settings, connections of its own.
    pub fn for_another_worker(&self) -> Self {
        Self { upstreams: self.upstreams.iter().map(Upstream::for_another_worker).collect() }
    }

    /// Sends `request` to the upstream of its route. `progress` counts its body.
    ///
    /// # Errors
    ///
    /// The refusal that is the answer to the request.
    pub async fn forward(
        &self,
        permit: Permit<'_>,
        request: Request<Incoming>,
        asker: Asker<'_>,
        progress: &Arc<Progress>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let routed = permit.routed();
        match self.upstreams.get(routed.route.upstream) {
            Some(upstream) => upstream.forward(routed, request, asker, progress).await,
            // Routes and upstreams come from one configuration, so there is one.
            None => Err(Refusal::NoRoute { path: request.uri().path().to_owned() }),
        }
    }
}

/// An error with its causes, which hyper leaves out of its own `Display`.
pub(crate) fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
