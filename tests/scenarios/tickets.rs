//! Resumed sessions: who gets one back, and who does not.

mod good;
mod keys;
mod refused;
mod servers;

use std::net::SocketAddr;
use std::sync::Arc;

use postern_tests::Failure;
use postern_tests::pki::Pki;
use postern_tests::postern::Postern;
use postern_tests::raw_tls::{RawTls, Version, alert_of, resuming_config};
use rustls::{AlertDescription, ClientConfig};

const VERSIONS: [Version; 2] = [Version::Tls12, Version::Tls13];

/// A client that keeps its sessions.
struct Visitor(Arc<ClientConfig>);

/// How a visit went.
#[derive(Debug, PartialEq, Eq)]
enum Visit {
    /// After a full handshake.
    Full,
    /// In a session from an earlier visit.
    Resumed,
    /// It ended with this alert.
    Refused(AlertDescription),
}

impl Visitor {
    fn new(pki: &Pki, client: &str, version: Version) -> Result<Self, Failure> {
        Ok(Self(resuming_config(pki, client, version)?))
    }

    /// One connection with one request, whose answer brings whatever tickets there are.
    fn visit(&self, address: SocketAddr) -> Result<Visit, Failure> {
        match self.try_visit(address) {
            Err(Failure::Connection(error)) => alert_of(&error).map(Visit::Refused).ok_or(error.into()),
            other => other,
        }
    }

    fn try_visit(&self, address: SocketAddr) -> Result<Visit, Failure> {
        let mut connection = RawTls::connect_with(self.0.clone(), address)?;
        assert_eq!(connection.get("/")?.status, 200);
        Ok(if connection.is_resumed() { Visit::Resumed } else { Visit::Full })
    }
}

/// Clients of both versions that have been there once.
fn regulars(pki: &Pki, client: &str, postern: &Postern) -> Result<Vec<Visitor>, Failure> {
    VERSIONS
        .into_iter()
        .map(|version| {
            let visitor = Visitor::new(pki, client, version)?;
            assert_eq!(visitor.visit(postern.address())?, Visit::Full);
            Ok(visitor)
        })
        .collect()
}

/// So many tickets met this end.
fn tickets(postern: &Postern, result: &str) -> Result<f64, Failure> {
    postern.metrics()?.value("postern_tickets_total", &[("result", result)])
}
