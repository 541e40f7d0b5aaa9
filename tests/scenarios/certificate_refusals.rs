//! Clients whose certificate is not good enough: the alert they get, the log line and the metric.

use postern_tests::Outcome;
use postern_tests::s_client::s_client;
use postern_tests::stage::Stage;

/// One kind of client that is refused.
struct Refused {
    client: Option<&'static str>,
    reason: &'static str,
    /// As OpenSSL words it.
    alert: &'static str,
}

const REFUSED: [Refused; 6] = [
    Refused { client: None, reason: "certificate_required", alert: "certificate required" },
    Refused { client: Some("stranger"), reason: "unknown_issuer", alert: "unknown ca" },
    Refused { client: Some("expired"), reason: "certificate_expired", alert: "certificate expired" },
    // RFC 8446 §6.2: certificate_expired is "has expired or is not currently valid".
    Refused {
        client: Some("not-yet-valid"),
        reason: "certificate_not_yet_valid",
        alert: "certificate expired",
    },
    Refused { client: Some("revoked"), reason: "certificate_revoked", alert: "certificate revoked" },
    Refused { client: Some("wrong-eku"), reason: "wrong_key_usage", alert: "unsupported certificate" },
];

/// curl's exit code when the handshake fails.
const HANDSHAKE_FAILED: i32 = 35;
/// curl's exit code when receiving fails: with TLS 1.3 the refusal comes after the client's side of the handshake.
const RECEIVE_FAILED: i32 = 56;
/// curl's exit code when sending fails, which HTTP/2 may do before it sees the refusal.
const SEND_FAILED: i32 = 55;
/// curl's exit codes for two alerts that it takes for its own findings, without their names.
const CERTIFICATE_WANTED: i32 = 98;
const VERIFICATION_FAILED: i32 = 60;

#[test]
fn each_refusal_has_its_alert_log_line_and_metric_in_tls13() -> Outcome {
    let stage = Stage::set()?;
    for refused in &REFUSED {
        let answer = curl(&stage, refused.client).args(&["--tlsv1.3", "--http1.1"]).call()?;
        assert_eq!((answer.exit, answer.status), (RECEIVE_FAILED, 0), "{}: {}", refused.reason, answer.error);
        assert!(answer.error.contains(refused.alert), "{}: {}", refused.reason, answer.error);
        assert_recorded(&stage, refused, 1.0)?;
    }
    Ok(())
}

#[test]
fn each_refusal_has_its_alert_in_tls12() -> Outcome {
    let stage = Stage::set()?;
    for refused in &REFUSED {
        let answer = curl(&stage, refused.client).args(&["--tls-max", "1.2", "--http1.1"]).call()?;
        match answer.exit {
            HANDSHAKE_FAILED | CERTIFICATE_WANTED => {
                assert!(answer.error.contains(refused.alert), "{}: {}", refused.reason, answer.error);
            }
            VERIFICATION_FAILED => assert_eq!(refused.alert, "certificate expired", "{answer:?}"),
            _ => panic!("{}: {answer:?}", refused.reason),
        }
        assert_recorded(&stage, refused, 1.0)?;
    }
    Ok(())
}

#[test]
fn http2_clients_are_refused_alike() -> Outcome {
    let stage = Stage::set()?;
    for refused in &REFUSED {
        let answer = curl(&stage, refused.client).args(&["--tlsv1.3", "--http2"]).call()?;
        assert!([RECEIVE_FAILED, SEND_FAILED].contains(&answer.exit), "{}: {answer:?}", refused.reason);
        assert_recorded(&stage, refused, 1.0)?;
    }
    Ok(())
}

#[test]
fn openssl_sees_the_same_alerts() -> Outcome {
    let stage = Stage::set()?;
    for refused in &REFUSED {
        let client = s_client(&stage.pki, stage.postern.address(), refused.client, &["-tls1_2"])?;
        assert!(client.stderr.contains(refused.alert), "{}: {}", refused.reason, client.stderr);
    }
    Ok(())
}

#[test]
fn a_refused_client_leaves_a_good_one_alone() -> Outcome {
    let stage = Stage::set()?;
    stage.curl("revoked", "/").call()?;
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    Ok(())
}

#[test]
fn no_request_of_a_refused_client_reaches_the_upstream() -> Outcome {
    let stage = Stage::set()?;
    for refused in &REFUSED {
        curl(&stage, refused.client).call()?;
    }
    let echo = stage.curl("good", "/").call()?.echo()?;
    assert_eq!((echo.connection, echo.request), (1, 1), "the good client is the first that it sees");
    Ok(())
}

#[test]
fn clients_of_every_key_type_are_judged_alike() -> Outcome {
    use postern_tests::pki::Pki;
    use postern_tests::postern::{Config, Postern};
    use postern_tests::upstream::Upstream;
    for key_type in ["rsa2048", "p384", "ed25519"] {
        let pki = Pki::make_with(&["--key-type", key_type])?;
        let upstream = Upstream::start(&pki)?;
        let stage = Stage { postern: Postern::start(&Config::new(&pki, upstream.address()))?, upstream, pki };
        let answer = stage.curl("good", "/").call()?;
        assert_eq!(answer.status, 200, "{key_type}: {}", answer.error);
        let answer = stage.curl("revoked", "/").args(&["--http1.1"]).call()?;
        assert!(answer.error.contains("certificate revoked"), "{key_type}: {}", answer.error);
    }
    Ok(())
}

fn curl(stage: &Stage, client: Option<&str>) -> postern_tests::curl::Curl {
    match client {
        Some(client) => stage.curl(client, "/secret"),
        None => stage.anonymous_curl("/secret"),
    }
}

/// One line in the access log with everything an operator asks for, and the counters.
fn assert_recorded(stage: &Stage, refused: &Refused, count: f64) -> Outcome {
    let entry = stage.postern.refused(refused.reason)?;
    assert!(entry.expect_text("client")?.starts_with("127.0.0.1:"), "{entry:?}");
    for key in ["time", "connection", "detail"] {
        assert!(entry.keys().contains(&key), "{key} of {entry:?}");
    }
    if let Some(client) = refused.client {
        assert!(entry.expect_text("subject")?.contains(client), "{entry:?}");
        for key in ["issuer", "serial", "fingerprint"] {
            assert!(!entry.expect_text(key)?.is_empty(), "{key} of {entry:?}");
        }
    }
    stage.postern.metric_reaches("postern_refusals_total", &[("reason", refused.reason)], count)?;
    let log = stage.postern.access_log();
    let lines = log.iter().filter(|entry| entry.text("reason") == Some(refused.reason)).count();
    assert_eq!(lines, 1, "exactly one line: {log:?}");
    Ok(())
}
