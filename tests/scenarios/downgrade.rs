//! HTTP/2 on this side, HTTP/1.1 on the other: nothing in a field of the one may be read as a line of the other.

use postern_tests::raw_http2::{END_HEADERS, END_STREAM, End, block, frame, head, kind};
use postern_tests::stage::Stage;
use postern_tests::{Failure, Outcome};

/// RFC 9113 §7.
const PROTOCOL_ERROR: u32 = 1;

const USUAL: [(&str, &str); 4] =
    [(":method", "POST"), (":scheme", "https"), (":authority", "localhost"), (":path", "/")];

#[test]
fn heads_that_http1_would_read_differently_are_refused() -> Outcome {
    let stage = Stage::set()?;
    let broken = |fields: &[(&'static str, &'static str)]| fields.to_vec();
    let with = |fields: &[(&'static str, &'static str)]| [&USUAL[..], fields].concat();
    let pseudo = |name: &str, value: &'static str| {
        let mut fields = USUAL.to_vec();
        fields.iter_mut().filter(|(key, _)| *key == name).for_each(|field| field.1 = value);
        fields
    };
    let table = [
        ("CR LF in the path", pseudo(":path", "/a HTTP/1.1\r\nHost: evil\r\n\r\nGET /b")),
        ("LF in the path", pseudo(":path", "/a\nb")),
        ("NUL in the path", pseudo(":path", "/a\0b")),
        ("space in the path", pseudo(":path", "/a HTTP/1.1")),
        ("no slash before the path", pseudo(":path", "@evil.example/")),
        ("no path", pseudo(":path", "")),
        ("CR LF in the method", pseudo(":method", "GET / HTTP/1.1\r\n\r\nGET")),
        ("space in the method", pseudo(":method", "GET /admin")),
        ("CR LF in the authority", pseudo(":authority", "localhost\r\nx: y")),
        ("space in the authority", pseudo(":authority", "local host")),
        ("userinfo in the authority", pseudo(":authority", "user@localhost")),
        ("CR LF in the scheme", pseudo(":scheme", "https\r\nx: y")),
        ("no method", broken(&[(":scheme", "https"), (":authority", "localhost"), (":path", "/")])),
        ("two paths", with(&[(":path", "/b")])),
        ("a pseudo-header that is not one", with(&[(":evil", "1")])),
        ("a pseudo-header after a field", with(&[("a", "b"), (":method", "GET")])),
        ("a response's pseudo-header", with(&[(":status", "200")])),
        ("CR LF in a value", with(&[("a", "b\r\nx: y")])),
        ("LF in a value", with(&[("a", "b\nx: y")])),
        ("CR in a value", with(&[("a", "b\rx: y")])),
        ("NUL in a value", with(&[("a", "b\0")])),
        ("CR LF in a name", with(&[("a: b\r\nx", "y")])),
        ("space in a name", with(&[("transfer-encoding ", "chunked")])),
        ("colon in a name", with(&[("a:b", "c")])),
        ("capitals in a name", with(&[("X-Capital", "c")])),
        ("an empty name", with(&[("", "c")])),
        ("Connection", with(&[("connection", "close")])),
        ("Transfer-Encoding", with(&[("transfer-encoding", "chunked")])),
        ("Keep-Alive", with(&[("keep-alive", "timeout=5")])),
        ("Proxy-Connection", with(&[("proxy-connection", "close")])),
        ("Upgrade", with(&[("upgrade", "websocket")])),
        ("TE that is not trailers", with(&[("te", "gzip")])),
        ("another Host", with(&[("host", "evil.example")])),
        ("two Hosts", with(&[("host", "localhost"), ("host", "evil.example")])),
        ("a length that is no number", with(&[("content-length", "+1")])),
        ("two lengths", with(&[("content-length", "0"), ("content-length", "1")])),
        ("a length without a body", with(&[("content-length", "5")])),
    ];
    let mut wrong = Vec::new();
    for (what, fields) in &table {
        let mut connection = stage.connect_raw_http2("good")?;
        connection.send(&head(1, END_STREAM, fields))?;
        let end = connection.end_of(1)?;
        if !matches!(end, End::Reset(PROTOCOL_ERROR) | End::Status(400) | End::GoAway(PROTOCOL_ERROR)) {
            wrong.push(format!("{what}: {end:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let echo = stage.curl("good", "/").call()?.echo()?;
    assert_eq!((echo.connection, echo.request), (1, 1), "the private API has seen none of them");
    Ok(())
}

#[test]
fn a_body_that_is_not_as_long_as_it_says_is_refused() -> Outcome {
    let stage = Stage::set()?;
    for (what, length, body) in [("longer", "3", "abcd"), ("shorter", "5", "abcd")] {
        let mut connection = stage.connect_raw_http2("good")?;
        connection.send(&head(1, 0, &[&USUAL[..], &[("content-length", length)]].concat()))?;
        connection.send(&frame(kind::DATA, END_STREAM, 1, body.as_bytes()))?;
        let end = connection.end_of(1)?;
        assert!(matches!(end, End::Reset(PROTOCOL_ERROR) | End::Status(400)), "{what}: {end:?}");
    }
    Ok(())
}

#[test]
fn what_only_looks_odd_passes() -> Outcome {
    let stage = Stage::set()?;
    for (what, fields) in [
        ("TE: trailers", &[("te", "trailers")][..]),
        ("Host as :authority", &[("host", "localhost")]),
        ("a header split over frames", &[("x-long", "y")]),
    ] {
        let mut connection = stage.connect_raw_http2("good")?;
        let block = block(&[&USUAL[..], fields].concat());
        let (first, rest) = block.split_at(block.len() / 2);
        connection.send(&frame(kind::HEADERS, END_STREAM, 1, first))?;
        connection.send(&frame(kind::CONTINUATION, END_HEADERS, 1, rest))?;
        assert_eq!(connection.end_of(1)?, End::Status(200), "{what}");
    }
    Ok(())
}

#[test]
fn connect_and_trace_are_refused_by_name() -> Outcome {
    let stage = Stage::set()?;
    let heads = [
        vec![(":method", "CONNECT"), (":authority", "localhost:443")],
        [&[(":method", "TRACE")], &USUAL[1..]].concat(),
    ];
    for fields in heads {
        let mut connection = stage.connect_raw_http2("good")?;
        connection.send(&head(1, END_STREAM, &fields))?;
        assert_eq!(connection.end_of(1)?, End::Status(405), "{fields:?}");
    }
    stage.postern.metric_reaches("postern_refusals_total", &[("reason", "method_refused")], 2.0)?;
    Ok::<_, Failure>(())
}
