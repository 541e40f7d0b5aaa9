//! Which names of headers only the proxy may use towards the upstream, in every spelling.

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName};

use crate::config::{IdentityHeaders, Names, RequestId, Trace};

/// Beginnings of names that the upstream would take for our word, or that of the network behind us.
const FAMILIES: [&str; 9] = [
    "client-cert-",
    "x-client-cert-",
    "x-forwarded-",
    "x-amzn-mtls-",
    "x-amzn-tls-",
    "x-amzn-vpc",
    "x-postern-",
    "x-apigw-",
    "x-ssl-client-",
];
/// RFC 9110 §7.6.1: about one connection, not about the message. `Expect` is between the client and us: the upstream
/// gets the body when it comes.
const HOP_BY_HOP: [HeaderName; 7] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    EXPECT,
];

/// What a header's name says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The client's own affair.
    Theirs,
    /// Never passes.
    Removed,
    RequestId,
    TraceContext,
    AmznTraceId,
}

/// What of the headers that have to be looked at a request has.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) request_id: bool,
    pub(super) trace_context: bool,
    pub(super) amzn_trace_id: bool,
}

/// Removes what is about one connection, and what only the proxy may say.
pub(super) fn remove(headers: &mut HeaderMap, settings: &IdentityHeaders) -> Found {
    remove_listed(headers);
    let mut found = Found::default();
    let mut removed: Vec<HeaderName> = Vec::new();
    for name in headers.keys() {
        let passes = match kind(name.as_str(), &settings.names) {
            Kind::Theirs => true,
            Kind::Removed => false,
            Kind::RequestId => {
                found.request_id = true;
                settings.request_id == RequestId::Accept
            }
            Kind::TraceContext => {
                found.trace_context = true;
                settings.trace_context != Trace::Off
            }
            Kind::AmznTraceId => {
                found.amzn_trace_id = true;
                settings.amzn_trace_id != Trace::Off
            }
        };
        if !passes {
            removed.push(name.clone());
        }
    }
    for name in removed {
        headers.remove(name);
    }
    found
}

/// Removes from trailers what an upstream that merges them into headers must not find there.
pub(super) fn remove_from_trailers(trailers: &mut HeaderMap, settings: &IdentityHeaders) {
    // RFC 9110 §6.5.1: nothing about framing, routing or authentication.
    const NEVER: [HeaderName; 4] = [AUTHORIZATION, CONTENT_LENGTH, COOKIE, HOST];
    let ours =
        |name: &HeaderName| NEVER.contains(name) || kind(name.as_str(), &settings.names) != Kind::Theirs;
    let removed: Vec<_> = trailers.keys().filter(|name| ours(name)).cloned().collect();
    for name in removed {
        trailers.remove(name);
    }
}

/// Removes what is about the upstream's connection with us.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    remove_listed(headers);
    // To look at each name that is there is cheaper than to look for each that could be.
    let here = |name: &HeaderName| headers.keys().any(|key| key == name);
    for (name, here) in HOP_BY_HOP.each_ref().map(|name| (name, here(name))) {
        if here {
            headers.remove(name);
        }
    }
}

/// RFC 9110 §7.6.1: the sender may name more that is about the connection.
fn remove_listed(headers: &mut HeaderMap) {
    if !headers.contains_key(CONNECTION) {
        return;
    }
    let listed: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        // What is mostly there, and goes anyway.
        .filter(|name| !name.eq_ignore_ascii_case("keep-alive"))
        .filter_map(|name| name.parse().ok())
        .collect();
    for name in listed {
        headers.remove(name);
    }
}

fn kind(name: &str, names: &Names) -> Kind {
    let bytes = name.as_bytes();
    // Most names begin with another letter, and are done with here.
    let suspicious = matches!(bytes.first(), Some(b'c' | b'e' | b'f' | b'k' | b'p' | b't' | b'u' | b'x'));
    if !suspicious && names.renamed.is_empty() {
        return Kind::Theirs;
    }
    // CGI, WSGI and others read `_`, and some any punctuation, as `-`, so that is the same name.
    if bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-') {
        return plain_kind(name, names);
    }
    let same = name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    if plain_kind(&same, names) == Kind::Theirs && same != "content-length" {
        Kind::Theirs
    } else {
        Kind::Removed
    }
}

/// Of a name of letters, digits and hyphens.
fn plain_kind(name: &str, names: &Names) -> Kind {
    match name {
        "traceparent" | "tracestate" => Kind::TraceContext,
        "x-amzn-trace-id" => Kind::AmznTraceId,
        _ if name == names.request_id.as_str() => Kind::RequestId,
        // What HOP_BY_HOP has, and what is for a proxy.
        "connection"
        | "keep-alive"
        | "proxy-connection"
        | "te"
        | "transfer-encoding"
        | "upgrade"
        | "expect"
        | "proxy-authorization" => Kind::Removed,
        // Who the client is, where it is, how its request is called.
        "client-cert"
        | "x-client-cert"
        | "x-client-ip"
        | "x-cluster-client-ip"
        | "x-real-ip"
        | "true-client-ip"
        | "forwarded"
        | "x-forwarded"
        | "x-request-id" => Kind::Removed,
        // Which method or path it wants to be taken for.
        "x-http-method"
        | "x-http-method-override"
        | "x-method-override"
        | "x-original-url"
        | "x-rewrite-url" => Kind::Removed,
        _ if FAMILIES.iter().any(|family| name.starts_with(family)) => Kind::Removed,
        _ if names.renamed.iter().any(|renamed| renamed == name) => Kind::Removed,
        _ => Kind::Theirs,
    }
}
