//! A client that becomes revoked loses its open connections, not only its next ones.

use postern_tests::Outcome;
use postern_tests::raw_tls::Version;
use postern_tests::stage::Stage;

#[test]
fn the_next_request_on_an_open_http1_connection_is_refused() -> Outcome {
    for version in [Version::Tls12, Version::Tls13] {
        let stage = Stage::set()?;
        let mut connection = stage.connect("good", version)?;
        assert_eq!(connection.get("/before")?.status, 200);
        revoke(&stage)?;
        let response = connection.get("/after")?;
        assert_eq!(response.status, 403, "{version:?}");
        assert_eq!(response.header("content-type"), Some("application/problem+json"));
        assert!(connection.until_closed()?.is_empty());
        assert_refused(&stage)?;
    }
    Ok(())
}

#[test]
fn the_next_request_on_an_open_http2_connection_is_refused() -> Outcome {
    let stage = Stage::set()?;
    let mut connection = stage.connect_http2("good")?;
    assert_eq!(connection.get("/before")?.0, 200);
    revoke(&stage)?;
    assert_eq!(connection.get("/after")?.0, 403);
    connection.until_closed()?;
    assert_refused(&stage)
}

#[test]
fn a_request_in_flight_during_the_revocation_is_finished() -> Outcome {
    let stage = Stage::set()?;
    let mut connection = stage.connect("good", Version::Tls13)?;
    connection.send("GET /slow?ms=1500 HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    revoke(&stage)?;
    assert_eq!(connection.response()?.status, 200, "it was permitted when it came");
    assert_eq!(connection.get("/after")?.status, 403);
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

/// The refused request has its line, with the certificate's reason, and reached nobody.
fn assert_refused(stage: &Stage) -> Outcome {
    let entry = stage.postern.requested("/after")?;
    assert_eq!(entry.text("reason"), Some("certificate_revoked"), "{entry:?}");
    assert_eq!(entry.number("status"), Some(403), "{entry:?}");
    assert!(entry.expect_text("subject")?.contains("good"), "{entry:?}");
    stage.postern.metric_reaches("postern_refusals_total", &[("reason", "certificate_revoked")], 1.0)?;
    Ok(())
}
