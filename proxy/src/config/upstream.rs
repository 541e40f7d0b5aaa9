//! `[upstream]`: where requests go.

mod breaker;
mod ejection;
mod health;
mod retry;

use std::net::Ipv4Addr;
use std::time::Duration;

use http::HeaderValue;
use rustls_pki_types::ServerName;

pub use self::breaker::Breaker;
pub use self::ejection::Ejection;
pub use self::health::Health;
pub use self::retry::Retry;
use super::file::File;
use super::section::Section;

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
}

impl Upstream {
    pub(super) fn read(upstream: &mut Section<'_>) -> Self {
        let address = upstream.string("address", "host:port of the VPC endpoint");
        let (name, port) = address.rsplit_once(':').unwrap_or((&address, ""));
        if !address.is_empty() && (name.is_empty() || port.parse::<u16>().is_err()) {
            upstream.problem(
                "address",
                "not host:port",
                "such as \"vpce-0123.execute-api.eu-west-1.vpce.amazonaws.com:443\"",
            );
        }
        let host = upstream.optional_string("host").unwrap_or_else(|| match port {
            "443" => name.to_owned(),
            _ => address.clone(),
        });
        let host_name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
        let server_name = upstream.optional_string("server_name").unwrap_or_else(|| host_name.to_owned());
        let bare = server_name.trim_start_matches('[').trim_end_matches(']').to_owned();
        let server_name = ServerName::try_from(bare).unwrap_or_else(|error| {
            if !address.is_empty() {
                upstream.problem("server_name", error.to_string(), "a DNS name or an IP address");
            }
            ServerName::IpAddress(Ipv4Addr::UNSPECIFIED.into())
        });
        let host = HeaderValue::from_str(&host).unwrap_or_else(|error| {
            upstream.problem("host", error.to_string(), "a name, and a port if not 443");
            HeaderValue::from_static("")
        });
        let zone = zone(upstream, name);
        Self {
            address,
            server_name,
            host,
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
        }
    }
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
