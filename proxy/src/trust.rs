//! What may change while the proxy runs: key pairs, trust bundles and CRLs; swapped as one, last good kept.

mod bundle;
mod crl_signer;
mod path;
mod pem;
mod revocation;
mod server;
mod ticket_keys;
mod tickets;

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

pub use self::bundle::TrustBundle;
pub use self::path::{Standing, VerifiedPath};
pub use self::pem::{certificates, private_key};
pub use self::revocation::{Crl, Revocations, age as crl_age};
pub use self::server::{ServerTrust, is_for};
use self::ticket_keys::TicketKeys;
pub use self::tickets::{Declined, Resumable, Tickets};
use crate::clock::Clock;
use crate::config::{self, Config, Invalid, UnknownNames};
use crate::names::ByName;
use crate::routes::server_numbers;

/// All that a decision about a client rests on, at one moment. Never changes: a reload makes a new one.
#[derive(Debug)]
pub struct Trust {
    /// Grows by one with every reload.
    pub generation: u64,
    /// The default server, and then the others.
    servers: Vec<ServerTrust>,
    /// Their numbers by name.
    numbers: Arc<ByName<usize>>,
    unknown_names: UnknownNames,
    /// What session tickets are sealed with; `None` if there are to be none.
    ticket_keys: Option<Arc<TicketKeys>>,
    /// The CRLs, of all servers.
    pub revocations: Arc<Revocations>,
}

impl Trust {
    /// Reads every file. A part that cannot be used is reported, and taken from `last` if there is one.
    fn read(config: &Config, last: Option<&Self>, clock: &Clock) -> (Option<Self>, Vec<Invalid>) {
        let (revocations, mut problems) =
            Revocations::load(&config.revocation, last.map(|trust| trust.revocations.as_ref()));
        let revocations = Arc::new(revocations);
        let ticket_keys = ticket_keys(&config.tickets, last, clock, &mut problems);
        let tickets = ticket_keys.as_ref().map(|keys| (keys, config.tickets.lifetime));
        let mut servers = Vec::new();
        for (number, server) in config.servers.iter().enumerate() {
            let last = last.and_then(|trust| trust.server(number));
            servers.extend(ServerTrust::read(server, last, &revocations, tickets, clock, &mut problems));
        }
        let trust = (servers.len() == config.servers.len()).then(|| Self {
            generation: last.map_or(0, |trust| trust.generation + 1),
            servers,
            numbers: last.map_or_else(|| Arc::new(server_numbers(config)), |trust| trust.numbers.clone()),
            unknown_names: config.unknown_names,
            ticket_keys,
            revocations,
        });
        (trust, problems)
    }

    /// The server of that number; 0 is the default one.
    pub fn server(&self, number: usize) -> Option<&ServerTrust> {
        self.servers.get(number)
    }

    /// Every server, by number.
    pub fn servers(&self) -> &[ServerTrust] {
        &self.servers
    }

    /// The only server, if connections need not say which one they are for.
    pub fn only_server(&self) -> Option<&ServerTrust> {
        self.servers
            .first()
            .filter(|_| self.numbers.is_empty() && self.unknown_names == UnknownNames::Default)
    }

    /// The number of the server for connections that ask for `name`; `None` if they are to be refused.
    pub fn server_for(&self, name: Option<&str>) -> Option<usize> {
        let Some(name) = name else { return Some(0) };
        if let Some(number) = self.numbers.find(name).next() {
            return Some(*number);
        }
        let known = self.unknown_names == UnknownNames::Default
            || self.servers.first().is_some_and(|server| server.is_for(name));
        known.then_some(0)
    }
}

impl Trust {
    /// The hosts of routes for which every connection is refused.
    fn unreachable(&self, config: &Config) -> Vec<Invalid> {
        let mut problems = Vec::new();
        for route in &config.routes {
            for host in route.hosts.iter().filter(|host| self.server_for(Some(&host.example())).is_none()) {
                let problem = format!("{host} is never reached: no server has that name");
                let hint = "name it in a [[server]], or set tls.unknown_names = \"default\"";
                problems.push(Invalid::new(format!("{}.hosts", route.key), problem, hint));
            }
        }
        problems
    }
}

/// The keys of session tickets, if there are to be any; those of `last` if they cannot be read.
fn ticket_keys(
    config: &config::Tickets,
    last: Option<&Trust>,
    clock: &Clock,
    problems: &mut Vec<Invalid>,
) -> Option<Arc<TicketKeys>> {
    if !config.enabled {
        return None;
    }
    let last = last.and_then(|trust| trust.ticket_keys.as_ref());
    TicketKeys::load(config, last, clock.now())
        .map_err(|problem| problems.push(problem))
        .ok()
        .or_else(|| last.cloned())
}

/// What clients of the server of that number are verified against, read from the files that `config` names.
///
/// # Errors
///
/// Every file that cannot be used.
pub fn client_trust(
    config: &Config,
    server: usize,
) -> Result<(Option<TrustBundle>, Revocations), Vec<Invalid>> {
    let server = config.servers.get(server);
    let bundle =
        server.and_then(|server| server.client_auth.trust_bundle()).map(TrustBundle::load).transpose();
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
                let unreachable = trust.unreachable(config);
                if !unreachable.is_empty() {
                    return Err(unreachable);
                }
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
