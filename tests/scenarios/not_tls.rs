//! What reaches the TLS port and is no TLS client, or no patient one.

use std::io::{Read, Write};
use std::net::TcpStream;

use postern_tests::curl::Curl;
use postern_tests::raw_tls::Version;
use postern_tests::stage::Stage;
use postern_tests::wait::PATIENCE;
use postern_tests::{Failure, Outcome};

#[test]
fn plain_http_is_refused() -> Outcome {
    let stage = Stage::set()?;
    let answer = Curl::http(stage.postern.address(), "/").call()?;
    assert_eq!(answer.status, 400, "{}", answer.error);
    assert!(answer.text().contains("https"), "it says what to do: {}", answer.text());
    stage.postern.refused("not_tls")?;
    stage.postern.metric_reaches("postern_refusals_total", &[("reason", "not_tls")], 1.0)?;
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    Ok(())
}

#[test]
fn garbage_is_refused() -> Outcome {
    let stage = Stage::set()?;
    send(&stage, &[0xde, 0xad, 0xbe, 0xef, 0, 1, 2, 3])?;
    stage.postern.refused("not_tls")?;
    // Looks like a TLS record of 65,535 bytes that begins with no known handshake message.
    send(&stage, &[0x16, 0x03, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])?;
    stage.postern.refused("tls_error")?;
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    Ok(())
}

#[test]
fn a_silent_client_meets_the_handshake_deadline() -> Outcome {
    let stage = Stage::set_with(|config| config.raw("limits.handshake_timeout_ms", 200))?;
    let mut socket = connect(&stage)?;
    // The server ends it; no byte was ever sent.
    assert_eq!(socket.read(&mut [0; 1]).unwrap_or(0), 0);
    stage.postern.refused("handshake_timeout")?;
    stage.postern.metric_reaches("postern_refusals_total", &[("reason", "handshake_timeout")], 1.0)?;
    Ok(())
}

#[test]
fn a_client_that_stops_in_the_middle_of_the_handshake_meets_the_deadline() -> Outcome {
    let stage = Stage::set_with(|config| config.raw("limits.handshake_timeout_ms", 200))?;
    let mut socket = connect(&stage)?;
    socket.write_all(&[0x16, 0x03, 0x01])?;
    let mut rest = Vec::new();
    let _ = socket.read_to_end(&mut rest);
    stage.postern.refused("handshake_timeout")?;
    Ok(())
}

#[test]
fn a_client_that_leaves_in_the_middle_of_the_handshake_is_named() -> Outcome {
    let stage = Stage::set()?;
    let mut socket = connect(&stage)?;
    socket.write_all(&[0x16, 0x03, 0x01])?;
    drop(socket);
    stage.postern.refused("client_gone")?;
    Ok(())
}

#[test]
fn a_bare_tcp_probe_is_no_refusal() -> Outcome {
    // Load balancers check health by connecting and leaving.
    let stage = Stage::set()?;
    for _ in 0..3 {
        drop(connect(&stage)?);
    }
    stage.postern.metric_reaches("postern_connections_total", &[], 3.0)?;
    stage.curl("good", "/after").call()?;
    stage.postern.requested("/after")?;
    assert!(stage.postern.access_log().iter().all(|entry| !entry.is("refused")));
    assert_eq!(stage.postern.metrics()?.sum("postern_refusals_total", &[]), 0.0);
    Ok(())
}

#[test]
fn a_client_that_does_not_trust_the_server_is_named() -> Outcome {
    let stage = Stage::set()?;
    let elsewhere = stage.pki.path("upstream-ca.pem");
    let answer = stage.curl("good", "/").arg("--cacert").arg(elsewhere).call()?;
    assert_eq!(answer.exit, 60, "{}", answer.error);
    let entry = stage.postern.refused("client_alert")?;
    assert!(entry.expect_text("detail")?.to_lowercase().contains("unknownca"), "{entry:?}");
    Ok(())
}

#[test]
fn an_old_tls_version_is_refused() -> Outcome {
    let stage = Stage::set()?;
    let old = ["--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0"];
    let answer = stage.curl("good", "/").args(&old).call()?;
    assert_eq!(answer.exit, 35);
    assert!(answer.error.contains("alert"), "{}", answer.error);
    stage.postern.refused("tls_error")?;
    Ok(())
}

#[test]
fn connections_over_the_limit_are_refused() -> Outcome {
    let stage = Stage::set_with(|config| config.raw("limits.max_connections", 1))?;
    let mut first = stage.connect("good", Version::Tls13)?;
    assert_eq!(first.get("/first")?.status, 200);
    let answer = stage.curl("good", "/second").call()?;
    assert_ne!(answer.exit, 0);
    stage.postern.refused("too_many_connections")?;

    drop(first);
    postern_tests::wait::until("a place for the next client", || {
        Ok((stage.curl("good", "/third").call()?.status == 200).then_some(()))
    })
}

fn connect(stage: &Stage) -> Result<TcpStream, Failure> {
    let socket = TcpStream::connect(stage.postern.address())?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// Sends bytes and waits until the server has closed.
fn send(stage: &Stage, bytes: &[u8]) -> Outcome {
    let mut socket = connect(stage)?;
    socket.write_all(bytes)?;
    // A reset is as good an end as a close.
    let _ = socket.read_to_end(&mut Vec::new());
    Ok(())
}
