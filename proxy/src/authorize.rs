//! Phase 4: may this client make this request now? Pure: no I/O but the index's own, no clock but the one given.

use std::sync::Arc;

use http::{Method, Request};
use rustls_pki_types::UnixTime;

use crate::config::Limits;
use crate::refusal::Refusal;
use crate::routes::{Routed, Routes};
use crate::trust::{Standing, Trust, TrustBundle, VerifiedPath};

/// The right to forward one request by one route. Only [`Client::authorize`] makes one, and forwarding takes one.
#[derive(Debug)]
pub struct Permit<'a> {
    routed: Routed<'a>,
}

impl<'a> Permit<'a> {
    /// The route.
    pub fn routed(&self) -> Routed<'a> {
        self.routed
    }
}

/// A client on its connection: the path that proves who it is, and what the last look at the trust in force said of it.
#[derive(Debug)]
pub struct Client {
    path: VerifiedPath,
    standing: Standing,
    generation: u64,
    bundle: Arc<TrustBundle>,
    /// The name that the connection is for (SNI), in lower case.
    server_name: Option<Box<str>>,
}

impl Client {
    /// The client of a handshake that was made under `trust`.
    pub fn new(path: VerifiedPath, standing: Standing, trust: &Trust, server_name: Option<Box<str>>) -> Self {
        Self { path, standing, generation: trust.generation, bundle: trust.bundle.clone(), server_name }
    }

    /// Whether the client is still good. Costs two comparisons while nothing changed since the last look.
    ///
    /// # Errors
    ///
    /// The refusal that its next request and its open connection are to meet.
    pub fn check(&mut self, trust: &Trust, now: UnixTime) -> Result<(), Refusal> {
        if self.generation == trust.generation && now <= self.standing.good_until {
            return Ok(());
        }
        self.standing = if Arc::ptr_eq(&self.bundle, &trust.bundle) {
            self.path.check(&trust.revocations, now)?
        } else {
            let (path, standing) = self.path.verify_again(&trust.bundle, &trust.revocations, now)?;
            self.path = path;
            self.bundle = trust.bundle.clone();
            standing
        };
        self.generation = trust.generation;
        Ok(())
    }

    /// Decides on one request.
    ///
    /// # Errors
    ///
    /// The refusal that is the answer to the request.
    pub fn authorize<'a, B>(
        &mut self,
        request: &Request<B>,
        limits: &Limits,
        routes: &'a Routes,
        trust: &Trust,
        now: UnixTime,
    ) -> Result<Permit<'a>, Refusal> {
        self.check(trust, now)?;
        check_shape(request, limits)?;
        let routed = routes.find(request, self.server_name.as_deref())?;
        Ok(Permit { routed })
    }

    /// Until when the last look holds if the trust in force stays.
    pub fn good_until(&self) -> UnixTime {
        self.standing.good_until
    }
}

/// What every request has to look like, whoever sends it.
fn check_shape<B>(request: &Request<B>, limits: &Limits) -> Result<(), Refusal> {
    // RFC 9110 §9.3.6 and §9.3.8: a tunnel, and an echo of credentials.
    if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
        return Err(Refusal::MethodRefused { method: request.method().to_string() });
    }
    if request.headers().len() > limits.header_count {
        return Err(Refusal::HeadersTooLarge { limit: format!("{} header fields", limits.header_count) });
    }
    // HTTP/1.1 was measured on the wire; this is for HTTP/2, whose wire is compressed.
    if header_bytes(request.headers()) > limits.header_bytes {
        return Err(Refusal::HeadersTooLarge { limit: format!("{} bytes", limits.header_bytes) });
    }
    Ok(())
}

/// What `headers` take as HTTP/1.1 writes them: name, colon and space, value, CRLF.
pub fn header_bytes(headers: &http::HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}
