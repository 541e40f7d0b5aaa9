//! A client that becomes revoked loses its open connections, not only its next ones.

use std::time::{Duration, Instant};

use postern_tests::Outcome;
use postern_tests::raw_http2::{END_STREAM, kind, request};
use postern_tests::raw_tls::Version;
use postern_tests::stage::Stage;

#[test]
fn an_open_http1_connection_is_ended() -> Outcome {
    for version in [Version::Tls12, Version::Tls13] {
        let stage = Stage::set()?;
        let mut connection = stage.connect("good", version)?;
        assert_eq!(connection.get("/before")?.status, 200);
        revoke(&stage)?;
        // A client that is quicker than the sweep gets 403; either way the connection is over.
        match connection.get("/after") {
            Ok(response) => assert_eq!(response.status, 403, "{version:?}"),
            Err(_closed) => {}
        }
        assert!(connection.until_closed()?.is_empty());
        assert_ended(&stage)?;
    }
    Ok(())
}

#[test]
fn an_open_http2_connection_is_ended() -> Outcome {
    let stage = Stage::set()?;
    let mut connection = stage.connect_http2("good")?;
    assert_eq!(connection.get("/before")?.0, 200);
    revoke(&stage)?;
    match connection.get("/after") {
        Ok((status, _)) => assert_eq!(status, 403),
        Err(_closed) => {}
    }
    connection.until_closed()?;
    assert_ended(&stage)
}

#[test]
fn an_idle_connection_is_ended_without_a_request() -> Outcome {
    let stage = Stage::set()?;
    let (mut http1, mut http2) = (stage.connect("good", Version::Tls13)?, stage.connect_http2("good")?);
    assert_eq!((http1.get("/before")?.status, http2.get("/before")?.0.as_u16()), (200, 200));
    revoke(&stage)?;
    assert!(http1.until_closed()?.is_empty());
    http2.until_closed()?;
    stage.postern.metric_reaches("postern_refusals_total", &[("reason", "certificate_revoked")], 2.0)?;
    Ok(())
}

#[test]
fn a_request_in_flight_during_the_revocation_is_finished() -> Outcome {
    let stage = Stage::set()?;
    let mut connection = stage.connect("good", Version::Tls13)?;
    connection.send("GET /slow?ms=700 HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    revoke(&stage)?;
    let response = connection.response()?;
    assert_eq!(response.status, 200, "it was permitted when it came");
    assert_eq!(response.header("connection"), Some("close"));
    assert!(connection.until_closed()?.is_empty());
    Ok(())
}

#[test]
fn an_http2_client_is_told_and_gets_the_answer_to_what_it_had_asked() -> Outcome {
    const NO_ERROR: [u8; 4] = [0; 4];
    let stage = Stage::set()?;
    let mut connection = stage.connect_raw_http2("good")?;
    connection.send(&request(1, END_STREAM, "GET", "/slow?ms=700", &[]))?;
    connection.ping()?;
    revoke(&stage)?;
    let (mut told, mut answered) = (false, false);
    while let Ok(frame) = connection.receive() {
        match frame.kind {
            // RFC 9113 §6.8: the last stream, then why.
            kind::GOAWAY => told = frame.payload.ends_with(&NO_ERROR),
            kind::HEADERS => answered = told && frame.stream == 1,
            _ => {}
        }
    }
    assert!(told && answered, "told: {told}, then answered: {answered}");
    Ok(())
}

#[test]
fn a_response_without_end_is_cut() -> Outcome {
    let stage = Stage::set()?;
    let mut connection = stage.connect("good", Version::Tls13)?;
    connection.send("GET /stall HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    connection.first_bytes()?;
    let revoked = Instant::now();
    revoke(&stage)?;
    connection.until_closed()?;
    // One second to finish it, and what a busy machine adds.
    assert!(revoked.elapsed() < Duration::from_secs(5), "{:?}", revoked.elapsed());
    stage.postern.refused("certificate_revoked")?;
    Ok(())
}

#[test]
fn connections_end_with_their_clients_certificate() -> Outcome {
    let stage = Stage::set()?;
    stage.pki.issue("brief", |params| {
        params.not_after = time::OffsetDateTime::now_utc() + time::Duration::seconds(3);
    })?;
    let (mut http1, mut http2) = (stage.connect("brief", Version::Tls13)?, stage.connect_http2("brief")?);
    assert_eq!((http1.get("/before")?.status, http2.get("/before")?.0.as_u16()), (200, 200));
    assert!(http1.until_closed()?.is_empty());
    http2.until_closed()?;
    stage.postern.metric_reaches("postern_refusals_total", &[("reason", "certificate_expired")], 2.0)?;
    Ok(())
}

#[test]
fn a_reload_that_changes_nothing_leaves_connections_alone() -> Outcome {
    let stage = Stage::set()?;
    let (mut http1, mut http2) = (stage.connect("good", Version::Tls13)?, stage.connect_http2("good")?);
    assert_eq!((http1.get("/")?.status, http2.get("/")?.0.as_u16()), (200, 200));
    stage.postern.reload()?;
    assert_eq!((http1.get("/")?.status, http2.get("/")?.0.as_u16()), (200, 200));
    assert_eq!(stage.postern.metrics()?.sum("postern_connections_total", &[]), 2.0);
    Ok(())
}

fn revoke(stage: &Stage) -> Outcome {
    stage.pki.revoke("good")?;
    stage.postern.reload()
}

/// One line says why, and nothing reached the private API since.
fn assert_ended(stage: &Stage) -> Outcome {
    let entry = stage
        .postern
        .logged("why the connection ended", |entry| entry.text("reason") == Some("certificate_revoked"))?;
    assert!(entry.expect_text("subject")?.contains("good"), "{entry:?}");
    stage.postern.metric_reaches("postern_refusals_total", &[("reason", "certificate_revoked")], 1.0)?;
    let forwarded =
        stage.postern.access_log().iter().filter(|entry| entry.number("status") == Some(200)).count();
    assert_eq!(forwarded, 1, "{:?}", stage.postern.access_log());
    Ok(())
}
