//! One connection to an upstream, as its requests and its pool see it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::client::conn::http1::SendRequest;
use prometheus::IntGauge;
use tokio::task::AbortHandle;

use super::body::RequestBody;

/// Takes one request at a time.
pub(super) type Sender = SendRequest<RequestBody>;

/// How a response's body comes along: written by the body, read now and then by the pool, which cuts what stands still.
/// So a request needs no timer of its own.
pub(super) struct Flow {
    /// Counts what came, in steps of two; odd while more is waited for.
    mark: AtomicU64,
    cut: OnceLock<Duration>,
    driver: AbortHandle,
    open: IntGauge,
}

impl Flow {
    /// `open` counts the connections that there are.
    pub(super) fn new(driver: AbortHandle, open: IntGauge) -> Self {
        open.inc();
        Self { mark: AtomicU64::new(0), cut: OnceLock::new(), driver, open }
    }

    /// Something came, or the end.
    pub(super) fn came(&self) {
        // The body is polled by one task at a time, so that a load and a store do.
        let mark = self.mark.load(Ordering::Relaxed);
        self.mark.store((mark | 1).wrapping_add(1), Ordering::Relaxed);
    }

    /// The client would take more, and the upstream sends nothing.
    pub(super) fn waits(&self) {
        self.mark.store(self.mark.load(Ordering::Relaxed) | 1, Ordering::Relaxed);
    }

    /// The same as long as one and the same wait lasts; none while nothing is waited for.
    pub(super) fn wait(&self) -> Option<u64> {
        Some(self.mark.load(Ordering::Relaxed)).filter(|mark| mark % 2 == 1)
    }

    /// Ends the connection, because nothing came for that long; its body finds out why.
    pub(super) fn cut(&self, after: Duration) {
        // Once is enough.
        let _ = self.cut.set(after);
        self.driver.abort();
    }

    /// After how long a wait it was cut, if it was.
    pub(super) fn cut_after(&self) -> Option<Duration> {
        self.cut.get().copied()
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.open.dec();
    }
}
