//! What a pool holds, behind its lock.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::super::addresses::Found;
use super::super::connector::Connection;
use super::super::endpoints::{EndpointId, Endpoints};
use super::super::flow::Flow;
use super::Lease;
use crate::config::Ejection;
use crate::refusal::Refusal;

/// A request's place in the queue.
pub(super) struct Place {
    pub(super) sender: oneshot::Sender<Result<Lease, Refusal>>,
    /// It wants no connection that was used before.
    pub(super) fresh: bool,
}

pub(super) struct Shelf {
    news: watch::Receiver<Found>,
    pub(super) endpoints: Endpoints,
    /// The one that was used last is at the back, and is taken first, so that a quiet time shrinks the pool.
    idle: VecDeque<Idle>,
    pub(super) waiting: VecDeque<Place>,
    /// All connections: idle, in use, and being made.
    pub(super) open: usize,
    pub(super) making: usize,
    flows: Vec<Watched>,
    pub(super) sweeping: bool,
}

struct Idle {
    connection: Connection,
    endpoint: EndpointId,
    since: Instant,
}

struct Watched {
    flow: Weak<Flow>,
    /// The wait that was seen last, and since when.
    wait: Option<(u64, Instant)>,
}

impl Shelf {
    pub(super) fn new(mut news: watch::Receiver<Found>, ejection: Ejection) -> Self {
        // What was known before counts as news.
        news.mark_changed();
        Self {
            news,
            endpoints: Endpoints::new(ejection),
            idle: VecDeque::new(),
            waiting: VecDeque::new(),
            open: 0,
            making: 0,
            flows: Vec::new(),
            sweeping: false,
        }
    }

    /// Forgets requests whose client went away.
    pub(super) fn forget_gone(&mut self) {
        self.waiting.retain(|place| !place.sender.is_closed());
    }

    /// The request that waits the longest of those that take a connection like this.
    pub(super) fn next_waiting(&mut self, fresh: bool) -> Option<Place> {
        let at = self.waiting.iter().position(|place| fresh || !place.fresh)?;
        self.waiting.remove(at)
    }

    pub(super) fn news(&self) -> watch::Receiver<Found> {
        self.news.clone()
    }

    /// Takes over what the name servers said. Connections to an address that is gone are not used again.
    pub(super) fn refresh(&mut self) {
        if self.news.has_changed().unwrap_or(false) {
            let found = self.news.borrow_and_update().clone();
            self.endpoints.update(&found.targets);
            let Self { idle, endpoints, .. } = self;
            let before = idle.len();
            idle.retain(|idle| endpoints.has(idle.endpoint));
            self.open = self.open.saturating_sub(before - self.idle.len());
        }
    }

    /// The connection that was used last among those that `wanted` accepts and that can take a request now.
    pub(super) fn take_idle(
        &mut self,
        wanted: impl Fn(&Endpoints, EndpointId) -> bool,
    ) -> Option<(Connection, EndpointId)> {
        let mut at = self.idle.len();
        while at > 0 {
            at -= 1;
            let candidate = self.idle.get(at)?;
            if !wanted(&self.endpoints, candidate.endpoint) {
                continue;
            }
            if candidate.connection.sender.is_closed() {
                self.idle.remove(at);
                self.open = self.open.saturating_sub(1);
            } else if candidate.connection.sender.is_ready() {
                return self.idle.remove(at).map(|idle| (idle.connection, idle.endpoint));
            }
            // Neither: its last response is read and its last request is not all written. It may become ready yet.
        }
        None
    }

    /// Keeps a connection for the next request. Past `most`, the one that waited longest goes.
    pub(super) fn put(&mut self, connection: Connection, endpoint: EndpointId, most: usize) {
        if self.idle.len() >= most {
            self.close_oldest();
        }
        self.idle.push_back(Idle { connection, endpoint, since: Instant::now() });
    }

    /// Makes place for another one.
    pub(super) fn close_oldest(&mut self) {
        if self.idle.pop_front().is_some() {
            self.open = self.open.saturating_sub(1);
        }
    }

    pub(super) fn expire(&mut self, now: Instant, longest: Duration) {
        while self.idle.front().is_some_and(|oldest| now.saturating_duration_since(oldest.since) >= longest) {
            self.close_oldest();
        }
    }

    /// Closes every idle connection to `endpoint`.
    pub(super) fn close_idle(&mut self, endpoint: EndpointId) {
        self.retain_idle(|idle| idle.endpoint != endpoint);
    }

    /// Forgets those that the upstream has closed.
    pub(super) fn forget_closed(&mut self) {
        self.retain_idle(|idle| !idle.connection.sender.is_closed());
    }

    fn retain_idle(&mut self, keep: impl FnMut(&Idle) -> bool) {
        let before = self.idle.len();
        self.idle.retain(keep);
        self.open = self.open.saturating_sub(before - self.idle.len());
    }

    /// Looks after a new connection.
    pub(super) fn watch(&mut self, flow: &Arc<Flow>) {
        self.flows.push(Watched { flow: Arc::downgrade(flow), wait: None });
    }

    /// Cuts the connections whose response was waited for longer than `longest`.
    pub(super) fn cut_stalled(&mut self, now: Instant, longest: Duration) {
        self.flows.retain_mut(|watched| {
            let Some(flow) = watched.flow.upgrade() else { return false };
            watched.wait = flow.wait().map(|wait| match watched.wait {
                Some((last, since)) if last == wait => (wait, since),
                Some(_) | None => (wait, now),
            });
            if watched.wait.is_some_and(|(_, since)| now.saturating_duration_since(since) >= longest) {
                flow.cut(longest);
            }
            true
        });
    }
}
