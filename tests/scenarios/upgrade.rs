//! `Upgrade`: where the upstream may switch, bytes pass both ways; elsewhere it is a header like any other.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use postern_tests::pki::Pki;
use postern_tests::postern::{Config, Postern};
use postern_tests::raw_tls::{RawTls, Version, certificates};
use postern_tests::stage::Stage;
use postern_tests::{Failure, Outcome};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use time::{Duration, OffsetDateTime};

const ASK: &str =
    "GET /chat HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: echo\r\n\r\n";

/// A postern in front of an upstream that switches to "echo", in which it says back what it hears.
struct Chat {
    postern: Postern,
    pki: Pki,
}

impl Chat {
    fn set(change: impl FnOnce(Config) -> Config) -> Result<Self, Failure> {
        let pki = Pki::make()?;
        let address = echo(&pki)?;
        let config = change(Config::new(&pki, address).raw("upstream.allow_upgrade", true));
        Ok(Self { postern: Postern::start(&config)?, pki })
    }

    /// A connection that has been upgraded.
    fn upgraded(&self) -> Result<RawTls, Failure> {
        self.upgraded_as("good")
    }

    fn upgraded_as(&self, client: &str) -> Result<RawTls, Failure> {
        let mut connection = RawTls::connect(&self.pki, self.postern.address(), client, Version::Tls13)?;
        connection.send(ASK)?;
        let response = connection.response()?;
        assert_eq!(response.status, 101);
        assert_eq!(
            (response.header("upgrade"), response.header("connection")),
            (Some("echo"), Some("upgrade"))
        );
        Ok(connection)
    }
}

/// Serves connections until the test ends.
fn echo(pki: &Pki) -> Result<SocketAddr, Failure> {
    let path = pki.path("upstream.key");
    let key = PrivateKeyDer::from_pem_file(&path).map_err(|source| Failure::Pem { path, source })?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(certificates(pki, "upstream.pem")?, key)?;
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0")?);
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let config = config.clone();
            thread::spawn(move || -> Outcome {
                let mut stream = BufReader::new(StreamOwned::new(ServerConnection::new(config)?, socket));
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head)? > 0 {}
                let asked = head.to_ascii_lowercase();
                assert!(
                    asked.contains("\r\nupgrade: echo\r\n") && asked.contains("\r\nconnection: upgrade\r\n")
                );
                let switch =
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
                stream.get_mut().write_all(switch.as_bytes())?;
                let mut heard = [0; 1000];
                loop {
                    let count = stream.read(&mut heard)?;
                    if count == 0 {
                        return Ok(());
                    }
                    stream.get_mut().write_all(heard.get(..count).unwrap_or_default())?;
                }
            });
        }
    });
    Ok(address)
}

fn says(connection: &mut RawTls, what: &str) -> Outcome {
    connection.send(what)?;
    let mut heard = vec![0; what.len()];
    connection.read_exact(&mut heard)?;
    assert_eq!(String::from_utf8_lossy(&heard), what);
    Ok(())
}

#[test]
fn bytes_pass_both_ways_and_are_written_down_at_the_end() -> Outcome {
    let chat = Chat::set(|config| config)?;
    let mut connection = chat.upgraded()?;
    // What looks like a request, or breaks every rule of one, is nobody's business here.
    for what in ["hello", "GET / HTTP/1.1\nfolded\r\n\r\n", "\0\0\0"] {
        says(&mut connection, what)?;
    }
    chat.postern.metric_reaches("postern_upgrades_total", &[], 1.0)?;
    assert!(chat.postern.access_log().is_empty(), "the request is not over");
    drop(connection);
    let entry = chat.postern.requested("/chat")?;
    let numbers = ["status", "bytes_in", "bytes_out"].map(|key| entry.number(key));
    assert_eq!(numbers, [Some(101), Some(33), Some(33)], "{entry:?}");
    chat.postern.metric_reaches("postern_connections_total", &[], 1.0)?;
    Ok(())
}

#[test]
fn a_client_that_becomes_revoked_loses_its_upgraded_connection() -> Outcome {
    let chat = Chat::set(|config| config)?;
    let mut connection = chat.upgraded()?;
    says(&mut connection, "still good")?;
    chat.pki.revoke("good")?;
    chat.postern.reload()?;
    assert!(connection.until_closed()?.is_empty());
    chat.postern.refused("certificate_revoked")?;
    assert_eq!(chat.postern.requested("/chat")?.number("status"), Some(101));
    Ok(())
}

#[test]
fn a_certificate_that_expires_ends_its_upgraded_connection() -> Outcome {
    let chat = Chat::set(|config| config)?;
    chat.pki.issue("brief", |params| params.not_after = OffsetDateTime::now_utc() + Duration::seconds(3))?;
    let mut connection = chat.upgraded_as("brief")?;
    says(&mut connection, "still good")?;
    assert!(connection.until_closed()?.is_empty());
    chat.postern.refused("certificate_expired")?;
    assert_eq!(chat.postern.requested("/chat")?.number("status"), Some(101));
    Ok(())
}

#[test]
fn a_silent_upgraded_connection_ends_with_a_name() -> Outcome {
    let chat = Chat::set(|config| {
        config.raw("limits.stream_idle_timeout_ms", 200).raw("limits.body_timeout_ms", 100)
    })?;
    let mut connection = chat.upgraded()?;
    says(&mut connection, "the last words")?;
    assert!(connection.until_closed()?.is_empty());
    assert_eq!(chat.postern.requested("/chat")?.text("reason"), Some("stream_idle"));
    Ok(())
}

#[test]
fn an_upgraded_connection_ends_at_the_drain_deadline() -> Outcome {
    let chat = Chat::set(|config| config.raw("drain.deadline_ms", 500))?;
    let mut connection = chat.upgraded()?;
    chat.postern.terminate()?;
    says(&mut connection, "while draining")?;
    assert!(connection.until_closed()?.is_empty());
    assert!(chat.postern.finish()?.status.success());
    Ok(())
}

#[test]
fn without_permission_it_is_a_request_like_any_other() -> Outcome {
    let stage = Stage::set()?;
    let mut connection = stage.connect("good", Version::Tls13)?;
    connection.send(ASK)?;
    let response = connection.response()?;
    assert_eq!(response.status, 200);
    assert!(!String::from_utf8_lossy(&response.body).contains("\"upgrade\""), "{response:?}");
    assert_eq!(connection.get("/next")?.status, 200);
    Ok(())
}

#[test]
fn an_upstream_that_does_not_switch_answers_as_usual() -> Outcome {
    let stage = Stage::set_with(|config| config.raw("upstream.allow_upgrade", true))?;
    let mut connection = stage.connect("good", Version::Tls13)?;
    // The next request comes early, and waits for the answer to the first.
    connection.send(format!("{ASK}GET /early HTTP/1.1\r\nHost: localhost\r\n\r\n"))?;
    assert_eq!((connection.response()?.status, connection.response()?.status), (200, 200));
    stage.postern.requested("/early")?;
    connection.send(format!("{ASK}GET /bad HTTP/1.1\nHost: localhost\r\n\r\n"))?;
    assert_eq!(
        (connection.response()?.status, connection.response()?.status),
        (200, 400),
        "the guard goes on"
    );
    Ok(())
}
