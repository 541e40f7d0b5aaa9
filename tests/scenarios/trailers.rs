//! Trailers pass both ways, where they are announced and welcome: what gRPC's statuses travel in.

use postern_tests::raw_http2::{END_STREAM, End, frame, head, kind, request};
use postern_tests::raw_tls::Version;
use postern_tests::stage::Stage;
use postern_tests::{Failure, Outcome, private_api::Received};

#[test]
fn trailers_of_a_response_reach_clients_that_take_them() -> Outcome {
    let stage = Stage::set()?;
    let trailers = stage.connect_http2("good")?.get_trailers("/trailers")?;
    assert_eq!(trailers["grpc-status"], "7", "{trailers:?}");

    let ask = |fields: &str| -> Result<String, Failure> {
        let mut connection = stage.connect("good", Version::Tls13)?;
        connection.send(format!("GET /trailers HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n\r\n"))?;
        Ok(String::from_utf8_lossy(&connection.until_closed()?).into_owned())
    };
    let welcome = ask("TE: trailers\r\nConnection: TE, close")?;
    assert!(welcome.ends_with("\r\n\r\n0\r\ngrpc-status: 7\r\n\r\n"), "{welcome}");
    // RFC 9110 §6.5.1: to somebody who does not ask for them they are nothing.
    let unasked = ask("Connection: close")?;
    assert!(unasked.starts_with("HTTP/1.1 200") && !unasked.contains("grpc-status: 7"), "{unasked}");
    Ok(())
}

#[test]
fn trailers_of_a_request_reach_the_upstream() -> Outcome {
    let stage = Stage::set()?;
    let wanted = vec![("x-checksum".to_owned(), "abc".to_owned())];
    let mut http1 = stage.connect("good", Version::Tls13)?;
    http1.send(
        "POST / HTTP/1.1\r\nHost: localhost\r\nTrailer: X-Checksum\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Checksum: abc\r\n\r\n",
    )?;
    let body = http1.response()?.body;
    let echo: Received = serde_json::from_slice(&body).map_err(|source| Failure::Json {
        what: "the echo",
        source,
        text: String::from_utf8_lossy(&body).into_owned(),
    })?;
    assert_eq!(echo.body.trailers, wanted);

    let mut http2 = stage.connect_raw_http2("good")?;
    http2.send(&request(1, 0, "POST", "/", &[("trailer", "x-checksum"), ("te", "trailers")]))?;
    http2.send(&frame(kind::DATA, 0, 1, b"abc"))?;
    http2.send(&head(1, END_STREAM, &[("x-checksum", "abc")]))?;
    assert_eq!(http2.end_of(1)?, End::Status(200));
    let echoed = loop {
        let frame = http2.receive()?;
        if frame.kind == kind::DATA {
            break String::from_utf8_lossy(&frame.payload).into_owned();
        }
    };
    assert!(echoed.contains(r#""trailers":[["x-checksum","abc"]]"#), "{echoed}");
    assert!(echoed.contains(r#"["te","trailers"]"#), "{echoed}");
    Ok(())
}
