//! Connections end after a number of requests and at an age, and their clients know before.

use postern_tests::Outcome;
use postern_tests::raw_tls::Version;
use postern_tests::stage::Stage;
use postern_tests::wait::until;

#[test]
fn the_last_request_of_a_connection_is_answered_and_told_to_close() -> Outcome {
    let stage = Stage::set_with(|config| config.raw("limits.max_requests_per_connection", 3))?;
    let mut client = stage.connect("good", Version::Tls13)?;
    for last in [None, None, Some("close")] {
        let response = client.get("/")?;
        assert_eq!((response.status, response.header("connection")), (200, last));
    }
    assert!(client.until_closed()?.is_empty());

    let mut client = stage.connect_http2("good")?;
    for _ in 0..3 {
        assert_eq!(client.get("/")?.0, 200);
    }
    client.until_closed()?;
    let metrics = stage.postern.metrics()?;
    assert_eq!(metrics.sum("postern_connections_retired_total", &[("reason", "requests")]), 2.0);
    assert_eq!(metrics.sum("postern_refusals_total", &[]), 0.0);
    Ok(())
}

#[test]
fn an_old_connection_is_told_to_close_and_an_idle_one_closed() -> Outcome {
    let stage = Stage::set_with(|config| {
        config
            .raw("limits.max_connection_age_ms", 400)
            .raw("limits.connection_age_jitter_percent", 50)
            .raw("limits.last_request_ms", 100)
    })?;
    let (mut busy, mut idle) =
        (stage.connect("good", Version::Tls13)?, stage.connect("good", Version::Tls13)?);
    let mut young = 0;
    until("a response that says close", || {
        let response = busy.get("/")?;
        assert_eq!(response.status, 200);
        young += 1;
        Ok((response.header("connection") == Some("close")).then_some(()))
    })?;
    assert!(young > 1, "not at once");
    assert!(busy.until_closed()?.is_empty());
    assert!(idle.until_closed()?.is_empty());

    let mut client = stage.connect_http2("good")?;
    assert_eq!(client.get("/")?.0, 200);
    client.until_closed()?;
    let metrics = stage.postern.metrics()?;
    assert_eq!(metrics.sum("postern_connections_retired_total", &[("reason", "age")]), 3.0);
    Ok(())
}

#[test]
fn a_request_in_flight_outlives_the_age_of_its_connection() -> Outcome {
    let stage = Stage::set_with(|config| {
        config.raw("limits.max_connection_age_ms", 100).raw("limits.last_request_ms", 50)
    })?;
    let mut client = stage.connect("good", Version::Tls13)?;
    let response = client.get("/slow?ms=700")?;
    assert_eq!((response.status, response.header("connection")), (200, Some("close")));
    let mut client = stage.connect_http2("good")?;
    assert_eq!(client.get("/slow?ms=700")?.0, 200);
    Ok(())
}
