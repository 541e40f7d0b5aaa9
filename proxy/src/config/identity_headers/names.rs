//! `[identity_headers.names]`: what the headers are called.

use http::HeaderName;

use super::super::section::Section;

/// The name of each header that the proxy sets about a client and its request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the name of the header that it is named after")]
pub struct Names {
    pub client_cert: HeaderName,
    pub client_cert_chain: HeaderName,
    pub client_cert_sub: HeaderName,
    pub xfcc: HeaderName,
    pub alb: HeaderName,
    pub alb_serial_number: HeaderName,
    pub alb_issuer: HeaderName,
    pub alb_subject: HeaderName,
    pub alb_validity: HeaderName,
    pub alb_leaf: HeaderName,
    pub vpce_id: HeaderName,
    pub forwarded: HeaderName,
    pub x_forwarded_for: HeaderName,
    pub x_forwarded_proto: HeaderName,
    pub x_forwarded_host: HeaderName,
    pub x_forwarded_port: HeaderName,
    pub request_id: HeaderName,
    /// Those among them that were renamed.
    pub renamed: Vec<HeaderName>,
}

/// What says something about the message, its body, its connection or its sender's rights. `Names` must not take its place.
const TAKEN: [&str; 38] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "expect",
    "host",
    "http2-settings",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "max-forwards",
    "origin",
    "pragma",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "referer",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];
/// AWS's own: signatures, routing, tracing.
const TAKEN_PREFIXES: [&str; 4] = ["x-amz-", "x-apigw-", "x-amzn-trace-", "x-amzn-vpc"];

impl Names {
    pub(super) fn read(names: &mut Section<'_>) -> Self {
        let mut given = Given { names, all: Vec::new() };
        let mut this = Self {
            client_cert: given.name("client_cert", "client-cert"),
            client_cert_chain: given.name("client_cert_chain", "client-cert-chain"),
            client_cert_sub: given.name("client_cert_sub", "x-client-cert-sub"),
            xfcc: given.name("x_forwarded_client_cert", "x-forwarded-client-cert"),
            alb: given.name("x_amzn_mtls_clientcert", "x-amzn-mtls-clientcert"),
            alb_serial_number: given
                .name("x_amzn_mtls_clientcert_serial_number", "x-amzn-mtls-clientcert-serial-number"),
            alb_issuer: given.name("x_amzn_mtls_clientcert_issuer", "x-amzn-mtls-clientcert-issuer"),
            alb_subject: given.name("x_amzn_mtls_clientcert_subject", "x-amzn-mtls-clientcert-subject"),
            alb_validity: given.name("x_amzn_mtls_clientcert_validity", "x-amzn-mtls-clientcert-validity"),
            alb_leaf: given.name("x_amzn_mtls_clientcert_leaf", "x-amzn-mtls-clientcert-leaf"),
            vpce_id: given.name("x_postern_vpce_id", "x-postern-vpce-id"),
            forwarded: given.name("forwarded", "forwarded"),
            x_forwarded_for: given.name("x_forwarded_for", "x-forwarded-for"),
            x_forwarded_proto: given.name("x_forwarded_proto", "x-forwarded-proto"),
            x_forwarded_host: given.name("x_forwarded_host", "x-forwarded-host"),
            x_forwarded_port: given.name("x_forwarded_port", "x-forwarded-port"),
            request_id: given.name("x_request_id", "x-request-id"),
            renamed: Vec::new(),
        };
        this.renamed = given.renamed();
        this
    }
}

struct Given<'a, 'b> {
    names: &'a mut Section<'b>,
    /// Key, name, and whether that is another than the header's own.
    all: Vec<(&'static str, HeaderName, bool)>,
}

impl Given<'_, '_> {
    fn name(&mut self, key: &'static str, default: &'static str) -> HeaderName {
        let default = HeaderName::from_static(default);
        let name = match self.names.optional_string(key).map(|text| allowed(&text)) {
            Some(Ok(name)) if name != default => name,
            Some(Err(problem)) => {
                let hint = "letters, digits and hyphens, such as \"X-Client-Certificate\"";
                self.names.problem(key, problem, hint);
                default.clone()
            }
            // A name made from text costs more to clone than one that is written in the code.
            Some(Ok(_)) | None => default.clone(),
        };
        self.all.push((key, name.clone(), name != default));
        name
    }

    fn renamed(self) -> Vec<HeaderName> {
        for (key, name, renamed) in &self.all {
            if *renamed && self.all.iter().any(|(other, taken, _)| other != key && taken == name) {
                let problem = format!("{name} is the name of another of these headers");
                self.names.problem(key, problem, "choose a name of its own");
            }
        }
        self.all.into_iter().filter(|(_, _, renamed)| *renamed).map(|(_, name, _)| name).collect()
    }
}

fn allowed(text: &str) -> Result<HeaderName, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let name = text.parse::<HeaderName>().ok().filter(|_| text.chars().all(plain));
    // Some upstreams read `_` as `-`: such a name could not be told from another.
    let name = name.ok_or("not a header name of letters, digits and hyphens")?;
    let taken = TAKEN.contains(&name.as_str())
        || TAKEN_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix));
    if taken { Err(format!("{name} has a meaning of its own, which would be lost")) } else { Ok(name) }
}
