//! Bodies that are too large or too slow: each has a name, and the others of its connection go on where they can.

use postern_tests::raw_http2::{END_STREAM, End, frame, kind, request};
use postern_tests::raw_tls::Version;
use postern_tests::stage::Stage;
use postern_tests::{Failure, Outcome, files};

const LIMIT: usize = 10_000;

fn stage() -> Result<Stage, Failure> {
    Stage::set_with(|config| {
        config
            .raw("limits.body_bytes", LIMIT)
            .raw("limits.body_timeout_ms", 150)
            .raw("limits.body_bytes_per_second", 100)
    })
}

#[test]
fn a_body_over_the_limit_is_413_however_it_is_framed() -> Outcome {
    let stage = stage()?;
    let directory = files::temporary_directory()?;
    let (fits, over) = (directory.path().join("fits"), directory.path().join("over"));
    files::write(&fits, vec![b'x'; LIMIT])?;
    files::write(&over, vec![b'x'; LIMIT + 1])?;
    for protocol in ["--http1.1", "--http2"] {
        for header in ["X-Sized: yes", "Transfer-Encoding: chunked"] {
            let upload = |file| {
                stage
                    .curl("good", "/")
                    .args(&[protocol, "--header", header, "--upload-file"])
                    .arg(file)
                    .call()
            };
            assert_eq!(upload(&fits)?.status, 200, "{protocol} {header}");
            let answer = upload(&over)?;
            assert_eq!(answer.status, 413, "{protocol} {header}: {answer:?}");
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        }
    }
    stage.postern.metric_reaches("postern_refusals_total", &[("reason", "body_too_large")], 4.0)?;
    Ok(())
}

#[test]
fn a_length_over_the_limit_is_refused_before_the_body_comes() -> Outcome {
    let stage = stage()?;
    let mut connection = stage.connect("good", Version::Tls13)?;
    connection
        .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999999\r\nExpect: 100-continue\r\n\r\n")?;
    assert_eq!(connection.response()?.status, 413, "and no 100 before it");
    assert!(connection.until_closed()?.is_empty());
    Ok(())
}

#[test]
fn an_upload_that_hardly_moves_is_408() -> Outcome {
    let stage = stage()?;
    let mut http1 = stage.connect("good", Version::Tls13)?;
    http1.send("POST /http1 HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nonly")?;
    let mut http2 = stage.connect_raw_http2("good")?;
    http2.send(&request(1, 0, "POST", "/http2", &[]))?;
    http2.send(&frame(kind::DATA, 0, 1, b"only"))?;
    assert_eq!(http1.response()?.status, 408);
    http1.until_closed()?;
    assert_eq!(http2.end_of(1)?, End::Status(408));
    // The other streams of that connection have done nothing wrong.
    http2.send(&request(3, END_STREAM, "GET", "/next", &[]))?;
    assert!(matches!(http2.end_of(3)?, End::Status(_)), "answered");
    assert_eq!(stage.postern.requested("/next")?.number("status"), Some(200));
    for path in ["/http1", "/http2"] {
        let entry = stage.postern.requested(path)?;
        assert_eq!(
            (entry.text("reason"), entry.number("bytes_in")),
            (Some("body_too_slow"), Some(4)),
            "{entry:?}"
        );
    }
    stage.postern.metric_reaches("postern_refusals_total", &[("reason", "body_too_slow")], 2.0)?;
    Ok(())
}

#[test]
fn an_upload_that_waits_for_the_upstream_is_not_slow() -> Outcome {
    let stage = stage()?;
    let answer = stage.curl("good", "/slow?ms=700").args(&["--data", "a whole body"]).call()?;
    assert_eq!(answer.status, 200, "{answer:?}");
    Ok(())
}

#[test]
fn a_response_that_is_not_taken_ends() -> Outcome {
    let stage = stage()?;
    let mut http1 = stage.connect("good", Version::Tls13)?;
    http1.send("GET /bytes/100000001 HTTP/1.1\r\nHost: a\r\n\r\n")?;
    let mut http2 = stage.connect_raw_http2("good")?;
    // Nobody gives this stream more room than it has at first.
    http2.send(&request(1, END_STREAM, "GET", "/bytes/100000002", &[]))?;
    for path in ["/bytes/100000001", "/bytes/100000002"] {
        let entry = stage.postern.requested(path)?;
        assert_eq!(
            (entry.text("reason"), entry.number("status")),
            (Some("response_too_slow"), Some(200)),
            "{entry:?}"
        );
    }
    assert_eq!(http2.end_of(1)?, End::Status(200));
    assert!(matches!(http2.end_of(1)?, End::Reset(_)), "the stream ends");
    http2.send(&request(3, END_STREAM, "GET", "/next", &[]))?;
    assert!(matches!(http2.end_of(3)?, End::Status(_)), "and the connection goes on");
    stage.postern.metric_reaches("postern_refusals_total", &[("reason", "response_too_slow")], 2.0)?;
    Ok(())
}
