//! At a limit new connections are refused by name, and open ones go on.

use std::io::Write;
use std::net::{SocketAddrV4, TcpStream};
use std::sync::Arc;

use postern_tests::pki::Pki;
use postern_tests::postern::{self, Config};
use postern_tests::proxy_header::relayed;
use postern_tests::raw_tls::{RawTls, Version, client_config};
use postern_tests::stage::Stage;
use postern_tests::wait::{PATIENCE, until};
use postern_tests::{Failure, Outcome};

#[test]
fn connections_of_one_address_are_limited_behind_a_balancer() -> Outcome {
    let stage = Stage::set_with(|config| {
        config
            .text("listen.proxy_protocol.mode", "v2")
            .raw("listen.proxy_protocol.trusted", "['127.0.0.1']")
            .raw("limits.max_connections_per_address", 2)
    })?;
    let mut first = connect_from(&stage, [192, 0, 2, 7])?;
    let mut second = connect_from(&stage, [192, 0, 2, 7])?;
    assert!(connect_from(&stage, [192, 0, 2, 7]).is_err());
    let refused = stage.postern.refused("too_many_from_address")?;
    assert!(refused.expect_text("client")?.starts_with("192.0.2.7:"));
    assert_eq!(connect_from(&stage, [192, 0, 2, 8])?.get("/other")?.status, 200);
    assert_eq!((first.get("/first")?.status, second.get("/second")?.status), (200, 200));

    drop(first);
    until("a place for the address", || Ok(connect_from(&stage, [192, 0, 2, 7]).ok()))?;
    Ok(())
}

#[test]
fn connections_of_one_client_are_limited() -> Outcome {
    // Without revocation there are two good clients.
    let stage = Stage::set_with(|config| {
        config.raw("limits.max_connections_per_client", 1).text("revocation.depth", "off")
    })?;
    let mut first = stage.connect("good", Version::Tls13)?;
    assert_eq!(first.get("/first")?.status, 200);
    let mut second = stage.connect("good", Version::Tls12)?;
    assert!(second.until_closed()?.is_empty());
    let refused = stage.postern.refused("too_many_of_client")?;
    assert!(refused.expect_text("subject")?.contains("CN=good"));
    assert_eq!(stage.connect("revoked", Version::Tls13)?.get("/other")?.status, 200);
    assert_eq!(first.get("/again")?.status, 200);

    drop(first);
    until("a place for the client", || {
        Ok(stage.connect("good", Version::Tls13)?.get("/later").ok().filter(|answer| answer.status == 200))
    })?;
    Ok(())
}

#[test]
fn handshakes_that_have_begun_are_limited_and_silent_clients_are_none() -> Outcome {
    let stage = Stage::set_with(|config| config.raw("limits.max_handshakes", 1))?;
    let mut open = stage.connect("good", Version::Tls13)?;
    assert_eq!(open.get("/open")?.status, 200);
    // It says nothing, so it takes no place.
    let _silent = TcpStream::connect(stage.postern.address())?;
    assert_eq!(stage.connect("good", Version::Tls13)?.get("/beside")?.status, 200);

    let mut slow = TcpStream::connect(stage.postern.address())?;
    slow.write_all(&[0x16, 0x03, 0x01])?;
    stage.postern.metric_reaches("postern_handshakes_open", &[], 1.0)?;
    assert!(stage.connect("good", Version::Tls13).is_err());
    stage.postern.refused("too_many_handshakes")?;
    assert_eq!(open.get("/still")?.status, 200);

    drop(slow);
    until("a place for a handshake", || Ok(stage.connect("good", Version::Tls13).ok()))?;
    Ok(())
}

#[test]
fn a_limit_that_is_never_reached_is_found_by_the_check() -> Outcome {
    let pki = Pki::make()?;
    let config = Config::new(&pki, ([127, 0, 0, 1], 1).into()).raw("limits.max_connections", 100);
    for key in ["limits.max_connections_per_address", "limits.max_connections_per_client"] {
        let checked = postern::check(&config.clone().raw(key, 101))?;
        assert_eq!(checked.code(), 1);
        assert!(
            checked.stderr.contains(&format!("{key}: more than limits.max_connections")),
            "{}",
            checked.stderr
        );
    }
    Ok(())
}

/// A TLS connection whose client is at `address`, as the load balancer says.
fn connect_from(stage: &Stage, address: [u8; 4]) -> Result<RawTls, Failure> {
    let mut socket = TcpStream::connect(stage.postern.address())?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.write_all(&relayed(SocketAddrV4::new(address.into(), 40_000), "vpce-1"))?;
    let config = client_config(&stage.pki, "good", Version::Tls13, b"http/1.1")?;
    let mut tls = RawTls::connect_on(socket, Arc::new(config))?;
    // With TLS 1.3 the client is done before the server.
    tls.get("/")?;
    Ok(tls)
}
