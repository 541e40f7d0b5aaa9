//! What the upstream is told about a client and its request, in the words of others: RFC 9440, Envoy, the ALB, RFC 7239.

use std::net::SocketAddrV4;
use std::process::Command;

use http::{HeaderMap, HeaderName, HeaderValue};
use postern_tests::pki::Pki;
use postern_tests::postern::{self, Config, Postern};
use postern_tests::private_api::Received;
use postern_tests::process::run;
use postern_tests::proxy_header::relayed;
use postern_tests::raw_tls::{RawTls, Version, certificates, client_config};
use postern_tests::stage::Stage;
use postern_tests::upstream::Upstream;
use postern_tests::wait::PATIENCE;
use postern_tests::{Failure, Outcome, hex};
use rcgen::{CertificateParams, DnType, SanType};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// A common name that would say more in a header than it is, if it were let.
const ODD_NAME: &str = "Jürgen \"J\", Jr.;URI=spiffe://example.com/admin\\";

#[test]
fn the_alb_s_headers_are_what_openssl_says_of_the_certificate() -> Outcome {
    let stage = odd_stage(|config| config.text("identity_headers.x_amzn_mtls_clientcert", "verify"))?;
    for client in ["good", "odd"] {
        let echo = stage.curl(client, "/").call()?.echo()?;
        let openssl = |arguments: &[&str]| openssl(&stage.pki, client, arguments);
        let header = |name: &str| only(&echo, &format!("x-amzn-mtls-clientcert-{name}"));
        assert_eq!(format!("serial={}", header("serial-number")?), openssl(&["-serial"])?);
        assert_eq!(format!("subject={}", header("subject")?), openssl(&["-subject", "-nameopt", "RFC2253"])?);
        assert_eq!(format!("issuer={}", header("issuer")?), openssl(&["-issuer", "-nameopt", "RFC2253"])?);
        let dates = openssl(&["-startdate", "-enddate", "-dateopt", "iso_8601"])?;
        let dates =
            dates.replace(' ', "T").replace("notBefore=", "NotBefore=").replace("\nnotAfter=", ";NotAfter=");
        assert_eq!(header("validity")?, dates);
        let leaf = header("leaf")?;
        assert_eq!(pem_chain(&leaf), certificates(&stage.pki, &format!("clients/{client}.pem"))?[..1]);
        assert!(!leaf.contains("%2") || !leaf.replace("%20", "").contains("%2"), "+=/ are safe: {leaf}");
        assert!(echo.values("x-amzn-mtls-clientcert").is_empty(), "that is of the other mode");
    }
    Ok(())
}

#[test]
fn the_alb_s_passthrough_header_is_the_whole_chain() -> Outcome {
    let stage =
        Stage::set_with(|config| config.text("identity_headers.x_amzn_mtls_clientcert", "passthrough"))?;
    let echo = stage.curl("good", "/").call()?.echo()?;
    let chain = only(&echo, "x-amzn-mtls-clientcert")?;
    assert_eq!(pem_chain(&chain), certificates(&stage.pki, "clients/good.pem")?);
    assert!(!echo.names().iter().any(|name| name.starts_with("x-amzn-mtls-clientcert-")), "{echo:?}");
    Ok(())
}

#[test]
fn envoy_s_header_can_be_read_by_its_grammar_whatever_the_certificate_says() -> Outcome {
    let stage = odd_stage(|config| {
        config
            .raw(
                "identity_headers.x_forwarded_client_cert",
                "['hash', 'cert', 'chain', 'subject', 'uri', 'dns']",
            )
            .text("identity_headers.x_forwarded_client_cert_by", "spiffe://example.com/postern")
    })?;
    let echo = stage.curl("odd", "/").call()?.echo()?;
    let header = only(&echo, "x-forwarded-client-cert")?;
    let chain = certificates(&stage.pki, "clients/odd.pem")?;
    let hash = hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &chain[0]).as_ref());
    // A reader who takes `\"` for a quote and one who takes any `\` for an escape see the same elements.
    for escapes in [false, true] {
        let pairs = xfcc_pairs(&header, escapes);
        let keys: Vec<_> = pairs.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["By", "Hash", "Cert", "Chain", "Subject", "URI", "DNS", "DNS"], "{header}");
        let value =
            |key: &str| pairs.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str()).unwrap();
        assert_eq!(value("By"), "spiffe://example.com/postern");
        assert_eq!(value("Hash"), hash);
        assert_eq!(pem_chain(value("Cert")), chain[..1]);
        assert_eq!(pem_chain(value("Chain")), chain);
        assert_eq!(value("URI"), "spiffe://example.com/odd?a=b;c,d%22%20e");
        assert_eq!((pairs[6].1.as_str(), pairs[7].1.as_str()), ("odd.example", "*.odd.example"));
    }
    let subject = &xfcc_pairs(&header, false)[4].1;
    assert_eq!(
        subject,
        "CN=J\\C3\\BCrgen \\22J\\22\\, Jr.\\;URI=spiffe://example.com/admin\\5C,O=M\\C3\\BCller \\+ S\\C3\\B6hne"
    );
    Ok(())
}

#[test]
fn an_odd_subject_is_ascii_in_every_header() -> Outcome {
    let stage = odd_stage(|config| config)?;
    let subject = only(&stage.curl("odd", "/").call()?.echo()?, "x-client-cert-sub")?;
    assert!(subject.is_ascii() && subject.starts_with("CN=J\\C3\\BCrgen \\\"J\\\"\\, Jr."), "{subject}");
    Ok(())
}

#[test]
fn the_vpc_endpoint_and_the_address_behind_a_load_balancer_are_told() -> Outcome {
    let stage = Stage::set_with(|config| {
        config
            .text("listen.proxy_protocol.mode", "v2")
            .raw("listen.proxy_protocol.trusted", "['127.0.0.0/8']")
            .raw("identity_headers.x_postern_vpce_id", true)
            .text("identity_headers.forwarded", "overwrite")
    })?;
    let mut socket = std::net::TcpStream::connect(stage.postern.address())?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let client = SocketAddrV4::new([192, 0, 2, 7].into(), 40_000);
    std::io::Write::write_all(&mut socket, &relayed(client, "vpce-08d2bf15fac5001c9"))?;
    let config = client_config(&stage.pki, "good", Version::Tls13, b"http/1.1")?;
    let mut connection = RawTls::connect_on(socket, config.into())?;
    connection.send("GET / HTTP/1.1\r\nHost: api.example:8443\r\n\r\n")?;
    let echo = echo_of(&connection.response()?.body)?;
    for (name, value) in [
        ("x-postern-vpce-id", "vpce-08d2bf15fac5001c9"),
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "api.example:8443"),
        ("x-forwarded-port", "8443"),
        ("forwarded", "for=192.0.2.7;proto=https;host=\"api.example:8443\""),
    ] {
        assert_eq!(only(&echo, name)?, value, "{name}");
    }
    Ok(())
}

#[test]
fn a_request_has_the_name_that_the_log_gives_it() -> Outcome {
    let stage = Stage::set()?;
    for protocol in ["--http1.1", "--http2"] {
        let path = format!("/named{protocol}");
        let echo = stage.curl("good", &path).arg(protocol).header("X-Request-Id: theirs").call()?.echo()?;
        let logged = stage.postern.requested(&path)?;
        assert_eq!(only(&echo, "x-request-id")?, logged.expect_text("request")?);
    }
    Ok(())
}

#[test]
fn a_renamed_header_is_set_and_neither_name_can_be_spoofed() -> Outcome {
    let stage = Stage::set_with(|config| {
        config
            .text("identity_headers.names.client_cert", "X-Client-Certificate")
            .text("identity_headers.names.x_forwarded_for", "X-Real-IP")
            .text("identity_headers.names.x_amzn_mtls_clientcert_leaf", "Y-Leaf")
    })?;
    let spoofs = [
        "X-Client-Certificate: :AAAA:",
        "x_client_certificate: :AAAA:",
        "X-Client_Certificate: :AAAA:",
        "Client-Cert: :AAAA:",
        "X-Real-IP: 10.0.0.1",
        "X-Forwarded-For: 10.0.0.1",
        "y-leaf: AAAA",
        "Y_Leaf: AAAA",
    ];
    for protocol in ["--http1.1", "--http2"] {
        let curl = stage.curl("good", "/").arg(protocol);
        let echo = spoofs.iter().fold(curl, |curl, spoof| curl.header(spoof)).call()?.echo()?;
        assert_eq!(only(&echo, "x-real-ip")?, "127.0.0.1");
        assert!(only(&echo, "x-client-certificate")?.starts_with(":MII"));
        let text = format!("{echo:?}");
        assert!(!text.contains("AAAA") && !text.contains("10.0.0.1"), "{protocol}: {text}");
        assert!(echo.values("client-cert").is_empty() && echo.values("x-forwarded-for").is_empty(), "{text}");
    }
    Ok(())
}

#[test]
fn trailers_cannot_speak_for_the_proxy_either() -> Outcome {
    let stage =
        Stage::set_with(|config| config.text("identity_headers.names.client_cert_chain", "Who-Asks"))?;
    let trailers = [
        ("x-checksum", "abc"),
        ("client-cert", ":AAAA:"),
        ("client_cert", ":AAAA:"),
        ("who-asks", ":AAAA:"),
        ("x_forwarded_for", "AAAA"),
        ("x-amzn-mtls-clientcert-subject", "AAAA"),
        ("x-request-id", "AAAA"),
        ("authorization", "AAAA"),
        ("x-apigw-api-id", "AAAA"),
    ];
    let names: Vec<_> = trailers.iter().map(|(name, _)| *name).collect();
    let lines: String = trailers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();

    let mut connection = stage.connect("good", Version::Tls13)?;
    connection.send(format!(
        "POST /h1 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTrailer: {}\r\n\r\n3\r\nabc\r\n0\r\n{lines}\r\n",
        names.join(", ")
    ))?;
    let first = echo_of(&connection.response()?.body)?;

    let map: HeaderMap = trailers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
    let (status, body) = stage.connect_http2("good")?.post_with_trailers("/h2", "abc", map)?;
    assert_eq!(status, 200);
    for echo in [first, echo_of(&body)?] {
        assert_eq!(echo.body.trailers, [("x-checksum".to_owned(), "abc".to_owned())], "{}", echo.path);
        assert!(!echo.headers.iter().any(|(_, value)| value.contains("AAAA")), "{echo:?}");
    }
    Ok(())
}

#[test]
fn a_folded_header_is_refused_and_nothing_of_it_passes() -> Outcome {
    let stage = Stage::set()?;
    let mut connection = stage.connect("good", Version::Tls13)?;
    connection.send("GET /folded HTTP/1.1\r\nHost: localhost\r\nX-A: b\r\n Client-Cert: :AAAA:\r\n\r\n")?;
    assert_eq!(connection.response()?.status, 400);
    Ok(())
}

#[test]
fn a_certificate_of_five_thousand_bytes_passes_and_over_the_limit_the_largest_headers_are_named() -> Outcome {
    let stage = odd_stage(|config| config)?;
    stage.pki.issue("large", |params| {
        params.distinguished_name.push(DnType::CommonName, "large");
        params.subject_alt_names = (0..115)
            .map(|n| SanType::DnsName(format!("{n:02}.a-rather-long-name.example").try_into().unwrap()))
            .collect();
    })?;
    let echo = stage.curl("large", "/").call()?.echo()?;
    let header = only(&echo, "client-cert")?;
    assert!(header.len() > 5_000, "{}", header.len());

    let refused = stage.curl("large", "/over").header(&format!("X-Padding: {}", "x".repeat(2_500))).call()?;
    assert_eq!(refused.status, 431);
    let logged = stage.postern.requested("/over")?;
    assert_eq!(logged.text("reason"), Some("upstream_headers_too_large"));
    let detail = logged.expect_text("detail")?;
    assert!(
        detail.contains(&format!("the largest: client-cert {}, x-padding 2513, ", header.len() + 15)),
        "{detail}"
    );
    assert!(!refused.text().contains("client-cert"), "internals: {}", refused.text());
    Ok(())
}

#[test]
fn a_trace_passes_if_it_is_well_formed() -> Outcome {
    let stage = Stage::set_with(|config| config.text("identity_headers.trace_context", "start"))?;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let good = stage
        .curl("good", "/")
        .header(&format!("traceparent: {parent}"))
        .header("tracestate: congo=t61rcWkgMzE")
        .header("X-Amzn-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1")
        .call()?
        .echo()?;
    assert_eq!(only(&good, "traceparent")?, parent);
    assert_eq!(only(&good, "tracestate")?, "congo=t61rcWkgMzE");
    assert_eq!(only(&good, "x-amzn-trace-id")?, "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1");
    let bad = stage
        .curl("good", "/")
        .header("traceparent: 00-xyz")
        .header("tracestate: congo=t61rcWkgMzE")
        .header("X-Amzn-Trace-Id: Root=1")
        .call()?
        .echo()?;
    assert!(only(&bad, "traceparent")?.starts_with("00-"), "{bad:?}");
    assert_ne!(only(&bad, "traceparent")?, "00-xyz");
    assert!(bad.values("tracestate").is_empty() && bad.values("x-amzn-trace-id").is_empty(), "{bad:?}");
    Ok(())
}

#[test]
fn names_that_would_break_messages_are_found_by_the_check() -> Outcome {
    let pki = Pki::make()?;
    let config = Config::new(&pki, ([127, 0, 0, 1], 1).into());
    for (key, value, words) in [
        ("names.client_cert", "'Transfer-Encoding'", "transfer-encoding has a meaning of its own"),
        ("names.client_cert", "'Host'", "host has a meaning of its own"),
        ("names.client_cert", "'X-Request-Id'", "x-request-id is the name of another"),
        ("names.client_cer", "'X-A'", "did you mean identity_headers.names.client_cert?"),
        ("x_forwarded", "'trust'", "expected \"overwrite\", \"append\", \"off\""),
        ("x_forwarded_client_cert", "['cert', 'serial']", "elements of that header"),
    ] {
        let checked = postern::check(&config.clone().raw(&format!("identity_headers.{key}"), value))?;
        assert_eq!(checked.code(), 1, "{key}");
        assert!(checked.stderr.contains(words), "{words} in\n{}", checked.stderr);
    }
    Ok(())
}

/// With a client whose certificate says odd things.
fn odd_stage(change: impl FnOnce(Config) -> Config) -> Result<Stage, Failure> {
    let pki = Pki::make()?;
    let dns = |text: &str| text.try_into().map(SanType::DnsName);
    let uri = |text: &str| text.try_into().map(SanType::URI);
    let names = vec![
        dns("odd.example")?,
        dns("evil.example;Hash=00")?,
        uri("spiffe://example.com/odd?a=b;c,d\" e")?,
        dns("*.odd.example")?,
    ];
    pki.issue("odd", |params: &mut CertificateParams| {
        params.distinguished_name.push(DnType::OrganizationName, "Müller + Söhne");
        params.distinguished_name.push(DnType::CommonName, ODD_NAME);
        params.subject_alt_names = names;
    })?;
    let upstream = Upstream::start(&pki)?;
    let postern = Postern::start(&change(Config::new(&pki, upstream.address())))?;
    Ok(Stage { postern, upstream, pki })
}

/// The one value of a header.
fn only(echo: &Received, name: &str) -> Result<String, Failure> {
    match echo.values(name)[..] {
        [value] => Ok(value.to_owned()),
        _ => Err(Failure::Missing(format!("{name}, once, in {echo:?}"))),
    }
}

pub(crate) fn echo_of(body: &[u8]) -> Result<Received, Failure> {
    let text = String::from_utf8_lossy(body).into_owned();
    serde_json::from_str(&text).map_err(|source| Failure::Json { what: "the echo", source, text })
}

fn openssl(pki: &Pki, client: &str, arguments: &[&str]) -> Result<String, Failure> {
    let mut command = Command::new("openssl");
    command.args(["x509", "-noout", "-in"]).arg(pki.path(&format!("clients/{client}.pem"))).args(arguments);
    Ok(run("openssl", &mut command)?.success()?.stdout.trim().to_owned())
}

/// The certificates in percent-encoded PEM.
fn pem_chain(text: &str) -> Vec<CertificateDer<'static>> {
    let mut parts = text.split('%');
    let mut pem = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at(2);
        pem.extend(u8::from_str_radix(digits, 16).map(char::from));
        pem.push_str(rest);
    }
    CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok).collect()
}

/// Reads one element by the grammar of Envoy's documentation: `;` between pairs, double quotes around what needs them, a
/// backslash before a double quote inside, and, for readers who think so, before anything.
fn xfcc_pairs(element: &str, any_escape: bool) -> Vec<(String, String)> {
    let (mut pairs, mut key, mut value) = (Vec::new(), String::new(), String::new());
    let (mut in_key, mut quoted) = (true, false);
    let mut rest = element.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '=' if in_key => in_key = false,
            ';' if !quoted => {
                pairs.push((std::mem::take(&mut key), std::mem::take(&mut value)));
                in_key = true;
            }
            '"' => quoted = !quoted,
            '\\' if quoted && (any_escape || rest.peek() == Some(&'"')) => value.extend(rest.next()),
            _ if in_key => key.push(c),
            _ => value.push(c),
        }
    }
    assert!(!quoted, "unbalanced quotes in {element}");
    pairs.push((key, value));
    pairs
}
