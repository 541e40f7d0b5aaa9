//! `[identity_headers]`: what the upstream is told about the client.

mod names;

use http::HeaderValue;

pub use self::names::Names;
use super::section::Section;

/// How `X-Client-Cert-Sub` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectHeader {
    /// As RFC 4514 text.
    Plain,
    /// As base64 of that text.
    Base64,
    /// Not at all.
    Off,
}

/// One element of Envoy's `X-Forwarded-Client-Cert`. They are written in this order, whatever the order of the setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XfccElement {
    /// SHA-256 of the leaf.
    Hash,
    /// The leaf.
    Cert,
    /// The leaf and the intermediates.
    Chain,
    /// The leaf's subject.
    Subject,
    /// The leaf's URI names.
    Uri,
    /// The leaf's DNS names.
    Dns,
}

/// Which of the headers that an Application Load Balancer sets about the client's certificate are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlbMode {
    /// The leaf and what it says: five headers.
    Verify,
    /// The chain: one header.
    Passthrough,
    /// None.
    Off,
}

/// What becomes of headers that say where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forwarding {
    /// Ours, in place of the client's: this proxy is the edge.
    Overwrite,
    /// Ours, behind the client's. Every client is believed to be a proxy that tells the truth.
    Append,
    /// None.
    Off,
}

/// Who names a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestId {
    /// The proxy, always.
    Make,
    /// The client if its name is well-formed, and the proxy otherwise.
    Accept,
    /// Nobody.
    Off,
}

/// What becomes of a trace that a client is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace {
    /// It goes on if it is well-formed.
    Pass,
    /// It goes on, or one is started.
    Start,
    /// It ends here.
    Off,
}

/// `[identity_headers]`
#[derive(Debug, Clone, PartialEq)]
pub struct IdentityHeaders {
    /// RFC 9440 `Client-Cert`.
    pub client_cert: bool,
    /// RFC 9440 `Client-Cert-Chain`.
    pub client_cert_chain: bool,
    /// `X-Client-Cert-Sub`.
    pub client_cert_sub: SubjectHeader,
    /// Envoy's `X-Forwarded-Client-Cert`: what is in it. None means no such header.
    pub xfcc: Vec<XfccElement>,
    /// What it says of the proxy itself, as `By`.
    pub xfcc_by: Option<String>,
    /// The ALB's `X-Amzn-Mtls-Clientcert-…`.
    pub alb: AlbMode,
    /// `X-Postern-Vpce-Id`.
    pub vpce_id: bool,
    /// RFC 7239 `Forwarded`.
    pub forwarded: Forwarding,
    /// `X-Forwarded-For`, `-Proto`, `-Host` and `-Port`.
    pub x_forwarded: Forwarding,
    /// `X-Request-Id`.
    pub request_id: RequestId,
    /// W3C `traceparent` and `tracestate`.
    pub trace_context: Trace,
    /// `X-Amzn-Trace-Id`.
    pub amzn_trace_id: Trace,
    /// What each of them is called.
    pub names: Names,
}

impl IdentityHeaders {
    pub(super) fn read(headers: &mut Section<'_>) -> Self {
        const TRACES: &[(&str, Trace)] =
            &[("pass", Trace::Pass), ("start", Trace::Start), ("off", Trace::Off)];
        const FORWARDING: &[(&str, Forwarding)] =
            &[("overwrite", Forwarding::Overwrite), ("append", Forwarding::Append), ("off", Forwarding::Off)];
        let this = Self {
            client_cert: headers.boolean("client_cert", true),
            client_cert_chain: headers.boolean("client_cert_chain", false),
            client_cert_sub: one_of(
                headers,
                "client_cert_sub",
                SubjectHeader::Plain,
                &[
                    ("plain", SubjectHeader::Plain),
                    ("base64", SubjectHeader::Base64),
                    ("off", SubjectHeader::Off),
                ],
            ),
            xfcc: xfcc(headers),
            xfcc_by: headers.optional_string("x_forwarded_client_cert_by"),
            alb: one_of(
                headers,
                "x_amzn_mtls_clientcert",
                AlbMode::Off,
                &[("verify", AlbMode::Verify), ("passthrough", AlbMode::Passthrough), ("off", AlbMode::Off)],
            ),
            vpce_id: headers.boolean("x_postern_vpce_id", false),
            forwarded: one_of(headers, "forwarded", Forwarding::Off, FORWARDING),
            x_forwarded: one_of(headers, "x_forwarded", Forwarding::Overwrite, FORWARDING),
            request_id: one_of(
                headers,
                "x_request_id",
                RequestId::Make,
                &[("make", RequestId::Make), ("accept", RequestId::Accept), ("off", RequestId::Off)],
            ),
            trace_context: one_of(headers, "trace_context", Trace::Pass, TRACES),
            amzn_trace_id: one_of(headers, "x_amzn_trace_id", Trace::Pass, TRACES),
            names: Names::read(&mut headers.section("names")),
        };
        this.check_by(headers);
        this
    }

    /// What the lines of `[identity_headers]` in `text` come to, and what is wrong with them.
    #[cfg(test)]
    pub(crate) fn of(text: &str) -> (Self, Vec<super::Invalid>) {
        let document = text.parse().unwrap();
        let mut fields = super::fields::Fields::new(document, std::path::Path::new(""));
        let this = Self::read(&mut fields.root().section("identity_headers"));
        (this, fields.finish().0)
    }

    fn check_by(&self, headers: &mut Section<'_>) {
        let Some(by) = &self.xfcc_by else { return };
        let key = "x_forwarded_client_cert_by";
        if HeaderValue::from_str(by).is_err() || by.contains(['"', '\\']) {
            headers.problem(key, "not a URI", "such as \"spiffe://example.com/postern\"");
        }
        if self.xfcc.is_empty() {
            let hint = "list what X-Forwarded-Client-Cert is to hold in x_forwarded_client_cert";
            headers.problem(key, "has no effect: that header is not set", hint);
        }
    }
}

fn xfcc(headers: &mut Section<'_>) -> Vec<XfccElement> {
    let key = "x_forwarded_client_cert";
    let known = [
        ("hash", XfccElement::Hash),
        ("cert", XfccElement::Cert),
        ("chain", XfccElement::Chain),
        ("subject", XfccElement::Subject),
        ("uri", XfccElement::Uri),
        ("dns", XfccElement::Dns),
    ];
    let wanted = headers.strings(key);
    if wanted.iter().any(|name| known.iter().all(|(known, _)| known != name)) {
        headers.problem(key, "holds something else than elements of that header", words(&known));
    }
    let elements = known.iter().filter(|(name, _)| wanted.iter().any(|wanted| wanted == name));
    elements.map(|(_, element)| *element).collect()
}

/// A word out of a few.
fn one_of<T: Copy>(section: &mut Section<'_>, key: &str, default: T, words_of: &[(&str, T)]) -> T {
    section.parsed(key, default, &words(words_of), |text| {
        words_of.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
    })
}

fn words<T>(known: &[(&str, T)]) -> String {
    let quoted: Vec<_> = known.iter().map(|(word, _)| format!("\"{word}\"")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<(String, String)> {
        let (_, problems) = IdentityHeaders::of(text);
        problems.into_iter().map(|invalid| (invalid.key, invalid.problem)).collect()
    }

    #[test]
    fn a_name_must_be_free() {
        let taken = [
            "Connection",
            "Keep-Alive",
            "TE",
            "Trailer",
            "Transfer-Encoding",
            "Upgrade",
            "Proxy-Connection",
            "Host",
            "Content-Length",
            "Content-Type",
            "Authorization",
            "Cookie",
            "Expect",
            "traceparent",
            "X-Amz-Date",
            "X-Amzn-Trace-Id",
            "x-apigw-api-id",
            "X_Client",
            "X Client",
            "X-Client:",
            "",
            "X-Umlaut-\u{fc}",
        ];
        for name in taken {
            let found = problems(&format!("[identity_headers.names]\nclient_cert = {name:?}"));
            assert_eq!(found.len(), 1, "{name}: {found:?}");
            assert_eq!(found[0].0, "identity_headers.names.client_cert", "{name}");
        }
        assert_eq!(problems("[identity_headers.names]\nx_forwarded_for = 'X-Real-IP'"), []);
    }

    #[test]
    fn no_two_headers_have_one_name() {
        let found = problems("[identity_headers.names]\nclient_cert = 'X-A'\nx_request_id = 'x-a'");
        let keys: Vec<_> = found.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["identity_headers.names.client_cert", "identity_headers.names.x_request_id"]);
        let found = problems("[identity_headers.names]\nclient_cert = 'Client-Cert-Chain'");
        assert_eq!(found.len(), 1, "also if the other is off: {found:?}");
    }

    #[test]
    fn two_may_swap_their_names() {
        let text =
            "[identity_headers.names]\nclient_cert = 'Client-Cert-Chain'\nclient_cert_chain = 'Client-Cert'";
        assert_eq!(problems(text), []);
    }

    #[test]
    fn elements_have_one_order_and_by_is_not_alone() {
        let (settings, found) =
            IdentityHeaders::of("[identity_headers]\nx_forwarded_client_cert = ['dns', 'hash', 'dns']");
        assert_eq!((settings.xfcc, found), (vec![XfccElement::Hash, XfccElement::Dns], vec![]));
        assert_eq!(problems("[identity_headers]\nx_forwarded_client_cert = ['hash', 'by']").len(), 1);
        assert_eq!(problems("[identity_headers]\nx_forwarded_client_cert_by = 'spiffe://a/b'").len(), 1);
        let text =
            "[identity_headers]\nx_forwarded_client_cert = ['hash']\nx_forwarded_client_cert_by = 'a\"b'";
        assert_eq!(problems(text).len(), 1);
    }
}
