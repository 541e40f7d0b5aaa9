//! The one table: what follows from each refusal.

use std::time::Duration;

use http::{StatusCode, Version};
use rustls::CertificateError;
use tracing::Level;

use super::Refusal;

/// What the other side gets to see.
enum Wire {
    /// The end of the connection; whatever alert there is, the TLS library has sent.
    Close,
    /// The alert of RFC 8446 §6.2 that rustls derives from this error; 403 and the end on a connection that is open already.
    Alert(CertificateError),
    /// This status (RFC 9110 §15), and the connection goes on.
    Status(StatusCode),
    /// This status, and the end of what carries the request: the bytes that follow cannot be trusted, or will not come.
    StatusThenClose(StatusCode),
}

impl Refusal {
    /// The one table: label, wire, and how much an operator should care (`INFO` for what clients do, `WARN` for what
    /// needs a hand here or upstream).
    fn row(&self) -> (&'static str, Wire, Level) {
        use CertificateError as Cert;
        use Wire::{Alert, Close, Status, StatusThenClose};
        const INFO: Level = Level::INFO;
        const WARN: Level = Level::WARN;
        match self {
            Self::TooManyConnections { .. } => ("too_many_connections", Close, WARN),
            Self::TooManyFromAddress { .. } => ("too_many_from_address", Close, INFO),
            Self::TooManyOfClient { .. } => ("too_many_of_client", Close, INFO),
            Self::TooManyHandshakes { .. } => ("too_many_handshakes", Close, WARN),
            Self::ProxyUntrusted => ("proxy_untrusted", Close, WARN),
            Self::ProxyHeaderMissing { .. } => ("proxy_header_missing", Close, WARN),
            Self::ProxyHeaderMalformed { .. } => ("proxy_header_malformed", Close, WARN),
            Self::ProxyHeaderTruncated { .. } => ("proxy_header_truncated", Close, INFO),
            Self::NotTls { .. } => ("not_tls", Close, INFO),
            Self::HandshakeTimeout { .. } => ("handshake_timeout", Close, INFO),
            Self::ClientGone { .. } => ("client_gone", Close, INFO),
            Self::ClientAlert { .. } => ("client_alert", Close, INFO),
            Self::Tls { .. } => ("tls_error", Close, INFO),
            Self::CertificateRequired => ("certificate_required", Close, INFO),
            // The alert has been written by hand: rustls has none for it.
            Self::UnknownServerName { .. } => ("unknown_server_name", Close, INFO),
            Self::ClientCertificateMissing => {
                ("client_certificate_missing", Status(StatusCode::FORBIDDEN), INFO)
            }
            Self::UnknownIssuer { .. } => ("unknown_issuer", Alert(Cert::UnknownIssuer), INFO),
            Self::CertificateExpired { .. } => ("certificate_expired", Alert(Cert::Expired), INFO),
            // RFC 8446 §6.2: certificate_expired also stands for "not currently valid".
            Self::CertificateNotYetValid { .. } => {
                ("certificate_not_yet_valid", Alert(Cert::NotValidYet), INFO)
            }
            Self::WrongKeyUsage => ("wrong_key_usage", Alert(Cert::InvalidPurpose), INFO),
            Self::BadCertificate { .. } => ("bad_certificate", Alert(Cert::BadEncoding), INFO),
            Self::CertificateRevoked { .. } => ("certificate_revoked", Alert(Cert::Revoked), INFO),
            // unknown_ca: what OpenSSL and BoringSSL send as well when they cannot tell the status.
            Self::CrlMissing { .. } => ("crl_missing", Alert(Cert::UnknownRevocationStatus), WARN),
            Self::CrlNotCovering { .. } => ("crl_not_covering", Alert(Cert::UnknownRevocationStatus), WARN),
            Self::CrlStale { .. } => ("crl_stale", Alert(Cert::ExpiredRevocationList), WARN),
            Self::CrlSignerRefused { .. } => {
                ("crl_signer_refused", Alert(Cert::UnknownRevocationStatus), WARN)
            }
            Self::CrlUnreadable { .. } => ("crl_unreadable", Alert(Cert::UnknownRevocationStatus), WARN),
            Self::MalformedRequest { .. } => {
                ("malformed_request", StatusThenClose(StatusCode::BAD_REQUEST), INFO)
            }
            Self::ConflictingLength { .. } => {
                ("conflicting_length", StatusThenClose(StatusCode::BAD_REQUEST), INFO)
            }
            Self::HeadersTooLarge { .. } => {
                ("headers_too_large", StatusThenClose(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE), INFO)
            }
            Self::HeaderTimeout { .. } => {
                ("header_timeout", StatusThenClose(StatusCode::REQUEST_TIMEOUT), INFO)
            }
            Self::RequestAborted { .. } => {
                ("request_aborted", StatusThenClose(StatusCode::BAD_REQUEST), INFO)
            }
            Self::BodyTooLarge { .. } => {
                ("body_too_large", StatusThenClose(StatusCode::PAYLOAD_TOO_LARGE), INFO)
            }
            Self::BodyTooSlow { .. } => ("body_too_slow", StatusThenClose(StatusCode::REQUEST_TIMEOUT), INFO),
            // The answer is on its way already: there is no other.
            Self::ResponseTooSlow { .. } => ("response_too_slow", Close, INFO),
            Self::Http2Flood { .. } => ("http2_flood", Close, INFO),
            Self::StreamIdle { .. } => ("stream_idle", Close, INFO),
            Self::MethodRefused { .. } => ("method_refused", Status(StatusCode::METHOD_NOT_ALLOWED), INFO),
            Self::AmbiguousPath { .. } => ("ambiguous_path", Status(StatusCode::BAD_REQUEST), INFO),
            Self::Misdirected { .. } => {
                ("misdirected_request", Status(StatusCode::MISDIRECTED_REQUEST), INFO)
            }
            Self::NoRoute { .. } => ("no_route", Status(StatusCode::NOT_FOUND), INFO),
            Self::MethodNotAllowed { .. } => {
                ("method_not_allowed", Status(StatusCode::METHOD_NOT_ALLOWED), INFO)
            }
            Self::UpstreamHeadersTooLarge { .. } => {
                ("upstream_headers_too_large", Status(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE), INFO)
            }
            Self::NotSignable { .. } => ("not_signable", Status(StatusCode::BAD_REQUEST), INFO),
            Self::TooLargeToSign { .. } => {
                ("too_large_to_sign", StatusThenClose(StatusCode::PAYLOAD_TOO_LARGE), INFO)
            }
            Self::NotSigned { .. } => ("not_signed", Status(StatusCode::BAD_GATEWAY), WARN),
            Self::UpstreamUnreachable { .. } => {
                ("upstream_unreachable", Status(StatusCode::BAD_GATEWAY), WARN)
            }
            Self::UpstreamTls { .. } => ("upstream_tls", Status(StatusCode::BAD_GATEWAY), WARN),
            Self::UpstreamMalformed { .. } => ("upstream_malformed", Status(StatusCode::BAD_GATEWAY), WARN),
            Self::UpstreamClosed { .. } => ("upstream_closed", Status(StatusCode::BAD_GATEWAY), WARN),
            Self::UpstreamTimeout { .. } => ("upstream_timeout", Status(StatusCode::GATEWAY_TIMEOUT), WARN),
            Self::UpstreamStalled { .. } => ("upstream_stalled", Status(StatusCode::GATEWAY_TIMEOUT), WARN),
            Self::UpstreamUnresolved { .. } => ("upstream_unresolved", Status(StatusCode::BAD_GATEWAY), WARN),
            Self::UpstreamBusy { .. } => ("upstream_busy", Status(StatusCode::SERVICE_UNAVAILABLE), WARN),
            Self::UpstreamCircuitOpen { .. } => {
                ("upstream_circuit_open", Status(StatusCode::SERVICE_UNAVAILABLE), WARN)
            }
        }
    }

    /// The value of the metric label `reason` and of the log's `reason`. Stable.
    pub fn label(&self) -> &'static str {
        self.row().0
    }

    /// What rustls is told about the certificate, from which it chooses the alert.
    pub fn certificate_error(&self) -> CertificateError {
        match self.row().1 {
            Wire::Alert(error) => error,
            // access_denied, should a refusal that is not about a certificate ever come here.
            Wire::Close | Wire::Status(_) | Wire::StatusThenClose(_) => {
                CertificateError::ApplicationVerificationFailure
            }
        }
    }

    /// The answer to a request that meets this refusal.
    pub fn status(&self) -> StatusCode {
        match self.row().1 {
            Wire::Status(status) | Wire::StatusThenClose(status) => status,
            Wire::Alert(_) | Wire::Close => StatusCode::FORBIDDEN,
        }
    }

    /// Whether an HTTP connection of `version` ends with it.
    pub fn ends_connection(&self, version: Version) -> bool {
        match self.row().1 {
            Wire::Status(_) => false,
            // In HTTP/2 the bytes that cannot be trusted are those of one stream, and other streams are other requests.
            Wire::StatusThenClose(_) => version != Version::HTTP_2,
            Wire::Close | Wire::Alert(_) => true,
        }
    }

    /// When the client should try again, if it is told: RFC 9110 §10.2.3.
    pub fn retry_after(&self) -> Option<Duration> {
        if let Self::UpstreamCircuitOpen { retry_after } = self {
            return Some(*retry_after);
        }
        (self.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(Duration::from_secs(1))
    }

    /// Whether it says that the upstream does not work, rather than something about this request.
    pub fn is_failed_upstream(&self) -> bool {
        matches!(
            self,
            Self::UpstreamUnreachable { .. }
                | Self::UpstreamTls { .. }
                | Self::UpstreamUnresolved { .. }
                | Self::UpstreamClosed { .. }
                | Self::UpstreamTimeout { .. }
        )
    }

    /// Whether a CRL, or the lack of one, is all there is against the client.
    pub fn is_about_revocation(&self) -> bool {
        matches!(
            self,
            Self::CertificateRevoked { .. }
                | Self::CrlMissing { .. }
                | Self::CrlNotCovering { .. }
                | Self::CrlStale { .. }
                | Self::CrlSignerRefused { .. }
                | Self::CrlUnreadable { .. }
        )
    }

    /// How much an operator should care.
    pub fn level(&self) -> Level {
        self.row().2
    }
}
