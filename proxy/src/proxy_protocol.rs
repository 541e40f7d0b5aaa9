//! Phase 1½, where a load balancer stands in front: its PROXY protocol header, which says where the client really is.
//!
//! <https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>, versions 1 (text) and 2 (binary), read by our own parser:
//! the crates there are want an address block in every header of family 0x11, which a Network Load Balancer's health checks
//! do not have, and none checks the checksum.
//!
//! Exactly one header is read, and not one byte after it: what follows is the client's. A second header is not TLS then, and
//! is refused as that.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use self::header::{Malformed, Parsed};
use crate::config::{ProxyProtocol, ProxyVersions, Untrusted};
use crate::refusal::Refusal;

pub mod header;
mod v1;
mod v2;

/// Looked at in one go: more than a load balancer sends.
const CHUNK: usize = 512;

/// Where a connection comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The client's address: the connection's own, or the one that a trusted load balancer gives.
    pub client: SocketAddr,
    /// The VPC endpoint that the client came through (AWS PrivateLink), as the load balancer says.
    pub vpc_endpoint: Option<String>,
}

impl Origin {
    /// The connection's own address.
    pub fn direct(client: SocketAddr) -> Self {
        Self { client, vpc_endpoint: None }
    }
}

/// Takes the header of a new connection from `peer`, and says what it says. `None` is a connection that was closed without
/// a byte: a load balancer's TCP health check.
///
/// # Errors
///
/// The refusal. Nothing has been answered then, and there is nothing that the client could read.
pub async fn origin(
    stream: &mut TcpStream,
    peer: SocketAddr,
    settings: &ProxyProtocol,
) -> Result<Option<Origin>, Refusal> {
    if !trusted(settings, peer.ip()) {
        return match settings.untrusted {
            Untrusted::Refuse => Err(Refusal::ProxyUntrusted),
            Untrusted::Direct => Ok(Some(Origin::direct(peer))),
        };
    }
    match take(stream, settings.versions, settings.header_bytes).await? {
        Taken::Nothing => Ok(None),
        Taken::Other { first } => Err(Refusal::ProxyHeaderMissing { first }),
        Taken::Header(header) => {
            Ok(Some(Origin { client: header.source.unwrap_or(peer), vpc_endpoint: header.vpc_endpoint }))
        }
    }
}

fn trusted(settings: &ProxyProtocol, peer: IpAddr) -> bool {
    // On a listener for both families, an IPv4 peer shows up as ::ffff:a.b.c.d.
    let peer = peer.to_canonical();
    settings.trusted.iter().any(|network| network.contains(&peer))
}

/// What stood at the beginning of a connection.
#[derive(Debug)]
pub(crate) enum Taken {
    /// A header, which has been read.
    Header(header::Header),
    /// Something else, of which nothing has been read.
    Other {
        /// Its first byte.
        first: u8,
    },
    /// The end.
    Nothing,
}

/// Reads the header at the beginning of `stream`, if there is one.
///
/// # Errors
///
/// A header that is malformed, or breaks off.
pub(crate) async fn take(
    stream: &mut TcpStream,
    versions: ProxyVersions,
    limit: usize,
) -> Result<Taken, Refusal> {
    let mut chunk = [0; CHUNK];
    let mut held = Vec::new();
    loop {
        let seen = match stream.peek(&mut chunk).await {
            Ok(0) if held.is_empty() => return Ok(Taken::Nothing),
            Ok(0) => return Err(Refusal::ProxyHeaderTruncated { bytes: held.len() }),
            Ok(seen) => seen,
            // A probe that resets instead of closing.
            Err(error) if held.is_empty() && error.kind() == io::ErrorKind::ConnectionReset => {
                return Ok(Taken::Nothing);
            }
            Err(_) => return Err(Refusal::ProxyHeaderTruncated { bytes: held.len() }),
        };
        let before = held.len();
        held.extend_from_slice(chunk.get(..seen).unwrap_or_default());
        let (ours, header) = match header::parse(&held, versions, limit) {
            // All that was seen is part of it: reading it makes the next look wait for more.
            Ok(Parsed::Incomplete) => (seen, None),
            Ok(Parsed::Complete { length, header }) => (length.saturating_sub(before), Some(header)),
            Err(Malformed::NotAHeader) if before == 0 => {
                return Ok(Taken::Other { first: held.first().copied().unwrap_or_default() });
            }
            Err(malformed) => return Err(Refusal::ProxyHeaderMalformed { detail: malformed.to_string() }),
        };
        let gone = |_error: io::Error| Refusal::ProxyHeaderTruncated { bytes: before };
        stream.read_exact(chunk.get_mut(..ours).unwrap_or_default()).await.map_err(gone)?;
        if let Some(header) = header {
            return Ok(Taken::Header(header));
        }
    }
}
