//! PROXY protocol headers as load balancers write them.

use std::net::SocketAddrV4;

/// A Network Load Balancer's health check: LOCAL, family 0x11, no addresses, its checksum and padding.
#[must_use]
pub fn health_check() -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x20\x11\0\x54\x03\0\x04\xbc\xe5\x95\x1f\x04\0\x4a".to_vec();
    header.resize(100, 0);
    header
}

/// Version 2 for a client at `source` that came through `vpc_endpoint`.
#[must_use]
pub fn relayed(source: SocketAddrV4, vpc_endpoint: &str) -> Vec<u8> {
    let mut tlv = vec![0xea, 0, 0, 1];
    tlv.extend(vpc_endpoint.bytes());
    let length = u8::try_from(tlv.len() - 3).unwrap_or(u8::MAX);
    tlv.splice(2..3, [length]);
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0".to_vec();
    header.push(length.saturating_add(3 + 12));
    header.extend(source.ip().octets());
    header.extend([10, 0, 0, 1]);
    header.extend(source.port().to_be_bytes());
    header.extend([0x20, 0xfb]);
    header.extend(tlv);
    header
}
