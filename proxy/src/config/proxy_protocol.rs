//! `[listen.proxy_protocol]`: what load balancers say about their clients, and who is a load balancer.

use std::net::IpAddr;

use ipnet::IpNet;

use super::section::Section;

/// `[listen.proxy_protocol]`, where it is spoken.
#[derive(Debug, Clone, PartialEq)]
pub struct ProxyProtocol {
    /// Which headers are taken.
    pub versions: ProxyVersions,
    /// Where load balancers are. Their connections begin with a header.
    pub trusted: Vec<IpNet>,
    /// What becomes of connections from elsewhere.
    pub untrusted: Untrusted,
    /// Bytes of a header.
    pub header_bytes: usize,
}

/// The versions of the PROXY protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyVersions {
    /// Text.
    V1,
    /// Binary.
    V2,
    /// Either.
    Any,
}

/// What becomes of a connection from outside of the trusted networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untrusted {
    /// It is refused.
    Refuse,
    /// It is a client's own, without a header.
    Direct,
}

impl ProxyProtocol {
    pub(super) fn read(table: &mut Section<'_>) -> Option<Self> {
        let modes = "\"off\", \"v1\", \"v2\" or \"any\"";
        let versions = table.parsed("mode", None, modes, |text| match text {
            "off" => Some(None),
            "v1" => Some(Some(ProxyVersions::V1)),
            "v2" => Some(Some(ProxyVersions::V2)),
            "any" => Some(Some(ProxyVersions::Any)),
            _ => None,
        });
        let trusted: Vec<_> =
            table.strings("trusted").iter().filter_map(|text| network(table, text)).collect();
        let untrusted =
            table.parsed("untrusted", Untrusted::Refuse, "\"refuse\" or \"direct\"", |text| match text {
                "refuse" => Some(Untrusted::Refuse),
                "direct" => Some(Untrusted::Direct),
                _ => None,
            });
        // The longest version 1 header, and what a length of 16 bits comes to.
        let header_bytes = table.number("header_bytes", 4_096, 107..=65_551);
        if versions.is_some() && trusted.is_empty() {
            table.problem(
                "trusted",
                "empty, so nobody could say where a client is",
                "list the load balancer's subnets, or set mode = \"off\"",
            );
        }
        if versions.is_none() && !trusted.is_empty() {
            table.problem(
                "mode",
                "\"off\", and trusted names load balancers",
                "set mode = \"v2\" for a Network Load Balancer with proxy_protocol_v2.enabled, or remove trusted",
            );
        }
        Some(Self { versions: versions?, trusted, untrusted, header_bytes })
    }
}

/// A network such as `10.0.0.0/8`, or one address.
fn network(table: &mut Section<'_>, text: &str) -> Option<IpNet> {
    let network = text.parse().or_else(|_| text.parse().map(|address: IpAddr| IpNet::from(address))).ok();
    match network {
        Some(network) if network == network.trunc() => return Some(network),
        Some(network) => {
            let problem = format!("{text} has bits outside of its prefix");
            table.problem("trusted", problem, format!("write {}", network.trunc()));
        }
        None => table.problem(
            "trusted",
            "not a network",
            "expected a list such as [\"10.0.0.0/8\", \"2001:db8::/32\", \"192.0.2.7\"]",
        ),
    }
    None
}
