//! Health, readiness and metrics.

use postern_tests::Outcome;
use postern_tests::curl::Curl;
use postern_tests::stage::Stage;

#[test]
fn health_and_readiness_answer() -> Outcome {
    let stage = Stage::set()?;
    for path in ["/livez", "/readyz"] {
        assert_eq!(stage.postern.look(path)?.status, 200, "{path}");
    }
    assert_eq!(stage.postern.look("/nothing")?.status, 404);
    let answer = Curl::http(stage.postern.admin(), "/livez").args(&["--request", "POST"]).call()?;
    assert_eq!(answer.status, 405);
    Ok(())
}

#[test]
fn every_metric_is_there_and_typed() -> Outcome {
    let stage = Stage::set()?;
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    assert_eq!(stage.curl("revoked", "/").call()?.status, 0);
    stage.postern.refused("certificate_revoked")?;
    let answer = stage.postern.look("/metrics")?;
    assert!(answer.header("content-type").is_some_and(|it| it.starts_with("text/plain")), "{answer:?}");
    let text = answer.text();
    for (name, kind) in [
        ("postern_connections_total", "counter"),
        ("postern_connections_open", "gauge"),
        ("postern_handshakes_total", "counter"),
        ("postern_refusals_total", "counter"),
        ("postern_requests_total", "counter"),
        ("postern_request_duration_seconds", "histogram"),
        ("postern_handshake_duration_seconds", "histogram"),
        ("postern_crl_age_seconds", "gauge"),
        ("postern_crl_next_update_seconds", "gauge"),
        ("postern_server_certificate_expiry_seconds", "gauge"),
        ("postern_build_info", "gauge"),
        ("postern_reloads_total", "counter"),
    ] {
        assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "{name} {kind} in\n{text}");
        assert!(text.contains(&format!("# HELP {name} ")), "{name}");
    }
    Ok(())
}

#[test]
fn metrics_follow_what_happens() -> Outcome {
    let stage = Stage::set()?;
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    assert_eq!(stage.curl("good", "/status/404").call()?.status, 404);
    assert_eq!(stage.curl("revoked", "/").call()?.status, 0);
    stage.postern.refused("certificate_revoked")?;
    stage.postern.metric_reaches("postern_request_duration_seconds_count", &[], 2.0)?;
    let metrics = stage.postern.metrics()?;
    assert_eq!(metrics.sum("postern_handshakes_total", &[]), 3.0);
    assert_eq!(metrics.sum("postern_handshake_duration_seconds_count", &[]), 2.0, "of finished ones");
    assert_eq!(metrics.sum("postern_requests_total", &[("class", "2xx")]), 1.0);
    assert_eq!(metrics.sum("postern_requests_total", &[("class", "4xx")]), 1.0);
    assert_eq!(metrics.value("postern_build_info", &[("version", env!("CARGO_PKG_VERSION"))])?, 1.0);
    // Certificates and CRLs of the development PKI are fresh and valid for a while.
    let age = metrics.value("postern_crl_age_seconds", &[])?;
    assert!((0.0..86_400.0).contains(&age), "{age}");
    assert!(metrics.value("postern_crl_next_update_seconds", &[])? > 0.0);
    assert!(metrics.value("postern_server_certificate_expiry_seconds", &[])? > 0.0);
    stage.postern.metric_reaches("postern_connections_total", &[], 3.0)?;
    postern_tests::wait::until("all connections to end", || {
        Ok((stage.postern.metrics()?.sum("postern_connections_open", &[]) == 0.0).then_some(()))
    })
}

#[test]
fn the_admin_listener_outlives_odd_clients() -> Outcome {
    use std::io::Write;
    let stage = Stage::set()?;
    for bytes in [&b"\x16\x03\x01garbage"[..], b"GET", b"GET /metrics HTTP/1.1\r\n\r\n", b""] {
        std::net::TcpStream::connect(stage.postern.admin())?.write_all(bytes)?;
    }
    assert_eq!(stage.postern.look("/livez")?.status, 200);
    Ok(())
}
