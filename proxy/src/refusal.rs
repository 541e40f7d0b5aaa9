//! Every reason to say no, and everything that follows from it: metric label, wire, severity, and the operator's sentence.
//!
//! There is no `_` arm in `table.rs`: a new refusal does not compile until its row in the table is written.

mod table;

use std::borrow::Cow;
use std::time::Duration;

use thiserror::Error;

use crate::clock::rfc3339;

/// Why a client or a request was turned away. `Display` is the sentence that an operator reads; clients never see it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The process holds as many connections as it may.
    #[error("{limit} connections are open, which is limits.max_connections")]
    TooManyConnections {
        /// The limit.
        limit: usize,
    },
    /// The client's address holds as many connections as one may.
    #[error("its address has {limit} connections open, which is limits.max_connections_per_address")]
    TooManyFromAddress {
        /// The limit.
        limit: usize,
    },
    /// The client holds as many connections as one may.
    #[error("this client has {limit} connections open, which is limits.max_connections_per_client")]
    TooManyOfClient {
        /// The limit.
        limit: usize,
    },
    /// As many clients are shaking hands as may at a time.
    #[error("{limit} handshakes are going on, which is limits.max_handshakes")]
    TooManyHandshakes {
        /// The limit.
        limit: usize,
    },
    /// The connection comes around the load balancer.
    #[error(
        "not from listen.proxy_protocol.trusted, and listen.proxy_protocol.untrusted lets nobody else connect"
    )]
    ProxyUntrusted,
    /// A trusted network sent something else than a PROXY protocol header.
    #[error("no PROXY protocol header, which listen.proxy_protocol asks for: the first byte is {first:#04x}")]
    ProxyHeaderMissing {
        /// That byte.
        first: u8,
    },
    /// The PROXY protocol header cannot be read.
    #[error("malformed PROXY protocol header: {detail}")]
    ProxyHeaderMalformed {
        /// What is wrong.
        detail: String,
    },
    /// The connection ended in the middle of its PROXY protocol header.
    #[error("the connection closed after {bytes} bytes of a PROXY protocol header")]
    ProxyHeaderTruncated {
        /// Those that came.
        bytes: usize,
    },
    /// The first byte is not the start of a TLS record.
    #[error("the client does not speak TLS: its first byte is {first:#04x}")]
    NotTls {
        /// That byte.
        first: u8,
    },
    /// The handshake was not finished in time.
    #[error("no finished TLS handshake after {} ms", after.as_millis())]
    HandshakeTimeout {
        /// `limits.handshake_timeout_ms`.
        after: Duration,
    },
    /// The client broke off in the handshake.
    #[error("the client closed the connection during the handshake: {detail}")]
    ClientGone {
        /// What the socket said.
        detail: String,
    },
    /// The client refused us.
    #[error(
        "the client ended the handshake with the alert {alert}: it may not trust the server's certificate"
    )]
    ClientAlert {
        /// The name of its alert, RFC 8446 §6.
        alert: String,
    },
    /// The handshake failed for another reason, such as no common version.
    #[error("TLS handshake failed: {detail}")]
    Tls {
        /// What rustls said.
        detail: String,
    },
    /// No client certificate.
    #[error("the client presented no certificate")]
    CertificateRequired,
    /// No server has the name that the client asks for.
    #[error("no server is called {name:?}, and tls.unknown_names is \"refuse\"")]
    UnknownServerName {
        /// The name in SNI.
        name: String,
    },
    /// The route demands a certificate, and the client has shown none.
    #[error("the client has presented no certificate, and the route does not say danger_allow_anonymous")]
    ClientCertificateMissing,
    /// No path to a trust anchor.
    #[error("no path from the client's certificate to the trust bundle: {detail}")]
    UnknownIssuer {
        /// Whether no CA of that name is known, or one with another key.
        detail: &'static str,
    },
    /// A certificate of the path is past its notAfter.
    #[error("a certificate of the client's path expired on {}", rfc3339(*not_after))]
    CertificateExpired {
        /// Seconds since the Unix epoch.
        not_after: i64,
    },
    /// A certificate of the path is before its notBefore.
    #[error("a certificate of the client's path is not valid before {}", rfc3339(*not_before))]
    CertificateNotYetValid {
        /// Seconds since the Unix epoch.
        not_before: i64,
    },
    /// The extended key usage does not allow client authentication.
    #[error("the certificate's extended key usage does not include clientAuth")]
    WrongKeyUsage,
    /// Anything else that is wrong with the certificate.
    #[error("the client's certificate is not acceptable: {detail}")]
    BadCertificate {
        /// What the verifier said.
        detail: String,
    },
    /// A certificate of the path is on its issuer's CRL.
    #[error("certificate {serial} was revoked on {date} (reason: {reason})")]
    CertificateRevoked {
        /// Of the revoked certificate, which may be an intermediate: hexadecimal.
        serial: String,
        /// RFC 5280 §5.3.1, by name.
        reason: String,
        /// RFC 3339.
        date: String,
    },
    /// No CRL of this issuer is loaded.
    #[error("no CRL of the issuer of certificate {serial} is loaded: add its index to revocation.crls")]
    CrlMissing {
        /// Of the certificate whose issuer has none.
        serial: String,
    },
    /// The issuer's CRLs are limited in scope, and none of them, or not all reasons, speaks for the certificate.
    #[error(
        "no loaded CRL of its issuer covers certificate {serial} ({why}): add the missing partition's index to \
         revocation.crls"
    )]
    CrlNotCovering {
        /// Of the certificate that is not covered.
        serial: String,
        /// What the last CRL lacks.
        why: crl_tool::Gap,
    },
    /// The issuer's CRL is past its nextUpdate and the grace after it.
    #[error(
        "the CRL of {issuer} was due for renewal at {next_update}, and revocation.grace_seconds are over"
    )]
    CrlStale {
        /// Whose CRL.
        issuer: String,
        /// RFC 3339.
        next_update: String,
    },
    /// A CRL that covers the certificate was signed by a key that may not do so at present.
    #[error("the CRL of {issuer} does not count, because its signer's certificate is refused: {detail}")]
    CrlSignerRefused {
        /// Whose CRL.
        issuer: String,
        /// Why the signer is refused.
        detail: String,
    },
    /// The issuer's CRL could not be read.
    #[error("the CRL index of {issuer} cannot be read: {detail}")]
    CrlUnreadable {
        /// Whose CRL.
        issuer: String,
        /// What went wrong.
        detail: String,
    },
    /// Not HTTP as RFC 9112 has it.
    #[error("malformed request: {detail}")]
    MalformedRequest {
        /// What is wrong.
        detail: Cow<'static, str>,
    },
    /// More than one opinion about where the body ends: RFC 9112 §6.3, request smuggling.
    #[error("conflicting message length: {detail}")]
    ConflictingLength {
        /// Which headers conflict.
        detail: &'static str,
    },
    /// The head is larger than allowed.
    #[error("the request's head is over {limit}")]
    HeadersTooLarge {
        /// Which limit.
        limit: String,
    },
    /// The head took too long.
    #[error("the request's head was not complete after {} ms", after.as_millis())]
    HeaderTimeout {
        /// `limits.header_timeout_ms`.
        after: Duration,
    },
    /// The body is larger than allowed.
    #[error("the request's body is over {limit} bytes, which is limits.body_bytes")]
    BodyTooLarge {
        /// The limit.
        limit: u64,
    },
    /// The client was waited for, and its body hardly came.
    #[error("{bytes} bytes of the request's body came in {} ms: limits.body_timeout_ms, limits.body_bytes_per_second", window.as_millis())]
    BodyTooSlow {
        /// In that time.
        bytes: u64,
        /// Between two looks.
        window: Duration,
    },
    /// The response was there, and the client hardly took it.
    #[error("the client took {bytes} bytes of the response in {} ms: limits.body_timeout_ms, limits.body_bytes_per_second", window.as_millis())]
    ResponseTooSlow {
        /// In that time.
        bytes: u64,
        /// Between two looks.
        window: Duration,
    },
    /// Both sides might have spoken, and neither did.
    #[error("neither side said anything for {} ms: limits.stream_idle_timeout_ms", after.as_millis())]
    StreamIdle {
        /// Since when, at least.
        after: Duration,
    },
    /// Frames that cost us more than the client, and bring no request.
    #[error("too much of something in HTTP/2: {detail}")]
    Http2Flood {
        /// Of what.
        detail: String,
    },
    /// CONNECT and TRACE are not for a proxy of this kind.
    #[error("the method {method} is not forwarded")]
    MethodRefused {
        /// Which.
        method: String,
    },
    /// A path that the upstream could read as another than the one that was routed.
    #[error("the path can be read in two ways: {detail}")]
    AmbiguousPath {
        /// What is ambiguous.
        detail: &'static str,
    },
    /// RFC 9110 §15.5.20: the request is for another server than its connection.
    #[error("the request is for {asked} and came on a connection for {server_name}")]
    Misdirected {
        /// The name in Host or :authority.
        asked: String,
        /// The name in SNI.
        server_name: String,
    },
    /// No route takes the request.
    #[error("no route takes {path}")]
    NoRoute {
        /// Its path.
        path: String,
    },
    /// There is a route, for other methods.
    #[error("the route does not take {method}, but {allowed}")]
    MethodNotAllowed {
        /// The request's.
        method: String,
        /// The methods that it does take, as `Allow` lists them.
        allowed: String,
    },
    /// With our headers the request is larger than the upstream accepts.
    #[error(
        "the request would carry {bytes} bytes of headers, and upstream.header_limit_bytes is {limit}; the largest: \
         {largest}"
    )]
    UpstreamHeadersTooLarge {
        /// Name, value and four bytes of separators for each field.
        bytes: usize,
        /// The limit.
        limit: usize,
        /// The largest of them, with their bytes.
        largest: String,
    },
    /// A request that the proxy is to sign, and that cannot have its signature.
    #[error("the request cannot be signed for its upstream: {detail}")]
    NotSignable {
        /// What is in the way.
        detail: &'static str,
    },
    /// A body that is larger than what is buffered for its signature.
    #[error("the request's body is over {limit} bytes, which is upstream.sigv4.body_limit_bytes")]
    TooLargeToSign {
        /// The limit.
        limit: usize,
    },
    /// There is nothing to sign with.
    #[error("the request was not signed for its upstream: {detail}")]
    NotSigned {
        /// What the AWS SDK said.
        detail: String,
    },
    /// No connection to the upstream.
    #[error("cannot connect to the upstream: {detail}")]
    UpstreamUnreachable {
        /// What the socket said.
        detail: String,
    },
    /// No TLS with the upstream.
    #[error("TLS handshake with the upstream failed: {detail}")]
    UpstreamTls {
        /// What rustls said.
        detail: String,
    },
    /// The upstream does not speak HTTP/1.1.
    #[error("the upstream's answer is not HTTP: {detail}")]
    UpstreamMalformed {
        /// What the parser said.
        detail: String,
    },
    /// The upstream closed before its answer was complete.
    #[error("the upstream closed the connection before its answer was complete: {detail}")]
    UpstreamClosed {
        /// What the socket said.
        detail: String,
    },
    /// The upstream did not answer in time.
    #[error("no answer from the upstream after {} ms", after.as_millis())]
    UpstreamTimeout {
        /// `upstream.response_timeout_ms`, or `connect_timeout_ms`.
        after: Duration,
    },
    /// The upstream stopped in the middle of its response.
    #[error("nothing of the response's body came from the upstream for {} ms", after.as_millis())]
    UpstreamStalled {
        /// `upstream.body_idle_timeout_ms`.
        after: Duration,
    },
    /// No address of the upstream is known.
    #[error("cannot look up the upstream's name: {detail}")]
    UpstreamUnresolved {
        /// What the resolver said.
        detail: String,
    },
    /// All connections to the upstream are in use.
    #[error(
        "no connection to the upstream became free: {connections} (upstream.max_connections) are in use, and up to          {waiting} requests (upstream.max_waiting) wait in this worker"
    )]
    UpstreamBusy {
        /// The limit of connections.
        connections: usize,
        /// The limit of requests that wait for one.
        waiting: usize,
    },
    /// The circuit breaker is open.
    #[error("the upstream failed too often; the next try is in {} ms", retry_after.as_millis())]
    UpstreamCircuitOpen {
        /// When the next request may find out.
        retry_after: Duration,
    },
    /// The client stopped sending its request.
    #[error("the client broke off while sending its request: {detail}")]
    RequestAborted {
        /// What the connection said.
        detail: String,
    },
}
