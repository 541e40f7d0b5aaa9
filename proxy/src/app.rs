//! The one place where things are wired: files in, listeners up, workers on their cores, signals, and the way out.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::nice;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::accept::{Slots, accept, bind};
use crate::access_log::AccessLog;
use crate::admin;
use crate::clock::Clock;
use crate::config::{Config, Depth, Invalid};
use crate::connection::{Worker, serve};
use crate::cryptography::library;
use crate::drain::{Drain, Phase};
use crate::forward::{Forwarder, Upstreams};
use crate::metrics::Metrics;
use crate::proxy_protocol::Origin;
use crate::record::refuse_connection;
use crate::refusal::Refusal;
use crate::reload::{Said, reload, watch};
use crate::routes::Routes;
use crate::shares::Shares;
use crate::trust::TrustStore;

/// How long the end waits for a look at a source that may never end.
const PATIENCE: Duration = Duration::from_secs(2);

/// Niceness: a tenth of the weight of a thread that answers.
const BEHIND_REQUESTS: i32 = 10;

/// What all connections share.
pub struct App {
    /// The configuration.
    pub config: Config,
    /// Which requests go where.
    pub routes: Routes,
    /// Who is believed, and who is out.
    pub trust: TrustStore,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What is written.
    pub access_log: AccessLog,
    /// The time of day.
    pub clock: Clock,
    /// On the way out.
    pub drain: Drain,
    /// What was said of reloads.
    pub said: Said,
    /// Places for connections.
    pub slots: Arc<Slots>,
    /// Places for handshakes that have begun.
    pub handshakes: Arc<Slots>,
    /// Connections by address, where they are limited.
    pub by_address: Arc<Shares<IpAddr>>,
    /// Connections by client, where they are limited.
    pub by_client: Arc<Shares<String>>,
    ids: AtomicU64,
}

impl App {
    /// A name for a connection: unique in this process, and unlikely in another.
    pub fn connection_id(&self) -> String {
        format!("{:016x}", self.ids.fetch_add(1, Ordering::Relaxed))
    }
}

/// Why the proxy does not run, or no longer.
#[derive(Debug, Error)]
pub enum Failure {
    /// The configuration or a file that it names.
    #[error("{} problem(s) in the configuration", .0.len())]
    Invalid(Vec<Invalid>),
    /// An address that cannot be listened on.
    #[error("{key}: cannot listen on {address}: {error}")]
    Bind {
        /// The configuration key.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The machine does not give what every process needs.
    #[error("cannot start: {0}")]
    Io(#[from] io::Error),
    /// Two metrics of one name.
    #[error("cannot register metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// A worker ended while it should have served.
    #[error("worker {worker} stopped, so the process does: see the panic above")]
    WorkerLost {
        /// Counted from 0.
        worker: usize,
    },
}

/// Reads every file that `config` names, as a start would.
///
/// # Errors
///
/// Everything that a start would stumble over, at once.
pub fn check(
    config: &Config,
    clock: &Clock,
    metrics: &Metrics,
) -> Result<(TrustStore, Upstreams), Vec<Invalid>> {
    match (TrustStore::load(config, clock.clone()), Upstreams::new(config, metrics)) {
        (Ok(trust), Ok(upstreams)) => Ok((trust, upstreams)),
        (trust, upstreams) => {
            let mut problems = trust.err().unwrap_or_default();
            problems.extend(upstreams.err().unwrap_or_default());
            Err(problems)
        }
    }
}

/// Runs the proxy until a signal has drained it.
///
/// # Errors
///
/// Why it does not run. Nothing was served then, except for [`Failure::WorkerLost`].
pub fn run(config: Config, clock: Clock) -> Result<(), Failure> {
    let metrics = Arc::new(Metrics::new(&config)?);
    let (trust, upstreams) = check(&config, &clock, &metrics).map_err(Failure::Invalid)?;
    trust.begin().map_err(|problem| Failure::Invalid(vec![problem]))?;
    let workers = match config.listen.workers {
        0 => thread::available_parallelism()?.get(),
        configured => configured,
    };
    if config.revocation.depth == Depth::Off {
        tracing::warn!("revocation.depth is \"off\": revoked clients are let in");
    }
    if config.revocation.report_only {
        tracing::warn!("revocation.report_only: revoked clients are let in, counted and logged");
    }
    let bound = |key, address| move |error| Failure::Bind { key, address, error };
    let listeners =
        bind(config.listen.address, workers).map_err(bound("listen.address", config.listen.address))?;
    let admin = bind(config.admin.address, 1).map_err(bound("admin.address", config.admin.address))?;
    let access_log = AccessLog::start(config.log.format, metrics.clone())?;
    let app = Arc::new(App {
        slots: Arc::new(Slots::new(config.limits.max_connections)),
        routes: Routes::new(&config),
        handshakes: Arc::new(Slots::new(config.limits.max_handshakes)),
        by_address: Shares::new(config.limits.max_connections_per_address),
        by_client: Shares::new(config.limits.max_connections_per_client),
        config,
        trust,
        metrics,
        access_log,
        clock,
        drain: Drain::default(),
        said: Said::default(),
        ids: AtomicU64::new(first_id()?),
    });
    let runtime = runtime()?;
    let outcome = runtime.block_on(supervise(&app, listeners, admin, upstreams));
    // Its tasks hold the application; the access log writes what is left when that is dropped.
    runtime.shutdown_timeout(PATIENCE);
    outcome
}

/// Upper half random, lower half a counter.
fn first_id() -> io::Result<u64> {
    let mut random = [0; 4];
    aws_lc_rs::rand::fill(&mut random).map_err(|_unspecified| io::Error::other("no random numbers"))?;
    Ok(u64::from(u32::from_le_bytes(random)) << 32)
}

/// The main thread's. What it starts threads for is reading: sources, and CRLs of hundreds of megabytes.
fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().on_thread_start(step_back).build()
}

/// Requests go before this thread. Where they take every core, it still has a tenth of what each of them has. Should that be
/// forbidden, it goes on as it is.
fn step_back() {
    let _ = nice(BEHIND_REQUESTS);
}

async fn supervise(
    app: &Arc<App>,
    listeners: Vec<std::net::TcpListener>,
    admin: Vec<std::net::TcpListener>,
    upstreams: Upstreams,
) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let address = listeners.first().map(std::net::TcpListener::local_addr).transpose()?;
    let mut admin_address = None;
    for listener in admin {
        admin_address = Some(listener.local_addr()?);
        tokio::spawn(admin::serve(TcpListener::from_std(listener)?, app.clone()));
    }
    tokio::spawn(watch(app.clone()));
    upstreams.start();
    let upstreams = Arc::new(upstreams);
    let workers = listeners.len();
    let (ended, mut ends) = mpsc::unbounded_channel();
    let mut threads = Vec::new();
    for (number, listener) in listeners.into_iter().enumerate() {
        threads.push(start_worker(
            number,
            listener,
            app,
            Forwarder::new(&upstreams),
            Ended(number, ended.clone()),
        )?);
    }
    drop(ended);
    tracing::info!(
        address = address.map(tracing::field::display),
        admin = admin_address.map(tracing::field::display),
        workers,
        version = env!("CARGO_PKG_VERSION"),
        cipher_suites = library(),
        "listening"
    );
    loop {
        tokio::select! {
            _ = hangup.recv() => reload(app, &upstreams).await,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            Some(worker) = ends.recv() => return Err(Failure::WorkerLost { worker }),
        }
    }
    let drained = drain(app, &mut ends, &mut terminate, &mut interrupt);
    // A revocation that comes now is a revocation.
    let reloads = async {
        while hangup.recv().await.is_some() {
            reload(app, &upstreams).await;
        }
        // There is no such signal any more, and the drain goes on.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = drained => {}
        () = reloads => {}
    }
    for thread in threads {
        // A panic has been printed, and its connections have been written down as they fell.
        let _ = thread.join();
    }
    tracing::info!("stopped");
    Ok(())
}

/// A worker: one thread, one listener, one pool, and the connections that the kernel gives it.
fn start_worker(
    number: usize,
    listener: std::net::TcpListener,
    app: &Arc<App>,
    forwarder: Forwarder,
    ended: Ended,
) -> io::Result<JoinHandle<()>> {
    let app = app.clone();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
        let _ended = ended;
        let worker = Arc::new(Worker { app: app.clone(), forwarder });
        runtime.block_on(async {
            let listener = match TcpListener::from_std(listener) {
                Ok(listener) => listener,
                Err(error) => return tracing::error!(%error, "worker cannot start"),
            };
            accept(listener, &app.drain, |stream, address| {
                app.metrics.connections.inc();
                match app.slots.take() {
                    Ok(slot) => drop(tokio::spawn(serve(stream, address, slot, worker.clone()))),
                    Err(limit) => {
                        let (origin, refusal) =
                            (Origin::direct(address), Refusal::TooManyConnections { limit });
                        refuse_connection(&app, &app.connection_id(), &origin, None, &refusal);
                    }
                }
            })
            .await;
            let mut phase = app.drain.subscribe();
            tokio::select! {
                () = app.slots.all_free() => {}
                () = crate::drain::reached(&mut phase, Phase::Cut) => {}
            }
        });
    })
}

/// Says that a worker ended, however it did.
struct Ended(usize, mpsc::UnboundedSender<usize>);

impl Drop for Ended {
    fn drop(&mut self) {
        // Nobody listens any more: then it is no news.
        let _ = self.1.send(self.0);
    }
}

async fn drain(
    app: &App,
    ends: &mut mpsc::UnboundedReceiver<usize>,
    terminate: &mut Signal,
    interrupt: &mut Signal,
) {
    let settings = &app.config.drain;
    let began = Instant::now();
    tracing::info!(connections = app.slots.taken(), "draining; a second signal stops at once");
    app.metrics.draining.set(1);
    app.drain.advance(Phase::Draining);
    let mut again = std::pin::pin!(async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    });
    tokio::select! {
        () = sleep_until(began + settings.accept) => app.drain.advance(Phase::Closed),
        () = &mut again => return app.drain.advance(Phase::Cut),
    }
    tokio::select! {
        // The channel closes with the last worker.
        () = async { while ends.recv().await.is_some() {} } => return,
        () = sleep_until(began + settings.deadline) => {}
        () = &mut again => {}
    }
    tracing::warn!(connections = app.slots.taken(), "cutting what is left");
    app.drain.advance(Phase::Cut);
}
