//! SIGTERM: requests in flight finish, everything else ends, and the exit code is 0.

use std::sync::Arc;
use std::time::{Duration, Instant};

use postern_tests::pki::Pki;
use postern_tests::postern::Postern;
use postern_tests::process::Signal;
use postern_tests::raw_tls::{RawTls, Version, client_config};
use postern_tests::stage::Stage;
use postern_tests::wait::until;
use postern_tests::{Failure, Outcome};

const SLOW: &str = "GET /slow?ms=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn a_request_in_flight_is_finished() -> Outcome {
    let Stage { postern, upstream: _upstream, pki } =
        Stage::set_with(|config| config.raw("limits.last_request_ms", 100))?;
    let mut busy = RawTls::connect(&pki, postern.address(), "good", Version::Tls13)?;
    assert_eq!(busy.get("/")?.status, 200);
    busy.send(SLOW)?;
    // Until the proxy has it in hand, it is not in flight.
    postern.metric_reaches("postern_connections_open", &[], 1.0)?;
    let mut idle = RawTls::connect(&pki, postern.address(), "good", Version::Tls13)?;
    assert_eq!(idle.get("/")?.status, 200);

    postern.terminate()?;
    let response = busy.response()?;
    assert_eq!((response.status, response.header("connection")), (200, Some("close")));
    assert!(busy.until_closed()?.is_empty());
    assert!(idle.until_closed()?.is_empty());
    let finished = postern.finish()?;
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    assert!(finished.stdout.contains("/slow"), "the access log is written to the end: {}", finished.stdout);
    Ok(())
}

#[test]
fn a_request_in_flight_on_http2_is_finished() -> Outcome {
    let Stage { postern, upstream: _upstream, pki } = Stage::set()?;
    let mut client = postern_tests::http2::Http2::connect(&pki, postern.address(), "good")?;
    assert_eq!(client.get("/")?.0, 200);
    let process = postern.process();
    let (answer, _) = std::thread::scope(|scope| {
        let request = scope.spawn(|| client.get("/slow?ms=1500"));
        // Long enough for the request to arrive, short enough to be there while it waits.
        let waited = Instant::now();
        let terminated =
            until("half a second", || Ok((waited.elapsed() > Duration::from_millis(500)).then_some(())))
                .and_then(|()| process.signal(Signal::TERM));
        (request.join(), terminated)
    });
    assert_eq!(answer.unwrap()?.0, 200);
    client.until_closed()?;
    assert_eq!(postern.finish()?.code(), 0);
    Ok(())
}

#[test]
fn a_request_that_was_on_its_way_is_answered_and_told_to_close() -> Outcome {
    let Stage { postern, upstream: _upstream, pki } = Stage::set()?;
    let (mut kept, mut fresh) = (connect(&pki, &postern, "http/1.1")?, connect(&pki, &postern, "http/1.1")?);
    assert_eq!(kept.get("/")?.status, 200);
    postern.metric_reaches("postern_handshakes_total", &[("result", "accepted")], 2.0)?;
    postern.terminate()?;
    postern.said(&["draining"])?;
    for client in [&mut kept, &mut fresh] {
        let response = client.get("/late")?;
        assert_eq!((response.status, response.header("connection")), (200, Some("close")));
        assert!(client.until_closed()?.is_empty());
    }
    let finished = postern.finish()?;
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    Ok(())
}

#[test]
fn clients_that_never_close_do_not_keep_the_process() -> Outcome {
    let Stage { postern, upstream: _upstream, pki } =
        Stage::set_with(|config| config.raw("limits.last_request_ms", 100))?;
    let mut told = connect(&pki, &postern, "http/1.1")?;
    assert_eq!(told.get("/")?.status, 200);
    told.send(SLOW)?;
    let mut idle = connect(&pki, &postern, "http/1.1")?;
    assert_eq!(idle.get("/")?.status, 200);
    // HTTP/2 without a word after its preface: no request, no answer to a ping, no end.
    let mut silent = connect(&pki, &postern, "h2")?;
    silent.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")?;
    postern.metric_reaches("postern_connections_open", &[], 3.0)?;
    postern.terminate()?;
    let start = Instant::now();
    assert_eq!(told.response()?.header("connection"), Some("close"));
    let finished = postern.finish()?;
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    assert!(!finished.stderr.contains("cutting"), "{}", finished.stderr);
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "long before drain.deadline_ms: {:?}",
        start.elapsed()
    );
    drop((told, idle, silent));
    Ok(())
}

#[test]
fn an_idle_proxy_stops_at_once() -> Outcome {
    for signal in [Signal::TERM, Signal::INT] {
        let Stage { postern, upstream: _upstream, pki: _pki } = Stage::set()?;
        postern.process().signal(signal)?;
        let start = Instant::now();
        assert_eq!(postern.finish()?.code(), 0);
        assert!(start.elapsed() < Duration::from_secs(5));
    }
    Ok(())
}

#[test]
fn readiness_fails_first_while_new_connections_are_still_accepted() -> Outcome {
    // A load balancer sends new connections for a while after deregistration.
    let stage =
        Stage::set_with(|config| config.raw("drain.accept_ms", 10_000).raw("drain.deadline_ms", 15_000))?;
    assert_eq!(stage.postern.look("/readyz")?.status, 200);
    stage.postern.terminate()?;
    until("readiness to fail", || Ok((stage.postern.look("/readyz")?.status == 503).then_some(())))?;
    assert_eq!(stage.postern.look("/livez")?.status, 200);
    let answer = stage.curl("good", "/").arg("--http1.1").call()?;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    Ok(())
}

#[test]
fn what_is_left_at_the_deadline_is_cut() -> Outcome {
    let Stage { postern, upstream: _upstream, pki } =
        Stage::set_with(|config| config.raw("drain.deadline_ms", 700))?;
    let mut stuck = RawTls::connect(&pki, postern.address(), "good", Version::Tls13)?;
    assert_eq!(stuck.get("/")?.status, 200);
    stuck.send("GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    postern.terminate()?;
    stuck.until_closed()?;
    let finished = postern.finish()?;
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    Ok(())
}

fn connect(pki: &Pki, postern: &Postern, protocol: &'static str) -> Result<RawTls, Failure> {
    let config = client_config(pki, "good", Version::Tls13, protocol.as_bytes())?;
    RawTls::connect_with(Arc::new(config), postern.address())
}
