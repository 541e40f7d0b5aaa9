//! What may change while the proxy runs: its own key pair, the trust bundle and the CRLs; swapped as one, last good kept.

mod bundle;
mod path;
mod pem;
mod revocation;

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::sign::CertifiedKey;
use tokio::sync::watch;

pub use self::bundle::TrustBundle;
pub use self::path::{Standing, VerifiedPath};
pub use self::pem::certificates;
pub use self::revocation::{Crl, Revocations, age as crl_age};
use crate::clock::Clock;
use crate::config::{Config, Invalid};
use crate::handshake::server_config;

/// All that a decision about a client rests on, at one moment. Never changes: a reload makes a new one.
#[derive(Debug)]
pub struct Trust {
    /// Grows by one with every reload.
    pub generation: u64,
    /// The server's own certificates, leaf first, and their key.
    pub server: Arc<CertifiedKey>,
    /// The trust anchors of clients.
    pub bundle: Arc<TrustBundle>,
    /// The CRLs.
    pub revocations: Arc<Revocations>,
    /// What a handshake of this generation is done with.
    pub tls: Arc<ServerConfig>,
}

impl Trust {
    /// Reads every file. A part that cannot be used is reported, and taken from `last` if there is one.
    fn read(config: &Config, last: Option<&Self>, clock: &Clock) -> (Option<Self>, Vec<Invalid>) {
        let mut problems = Vec::new();
        let server = match pem::key_pair(&config.tls) {
            Ok(server) => Some(Arc::new(server)),
            Err(problem) => {
                problems.push(problem);
                last.map(|trust| trust.server.clone())
            }
        };
        let bundle = match TrustBundle::load(&config.client_auth.trust_bundle) {
            // The same anchors stay the same object: open connections see from that that their path still stands.
            Ok(bundle) => match last.filter(|trust| trust.bundle.anchors() == bundle.anchors()) {
                Some(trust) => Some(trust.bundle.clone()),
                None => Some(Arc::new(bundle)),
            },
            Err(problem) => {
                problems.push(problem);
                last.map(|trust| trust.bundle.clone())
            }
        };
        let (revocations, unusable) =
            Revocations::load(&config.revocation, last.map(|trust| trust.revocations.as_ref()));
        problems.extend(unusable);
        let generation = last.map_or(0, |trust| trust.generation + 1);
        let trust = server.zip(bundle).and_then(|(server, bundle)| {
            let revocations = Arc::new(revocations);
            let tls = server_config(&server, &bundle, &revocations, clock)
                .map_err(|problem| {
                    problems.push(Invalid::new("tls", problem.to_string(), "report this as a bug"));
                })
                .ok()?;
            Some(Self { generation, server, bundle, revocations, tls: Arc::new(tls) })
        });
        (trust, problems)
    }
}

/// What a client is verified against, read from the files that `config` names.
///
/// # Errors
///
/// Every file that cannot be used.
pub fn client_trust(config: &Config) -> Result<(TrustBundle, Revocations), Vec<Invalid>> {
    let bundle = TrustBundle::load(&config.client_auth.trust_bundle);
    let (revocations, mut problems) = Revocations::load(&config.revocation, None);
    match bundle {
        Ok(bundle) if problems.is_empty() => Ok((bundle, revocations)),
        Ok(_) => Err(problems),
        Err(problem) => {
            problems.insert(0, problem);
            Err(problems)
        }
    }
}

/// Holds the [`Trust`] in force and replaces it.
#[derive(Debug)]
pub struct TrustStore {
    current: ArcSwap<Trust>,
    changed: watch::Sender<u64>,
    clock: Clock,
}

impl TrustStore {
    /// Loads everything for the first time.
    ///
    /// # Errors
    ///
    /// Every file that cannot be used, with the reason.
    pub fn load(config: &Config, clock: Clock) -> Result<Self, Vec<Invalid>> {
        match Trust::read(config, None, &clock) {
            (Some(trust), problems) if problems.is_empty() => {
                let (changed, _) = watch::channel(trust.generation);
                Ok(Self { current: ArcSwap::from_pointee(trust), changed, clock })
            }
            (_, problems) => Err(problems),
        }
    }

    /// The trust in force.
    pub fn current(&self) -> arc_swap::Guard<Arc<Trust>> {
        self.current.load()
    }

    /// Tells of every change, so that open connections look at their client again.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Reads all files again and answers with what could not be used: those parts stay in force as they were.
    pub fn reload(&self, config: &Config) -> Vec<Invalid> {
        let last = self.current.load_full();
        let (trust, kept) = Trust::read(config, Some(&last), &self.clock);
        if let Some(trust) = trust {
            let generation = trust.generation;
            self.current.store(Arc::new(trust));
            self.changed.send_replace(generation);
        }
        kept
    }
}
