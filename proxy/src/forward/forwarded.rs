//! `Forwarded` and `X-Forwarded-…`: where a request came from and what it asked for.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::config::{Forwarding, IdentityHeaders};

/// The way from the client to us: the part that is the same for all requests of a connection.
#[derive(Debug)]
pub(super) struct Hop {
    /// For `X-Forwarded-For`.
    pub(super) address: HeaderValue,
    /// RFC 7239 §4, without the host.
    node: String,
}

impl Hop {
    pub(super) fn new(address: IpAddr) -> Self {
        // An IPv4 client of a dual-stack listener is an IPv4 client.
        let address = address.to_canonical();
        let node = match address {
            IpAddr::V4(address) => format!("for={address};proto=https"),
            // RFC 7239 §6: in brackets, and so in quotes.
            IpAddr::V6(address) => format!("for=\"[{address}]\";proto=https"),
        };
        let address = HeaderValue::from_str(&address.to_string());
        Self { address: address.unwrap_or_else(|_| HeaderValue::from_static("unknown")), node }
    }
}

/// What the client's own headers said, where they are believed.
#[derive(Debug, Default)]
pub(super) struct Before {
    forwarded: Option<HeaderValue>,
    x_for: Option<HeaderValue>,
    x_proto: Option<HeaderValue>,
    x_host: Option<HeaderValue>,
    x_port: Option<HeaderValue>,
}

impl Before {
    /// Reads `headers` before they are taken away.
    pub(super) fn of(headers: &HeaderMap, settings: &IdentityHeaders) -> Self {
        let mut before = Self::default();
        if settings.forwarded == Forwarding::Append {
            before.forwarded = joined(headers, &settings.names.forwarded);
        }
        if settings.x_forwarded == Forwarding::Append {
            let names = &settings.names;
            before.x_for = joined(headers, &names.x_forwarded_for);
            before.x_proto = headers.get(&names.x_forwarded_proto).cloned();
            before.x_host = headers.get(&names.x_forwarded_host).cloned();
            before.x_port = headers.get(&names.x_forwarded_port).cloned();
        }
        before
    }
}

/// Sets what `settings` want. `asked` is the host that the client asked for.
pub(super) fn set(
    headers: &mut HeaderMap,
    asked: Option<HeaderValue>,
    hop: &Hop,
    before: Before,
    settings: &IdentityHeaders,
) {
    let names = &settings.names;
    if settings.forwarded != Forwarding::Off {
        let ours = element(hop, asked.as_ref());
        if let Some(value) = appended(before.forwarded, ours) {
            headers.insert(names.forwarded.clone(), value);
        }
    }
    match settings.x_forwarded {
        // The address and the protocol are the connection's, and set already.
        Forwarding::Overwrite => {}
        Forwarding::Append => {
            if let Some(value) = appended(before.x_for, hop.address.as_bytes().to_vec()) {
                headers.insert(names.x_forwarded_for.clone(), value);
            }
            let https = || HeaderValue::from_static("https");
            headers.insert(names.x_forwarded_proto.clone(), before.x_proto.unwrap_or_else(https));
        }
        Forwarding::Off => return,
    }
    // The first proxy of several knows what the client asked for.
    let port = before.x_port.or_else(|| asked.as_ref().map(port));
    if let Some(port) = port {
        headers.insert(names.x_forwarded_port.clone(), port);
    }
    if let Some(host) = before.x_host.or(asked) {
        headers.insert(names.x_forwarded_host.clone(), host);
    }
}

/// The host that the client asked for: RFC 9112 §3.2.2, RFC 9113 §8.3.1.
pub(super) fn asked(uri: &Uri, host: Option<HeaderValue>) -> Option<HeaderValue> {
    match uri.authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
        None => host,
    }
}

fn element(hop: &Hop, asked: Option<&HeaderValue>) -> Vec<u8> {
    let mut element = hop.node.clone().into_bytes();
    // Quoted always: a port's colon needs it. What needs more than quotes is no host.
    let host =
        asked.map(HeaderValue::as_bytes).filter(|host| !host.contains(&b'"') && !host.contains(&b'\\'));
    if let Some(host) = host {
        element.extend_from_slice(b";host=\"");
        element.extend_from_slice(host);
        element.push(b'"');
    }
    element
}

/// The port that the client asked for, as its host header says: load balancers before us may have another than ours.
fn port(host: &HeaderValue) -> HeaderValue {
    let digits = host.as_bytes().iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (rest, port) = host.as_bytes().split_at(host.len().saturating_sub(digits));
    match HeaderValue::from_bytes(port) {
        Ok(port) if digits > 0 && rest.ends_with(b":") => port,
        _ => HeaderValue::from_static("443"),
    }
}

fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let values: Vec<_> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    if values.is_empty() { None } else { HeaderValue::from_bytes(&values.join(&b", "[..])).ok() }
}

fn appended(before: Option<HeaderValue>, ours: Vec<u8>) -> Option<HeaderValue> {
    let all = match before {
        Some(before) => [before.as_bytes(), b", ", &ours].concat(),
        None => ours,
    };
    HeaderValue::from_bytes(&all).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_each_header_wants_them() {
        let hop = Hop::new("2001:db8::1".parse().unwrap());
        assert_eq!(
            (hop.address, hop.node.as_str()),
            (HeaderValue::from_static("2001:db8::1"), "for=\"[2001:db8::1]\";proto=https")
        );
        let hop = Hop::new("::ffff:192.0.2.7".parse().unwrap());
        assert_eq!(hop.node, "for=192.0.2.7;proto=https");
    }

    #[test]
    fn the_port_is_the_one_that_was_asked_for() {
        for (host, expected) in [
            ("a.example", "443"),
            ("a.example:8443", "8443"),
            ("[2001:db8::443]", "443"),
            ("[::1]:99", "99"),
            ("a443", "443"),
            (":", "443"),
        ] {
            assert_eq!(port(&HeaderValue::from_static(host)), expected, "{host}");
        }
    }
}
