//! `[listen]`: where clients connect.

use std::net::{Ipv4Addr, SocketAddr};

use super::proxy_protocol::ProxyProtocol;
use super::section::Section;

/// `[listen]`
#[derive(Debug, Clone, PartialEq)]
pub struct Listen {
    /// The address of the TLS listener.
    pub address: SocketAddr,
    /// Worker threads; 0 means one for each core.
    pub workers: usize,
    /// What load balancers say about their clients; `None` if nothing.
    pub proxy_protocol: Option<ProxyProtocol>,
}

impl Listen {
    pub(super) fn read(listen: &mut Section<'_>) -> Self {
        Self {
            address: listen.address("address", SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8443))),
            workers: listen.number("workers", 0, 0..=1024),
            proxy_protocol: ProxyProtocol::read(&mut listen.section("proxy_protocol")),
        }
    }
}
