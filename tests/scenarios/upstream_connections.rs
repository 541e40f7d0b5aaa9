//! Connections to the private API are reused, and replaced when they die.

use postern_tests::Outcome;
use postern_tests::raw_tls::Version;
use postern_tests::stage::Stage;
use postern_tests::upstream::Upstream;

#[test]
fn upstream_connections_are_reused_across_clients() -> Outcome {
    let stage = Stage::set_with(|config| config.raw("listen.workers", 1))?;
    for request in 1..=5 {
        let echo = stage.curl("good", "/").call()?.echo()?;
        assert_eq!((echo.connection, echo.request), (1, request));
    }
    Ok(())
}

#[test]
fn one_client_connection_carries_many_requests() -> Outcome {
    let stage = Stage::set()?;
    for version in [Version::Tls12, Version::Tls13] {
        let mut connection = stage.connect("good", version)?;
        for _ in 0..5 {
            assert_eq!(connection.get("/")?.status, 200);
        }
    }
    let mut http2 = stage.connect_http2("good")?;
    for _ in 0..5 {
        assert_eq!(http2.get("/")?.0, 200);
    }
    assert_eq!(stage.postern.metrics()?.sum("postern_connections_total", &[]), 3.0);
    Ok(())
}

#[test]
fn pipelined_requests_are_answered_in_order() -> Outcome {
    let stage = Stage::set()?;
    let mut connection = stage.connect("good", Version::Tls13)?;
    let requests = ["/slow?ms=100", "/status/404", "/bytes/10"];
    connection
        .send(requests.map(|path| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).concat())?;
    let answers =
        [connection.response()?.status, connection.response()?.status, connection.response()?.status];
    assert_eq!(answers, [200, 404, 200]);
    Ok(())
}

#[test]
fn an_idle_upstream_connection_is_given_up_in_time() -> Outcome {
    let stage =
        Stage::set_with(|config| config.raw("listen.workers", 1).raw("upstream.pool_idle_timeout_ms", 1))?;
    assert_eq!(stage.curl("good", "/").call()?.echo()?.connection, 1);
    assert_eq!(stage.curl("good", "/").call()?.echo()?.connection, 2);
    Ok(())
}

#[test]
fn an_upstream_that_comes_back_is_used_again() -> Outcome {
    let Stage { postern, upstream, pki } = Stage::set_with(|config| config.raw("listen.workers", 1))?;
    let address = upstream.address();
    let call = || postern_tests::curl::Curl::https(&pki, postern.address(), Some("good"), "/").call();
    assert_eq!(call()?.status, 200);
    upstream.kill();
    assert_eq!(call()?.status, 502);
    let _upstream = Upstream::start_at(&pki, address)?;
    // Nothing of the old connections is left in the way.
    assert_eq!(call()?.status, 200);
    Ok(())
}

#[test]
fn a_connection_that_died_in_the_pool_costs_no_request() -> Outcome {
    let Stage { postern, upstream, pki } = Stage::set_with(|config| config.raw("listen.workers", 1))?;
    let address = upstream.address();
    let call = || postern_tests::curl::Curl::https(&pki, postern.address(), Some("good"), "/").call();
    assert_eq!(call()?.status, 200);
    upstream.kill();
    let _upstream = Upstream::start_at(&pki, address)?;
    assert_eq!(call()?.status, 200);
    Ok(())
}
