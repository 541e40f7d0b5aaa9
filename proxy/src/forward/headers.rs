//! The header policy: what of a client's request reaches the upstream, what is added, and what comes back.

use http::header::{CONNECTION, CONTENT_LENGTH, COOKIE, HOST, TE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Version, request, response};
use http_body::SizeHint;

use super::forwarded::{self, Before};
use super::identity::IdentityHeaderValues;
use super::{ours, trace};
use crate::authorize::header_bytes;
use crate::refusal::Refusal;

const API_ID: HeaderName = HeaderName::from_static("x-apigw-api-id");

/// About as many header fields as we add.
const ADDED: usize = 10;

/// How many header fields a refusal names.
const LARGEST: usize = 3;

/// Who asks: the client, and our name of its request.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The headers about the client.
    pub identity: &'a IdentityHeaderValues,
    /// The correlation id.
    pub request_id: &'a str,
}

/// Which API is meant, as the upstream wants to be told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Api<'a> {
    /// `Host`.
    pub(super) host: &'a HeaderValue,
    /// `x-apigw-api-id`, where `Host` does not say it.
    pub(super) id: Option<&'a HeaderValue>,
}

/// Turns the head of a client's request into that of ours.
pub(super) fn to_upstream(
    head: &mut request::Parts,
    asker: Asker<'_>,
    api: Api<'_>,
    body: &SizeHint,
    limit: usize,
) -> Result<(), Refusal> {
    let settings = &*asker.identity.settings;
    let headers = &mut head.headers;
    // It grows once.
    headers.reserve(ADDED);
    let before = Before::of(headers, settings);
    let trailers = headers.get(TE).is_some_and(takes_trailers);
    // What Connection lists goes first, and only then is ours set: `Connection: client-cert` must not remove it.
    let found = ours::remove(headers, settings);
    join_cookies(headers);
    asker.identity.set(headers);
    trace::set(headers, found, asker.request_id, settings);
    let asked = forwarded::asked(&head.uri, headers.insert(HOST, api.host.clone()));
    forwarded::set(headers, asked, &asker.identity.hop, before, settings);
    if let Some(id) = api.id {
        headers.insert(API_ID, id.clone());
    }
    if trailers {
        // RFC 9110 §10.1.4: we pass them on, so we may ask for them. gRPC's clients do not accept an answer without.
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
    frame(head, body);
    check_size(&head.headers, limit)
}

/// Whether a TE field lists "trailers".
fn takes_trailers(te: &HeaderValue) -> bool {
    let mut codings = te.as_bytes().split(|byte| *byte == b',');
    codings.any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// Nothing is cut off: the upstream gets all of it or nothing.
pub(super) fn check_size(headers: &HeaderMap, limit: usize) -> Result<(), Refusal> {
    let bytes = header_bytes(headers);
    if bytes <= limit {
        return Ok(());
    }
    let mut sizes: Vec<_> =
        headers.iter().map(|(name, value)| (name.as_str().len() + value.len() + 4, name.as_str())).collect();
    sizes.sort_by(|a, b| b.cmp(a));
    let largest: Vec<_> = sizes.iter().take(LARGEST).map(|(bytes, name)| format!("{name} {bytes}")).collect();
    Err(Refusal::UpstreamHeadersTooLarge { bytes, limit, largest: largest.join(", ") })
}

/// Turns the head of the upstream's response into that of ours.
pub(super) fn to_client(head: &mut response::Parts) {
    // RFC 9112 §6.3: Transfer-Encoding overrides Content-Length, which must not be passed on then.
    if head.headers.contains_key(TRANSFER_ENCODING) {
        head.headers.remove(CONTENT_LENGTH);
    }
    ours::remove_hop_by_hop(&mut head.headers);
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
    use http::HeaderName;

    use super::*;

    const QUIET: &str = "[identity_headers]\nx_forwarded = 'off'\nx_request_id = 'off'\n";

    fn upstream_sees_with(settings: &str, fields: &[(&str, &str)]) -> HeaderMap {
        let mut builder = http::Request::builder().uri("https://client.example/a?b=c");
        for (name, value) in fields {
            builder = builder.header(*name, *value);
        }
        let (mut head, ()) = builder.body(()).unwrap().into_parts();
        let identity = IdentityHeaderValues::test(settings);
        let asker = Asker { identity: &identity, request_id: "our-1" };
        let host = HeaderValue::from_static("api.example");
        to_upstream(&mut head, asker, Api { host: &host, id: None }, &SizeHint::with_exact(0), 8_000)
            .unwrap();
        head.headers
    }

    fn upstream_sees(fields: &[(&str, &str)]) -> HeaderMap {
        upstream_sees_with(QUIET, fields)
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        headers.keys().map(HeaderName::as_str).collect()
    }

    #[test]
    fn a_client_cannot_speak_for_the_proxy_in_any_spelling() {
        let headers = upstream_sees(&[
            ("client-cert", ":theirs:"),
            ("Client_Cert", ":theirs:"),
            ("X_Client-Cert_Sub", "CN=admin"),
            ("x.client.cert.sub", "CN=admin"),
            ("x-amzn-mtls-clientcert-subject", "CN=admin"),
            ("X-Forwarded-For", "10.0.0.1"),
            ("True-Client-IP", "10.0.0.1"),
            ("x-apigw-api-id", "other"),
            ("X-HTTP-Method-Override", "DELETE"),
            ("X-Original-URL", "/admin"),
            ("X-Request-Id", "theirs"),
            ("Transfer_Encoding", "chunked"),
            ("Content_Length", "3"),
            ("x-harmless", "stays"),
            ("x_harmless_too", "stays"),
        ]);
        let mut left = names(&headers);
        left.sort_unstable();
        assert_eq!(left, ["client-cert", "host", "x-harmless", "x_harmless_too"]);
        assert_eq!(headers["client-cert"], ":ours:");
        assert_eq!(headers["host"], "api.example");
    }

    #[test]
    fn a_renamed_header_is_ours_under_both_names() {
        let settings = format!(
            "{QUIET}[identity_headers.names]\nclient_cert_chain = 'Who-Asks'\nx_request_id = 'Ask-No'"
        );
        let headers = upstream_sees_with(
            &settings,
            &[
                ("Who-Asks", "a"),
                ("who_asks", "a"),
                ("Client-Cert-Chain", "a"),
                ("X-Request-Id", "a"),
                ("ask-no", "a"),
            ],
        );
        assert_eq!(names(&headers), ["client-cert", "host"]);
    }

    #[test]
    fn connection_lists_what_is_dropped_but_not_what_we_add() {
        let headers = upstream_sees(&[
            ("connection", "x-one, client-cert, host"),
            ("connection", "keep-alive"),
            ("x-one", "gone"),
            ("keep-alive", "timeout=5"),
            ("te", "gzip"),
            ("expect", "100-continue"),
        ]);
        assert_eq!(names(&headers), ["client-cert", "host"]);
    }

    #[test]
    fn the_edge_says_where_a_request_came_from() {
        let spoofed =
            [("x-forwarded-for", "10.0.0.1"), ("x-forwarded-host", "evil"), ("forwarded", "for=10.0.0.1")];
        let headers = upstream_sees_with("[identity_headers]\nforwarded = 'overwrite'", &spoofed);
        // X-Forwarded-For and -Proto are the connection's: see `IdentityHeaderValues`.
        assert!(!headers.contains_key("x-forwarded-for"));
        assert_eq!(headers["x-forwarded-host"], "client.example");
        assert_eq!(headers["x-forwarded-port"], "443");
        assert_eq!(headers["forwarded"], "for=192.0.2.7;proto=https;host=\"client.example\"");
        assert_eq!(headers["x-request-id"], "our-1");
    }

    #[test]
    fn behind_other_proxies_their_word_comes_first() {
        let headers = upstream_sees_with(
            "[identity_headers]\nforwarded = 'append'\nx_forwarded = 'append'",
            &[
                ("x-forwarded-for", "198.51.100.1"),
                ("x-forwarded-for", "198.51.100.2"),
                ("x_forwarded_for", "10.0.0.1"),
                ("x-forwarded-proto", "http"),
                ("x-forwarded-host", "first.example"),
                ("forwarded", "for=198.51.100.1"),
            ],
        );
        assert_eq!(headers["x-forwarded-for"], "198.51.100.1, 198.51.100.2, 192.0.2.7");
        assert_eq!(headers["x-forwarded-proto"], "http");
        assert_eq!(headers["x-forwarded-host"], "first.example");
        assert_eq!(headers["x-forwarded-port"], "443");
        assert_eq!(
            headers["forwarded"],
            "for=198.51.100.1, for=192.0.2.7;proto=https;host=\"client.example\""
        );
        assert!(!headers.contains_key("x_forwarded_for"));
    }

    #[test]
    fn a_client_names_its_request_only_if_it_may_and_knows_how() {
        let accept = "[identity_headers]\nx_request_id = 'accept'";
        assert_eq!(upstream_sees_with(accept, &[("x-request-id", "their-1")])["x-request-id"], "their-1");
        assert_eq!(upstream_sees_with(accept, &[("x-request-id", "their 1")])["x-request-id"], "our-1");
        let twice = [("x-request-id", "a"), ("x-request-id", "b")];
        assert_eq!(upstream_sees_with(accept, &twice).get_all("x-request-id").iter().count(), 1);
        assert_eq!(upstream_sees_with("", &[("x-request-id", "their-1")])["x-request-id"], "our-1");
    }

    #[test]
    fn a_trace_goes_on_if_it_is_one() {
        let parent = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let (state, broken) = (("tracestate", "a=1"), ("tracestate", "a"));
        assert_eq!(names(&upstream_sees(&[parent, state]))[..2], ["traceparent", "tracestate"]);
        assert_eq!(names(&upstream_sees(&[parent, broken])), ["traceparent", "client-cert", "host"]);
        assert_eq!(names(&upstream_sees(&[parent, parent, state])), ["client-cert", "host"]);
        assert_eq!(names(&upstream_sees(&[state])), ["client-cert", "host"]);
        let off = format!("{QUIET}trace_context = 'off'\nx_amzn_trace_id = 'off'");
        let root = ("x-amzn-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793");
        assert_eq!(names(&upstream_sees_with(&off, &[parent, state, root])), ["client-cert", "host"]);
        assert_eq!(upstream_sees(&[root])["x-amzn-trace-id"], root.1);
        assert_eq!(names(&upstream_sees(&[("x-amzn-trace-id", "x")])), ["client-cert", "host"]);
        let start = format!("{QUIET}trace_context = 'start'\nx_amzn_trace_id = 'start'");
        let headers = upstream_sees_with(&start, &[("traceparent", "x"), root]);
        assert_eq!(headers["traceparent"].len(), parent.1.len());
        assert_eq!(headers["x-amzn-trace-id"], root.1);
    }

    #[test]
    fn split_cookies_become_one() {
        assert_eq!(upstream_sees(&[("cookie", "a=1"), ("cookie", "b=2")])["cookie"], "a=1; b=2");
    }

    #[test]
    fn over_the_limit_nothing_is_cut_off_and_the_largest_are_named() {
        let (mut head, ()) = http::Request::builder()
            .header("small", "a")
            .header("x", "a".repeat(300))
            .header("y", "a".repeat(200))
            .body(())
            .unwrap()
            .into_parts();
        let identity = IdentityHeaderValues::test(QUIET);
        let asker = Asker { identity: &identity, request_id: "our-1" };
        let host = HeaderValue::from_static("h");
        let refusal =
            to_upstream(&mut head, asker, Api { host: &host, id: None }, &SizeHint::with_exact(0), 300)
                .unwrap_err();
        assert_eq!(refusal.label(), "upstream_headers_too_large");
        assert!(refusal.to_string().ends_with("the largest: x 305, y 205, client-cert 21"), "{refusal}");
    }
}
