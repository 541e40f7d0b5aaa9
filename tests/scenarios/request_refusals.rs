//! Requests that are refused before the private API hears of them.

use postern_tests::raw_tls::Version;
use postern_tests::stage::Stage;
use postern_tests::{Failure, Outcome};

use crate::upstream_faults::assert_problem;

/// A request head, the status and the reason it is refused with.
const MALFORMED: [(&str, u16, &str); 20] = [
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "conflicting_length",
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        400,
        "conflicting_length",
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        400,
        "conflicting_length",
    ),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 6\r\n\r\nhello", 400, "conflicting_length"),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        400,
        "conflicting_length",
    ),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400, "conflicting_length"),
    ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "conflicting_length"),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello", 400, "conflicting_length"),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello", 400, "conflicting_length"),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\nhello",
        400,
        "conflicting_length",
    ),
    ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "malformed_request"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n", 400, "malformed_request"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400, "malformed_request"),
    ("GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400, "malformed_request"),
    ("GET / HTTP/1.1\r\n\r\n", 400, "malformed_request"),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "malformed_request"),
    ("GET / HTTP/9.9\r\nHost: a\r\n\r\n", 400, "malformed_request"),
    ("hello there\r\n\r\n", 400, "malformed_request"),
    ("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n", 405, "method_refused"),
    ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405, "method_refused"),
];

#[test]
fn malformed_requests_are_refused_by_name() -> Outcome {
    let stage = Stage::set()?;
    let wrong: Vec<String> = MALFORMED.into_iter().filter_map(|row| refuse(&stage, row).err()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    for reason in ["conflicting_length", "malformed_request", "method_refused"] {
        let expected = MALFORMED.iter().filter(|(_, _, it)| *it == reason).map(|_| 1.0).sum::<f64>();
        let counted = stage.postern.metrics()?.sum("postern_refusals_total", &[("reason", reason)]);
        assert_eq!(counted, expected, "{reason}");
    }
    let echo = stage.curl("good", "/").call()?.echo()?;
    assert_eq!((echo.connection, echo.request), (1, 1), "the private API has seen none of them");
    Ok(())
}

/// Sends one malformed request on a connection of its own; what is not as it should be.
fn refuse(stage: &Stage, (request, status, reason): (&str, u16, &str)) -> Result<(), String> {
    let wrong = |what: String| Err(format!("{request:?}: {what}"));
    let failed = |failure: Failure| format!("{request:?}: {failure}");
    let mut connection = stage.connect("good", Version::Tls13).map_err(failed)?;
    connection.send(request).map_err(failed)?;
    let response = connection.response().map_err(failed)?;
    if response.status != status {
        return wrong(format!("status {}, not {status}", response.status));
    }
    if response.header("content-type") != Some("application/problem+json") {
        return wrong(format!("not our answer: {:?}", response.headers));
    }
    // RFC 9112 §6.3: no second request from these bytes.
    if status == 400 && !connection.until_closed().map_err(failed)?.is_empty() {
        return wrong("there was more after the answer".to_owned());
    }
    let logged = stage.postern.logged(&format!("{reason} for {request:?}"), |entry| {
        entry.text("reason") == Some(reason) && entry.number("status") == Some(u64::from(status))
    });
    logged.map(|_| ()).map_err(failed)
}

#[test]
fn a_smuggled_request_is_never_answered() -> Outcome {
    let stage = Stage::set()?;
    let mut connection = stage.connect("good", Version::Tls13)?;
    connection.send(
        "POST /front HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    )?;
    assert_eq!(connection.response()?.status, 400);
    assert!(connection.until_closed()?.is_empty());
    stage.postern.logged("the refusal", |entry| entry.text("reason") == Some("conflicting_length"))?;
    assert!(stage.postern.access_log().iter().all(|entry| entry.text("path") != Some("/smuggled")));
    Ok(())
}

#[test]
fn a_broken_chunk_ends_the_request() -> Outcome {
    let stage = Stage::set()?;
    let mut connection = stage.connect("good", Version::Tls13)?;
    connection.send("POST /broken HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")?;
    assert_eq!(connection.response()?.status, 400);
    connection.until_closed()?;
    let entry = stage.postern.requested("/broken")?;
    assert!(entry.text("reason").is_some(), "{entry:?}");
    Ok(())
}

#[test]
fn a_head_over_the_limit_is_431() -> Outcome {
    let stage = Stage::set_with(|config| config.raw("limits.header_bytes", 4_096))?;
    let long = format!("X-Long: {}", "x".repeat(6_000));
    for protocol in ["--http1.1", "--http2"] {
        let answer = stage.curl("good", "/").arg(protocol).header(&long).call()?;
        assert_eq!(answer.status, 431, "{protocol}: {answer:?}");
    }
    stage.postern.metric_reaches("postern_refusals_total", &[("reason", "headers_too_large")], 2.0)?;
    let entry =
        stage.postern.logged("the refusal", |entry| entry.text("reason") == Some("headers_too_large"))?;
    assert_eq!(entry.number("status"), Some(431), "{entry:?}");
    Ok(())
}

#[test]
fn too_many_header_fields_are_431() -> Outcome {
    let stage = Stage::set_with(|config| config.raw("limits.header_count", 20))?;
    let many: Vec<String> = (0..30).map(|index| format!("X-{index}: 1")).collect();
    let curl = many.iter().fold(stage.curl("good", "/").arg("--http1.1"), |curl, header| curl.header(header));
    assert_eq!(curl.call()?.status, 431);
    stage.postern.metric_reaches("postern_refusals_total", &[("reason", "headers_too_large")], 1.0)?;
    Ok(())
}

#[test]
fn headers_that_api_gateway_would_refuse_are_431_here() -> Outcome {
    // 7,500 bytes pass the proxy's own limit; with the identity headers they are over API Gateway's 8,000.
    let stage = Stage::set()?;
    let long = format!("X-Long: {}", "x".repeat(7_500));
    for protocol in ["--http1.1", "--http2"] {
        let answer = stage.curl("good", "/").arg(protocol).header(&long).call()?;
        assert_problem(&stage.postern, &answer, 431, "upstream_headers_too_large")?;
    }
    let echo = stage.curl("good", "/").call()?.echo()?;
    assert_eq!((echo.connection, echo.request), (1, 1), "the private API has seen none of them");
    Ok(())
}

#[test]
fn half_a_head_meets_its_deadline() -> Outcome {
    let stage = Stage::set_with(|config| config.raw("limits.header_timeout_ms", 200))?;
    let mut connection = stage.connect("good", Version::Tls13)?;
    connection.send("GET / HTTP/1.1\r\nHost: loc")?;
    assert_eq!(connection.response()?.status, 408);
    connection.until_closed()?;
    stage.postern.logged("the refusal", |entry| entry.text("reason") == Some("header_timeout"))?;
    stage.postern.metric_reaches("postern_refusals_total", &[("reason", "header_timeout")], 1.0)?;
    Ok(())
}

#[test]
fn an_idle_connection_is_closed_without_a_refusal() -> Outcome {
    let stage = Stage::set_with(|config| config.raw("limits.idle_timeout_ms", 200))?;
    let mut connection = stage.connect("good", Version::Tls13)?;
    assert_eq!(connection.get("/")?.status, 200);
    assert!(connection.until_closed()?.is_empty());
    assert_eq!(stage.postern.metrics()?.sum("postern_refusals_total", &[]), 0.0);
    Ok(())
}

#[test]
fn a_refused_http2_request_leaves_the_others_of_its_connection_alone() -> Outcome {
    let stage = Stage::set_with(|config| config.raw("limits.header_count", 20))?;
    let mut connection = stage.connect_http2("good")?;
    assert_eq!(connection.get_with("/many", &[("x-many", "1"); 30])?.0, 431);
    // Longer than a connection that has to end gets for its last words.
    assert_eq!(connection.get("/slow?ms=1500")?.0, 200);
    assert_eq!(connection.get("/again")?.0, 200);
    Ok(())
}
