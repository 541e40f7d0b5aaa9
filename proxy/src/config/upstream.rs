//! `[upstream]`: where requests go.

mod breaker;
mod ejection;
mod health;
mod retry;

use std::time::Duration;

use http::HeaderValue;
use rustls_pki_types::ServerName;

pub use self::breaker::Breaker;
pub use self::ejection::Ejection;
pub use self::health::Health;
pub use self::retry::Retry;
use super::addressing::Addressing;
use super::file::File;
use super::section::Section;
use super::sigv4::Sigv4;

/// Where this process runs, so that addresses nearby come first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Zone {
    /// This availability zone.
    Named(String),
    /// The one that the task metadata endpoint of Amazon ECS names.
    Ecs,
}

/// `[upstream]`
#[derive(Debug, Clone, PartialEq)]
pub struct Upstream {
    /// Where to connect: `host:port`.
    pub address: String,
    /// The name asked for in SNI and checked in the upstream's certificate.
    pub server_name: ServerName<'static>,
    /// The `Host` that the upstream sees.
    pub host: HeaderValue,
    /// `x-apigw-api-id`, if that and not `Host` says which API is meant.
    pub api_id_header: Option<HeaderValue>,
    /// The stage of the API, which every path begins with.
    pub stage: Option<String>,
    /// PEM: the trust anchors of the upstream's certificate; the system's own when not set.
    pub trust_bundle: Option<File>,
    /// PEM: the certificate that the upstream is shown if it asks for one, and the file of its key.
    pub client_pair: Option<(File, File)>,
    /// The zone whose addresses come first.
    pub zone: Option<Zone>,
    /// To connect and finish the TLS handshake, all addresses together.
    pub connect_timeout: Duration,
    /// How long one address is waited for before the next one is tried beside it.
    pub attempt_delay: Duration,
    /// From the last byte of request sent to the response's head.
    pub response_timeout: Duration,
    /// How long nothing may come of a response's body.
    pub body_idle_timeout: Duration,
    /// From a request's head to its response's last byte.
    pub total_timeout: Option<Duration>,
    /// How long an unused connection is kept.
    pub pool_idle_timeout: Duration,
    /// Unused connections kept by each worker.
    pub max_idle_connections: usize,
    /// Connections of each worker, unused ones included.
    pub max_connections: usize,
    /// Requests of each worker that wait for a connection.
    pub max_waiting: usize,
    /// How long each of them waits.
    pub waiting_timeout: Duration,
    /// What is sent again.
    pub retry: Retry,
    /// Addresses that fail.
    pub ejection: Ejection,
    /// Addresses that are looked after.
    pub health: Health,
    /// When all of it fails.
    pub breaker: Breaker,
    /// All request headers together, as API Gateway counts them.
    pub header_limit: usize,
    /// Signatures, if it wants them.
    pub sigv4: Option<Sigv4>,
    /// Whether a client may ask for another protocol on its connection.
    pub allow_upgrade: bool,
}

impl Upstream {
    pub(super) fn read(upstream: &mut Section<'_>) -> Self {
        let Addressing { address, server_name, host, api_id_header } = Addressing::read(upstream);
        let zone = zone(upstream, &address);
        Self {
            address,
            server_name,
            host,
            api_id_header,
            stage: stage(upstream),
            trust_bundle: upstream.optional_file("trust_bundle"),
            client_pair: client_pair(upstream),
            zone,
            connect_timeout: upstream.milliseconds("connect_timeout_ms", 5_000),
            attempt_delay: upstream.milliseconds("attempt_delay_ms", 250),
            response_timeout: upstream.milliseconds("response_timeout_ms", 35_000),
            body_idle_timeout: upstream.milliseconds("body_idle_timeout_ms", 60_000),
            total_timeout: upstream.optional_milliseconds("total_timeout_ms", 0),
            pool_idle_timeout: pool_idle_timeout(upstream),
            max_idle_connections: upstream.number("max_idle_connections", 256, 0..=100_000),
            max_connections: upstream.number("max_connections", 1_024, 1..=100_000),
            max_waiting: upstream.number("max_waiting", 1_024, 0..=100_000),
            waiting_timeout: upstream.milliseconds("waiting_timeout_ms", 5_000),
            retry: Retry::read(&mut upstream.section("retry")),
            ejection: Ejection::read(&mut upstream.section("ejection")),
            health: Health::read(&mut upstream.section("health")),
            breaker: Breaker::read(&mut upstream.section("breaker")),
            header_limit: upstream.number("header_limit_bytes", 8_000, 256..=1_048_576),
            sigv4: Sigv4::read(&mut upstream.section("sigv4")),
            allow_upgrade: upstream.boolean("allow_upgrade", false),
        }
    }
}

/// `None` for an API without stages in its paths, such as one behind a custom domain.
fn stage(upstream: &mut Section<'_>) -> Option<String> {
    let stage = upstream.optional_string("stage")?;
    if !stage.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
        upstream.problem("stage", "no name of a stage", "letters, digits, dashes and underscores");
        return None;
    }
    Some(stage)
}

fn zone(upstream: &mut Section<'_>, name: &str) -> Option<Zone> {
    let zone = upstream.optional_string("zone").map(|zone| match zone.as_str() {
        "ecs" => Zone::Ecs,
        _ => Zone::Named(zone),
    })?;
    if !name.starts_with("vpce-") {
        let problem = "only the names of VPC endpoints have a form for each zone, and address is none";
        upstream.problem("zone", problem, "remove it, or connect to vpce-….vpce.amazonaws.com");
    }
    Some(zone)
}

fn client_pair(upstream: &mut Section<'_>) -> Option<(File, File)> {
    let pair = (upstream.optional_file("client_certificate"), upstream.optional_file("client_key"));
    match pair {
        (Some(certificate), Some(key)) => return Some((certificate, key)),
        (Some(_), None) => {
            upstream.problem("client_key", "missing", "the PEM file of client_certificate's key");
        }
        (None, Some(_)) => {
            upstream.problem(
                "client_certificate",
                "missing",
                "the PEM file of the certificate of client_key",
            );
        }
        (None, None) => {}
    }
    None
}

/// API Gateway closes a connection after 310 s without a request; one that is taken at that moment is a request lost.
fn pool_idle_timeout(upstream: &mut Section<'_>) -> Duration {
    Duration::from_millis(upstream.number("pool_idle_timeout_ms", 60_000, 1..=309_000))
}
