//! Phase 4: may this client make this request now? Pure: no I/O but the index's own, no clock but the one given.

use std::sync::Arc;
use std::time::Duration;

use http::header::HOST;
use http::{HeaderValue, Method, Request, Version};
use http_body::Body;
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::config::Limits;
use crate::refusal::Refusal;
use crate::routes::{Destination, Route, Routed, Routes};
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

/// A client on its connection: what proves who it is, and what the last look at the trust in force said of it.
#[derive(Debug)]
pub struct Client {
    /// Nothing proves anything about a client that came without a certificate.
    proof: Option<Proof>,
    generation: u64,
    destination: Destination,
    /// Whether it was said what the client would be refused for.
    reported: bool,
}

/// A verified path, and the anchors that it leads to.
#[derive(Debug)]
struct Proof {
    path: VerifiedPath,
    standing: Standing,
    bundle: Option<Arc<TrustBundle>>,
}

impl Client {
    /// The client of a handshake that was made under `trust`, as the server of `destination`.
    pub fn new(verified: Option<(VerifiedPath, Standing)>, trust: &Trust, destination: Destination) -> Self {
        let bundle = trust.server(destination.server).and_then(|server| server.bundle.clone());
        let proof = verified.map(|(path, standing)| Proof { path, standing, bundle });
        Self { proof, generation: trust.generation, destination, reported: false }
    }

    /// The client's verified certificates, leaf first; none if it is anonymous.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        self.proof.as_ref().map_or(&[], |proof| proof.path.chain())
    }

    /// Of the trust that was in force at the last look.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether the client is still good. Costs two comparisons while nothing changed since the last look.
    ///
    /// # Errors
    ///
    /// The refusal that its next request and its open connection are to meet.
    pub fn check(&mut self, trust: &Trust, now: UnixTime) -> Result<(), Refusal> {
        let Some(proof) = &mut self.proof else { return Ok(()) };
        if self.generation == trust.generation && now <= proof.standing.good_until {
            return Ok(());
        }
        let bundle = trust.server(self.destination.server).and_then(|server| server.bundle.as_ref());
        let same = proof.bundle.as_ref().zip(bundle).is_some_and(|(before, now)| Arc::ptr_eq(before, now));
        proof.standing = match bundle {
            Some(_) if same => proof.path.check(&trust.revocations, now)?,
            Some(bundle) => {
                let (path, standing) = proof.path.verify_again(bundle, &trust.revocations, now)?;
                proof.path = path;
                proof.bundle = Some(bundle.clone());
                standing
            }
            // A server that asks for no certificate any longer has no way to stand by one.
            None => return Err(Refusal::UnknownIssuer { detail: "there is no trust bundle" }),
        };
        self.generation = trust.generation;
        Ok(())
    }

    /// Decides on one request.
    ///
    /// # Errors
    ///
    /// The refusal that is the answer to the request.
    pub fn authorize<'a, B: Body>(
        &mut self,
        request: &Request<B>,
        limits: &Limits,
        routes: &'a Routes,
        trust: &Trust,
        now: UnixTime,
    ) -> Result<Permit<'a>, Refusal> {
        self.check(trust, now)?;
        check_shape(request, limits)?;
        let routed = routes.find(request, &self.destination)?;
        may_take(routed.route, self.proof.is_some())?;
        Ok(Permit { routed })
    }

    /// What the client would be refused for if it were not only reported; said once.
    pub fn would_refuse(&mut self) -> Option<Refusal> {
        let refusal = self.proof.as_mut()?.standing.would_refuse.take()?;
        (!std::mem::replace(&mut self.reported, true)).then_some(refusal)
    }

    /// Until when the last look holds if the trust in force stays. What is said of an anonymous client holds for ever.
    pub fn good_until(&self) -> UnixTime {
        let ever = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX / 2));
        self.proof.as_ref().map_or(ever, |proof| proof.standing.good_until)
    }
}

/// Whether a client may take `route`: one that is not `verified` only if the route says so.
///
/// # Errors
///
/// [`Refusal::ClientCertificateMissing`].
pub fn may_take(route: &Route, verified: bool) -> Result<(), Refusal> {
    if verified || route.anonymous { Ok(()) } else { Err(Refusal::ClientCertificateMissing) }
}

/// What every request has to look like, whoever sends it.
fn check_shape<B: Body>(request: &Request<B>, limits: &Limits) -> Result<(), Refusal> {
    // RFC 9110 §9.3.6 and §9.3.8: a tunnel, and an echo of credentials.
    if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
        return Err(Refusal::MethodRefused { method: request.method().to_string() });
    }
    check_authority(request)?;
    if request.headers().len() > limits.header_count {
        return Err(Refusal::HeadersTooLarge { limit: format!("{} header fields", limits.header_count) });
    }
    // HTTP/1.1 was measured on the wire; this is for HTTP/2, whose wire is compressed.
    if request.version() == Version::HTTP_2 && header_bytes(request.headers()) > limits.header_bytes {
        return Err(Refusal::HeadersTooLarge { limit: format!("{} bytes", limits.header_bytes) });
    }
    // Content-Length, where there is one: there is no need to read the body then.
    if request.body().size_hint().lower() > limits.body_bytes {
        return Err(Refusal::BodyTooLarge { limit: limits.body_bytes });
    }
    Ok(())
}

/// One name, said once: what routes by the one must not be checked by the other.
fn check_authority<B>(request: &Request<B>) -> Result<(), Refusal> {
    // In HTTP/1.1 an authority is the exception (absolute-form, RFC 9112 §3.2.2), and the guard has counted Host.
    let Some(authority) = request.uri().authority() else { return Ok(()) };
    let malformed = |detail: &'static str| Err(Refusal::MalformedRequest { detail: detail.into() });
    if authority.as_str().contains('@') {
        // RFC 9113 §8.3.1.
        return malformed("the authority holds user information");
    }
    let same = |host: &HeaderValue| host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes());
    if !request.headers().get_all(HOST).iter().all(same) {
        return malformed("Host is not the authority of the target");
    }
    Ok(())
}

/// What `headers` take as HTTP/1.1 writes them: name, colon and space, value, CRLF.
pub fn header_bytes(headers: &http::HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}
