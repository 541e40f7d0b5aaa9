//! `Upgrade`: where the upstream may switch, bytes pass both ways; elsewhere it is a header like any other.

use postern_tests::echo::{ASK, says, serve, upgrade};
use postern_tests::pki::Pki;
use postern_tests::postern::{Config, Postern};
use postern_tests::raw_tls::{RawTls, Version};
use postern_tests::stage::Stage;
use postern_tests::{Failure, Outcome};
use time::{Duration, OffsetDateTime};

/// A postern in front of an upstream that opens WebSockets, and says back through them what it hears.
struct Chat {
    postern: Postern,
    pki: Pki,
}

impl Chat {
    fn set(change: impl FnOnce(Config) -> Config) -> Result<Self, Failure> {
        let pki = Pki::make()?;
        let address = serve(&pki)?;
        let config = change(Config::new(&pki, address).raw("upstream.allow_upgrade", true));
        Ok(Self { postern: Postern::start(&config)?, pki })
    }

    /// A connection that has been upgraded.
    fn upgraded(&self) -> Result<RawTls, Failure> {
        self.upgraded_as("good")
    }

    fn upgraded_as(&self, client: &str) -> Result<RawTls, Failure> {
        let mut connection = RawTls::connect(&self.pki, self.postern.address(), client, Version::Tls13)?;
        upgrade(&mut connection)?;
        Ok(connection)
    }
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
