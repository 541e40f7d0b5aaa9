//! One worker's connections to an upstream: so many and no more, those that wait for a request, and the requests that wait
//! for one of them.
//!
//! A connection is made for the pool, not for the request that asked for it: whoever waits the longest gets whichever
//! connection is free first, and a client that goes away wastes no handshake.

mod lease;
mod making;
mod shelf;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus::IntGauge;
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};

pub(super) use self::lease::Lease;
use self::making::Making;
use self::shelf::{Place, Shelf};
use super::addresses::Found;
use super::connector::{Connection, Connector};
use super::endpoints::EndpointId;
use super::race::race;
use crate::config::Upstream;
use crate::metrics::UpstreamMetrics;
use crate::refusal::Refusal;

/// Connections of one worker to one upstream.
pub(super) struct Pool {
    shelf: Mutex<Shelf>,
    connector: Arc<Connector>,
    settings: Arc<Upstream>,
    metrics: UpstreamMetrics,
}

/// What a request gets at once.
enum Taken {
    Connection(Lease),
    /// In the queue, for so long.
    Place(oneshot::Receiver<Result<Lease, Refusal>>, Duration),
    /// Nobody knows an address yet.
    Nothing,
}

/// What a request would rather not have.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wish {
    /// An address where it failed before.
    pub(super) avoid: Option<EndpointId>,
    /// A connection that was idle.
    pub(super) fresh: bool,
}

impl Pool {
    pub(super) fn new(
        news: watch::Receiver<Found>,
        connector: Arc<Connector>,
        settings: Arc<Upstream>,
        metrics: UpstreamMetrics,
    ) -> Self {
        let shelf = Mutex::new(Shelf::new(news, settings.ejection.clone()));
        Self { shelf, connector, settings, metrics }
    }

    /// A connection for one request.
    pub(super) async fn acquire(self: &Arc<Self>, wish: Wish) -> Result<Lease, Refusal> {
        let mut taken = self.take(wish)?;
        if let Taken::Nothing = taken {
            self.addresses_known().await?;
            taken = self.take(wish)?;
        }
        let (place, patience) = match taken {
            Taken::Connection(lease) => return Ok(lease),
            Taken::Place(place, patience) => (place, patience),
            Taken::Nothing => return Err(unresolved("it has no addresses")),
        };
        let counted = Waiting::count(&self.metrics.waiting);
        let answer = timeout(patience, place).await;
        drop(counted);
        // A place that is dropped: the worker ends.
        answer.ok().and_then(Result::ok).unwrap_or_else(|| Err(self.busy()))
    }

    /// Waits for the first answer of the name servers.
    async fn addresses_known(&self) -> Result<(), Refusal> {
        let mut news = self.shelf().news();
        let known = news.wait_for(|found| !found.targets.is_empty() || found.problem.is_some());
        match timeout(self.settings.connect_timeout, known).await {
            Ok(Ok(found)) => match &found.problem {
                Some(problem) if found.targets.is_empty() => Err(unresolved(problem)),
                Some(_) | None => Ok(()),
            },
            Ok(Err(_)) | Err(_) => Err(unresolved("the name servers do not answer")),
        }
    }

    fn take(self: &Arc<Self>, wish: Wish) -> Result<Taken, Refusal> {
        let now = Instant::now();
        let most = self.settings.max_connections;
        let mut shelf = self.shelf();
        shelf.refresh();
        shelf.expire(now, self.settings.pool_idle_timeout);
        let Some(chosen) = shelf.endpoints.choose(now, wish.avoid) else { return Ok(Taken::Nothing) };
        let mut idle = None;
        if !wish.fresh {
            idle = shelf.take_idle(|_, endpoint| endpoint == chosen);
            if idle.is_none() && shelf.open >= most {
                // Better another address than none.
                idle = shelf.take_idle(|endpoints, endpoint| endpoints.is_usable(endpoint, now));
            }
        }
        if let Some((connection, endpoint)) = idle {
            shelf.endpoints.begin(endpoint);
            return Ok(Taken::Connection(Lease::new(self.clone(), connection, endpoint, false)));
        }
        if shelf.open >= most {
            shelf.close_oldest();
        }
        // A connection that is being made has a limit of its own, but somebody who waits longer may get it.
        let (sender, taken) = oneshot::channel();
        let place = Place { sender, fresh: wish.fresh };
        if shelf.open < most {
            let patience = self.settings.waiting_timeout + self.settings.connect_timeout;
            shelf.waiting.push_back(place);
            self.make(shelf, chosen, now);
            return Ok(Taken::Place(taken, patience));
        }
        shelf.forget_gone();
        if shelf.waiting.len() >= self.settings.max_waiting {
            return Err(self.busy());
        }
        shelf.waiting.push_back(place);
        Ok(Taken::Place(taken, self.settings.waiting_timeout))
    }

    /// Begins a new connection, to `first` if that works.
    fn make(self: &Arc<Self>, mut shelf: MutexGuard<'_, Shelf>, first: EndpointId, now: Instant) {
        // Count before spawn.
        shelf.open += 1;
        shelf.making += 1;
        shelf.endpoints.begin(first);
        let candidates = shelf.endpoints.order(first, now);
        let sweeping = std::mem::replace(&mut shelf.sweeping, true);
        // A runtime that ends drops what is spawned at once, and that looks after its place in the pool.
        drop(shelf);
        if !sweeping {
            tokio::spawn(self.clone().sweep());
        }
        let making = Making::new(self.clone(), first);
        tokio::spawn(async move {
            let Self { connector, settings, .. } = making.pool.as_ref();
            let raced = race(connector, candidates, settings.attempt_delay, settings.connect_timeout).await;
            for failed in raced.failed {
                making.pool.failed(failed);
            }
            match raced.result {
                Ok((endpoint, connection)) => making.succeeded(endpoint, connection),
                Err(refusal) => making.failed(refusal),
            }
        });
    }

    fn made(self: &Arc<Self>, first: EndpointId, endpoint: EndpointId, connection: Connection) {
        self.metrics.connects.inc();
        let mut shelf = self.shelf();
        shelf.making = shelf.making.saturating_sub(1);
        shelf.endpoints.end(first);
        shelf.watch(&connection.flow);
        drop(shelf);
        self.serve(connection, endpoint, true);
    }

    /// Whoever waits the longest hears of it, if no other connection is being made instead.
    fn not_made(&self, first: EndpointId, refusal: Refusal) {
        let mut shelf = self.shelf();
        shelf.making = shelf.making.saturating_sub(1);
        shelf.open = shelf.open.saturating_sub(1);
        shelf.endpoints.end(first);
        shelf.forget_gone();
        let unlucky = (shelf.waiting.len() > shelf.making).then(|| shelf.waiting.pop_front()).flatten();
        drop(shelf);
        if let Some(unlucky) = unlucky {
            // Gone in the meantime: then it does not care.
            let _ = unlucky.sender.send(Err(refusal));
        }
    }

    /// An address failed: a connection to it, or an answer from it.
    pub(super) fn failed(&self, endpoint: EndpointId) {
        self.metrics.address_failures.inc();
        let mut shelf = self.shelf();
        let Some((address, time)) = shelf.endpoints.failed(endpoint, Instant::now()) else { return };
        // Those that look alive may be as dead.
        shelf.close_idle(endpoint);
        self.metrics.ejections.inc();
        tracing::warn!(%address, for_ms = time.as_millis(), "upstream address left alone: it failed too often");
    }

    /// A connection comes back after a whole response, or unused.
    fn give_back(self: &Arc<Self>, connection: Connection, endpoint: EndpointId, answered: bool) {
        let mut shelf = self.shelf();
        shelf.endpoints.end(endpoint);
        if answered {
            shelf.endpoints.succeeded(endpoint);
        }
        let wanted = shelf.endpoints.has(endpoint)
            && (self.settings.max_idle_connections > 0 || !shelf.waiting.is_empty());
        if connection.sender.is_closed() || !wanted {
            drop(connection);
            self.close(shelf);
        } else if shelf.waiting.is_empty() {
            shelf.put(connection, endpoint, self.settings.max_idle_connections);
        } else {
            drop(shelf);
            self.hand_on(connection, endpoint);
        }
    }

    /// A connection in use is no more.
    fn lost(self: &Arc<Self>, endpoint: EndpointId, answered: bool) {
        let mut shelf = self.shelf();
        shelf.endpoints.end(endpoint);
        if answered {
            shelf.endpoints.succeeded(endpoint);
        }
        self.close(shelf);
    }

    /// Gives a connection to whoever waits the longest, as soon as it can take a request.
    fn hand_on(self: &Arc<Self>, mut connection: Connection, endpoint: EndpointId) {
        if connection.sender.is_ready() {
            return self.serve(connection, endpoint, false);
        }
        // The last request is not all written, or hyper has not looked yet.
        let pool = self.clone();
        tokio::spawn(async move {
            match timeout(pool.settings.waiting_timeout, connection.sender.ready()).await {
                Ok(Ok(())) => pool.serve(connection, endpoint, false),
                Ok(Err(_)) | Err(_) => {
                    drop(connection);
                    pool.close(pool.shelf());
                }
            }
        });
    }

    fn serve(self: &Arc<Self>, connection: Connection, endpoint: EndpointId, fresh: bool) {
        let mut next = Some(connection);
        while let Some(connection) = next {
            let mut shelf = self.shelf();
            let Some(place) = shelf.next_waiting(fresh) else {
                if !shelf.waiting.is_empty() && shelf.open >= self.settings.max_connections {
                    // Its place is more useful than it is.
                    drop(connection);
                    return self.close(shelf);
                }
                // At least one, so that a handshake whose client went away was not in vain.
                return shelf.put(connection, endpoint, self.settings.max_idle_connections.max(1));
            };
            shelf.endpoints.begin(endpoint);
            drop(shelf);
            next = match place.sender.send(Ok(Lease::new(self.clone(), connection, endpoint, fresh))) {
                // Gone in the meantime: the next one, then.
                Err(Ok(lease)) => lease.take_back(),
                Ok(()) | Err(Err(_)) => None,
            };
            if next.is_some() {
                self.shelf().endpoints.end(endpoint);
            }
        }
    }

    /// One connection is no more.
    fn close(self: &Arc<Self>, mut shelf: MutexGuard<'_, Shelf>) {
        shelf.open = shelf.open.saturating_sub(1);
        if !shelf.waiting.is_empty() {
            drop(shelf);
            self.make_for_waiting();
        }
    }

    /// As many connections as there are requests waiting, if there are places for them.
    fn make_for_waiting(self: &Arc<Self>) {
        let now = Instant::now();
        loop {
            let mut shelf = self.shelf();
            shelf.forget_gone();
            if shelf.waiting.len() <= shelf.making || shelf.open >= self.settings.max_connections {
                return;
            }
            let Some(first) = shelf.endpoints.choose(now, None) else { return };
            self.make(shelf, first, now);
        }
    }

    /// Closes what was idle for too long, and cuts what stands still, as long as there are connections.
    async fn sweep(self: Arc<Self>) {
        let Upstream { body_idle_timeout, pool_idle_timeout, .. } = *self.settings;
        let pause = body_idle_timeout.min(pool_idle_timeout) / 4;
        let pause = pause.clamp(Duration::from_millis(25), Duration::from_secs(15));
        loop {
            sleep(pause).await;
            let now = Instant::now();
            let mut shelf = self.shelf();
            shelf.refresh();
            shelf.expire(now, pool_idle_timeout);
            shelf.forget_closed();
            shelf.cut_stalled(now, body_idle_timeout);
            if shelf.open == 0 {
                shelf.sweeping = false;
                return;
            }
        }
    }

    fn busy(&self) -> Refusal {
        let Upstream { max_connections: connections, max_waiting: waiting, .. } = *self.settings;
        Refusal::UpstreamBusy { connections, waiting }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that waits, counted for as long as it does: it may go away at any time.
struct Waiting<'a>(&'a IntGauge);

impl<'a> Waiting<'a> {
    fn count(gauge: &'a IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn unresolved(detail: &str) -> Refusal {
    Refusal::UpstreamUnresolved { detail: detail.to_owned() }
}
