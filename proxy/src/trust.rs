//! What may change while the proxy runs: key pairs, trust bundles and CRLs; swapped as one, last good kept.

mod brake;
mod bundle;
mod crl_signer;
mod floors;
mod guard;
mod path;
mod pem;
mod revocation;
mod server;
mod ticket_keys;
mod tickets;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use rustls_pki_types::CertificateDer;
use tokio::sync::watch;

use self::brake::Recent;
pub use self::bundle::TrustBundle;
use self::guard::Guard;
pub use self::guard::{NotTaken, Why};
pub use self::path::{Standing, VerifiedPath};
pub use self::pem::{certificates, private_key};
pub use self::revocation::{Crl, Freshness, Revocations, age as crl_age};
pub use self::server::{ServerTrust, is_for};
use self::ticket_keys::TicketKeys;
pub use self::tickets::{Declined, Resumable, Tickets};
use crate::clock::Clock;
use crate::config::{self, Config, Invalid, Source, UnknownNames};
use crate::names::ByName;
use crate::routes::server_numbers;
use crate::sources::{Mark, Sources};

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
    /// Reads what has changed. A part that cannot be used is reported, and taken from `last` if there is one.
    fn read(
        config: &Config,
        sources: &Sources,
        last: Option<&Self>,
        guard: &mut Guard,
        clock: &Clock,
    ) -> (Option<Self>, Vec<NotTaken>) {
        let (revocations, mut not_taken) =
            Revocations::load(config, sources, last.map(|trust| &trust.revocations), guard);
        let (mut servers, mut problems) = (Vec::new(), Vec::new());
        let ticket_keys = ticket_keys(&config.tickets, sources, last, clock, &mut problems);
        let tickets = ticket_keys.as_ref().map(|keys| (keys, config.tickets.lifetime));
        for (number, server) in config.servers.iter().enumerate() {
            let last = last.and_then(|trust| trust.server(number));
            servers.extend(ServerTrust::read(
                server,
                sources,
                last,
                &revocations,
                tickets,
                clock,
                &mut problems,
            ));
        }
        not_taken.extend(problems.into_iter().map(|problem| NotTaken::fatal(Why::Unusable, problem)));
        let trust = (servers.len() == config.servers.len()).then(|| Self {
            generation: last.map_or(0, |trust| trust.generation + 1),
            servers,
            numbers: last.map_or_else(|| Arc::new(server_numbers(config)), |trust| trust.numbers.clone()),
            unknown_names: config.unknown_names,
            ticket_keys,
            revocations,
        });
        (trust, not_taken)
    }

    /// The same without the CRLs of an issuer.
    fn without_crls_of(&self, issuer: &str) -> Self {
        Self {
            generation: self.generation,
            servers: self.servers.clone(),
            numbers: self.numbers.clone(),
            unknown_names: self.unknown_names,
            ticket_keys: self.ticket_keys.clone(),
            revocations: Arc::new(self.revocations.without(issuer)),
        }
    }

    /// Whether every decision comes out as with `other`.
    fn is_same(&self, other: &Self) -> bool {
        self.servers.iter().zip(&other.servers).all(|(one, other)| Arc::ptr_eq(&one.tls, &other.tls))
            && Arc::ptr_eq(&self.revocations, &other.revocations)
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
    sources: &Sources,
    last: Option<&Trust>,
    clock: &Clock,
    problems: &mut Vec<Invalid>,
) -> Option<Arc<TicketKeys>> {
    if !config.enabled {
        return None;
    }
    let last = last.and_then(|trust| trust.ticket_keys.as_ref());
    TicketKeys::load(config, sources, last, clock.now())
        .map_err(|problem| problems.push(problem))
        .ok()
        .or_else(|| last.cloned())
}

/// What clients of the server of that number are verified against, read from what `config` names.
///
/// # Errors
///
/// Everything that cannot be used.
pub fn client_trust(
    config: &Config,
    server: usize,
) -> Result<(Option<TrustBundle>, Arc<Revocations>), Vec<Invalid>> {
    let (sources, mut guard) = start(config)?;
    let server = config.servers.get(server);
    let bundle = server.and_then(|server| server.client_auth.trust_bundle());
    let bundle = bundle.map(|bundle| TrustBundle::load(bundle, &sources)).transpose();
    let (revocations, not_taken) = Revocations::load(config, &sources, None, &mut guard);
    let mut problems: Vec<_> = fatal(&not_taken).collect();
    match bundle {
        Ok(bundle) if problems.is_empty() => Ok((bundle, revocations)),
        Ok(_) => Err(problems),
        Err(problem) => {
            problems.insert(0, problem);
            Err(problems)
        }
    }
}

/// The certificates of a server, read from what `config` names.
///
/// # Errors
///
/// What cannot be used.
pub fn server_chain(config: &Config, source: &Source) -> Result<Vec<CertificateDer<'static>>, Invalid> {
    let (_, text) = Sources::open(config)?.read(source)?;
    pem::certificates_in(&text, source)
}

/// What everything is read with: the sources, each looked at once, and the floors that there are.
fn start(config: &Config) -> Result<(Sources, Guard), Vec<Invalid>> {
    let recent = Arc::new(Recent::new(&config.revocation.brake));
    match (Sources::open(config), Guard::new(&config.revocation, recent)) {
        (Ok(sources), Ok(guard)) => Ok((sources, guard)),
        (sources, guard) => Err(sources.err().into_iter().chain(guard.err()).collect()),
    }
}

/// What was refused for what it is may not be what its source has. Answers whether that is worth another look.
fn doubt(sources: &Sources, guard: &Guard, not_taken: &[NotTaken]) -> bool {
    let keys = not_taken.iter().filter(|it| it.why == Why::Unusable && !it.again).map(|it| &*it.problem.key);
    sources.doubt(&guard.unusable(), &keys.collect::<Vec<_>>())
}

fn fatal(not_taken: &[NotTaken]) -> impl Iterator<Item = Invalid> {
    not_taken.iter().filter(|it| it.fatal).map(|it| it.problem.clone())
}

/// Holds the [`Trust`] in force and replaces it.
#[derive(Debug)]
pub struct TrustStore {
    current: ArcSwap<Trust>,
    changed: watch::Sender<u64>,
    clock: Clock,
    sources: Arc<Sources>,
    recent: Arc<Recent>,
    /// Whoever has it replaces the trust in force.
    guard: Mutex<Guard>,
    not_taken: Mutex<Arc<[NotTaken]>>,
}

/// What came of a reload.
#[derive(Debug)]
pub struct Reloaded {
    /// Whether anything else is in force than before.
    pub changed: bool,
    /// What was not taken: those parts stay in force as they were.
    pub not_taken: Arc<[NotTaken]>,
    /// The CRLs that came into force.
    pub swapped: Vec<Crl>,
}

impl TrustStore {
    /// Loads everything for the first time.
    ///
    /// # Errors
    ///
    /// Everything that cannot be used, with the reason.
    pub fn load(config: &Config, clock: Clock) -> Result<Self, Vec<Invalid>> {
        let (sources, mut guard) = start(config)?;
        let (mut trust, mut not_taken) = Trust::read(config, &sources, None, &mut guard, &clock);
        if doubt(&sources, &guard, &not_taken) {
            sources.look_at_all(false);
            (trust, not_taken) = Trust::read(config, &sources, None, &mut guard, &clock);
        }
        let problems: Vec<_> = fatal(&not_taken).collect();
        let trust = trust.filter(|_| problems.is_empty()).ok_or(problems)?;
        let unreachable = trust.unreachable(config);
        if !unreachable.is_empty() {
            return Err(unreachable);
        }
        let (changed, _) = watch::channel(trust.generation);
        let recent = guard.recent.clone();
        Ok(Self {
            current: ArcSwap::from_pointee(trust),
            changed,
            clock,
            sources: Arc::new(sources),
            recent,
            guard: Mutex::new(guard),
            not_taken: Mutex::new(not_taken.into()),
        })
    }

    /// From now on the floors are those of what is in force, and copies of what came before are of no use.
    ///
    /// # Errors
    ///
    /// The floors cannot be kept.
    pub fn begin(&self) -> Result<(), Invalid> {
        let trust = self.current.load();
        self.guard().floors.raise(&trust.revocations.metadata())?;
        self.settle();
        Ok(())
    }

    /// The trust in force.
    pub fn current(&self) -> arc_swap::Guard<Arc<Trust>> {
        self.current.load()
    }

    /// Tells of every change, so that open connections look at their client again.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// What all of it is made of.
    pub fn sources(&self) -> &Arc<Sources> {
        &self.sources
    }

    /// Whether something is to be tried again that this machine kept from being taken.
    pub fn is_behind(&self) -> bool {
        self.not_taken().iter().any(|it| it.again)
    }

    /// What was not taken the last time.
    pub fn not_taken(&self) -> Arc<[NotTaken]> {
        self.not_taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that a client was let in, for the brake.
    pub fn saw(&self, path: &VerifiedPath) {
        self.recent.saw(path);
    }

    /// Brings into force what the sources have now; what has not changed is not read again.
    pub fn reload(&self, config: &Config) -> Reloaded {
        let mut guard = self.guard();
        self.replace(config, &mut guard, &self.current.load_full())
    }

    /// Lets in what the brake holds of `issuer`, or all of it. Answers whose CRLs these were, and what came of it.
    pub fn approve(&self, config: &Config, issuer: Option<&str>) -> (Vec<String>, Reloaded) {
        let mut guard = self.guard();
        let approved = guard.approve(&self.not_taken(), issuer);
        let reloaded = self.replace(config, &mut guard, &self.current.load_full());
        (approved, reloaded)
    }

    /// Takes the CRLs of `issuer` out of force, and its floors away. What its sources have now comes into force in their place, be it
    /// older. Answers whether there was anything.
    ///
    /// # Errors
    ///
    /// The floors cannot be kept.
    pub fn clear(&self, config: &Config, issuer: &str) -> Result<(bool, Reloaded), Invalid> {
        let mut guard = self.guard();
        let floors = guard.clear(issuer)?;
        let last = self.current.load_full();
        let rest = last.without_crls_of(issuer);
        let cleared = rest.revocations.crls().count() < last.revocations.crls().count();
        // What takes its place comes with the same generation, so that nobody finds nothing.
        Ok((cleared || floors > 0, self.replace(config, &mut guard, &rest)))
    }

    fn replace(&self, config: &Config, guard: &mut Guard, last: &Trust) -> Reloaded {
        let (trust, mut not_taken) = Trust::read(config, &self.sources, Some(last), guard, &self.clock);
        doubt(&self.sources, guard, &not_taken);
        let (mut changed, mut swapped) = (false, Vec::new());
        // Before it counts: a process that is killed in between comes back with the floor of what took effect. That a floor
        // cannot be kept is said, and tried again. It keeps no CRL out: keeping a revoked client out comes first.
        let in_force = trust.as_ref().unwrap_or(last).revocations.metadata();
        if let Err(problem) = guard.floors.raise(&in_force) {
            not_taken.push(NotTaken::for_now(problem));
        }
        if let Some(trust) = trust.filter(|trust| !trust.is_same(&self.current.load())) {
            changed = true;
            let is_new = |crl: &&Crl| !last.revocations.crls().any(|it| Arc::ptr_eq(&it.index, &crl.index));
            swapped = trust.revocations.crls().filter(is_new).cloned().collect();
            let generation = trust.generation;
            self.current.store(Arc::new(trust));
            self.changed.send_replace(generation);
            self.settle();
        }
        let not_taken: Arc<[NotTaken]> = not_taken.into();
        *self.not_taken.lock().unwrap_or_else(PoisonError::into_inner) = not_taken.clone();
        Reloaded { changed, not_taken, swapped }
    }

    fn settle(&self) {
        let marks: Vec<Mark> = self.current.load().revocations.crls().map(|crl| crl.made_of().0).collect();
        self.sources.settle(&marks);
    }

    fn guard(&self) -> MutexGuard<'_, Guard> {
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
