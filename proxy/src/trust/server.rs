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
use crate::config::{Invalid, Server, Source};
use crate::handshake::server_config;
use crate::sources::{Mark, Sources};

/// Who one server is, and whom it believes.
#[derive(Debug, Clone)]
pub struct ServerTrust {
    /// Its own certificates, leaf first, and their key.
    pub certificate: Arc<CertifiedKey>,
    /// The trust anchors of its clients; `None` if it asks for no certificate.
    pub bundle: Option<Arc<TrustBundle>>,
    /// Whether a client may come without a certificate.
    pub anonymous: bool,
    /// What its handshakes are done with.
    pub tls: Arc<ServerConfig>,
    /// What the certificate was made of.
    marks: [Mark; 2],
    revocations: Arc<Revocations>,
    ticket_keys: Option<Arc<TicketKeys>>,
}

impl ServerTrust {
    /// Reads what `server` names. A part that cannot be used is reported, and taken from `last` if there is one.
    pub(super) fn read(
        server: &Server,
        sources: &Sources,
        last: Option<&Self>,
        revocations: &Arc<Revocations>,
        tickets: Option<(&Arc<TicketKeys>, Duration)>,
        clock: &Clock,
        problems: &mut Vec<Invalid>,
    ) -> Option<Self> {
        let pair = key_pair(&server.certificate, &server.private_key, sources);
        let pair = match pair.and_then(|(pair, marks)| fits(server, &pair).map(|()| (pair, marks))) {
            // The same content stays the same object.
            Ok((pair, marks)) => match last.filter(|last| last.marks == marks) {
                Some(last) => Some((last.certificate.clone(), marks)),
                None => Some((Arc::new(pair), marks)),
            },
            Err(problem) => {
                problems.push(problem);
                last.map(|last| (last.certificate.clone(), last.marks))
            }
        };
        let last_bundle = last.and_then(|last| last.bundle.clone());
        let bundle = match server.client_auth.trust_bundle().map(|bundle| TrustBundle::load(bundle, sources))
        {
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
        let (certificate, marks) = pair?;
        if let Some(last) =
            last.filter(|last| last.is_of(&certificate, bundle.as_ref(), revocations, tickets))
        {
            return Some(last.clone());
        }
        let anonymous = server.client_auth.allows_anonymous();
        let verified = bundle.as_ref().map(|bundle| (bundle, anonymous));
        let ticket_keys = tickets.map(|(keys, _)| keys.clone());
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
        let (tls, revocations) = (Arc::new(tls.ok()?), revocations.clone());
        Some(Self { certificate, bundle, anonymous, tls, marks, revocations, ticket_keys })
    }

    /// Whether it is made of these, so that there is nothing new about it.
    pub(super) fn is_of(
        &self,
        certificate: &Arc<CertifiedKey>,
        bundle: Option<&Arc<TrustBundle>>,
        revocations: &Arc<Revocations>,
        tickets: Option<(&Arc<TicketKeys>, Duration)>,
    ) -> bool {
        let same_tickets = match (&self.ticket_keys, tickets) {
            (Some(one), Some((other, _))) => Arc::ptr_eq(one, other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        let same_bundle = match (&self.bundle, bundle) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        same_bundle
            && same_tickets
            && Arc::ptr_eq(&self.certificate, certificate)
            && Arc::ptr_eq(&self.revocations, revocations)
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
            let Source { key, place } = &server.certificate;
            let hint = "give the certificate for that name, or take the name out of the list";
            Err(Invalid::new(key, format!("{place}: is not for {name}"), hint))
        }
    }
}

/// Whether the leaf of `chain` is for `name`.
pub fn is_for(chain: &[CertificateDer<'_>], name: &str) -> bool {
    let leaf = chain.first().and_then(|leaf| EndEntityCert::try_from(leaf).ok());
    let name = ServerName::try_from(name).ok();
    leaf.zip(name).is_some_and(|(leaf, name)| leaf.verify_is_valid_for_subject_name(&name).is_ok())
}
