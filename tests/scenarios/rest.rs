//! An HTTP/1.1 connection without requests gives its buffers up, and goes on as if nothing had been.

use postern_tests::raw_tls::{RawTls, Response, Version};
use postern_tests::stage::Stage;
use postern_tests::{Failure, Outcome};

/// A client whose connection has served a request and rests.
fn rested(stage: &Stage, version: Version) -> Result<RawTls, Failure> {
    let mut client = stage.connect("good", version)?;
    assert_eq!(client.get("/")?.status, 200);
    rests(stage)?;
    Ok(client)
}

fn rests(stage: &Stage) -> Outcome {
    stage.postern.metric_reaches("postern_connections_resting", &[], 1.0).map(drop)
}

fn echoes(response: &Response, body: &str) -> bool {
    response.status == 200
        && String::from_utf8_lossy(&response.body).contains(&format!("\"text\":\"{body}\""))
}

#[test]
fn requests_are_answered_after_a_rest() -> Outcome {
    let stage = Stage::set()?;
    for version in [Version::Tls13, Version::Tls12] {
        let mut client = rested(&stage, version)?;
        for _ in 0..3 {
            assert_eq!(client.get("/")?.status, 200);
            rests(&stage)?;
        }
        // In pieces, and two at once.
        for piece in ["POST / HT", "TP/1.1\r\nHost: localhost\r\nContent-Len", "gth: 5\r\n\r\nhe", "llo"] {
            client.send(piece)?;
        }
        assert!(echoes(&client.response()?, "hello"));
        rests(&stage)?;
        client.send(
            "GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET /status/404 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        )?;
        assert_eq!([client.response()?.status, client.response()?.status], [200, 404]);
        drop(client);
    }
    assert_eq!(stage.postern.metrics()?.sum("postern_refusals_total", &[]), 0.0);
    Ok(())
}

#[test]
fn a_head_after_a_rest_is_guarded_like_the_first() -> Outcome {
    let stage = Stage::set_with(|config| config.raw("limits.header_timeout_ms", 300))?;
    let mut client = rested(&stage, Version::Tls13)?;
    client.send("GET / HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n")?;
    assert_eq!(client.response()?.status, 400);
    drop(client);
    let mut client = rested(&stage, Version::Tls13)?;
    client.send("GET / HTTP/1.1\r\n")?;
    assert_eq!(client.response()?.status, 408, "its deadline starts with its first byte");
    Ok(())
}

#[test]
fn a_connection_at_rest_ends_like_any_other() -> Outcome {
    let stage = Stage::set_with(|config| config.raw("limits.idle_timeout_ms", 1_500))?;
    let mut client = rested(&stage, Version::Tls13)?;
    assert!(client.until_closed()?.is_empty(), "idle for too long");
    let mut client = rested(&stage, Version::Tls13)?;
    stage.pki.revoke("good")?;
    stage.postern.reload()?;
    assert!(client.until_closed()?.is_empty(), "revoked");
    stage.postern.refused("certificate_revoked")?;
    Ok(())
}

#[test]
fn a_body_that_is_still_coming_keeps_the_connection_awake() -> Outcome {
    let stage = Stage::set()?;
    let mut client = stage.connect("good", Version::Tls13)?;
    let mut other = stage.connect("good", Version::Tls13)?;
    client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhello")?;
    // The other one comes to rest meanwhile, twice; this one must not lose its place in the body.
    for _ in 0..2 {
        assert_eq!(other.get("/")?.status, 200);
        rests(&stage)?;
    }
    client.send("hello")?;
    assert!(echoes(&client.response()?, "hellohello"));
    Ok(())
}
