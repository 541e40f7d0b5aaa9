//! `[admin]`: health, readiness and metrics.

use std::net::{Ipv4Addr, SocketAddr};

use super::section::Section;

/// `[admin]`
#[derive(Debug, Clone, PartialEq)]
pub struct Admin {
    /// The address of the admin listener.
    pub address: SocketAddr,
}

impl Admin {
    pub(super) fn read(admin: &mut Section<'_>) -> Self {
        Self { address: admin.address("address", SocketAddr::from((Ipv4Addr::LOCALHOST, 9090))) }
    }
}
