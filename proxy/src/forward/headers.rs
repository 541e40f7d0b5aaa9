//! The header policy: what of a client's request reaches the upstream, what is added, and what comes back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Version, request, response};
use http_body::SizeHint;

use crate::authorize::header_bytes;
use crate::config::{IdentityHeaders, SubjectHeader};
use crate::identify::ClientIdentity;
use crate::refusal::Refusal;
use crate::trust::VerifiedPath;

const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");
const CLIENT_CERT_SUB: HeaderName = HeaderName::from_static("x-client-cert-sub");

/// RFC 9110 §7.6.1: about one connection, not about the message. `Expect` is between the client and us: the
/// upstream gets the body when it comes.
const HOP_BY_HOP: [HeaderName; 7] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    EXPECT,
];

/// What a client must not tell the upstream, because the upstream would take it for our word, or for a route.
const SPOOFED: [&str; 8] = [
    "client-cert",
    "client-cert-chain",
    "x-forwarded-client-cert",
    "forwarded",
    "x-real-ip",
    "x-apigw-api-id",
    "x-http-method-override",
    "proxy-authorization",
];
const SPOOFED_PREFIXES: [&str; 4] = ["x-client-cert-", "x-amzn-mtls-", "x-postern-", "x-forwarded-"];

/// The identity headers of one client, made once for its connection.
#[derive(Debug)]
pub struct IdentityHeaderValues(Vec<(HeaderName, HeaderValue)>);

impl IdentityHeaderValues {
    /// Writes `identity` and the path that proves it as `config` wants it.
    pub fn new(identity: &ClientIdentity, path: &VerifiedPath, config: &IdentityHeaders) -> Self {
        let mut values = Vec::new();
        let mut set = |name, text: String| {
            // What no header can hold (a control character in a subject) is left out rather than changed.
            if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
                values.push((name, value));
            }
        };
        let mut certificates = path.chain().iter().map(|der| byte_sequence(der));
        if let Some(leaf) = certificates.next().filter(|_| config.client_cert) {
            set(CLIENT_CERT, leaf);
        }
        if config.client_cert_chain {
            let chain: Vec<_> = certificates.collect();
            if !chain.is_empty() {
                set(CLIENT_CERT_CHAIN, chain.join(", "));
            }
        }
        match config.client_cert_sub {
            SubjectHeader::Plain => set(CLIENT_CERT_SUB, identity.leaf.subject.clone()),
            SubjectHeader::Base64 => set(CLIENT_CERT_SUB, STANDARD.encode(&identity.leaf.subject)),
            SubjectHeader::Off => {}
        }
        Self(values)
    }
}

/// RFC 9440 §2.1: a certificate is a Byte Sequence of RFC 8941 §3.3.5.
fn byte_sequence(der: &[u8]) -> String {
    format!(":{}:", STANDARD.encode(der))
}

/// Turns the head of a client's request into that of ours.
pub(super) fn to_upstream(
    head: &mut request::Parts,
    identity: &IdentityHeaderValues,
    host: &HeaderValue,
    body: &SizeHint,
    limit: usize,
) -> Result<(), Refusal> {
    // What Connection lists goes first, and only then is ours set: `Connection: client-cert` must not remove it.
    remove_hop_by_hop(&mut head.headers);
    remove_spoofed(&mut head.headers);
    join_cookies(&mut head.headers);
    for (name, value) in &identity.0 {
        head.headers.insert(name.clone(), value.clone());
    }
    head.headers.insert(HOST, host.clone());
    frame(head, body);
    let bytes = header_bytes(&head.headers);
    if bytes > limit {
        return Err(Refusal::UpstreamHeadersTooLarge { bytes, limit });
    }
    Ok(())
}

/// Turns the head of the upstream's response into that of ours.
pub(super) fn to_client(head: &mut response::Parts) {
    // RFC 9112 §6.3: Transfer-Encoding overrides Content-Length, which must not be passed on then.
    if head.headers.contains_key(TRANSFER_ENCODING) {
        head.headers.remove(CONTENT_LENGTH);
    }
    remove_hop_by_hop(&mut head.headers);
    // RFC 9110 §2.5: the version is that of the connection, not of the message.
    head.version = Version::HTTP_11;
}

/// Says where the body ends, if there is one: RFC 9112 §6.3. hyper takes a GET or HEAD without a word about it for one
/// without a body.
fn frame(head: &mut request::Parts, body: &SizeHint) {
    if head.version == Version::HTTP_2 {
        // There it is a remark beside the frames that count. hyper writes the size anew.
        head.headers.remove(CONTENT_LENGTH);
    }
    if body.exact().is_none() {
        head.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let listed: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| name.trim().parse().ok())
            .collect();
        for name in listed {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Removes what only the proxy may say.
pub(super) fn remove_spoofed(headers: &mut HeaderMap) {
    let spoofed: Vec<HeaderName> = headers.keys().filter(|name| is_spoofed(name.as_str())).cloned().collect();
    for name in spoofed {
        headers.remove(name);
    }
}

/// CGI, WSGI and others read `_`, and some any punctuation, as `-`, so that is the same name.
fn is_spoofed(name: &str) -> bool {
    let odd = |c: char| !c.is_ascii_alphanumeric() && c != '-';
    if name.contains(odd) {
        return is_spoofed(&name.replace(odd, "-"));
    }
    SPOOFED.contains(&name) || SPOOFED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// RFC 9113 §8.2.3: HTTP/2 may split Cookie into several fields; HTTP/1.1 has one.
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let joined =
        headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect::<Vec<_>>().join(&b"; "[..]);
    if let Ok(value) = HeaderValue::from_bytes(&joined) {
        headers.insert(COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream_sees(fields: &[(&str, &str)]) -> HeaderMap {
        let mut builder = http::Request::builder().uri("https://client.example/a?b=c");
        for (name, value) in fields {
            builder = builder.header(*name, *value);
        }
        let (mut head, ()) = builder.body(()).unwrap().into_parts();
        let identity = IdentityHeaderValues(vec![(CLIENT_CERT, HeaderValue::from_static(":ours:"))]);
        to_upstream(
            &mut head,
            &identity,
            &HeaderValue::from_static("api.example"),
            &SizeHint::with_exact(0),
            8_000,
        )
        .unwrap();
        head.headers
    }

    #[test]
    fn a_client_cannot_speak_for_the_proxy_in_any_spelling() {
        let headers = upstream_sees(&[
            ("client-cert", ":theirs:"),
            ("Client_Cert", ":theirs:"),
            ("X_Client-Cert_Sub", "CN=admin"),
            ("x-amzn-mtls-clientcert-subject", "CN=admin"),
            ("X-Forwarded-For", "10.0.0.1"),
            ("x-apigw-api-id", "other"),
            ("X-HTTP-Method-Override", "DELETE"),
            ("x-harmless", "stays"),
        ]);
        let names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["x-harmless", "client-cert", "host"]);
        assert_eq!(headers["client-cert"], ":ours:");
        assert_eq!(headers["host"], "api.example");
    }

    #[test]
    fn connection_lists_what_is_dropped_but_not_what_we_add() {
        let headers = upstream_sees(&[
            ("connection", "x-one, client-cert, host"),
            ("connection", "keep-alive"),
            ("x-one", "gone"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("expect", "100-continue"),
        ]);
        let names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["client-cert", "host"]);
    }

    #[test]
    fn split_cookies_become_one() {
        assert_eq!(upstream_sees(&[("cookie", "a=1"), ("cookie", "b=2")])["cookie"], "a=1; b=2");
    }

    #[test]
    fn over_the_limit_nothing_is_cut_off() {
        let (mut head, ()) =
            http::Request::builder().header("x", "a".repeat(300)).body(()).unwrap().into_parts();
        let refusal = to_upstream(
            &mut head,
            &IdentityHeaderValues(Vec::new()),
            &HeaderValue::from_static("h"),
            &SizeHint::with_exact(0),
            300,
        )
        .unwrap_err();
        assert_eq!(refusal.label(), "upstream_headers_too_large");
    }
}
