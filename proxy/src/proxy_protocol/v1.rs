//! Version 1: a line of text, `PROXY TCP4 192.0.2.1 198.51.100.1 40000 443`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::header::{Header, Malformed, Parsed};

pub(super) const SIGNATURE: &[u8] = b"PROXY ";

/// §2.1: the longest line there can be, CRLF included.
const LONGEST: usize = 107;

pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, Malformed> {
    let Some(end) = bytes.iter().take(LONGEST).position(|byte| *byte == b'\n') else {
        return match bytes.len() {
            0..LONGEST => Ok(Parsed::Incomplete),
            length => Err(Malformed::TooLong { length, limit: LONGEST }),
        };
    };
    let line = bytes.get(..end).and_then(|line| line.strip_suffix(b"\r"));
    let line = line.ok_or(Malformed::Line("a line that ends in LF alone"))?;
    let line = str::from_utf8(line).map_err(|_error| Malformed::Line("not ASCII"))?;
    let header = Header { source: source(line)?, vpc_endpoint: None };
    Ok(Parsed::Complete { length: end + 1, header })
}

fn source(line: &str) -> Result<Option<SocketAddr>, Malformed> {
    let mut words = line.split(' ').skip(1);
    let parse: fn(&str) -> Option<IpAddr> = match words.next() {
        // What follows is to be ignored.
        Some("UNKNOWN") => return Ok(None),
        Some("TCP4") => |word| word.parse().map(Ipv4Addr::into).ok(),
        Some("TCP6") => |word| word.parse().map(Ipv6Addr::into).ok(),
        _ => return Err(Malformed::Line("a protocol other than TCP4, TCP6 and UNKNOWN")),
    };
    let mut address =
        || words.next().and_then(parse).ok_or(Malformed::Line("an address is missing or wrong"));
    let (source, _destination) = (address()?, address()?);
    let mut port = || words.next().and_then(port).ok_or(Malformed::Line("a port is missing or wrong"));
    let (port, _destination) = (port()?, port()?);
    if words.next().is_some() {
        return Err(Malformed::Line("more words than belong there"));
    }
    Ok(Some(SocketAddr::new(source, port)))
}

/// Decimal, without a sign and without leading zeros.
fn port(word: &str) -> Option<u16> {
    let plain = word == "0" || !word.starts_with(['0', '+']);
    word.parse().ok().filter(|_| plain)
}
