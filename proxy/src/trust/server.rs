//! What may change of one server: its key pair and its trust bundle.

use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, ServerName};
use webpki::EndEntityCert;

use super::pem::key_pair;
use super::ticket_keys::TicketKeys;
use super::{Revocations, Tickets, TrustBundle};
use crate::clock::Clock;
use crate::config::{File, Invalid, Server};
use crate::handshake::server_config;

/// Who one server is, and whom it believes.
#[derive(Debug)]
pub struct ServerTrust {
    /// Its own certificates, leaf first, and their key.
    pub certificate: Arc<CertifiedKey>,
    /// The trust anchors of its clients; `None` if it asks for no certificate.
    pub bundle: Option<Arc<TrustBundle>>,
    /// Whether a client may come without a certificate.
    pub anonymous: bool,
    /// What its handshakes are done with.
    pub tls: Arc<ServerConfig>,
}

impl ServerTrust {
    /// Reads the files of `server`. A part that cannot be used is reported, and taken from `last` if there is one.
    pub(super) fn read(
        server: &Server,
        last: Option<&Self>,
        revocations: &Arc<Revocations>,
        tickets: Option<(&Arc<TicketKeys>, Duration)>,
        clock: &Clock,
        problems: &mut Vec<Invalid>,
    ) -> Option<Self> {
        let pair = key_pair(&server.certificate, &server.private_key);
        let certificate = match pair.and_then(|pair| fits(server, &pair).map(|()| pair)) {
            Ok(certificate) => Some(Arc::new(certificate)),
            Err(problem) => {
                problems.push(problem);
                last.map(|last| last.certificate.clone())
            }
        };
        let last_bundle = last.and_then(|last| last.bundle.clone());
        let bundle = match server.client_auth.trust_bundle().map(TrustBundle::load) {
            None => None,
            // The same anchors stay the same object: open connections see from that that their path still stands.
            Some(Ok(bundle)) => {
                let same = last_bundle.filter(|last| last.anchors() == bundle.anchors());
                Some(same.unwrap_or_else(|| Arc::new(bundle)))
            }
            Some(Err(problem)) => {
                problems.push(problem);
                Some(last_bundle?)
            }
        };
        let certificate = certificate?;
        let anonymous = server.client_auth.allows_anonymous();
        let verified = bundle.as_ref().map(|bundle| (bundle, anonymous));
        let tickets = tickets.map(|(keys, lifetime)| Tickets {
            keys: keys.clone(),
            server: server.label.clone(),
            bundle: bundle.clone(),
            anonymous,
            revocations: revocations.clone(),
            lifetime,
            clock: clock.clone(),
        });
        let tls = server_config(&certificate, verified, revocations, tickets, clock);
        let tls = tls.map_err(|error| {
            problems.push(Invalid::new(&server.certificate.key, error.to_string(), "report this as a bug"));
        });
        Some(Self { certificate, bundle, anonymous, tls: Arc::new(tls.ok()?) })
    }

    /// Whether its certificate is for `name`.
    pub(super) fn is_for(&self, name: &str) -> bool {
        is_for(&self.certificate.cert, name)
    }
}

/// Clients would not take a certificate that is not for the name that they ask for.
fn fits(server: &Server, pair: &CertifiedKey) -> Result<(), Invalid> {
    match server.names.iter().find(|name| !is_for(&pair.cert, &name.example())) {
        None => Ok(()),
        Some(name) => {
            let File { key, path } = &server.certificate;
            let hint = "give the certificate for that name, or take the name out of the list";
            Err(Invalid::new(key, format!("{}: is not for {name}", path.display()), hint))
        }
    }
}

/// Whether the leaf of `chain` is for `name`.
pub fn is_for(chain: &[CertificateDer<'_>], name: &str) -> bool {
    let leaf = chain.first().and_then(|leaf| EndEntityCert::try_from(leaf).ok());
    let name = ServerName::try_from(name).ok();
    leaf.zip(name).is_some_and(|(leaf, name)| leaf.verify_is_valid_for_subject_name(&name).is_ok())
}
