//! A client with a good certificate reaches the private API, over every protocol, and is named to it.

use postern_tests::Outcome;
use postern_tests::files;
use postern_tests::s_client::s_client;
use postern_tests::stage::Stage;
use postern_tests::upstream::{API_ID, HOST};

/// curl's arguments, the TLS version and the HTTP version that follow.
const PROTOCOLS: [(&[&str], &str, &str); 4] = [
    (&["--tlsv1.3", "--http1.1"], "1.3", "1.1"),
    (&["--tlsv1.3", "--http2"], "1.3", "2"),
    (&["--tlsv1.2", "--tls-max", "1.2", "--http1.1"], "1.2", "1.1"),
    (&["--tlsv1.2", "--tls-max", "1.2", "--http2"], "1.2", "2"),
];

#[test]
fn every_protocol_reaches_the_private_api() -> Outcome {
    let stage = Stage::set()?;
    for (index, (arguments, tls, http)) in PROTOCOLS.iter().enumerate() {
        let path = format!("/orders/{index}");
        let answer = stage.curl("good", &format!("{path}?page=2")).args(arguments).call()?;
        assert_eq!((answer.exit, answer.status), (0, 200), "{arguments:?}: {}", answer.error);
        assert_eq!(answer.http_version, *http, "{arguments:?}");
        let echo = answer.echo()?;
        assert_eq!(echo.version, "HTTP/1.1", "API Gateway speaks nothing else");
        assert_eq!((echo.api.as_str(), echo.values("host")), (API_ID, vec![HOST]));
        assert_eq!((echo.path, echo.query.as_deref()), (path.clone(), Some("page=2")));

        let entry = stage.postern.requested(&path)?;
        assert!(entry.expect_text("tls")?.contains(tls), "{entry:?}");
        assert!(entry.expect_text("protocol")?.contains(http), "{entry:?}");
    }
    let metrics = stage.postern.metrics()?;
    assert_eq!(metrics.sum("postern_requests_total", &[("class", "2xx")]), 4.0);
    assert_eq!(metrics.sum("postern_connections_total", &[]), 4.0);
    assert_eq!(metrics.sum("postern_refusals_total", &[]), 0.0);
    Ok(())
}

#[test]
fn the_upstream_learns_who_the_client_is() -> Outcome {
    let stage = Stage::set()?;
    let echo = stage.curl("good", "/").call()?.echo()?;
    // RFC 9440 §2.1: a byte sequence, the base64 of the DER between colons.
    assert_eq!(echo.values("client-cert"), [format!(":{}:", leaf_base64(&stage, "good")?)]);
    let [subject] = echo.values("x-client-cert-sub")[..] else { panic!("{echo:?}") };
    assert!(subject.contains("CN=good"), "{subject}");
    assert!(echo.values("client-cert-chain").is_empty(), "off by default");
    Ok(())
}

#[test]
fn the_chain_and_a_base64_subject_are_sent_when_asked_for() -> Outcome {
    let stage = Stage::set_with(|config| {
        config
            .raw("identity_headers.client_cert_chain", true)
            .text("identity_headers.client_cert_sub", "base64")
    })?;
    let echo = stage.curl("good", "/").call()?.echo()?;
    let [chain] = echo.values("client-cert-chain")[..] else { panic!("{echo:?}") };
    assert!(chain.starts_with(':') && chain.ends_with(':'), "{chain}");
    assert!(
        !chain.contains(&leaf_base64(&stage, "good")?),
        "RFC 9440 §2.3: the leaf is not part of the chain"
    );
    let [subject] = echo.values("x-client-cert-sub")[..] else { panic!("{echo:?}") };
    assert!(!subject.contains("CN="), "{subject}");
    Ok(())
}

#[test]
fn identity_headers_can_be_turned_off() -> Outcome {
    let stage = Stage::set_with(|config| {
        config.raw("identity_headers.client_cert", false).text("identity_headers.client_cert_sub", "off")
    })?;
    let echo = stage
        .curl("good", "/")
        .header("Client-Cert: :AAAA:")
        .header("X-Client-Cert-Sub: CN=me")
        .call()?
        .echo()?;
    assert!(
        !echo.names().iter().any(|name| name.contains("cert")),
        "nor may the client's own pass: {echo:?}"
    );
    Ok(())
}

#[test]
fn tls13_prefers_the_post_quantum_group() -> Outcome {
    // OpenSSL 3.0 has no ML-KEM; a rustls client with aws-lc-rs prefers it.
    let stage = Stage::set()?;
    let mut connection = stage.connect("good", postern_tests::raw_tls::Version::Tls13)?;
    assert_eq!(connection.key_exchange_group(), Some(rustls::NamedGroup::X25519MLKEM768));
    assert_eq!(connection.get("/")?.status, 200);

    let classical =
        s_client(&stage.pki, stage.postern.address(), Some("good"), &["-tls1_3", "-groups", "X25519"])?;
    assert!(classical.stdout.contains("Server Temp Key: X25519"), "{}", classical.stdout);
    Ok(())
}

/// The base64 lines of the first certificate in a client's PEM file.
fn leaf_base64(stage: &Stage, client: &str) -> Result<String, postern_tests::Failure> {
    let pem = files::read(&stage.pki.path(&format!("clients/{client}.pem")))?;
    let pem = String::from_utf8_lossy(&pem);
    Ok(pem
        .lines()
        .skip_while(|line| !line.starts_with("-----BEGIN"))
        .skip(1)
        .take_while(|line| !line.starts_with("-----"))
        .collect())
}
