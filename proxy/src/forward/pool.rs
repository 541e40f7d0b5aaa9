//! Kept connections to the upstream, newest first, so that a quiet time shrinks the pool.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::client::conn::http1::SendRequest;

use super::body::RequestBody;

/// A connection to the upstream.
pub(super) type Sender = SendRequest<RequestBody>;

/// Connections that wait for a request.
pub(super) struct Pool {
    idle: Mutex<VecDeque<Idle>>,
    most: usize,
    longest: Duration,
}

struct Idle {
    sender: Sender,
    since: Instant,
}

impl Pool {
    /// Keeps at most `most` connections, each for at most `longest`.
    pub(super) fn new(most: usize, longest: Duration) -> Self {
        Self { idle: Mutex::default(), most, longest }
    }

    pub(super) fn empty_like_this(&self) -> Self {
        Self::new(self.most, self.longest)
    }

    /// The connection that was used last among those that can take a request now.
    pub(super) fn take(&self) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while idle.front().is_some_and(|oldest| oldest.since.elapsed() >= self.longest) {
            idle.pop_front();
        }
        let mut at = idle.len();
        while at > 0 {
            at -= 1;
            let Some(candidate) = idle.get(at) else { break };
            if candidate.sender.is_closed() {
                idle.remove(at);
            } else if candidate.sender.is_ready() {
                return idle.remove(at).map(|idle| idle.sender);
            }
            // Neither: its last response is read and its last request is not all written. It may become ready yet.
        }
        None
    }

    /// Keeps `sender` for the next request. Past `most`, the one that waited longest goes.
    pub(super) fn give_back(&self, sender: Sender) {
        if sender.is_closed() || self.most == 0 {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() >= self.most {
            idle.pop_front();
        }
        idle.push_back(Idle { sender, since: Instant::now() });
    }
}
