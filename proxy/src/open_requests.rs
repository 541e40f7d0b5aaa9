//! The requests that are open on one connection: since when there are none, and which of them are too slow.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::task::AbortHandle;

use crate::config::Pace;
use crate::progress::{Glance, Progress};
use crate::refusal::Refusal;

/// One connection's requests.
#[derive(Debug)]
pub struct OpenRequests(Mutex<State>);

#[derive(Debug)]
struct State {
    open: Vec<Open>,
    /// When the last one ended.
    quiet_since: Instant,
    /// HTTP/2 streams whose request has not begun.
    streams: Vec<AbortHandle>,
    /// All that began on HTTP/2 streams, and those of them that the client did not wait for.
    begun: u64,
    given_up: u64,
}

#[derive(Debug)]
struct Open {
    progress: Arc<Progress>,
    glance: Glance,
    /// What ends it alone, in HTTP/2.
    stream: Option<AbortHandle>,
}

/// A client does not take its response, and there is no other request to spare.
#[derive(Debug)]
pub struct Stalled;

impl OpenRequests {
    /// None yet.
    pub fn new(now: Instant) -> Self {
        Self(Mutex::new(State {
            open: Vec::new(),
            quiet_since: now,
            streams: Vec::new(),
            begun: 0,
            given_up: 0,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers the task of an HTTP/2 stream.
    pub fn stream(&self, stream: AbortHandle) {
        self.lock().streams.push(stream);
    }

    /// One more, in the task that serves it.
    pub fn begin(&self, progress: Arc<Progress>) {
        let mut state = self.lock();
        let stream = if state.streams.is_empty() {
            None
        } else {
            let id = tokio::task::try_id();
            state.begun += 1;
            let at = state.streams.iter().position(|stream| Some(stream.id()) == id);
            at.map(|at| state.streams.swap_remove(at))
        };
        let glance = Glance::first(progress.started());
        state.open.push(Open { progress, glance, stream });
    }

    /// One less. `answered` is whether its client waited for the answer.
    ///
    /// # Errors
    ///
    /// When the client keeps asking and not waiting, the refusal that its connection is to end with: each of these requests
    /// costs us more than the client (rapid reset, CVE-2023-44487). Of its first requests, `limit` may be like that.
    pub fn end(
        &self,
        progress: &Arc<Progress>,
        answered: bool,
        limit: u64,
        now: Instant,
    ) -> Result<(), Refusal> {
        let mut state = self.lock();
        state.quiet_since = now;
        let Some(at) = state.open.iter().position(|open| Arc::ptr_eq(&open.progress, progress)) else {
            return Ok(());
        };
        let ended = state.open.swap_remove(at);
        if answered || ended.stream.is_none() {
            return Ok(());
        }
        state.given_up += 1;
        let State { begun, given_up, .. } = *state;
        // Once: what is still open may end in the same way.
        if given_up == limit.max(begun / 2) + 1 {
            let detail = format!("{given_up} of {begun} requests were reset before their answer");
            return Err(Refusal::Http2Flood { detail });
        }
        Ok(())
    }

    /// Since when there is none; `None` while there is one.
    pub fn quiet_since(&self) -> Option<Instant> {
        let state = self.lock();
        state.open.is_empty().then_some(state.quiet_since)
    }

    /// Gives the memory of those that were open back.
    pub fn shrink(&self) {
        self.lock().open.shrink_to_fit();
    }

    /// Stops the requests whose client is too slow.
    ///
    /// # Errors
    ///
    /// [`Stalled`] when the connection has to end with one of them.
    pub fn stop_slow_ones(&self, pace: &Pace, now: Instant) -> Result<(), Stalled> {
        let mut streams = Vec::new();
        let mut stalled = Ok(());
        for open in &mut self.lock().open {
            let Some(refusal) = open.glance.again(&open.progress, pace, now) else { continue };
            // An upload is read by us, so that its refusal can be answered. A response is in the client's hands.
            let answerable = matches!(refusal, Refusal::BodyTooSlow { .. });
            open.progress.stop(refusal);
            match &open.stream {
                _ if answerable => {}
                Some(stream) => streams.push(stream.clone()),
                None => stalled = Err(Stalled),
            }
        }
        // Without the lock: what falls with a stream comes back to `end`.
        for stream in streams {
            stream.abort();
        }
        stalled
    }
}
