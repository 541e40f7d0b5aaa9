//! Which headers pass, which are removed, and which are set.

use postern_tests::private_api::Received;
use postern_tests::raw_tls::Version;
use postern_tests::stage::Stage;
use postern_tests::upstream::HOST;
use postern_tests::{Failure, Outcome};

/// What a client may not say about itself, in the spellings that some upstreams take for the same.
const SPOOFED: [&str; 19] = [
    "Client-Cert: :AAAA:",
    "Client_Cert: :AAAA:",
    "client-cert-chain: :AAAA:",
    "client_cert_chain: :AAAA:",
    "X-Client-Cert-Sub: CN=admin",
    "X_Client_Cert_Sub: CN=admin",
    "x-client_cert-sub: CN=admin",
    "X-Forwarded-Client-Cert: Subject=admin",
    "X_Forwarded_Client_Cert: Subject=admin",
    "X-Amzn-Mtls-Clientcert: spoofed",
    "X-Amzn-Mtls-Clientcert-Leaf: spoofed",
    "X_Amzn_Mtls_Clientcert_Subject: spoofed",
    "X-Postern-Vpce-Id: vpce-spoofed",
    "Forwarded: for=10.0.0.1",
    "X-Forwarded-For: 10.0.0.1",
    "X_Forwarded_For: 10.0.0.1",
    "X-Apigw-Api-Id: zzzzzzzzzz",
    "X_Apigw_Api_Id: zzzzzzzzzz",
    "X-HTTP-Method-Override: DELETE",
];

#[test]
fn spoofed_identity_never_reaches_the_upstream() -> Outcome {
    let stage = Stage::set()?;
    for protocol in ["--http1.1", "--http2"] {
        let honest = stage.curl("good", "/").arg(protocol).call()?.echo()?;
        let curl =
            SPOOFED.iter().fold(stage.curl("good", "/").arg(protocol), |curl, header| curl.header(header));
        let echo = curl.call()?.echo()?;
        assert_eq!(echo.names(), honest.names(), "{protocol}: no header more than without them");
        for name in ["client-cert", "x-client-cert-sub"] {
            assert_eq!(echo.values(name), honest.values(name), "{protocol}");
        }
        let text = format!("{echo:?}");
        for value in ["AAAA:", "admin", "spoofed", "10.0.0.1", "zzzz", "DELETE"] {
            assert!(!text.contains(value), "{protocol}: {value} in {text}");
        }
    }
    Ok(())
}

#[test]
fn what_connection_lists_is_removed_but_never_the_proxys_own() -> Outcome {
    let stage = Stage::set()?;
    let echo = raw(
        &stage,
        "Connection: keep-alive, X-Hop, Client-Cert, Host\r\nConnection: x-second-hop\r\nX-Hop: 1\r\nX-Second-Hop: 1\r\nX-End: 1\r\n",
    )?;
    assert!(echo.values("x-hop").is_empty() && echo.values("x-second-hop").is_empty(), "{echo:?}");
    assert_eq!(echo.values("x-end"), ["1"]);
    assert_eq!(
        echo.values("client-cert").len(),
        1,
        "RFC 9110 §7.6.1 lets a client name fields; not this one"
    );
    assert_eq!(echo.values("host"), [HOST]);
    Ok(())
}

#[test]
fn hop_by_hop_headers_end_here() -> Outcome {
    let stage = Stage::set()?;
    let echo = raw(
        &stage,
        "Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic eDp5\r\nTE: gzip\r\nUpgrade: websocket\r\n",
    )?;
    for name in ["keep-alive", "proxy-connection", "proxy-authorization", "te", "upgrade"] {
        assert!(echo.values(name).is_empty(), "{name} of {echo:?}");
    }
    Ok(())
}

#[test]
fn everything_else_passes_unchanged() -> Outcome {
    let stage = Stage::set()?;
    let target = "/a%2Fb//c/./d;e=1?x=%20y&z=%2F&&q=a+b";
    for protocol in ["--http1.1", "--http2"] {
        let answer = stage
            .curl("good", target)
            .args(&[protocol, "--path-as-is", "--request", "PATCH"])
            .header("X-Many: one")
            .header("X-Many: two")
            .header("Authorization: Bearer abc")
            .header("Cookie: a=1; b=2")
            .header("Accept-Encoding: br")
            .header("X-Empty;")
            .call()?;
        let echo = answer.echo()?;
        assert_eq!(echo.method, "PATCH");
        assert_eq!(format!("{}?{}", echo.path, echo.query.as_deref().unwrap_or_default()), target);
        assert_eq!(echo.values("x-many"), ["one", "two"], "{protocol}");
        assert_eq!(echo.values("authorization"), ["Bearer abc"]);
        assert_eq!(echo.values("cookie"), ["a=1; b=2"]);
        assert_eq!(echo.values("accept-encoding"), ["br"]);
        assert_eq!(echo.values("x-empty"), [""]);
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    Ok(())
}

#[test]
fn cookies_that_http2_split_are_joined() -> Outcome {
    // RFC 9113 §8.2.3: before they go to HTTP/1.1, with "; ".
    let stage = Stage::set()?;
    let mut client = stage.connect_http2("good")?;
    let (status, body) = client.get_with("/", &[("cookie", "a=1"), ("cookie", "b=2")])?;
    assert_eq!(status, 200);
    let text = String::from_utf8_lossy(&body).into_owned();
    let echo: Received =
        serde_json::from_str(&text).map_err(|source| Failure::Json { what: "the echo", source, text })?;
    assert_eq!(echo.values("cookie"), ["a=1; b=2"]);
    Ok(())
}

#[test]
fn an_absolute_target_does_not_choose_the_host() -> Outcome {
    let stage = Stage::set()?;
    let mut connection = stage.connect("good", Version::Tls13)?;
    connection.send("GET https://elsewhere.example/path?q HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n")?;
    let response = connection.response()?;
    let echo: Received = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(
        (echo.values("host"), echo.path.as_str(), echo.query.as_deref()),
        (vec![HOST], "/path", Some("q"))
    );
    Ok(())
}

/// A GET with these header lines, written by hand.
fn raw(stage: &Stage, headers: &str) -> Result<Received, Failure> {
    let mut connection = stage.connect("good", Version::Tls13)?;
    connection.send(format!("GET / HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"))?;
    let text = String::from_utf8_lossy(&connection.response()?.body).into_owned();
    serde_json::from_str(&text).map_err(|source| Failure::Json { what: "the echo", source, text })
}
