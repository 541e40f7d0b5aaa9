//! `[upstream]`: where requests go.

use std::net::Ipv4Addr;
use std::time::Duration;

use http::HeaderValue;
use rustls_pki_types::ServerName;

use super::file::File;
use super::section::Section;

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
    /// To connect and finish the TLS handshake.
    pub connect_timeout: Duration,
    /// From the last byte of request sent to the response's head.
    pub response_timeout: Duration,
    /// How long an unused connection is kept.
    pub pool_idle_timeout: Duration,
    /// Unused connections kept by each worker.
    pub max_idle_connections: usize,
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
        Self {
            address,
            server_name,
            host,
            trust_bundle: upstream.optional_file("trust_bundle"),
            connect_timeout: upstream.milliseconds("connect_timeout_ms", 5_000),
            response_timeout: upstream.milliseconds("response_timeout_ms", 35_000),
            pool_idle_timeout: upstream.milliseconds("pool_idle_timeout_ms", 60_000),
            max_idle_connections: upstream.number("max_idle_connections", 256, 0..=100_000),
            header_limit: upstream.number("header_limit_bytes", 8_000, 256..=1_048_576),
        }
    }
}
