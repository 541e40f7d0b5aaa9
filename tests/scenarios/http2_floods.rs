//! HTTP/2 clients that make work without asking for anything: the connection ends, with a name.

use postern_tests::Outcome;
use postern_tests::raw_http2::{END_STREAM, ENHANCE_YOUR_CALM, End, block, frame, kind, request};
use postern_tests::stage::Stage;

#[test]
fn each_kind_of_flood_ends_the_connection() -> Outcome {
    let stage = Stage::set()?;
    let many = |one: Vec<u8>, count| one.repeat(count);
    let open = request(1, 0, "POST", "/", &[]);
    let unfinished = frame(kind::HEADERS, END_STREAM, 1, &block(&[(":method", "GET")]));
    let resets: Vec<u8> = (0..100)
        .flat_map(|index| {
            let stream = index * 2 + 1;
            [request(stream, END_STREAM, "GET", "/", &[]), frame(kind::RST_STREAM, 0, stream, &[0, 0, 0, 8])]
        })
        .flatten()
        .collect();
    let floods = [
        ("pings", many(frame(kind::PING, 0, 0, &[0; 8]), 2_000)),
        ("settings", many(frame(kind::SETTINGS, 0, 0, &[]), 2_000)),
        ("unknown frames", many(frame(0xbb, 0, 0, b"what?"), 2_000)),
        ("resets at once", resets),
        (
            "continuations",
            [unfinished, many(frame(kind::CONTINUATION, 0, 1, &block(&[("a", "b")])), 2_000)].concat(),
        ),
        ("empty data", [open, many(frame(kind::DATA, 0, 1, &[]), 20_000)].concat()),
    ];
    for (count, (what, flood)) in (1_u8..).zip(floods) {
        let mut connection = stage.connect_raw_http2("good")?;
        // The server may close before it has read all of it.
        let _ = connection.send(&flood);
        let end = connection.end_of(u32::MAX)?;
        assert_eq!(end, End::GoAway(ENHANCE_YOUR_CALM), "{what}");
        stage.postern.metric_reaches("postern_refusals_total", &[("reason", "http2_flood")], count.into())?;
    }
    assert_eq!(stage.curl("good", "/").arg("--http2").call()?.status, 200);
    Ok(())
}

#[test]
fn resets_after_the_request_was_forwarded_end_the_connection_too() -> Outcome {
    let stage = Stage::set_with(|config| config.raw("limits.h2_resets", 5))?;
    let mut connection = stage.connect_raw_http2("good")?;
    for index in 0..6 {
        let stream = index * 2 + 1;
        connection.send(&request(stream, END_STREAM, "GET", "/never", &[]))?;
        // The answer to a ping: what came before it has been read.
        connection.ping()?;
        connection.send(&frame(kind::RST_STREAM, 0, stream, &[0, 0, 0, 8]))?;
        connection.ping()?;
    }
    assert!(matches!(connection.end_of(u32::MAX)?, End::GoAway(_)));
    let entry = stage.postern.refused("http2_flood")?;
    assert!(entry.expect_text("detail")?.starts_with("too much of something in HTTP/2: 6 of 6"), "{entry:?}");
    Ok(())
}

#[test]
fn a_client_that_gives_up_some_requests_keeps_its_connection() -> Outcome {
    let stage = Stage::set_with(|config| config.raw("limits.h2_resets", 2))?;
    let mut connection = stage.connect_raw_http2("good")?;
    for index in 0..12 {
        let (answered, given_up) = (index * 4 + 1, index * 4 + 3);
        connection.send(&request(answered, END_STREAM, "GET", "/", &[]))?;
        assert!(matches!(connection.end_of(answered)?, End::Status(_)));
        connection.send(&request(given_up, END_STREAM, "GET", "/never", &[]))?;
        connection.send(&frame(kind::RST_STREAM, 0, given_up, &[0, 0, 0, 8]))?;
    }
    connection.ping()?;
    assert_eq!(stage.postern.metrics()?.sum("postern_refusals_total", &[]), 0.0);
    Ok(())
}

#[test]
fn a_stream_over_the_limit_is_refused_alone() -> Outcome {
    const REFUSED_STREAM: u32 = 7;
    let stage = Stage::set_with(|config| config.raw("limits.h2_streams", 2))?;
    let mut connection = stage.connect_raw_http2("good")?;
    for stream in [1, 3, 5] {
        connection.send(&request(stream, END_STREAM, "GET", "/slow?ms=300", &[]))?;
    }
    assert_eq!(connection.end_of(5)?, End::Reset(REFUSED_STREAM));
    assert_eq!(connection.end_of(1)?, End::Status(200));
    Ok(())
}
