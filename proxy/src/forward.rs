//! Phase 5: the permitted request goes to the private API, and its response comes back, both streamed.

mod addresses;
mod body;
mod breaker;
mod certificate;
mod connector;
mod endpoints;
mod flow;
mod forwarded;
mod headers;
mod health;
mod identity;
mod ours;
mod pool;
mod race;
mod resolver;
mod retry;
#[cfg(feature = "aws")]
mod signing;
mod tls;
mod trace;
pub mod upgrade;
mod upstream;
mod xfcc;
mod zone;

use std::sync::Arc;

use http::{Request, Response};

pub use self::body::{Broken, ResponseBody};
pub use self::headers::Asker;
pub use self::identity::IdentityHeaderValues;
use self::resolver::Resolver;
use self::tls::TrustedBundles;
use self::upstream::{Shared, Upstream};
use crate::authorize::Permit;
use crate::config::{Config, Invalid};
use crate::metrics::Metrics;
use crate::progress::Progress;
use crate::refusal::Refusal;
use crate::upload::Upload;

/// The name of the upstream of a configuration without routes.
const ONLY: &str = "default";

/// What all workers share of the upstreams.
pub struct Upstreams {
    /// In the order of [`Config::upstreams`].
    all: Vec<Shared>,
    resolver: Arc<Resolver>,
}

impl Upstreams {
    /// Reads what TLS with the upstreams needs. Does not connect: an upstream may come up later than the proxy.
    ///
    /// # Errors
    ///
    /// Every file that cannot be used.
    pub fn new(config: &Config, metrics: &Metrics) -> Result<Self, Vec<Invalid>> {
        let mut bundles = TrustedBundles::default();
        let upstreams = config.upstreams.iter().enumerate().filter_map(|(at, upstream)| {
            // Routes that lead to one place share its name: that of the first of them.
            let route = config.routes.iter().find(|route| route.upstream == at);
            let name = route.and_then(|route| route.name.as_deref()).unwrap_or(ONLY);
            let trusted = bundles.get(upstream)?;
            Some(Shared::new(name, upstream, trusted, metrics.upstream(name)))
        });
        let all = upstreams.collect();
        let problems = bundles.problems();
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self { all, resolver: Arc::new(Resolver::new(&config.resolver)) })
    }

    /// Looks after the addresses from now on, for all workers. To be called once, inside of a runtime that goes on.
    pub fn start(&self) {
        self.all.iter().for_each(|upstream| upstream.start(&self.resolver));
    }

    /// Reads the files that TLS with the upstreams needs again, for all workers, and tells which could not be used: the last
    /// good ones stay in force.
    pub fn reload(&self) -> Vec<Invalid> {
        let mut bundles = TrustedBundles::default();
        self.all.iter().for_each(|upstream| upstream.reload(&mut bundles));
        bundles.problems()
    }
}

/// One worker's ways to all upstreams.
pub struct Forwarder {
    /// In the order of [`Config::upstreams`].
    upstreams: Vec<Upstream>,
}

impl Forwarder {
    /// With connections of its own.
    pub fn new(upstreams: &Upstreams) -> Self {
        Self { upstreams: upstreams.all.iter().map(Upstream::new).collect() }
    }

    /// Sends `request` to the upstream of its route. `progress` counts its body.
    ///
    /// # Errors
    ///
    /// The refusal that is the answer to the request.
    pub async fn forward(
        &self,
        permit: Permit<'_>,
        request: Request<Upload>,
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
