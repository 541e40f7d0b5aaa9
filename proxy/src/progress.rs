//! How the bodies of one request are coming along: counted as they pass, judged from time to time by
//! [`crate::open_requests`], so that a request pays for no timer of its own.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::config::Pace;
use crate::refusal::Refusal;

/// One request's two bodies.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    /// Of the upload, in bytes.
    pub(crate) body_limit: u64,
    /// From the client.
    pub(crate) upload: Flow,
    /// To the client.
    pub(crate) download: Flow,
    /// Of the upload's last bytes, in milliseconds since `started`.
    last_ms: AtomicU64,
    stopped: OnceLock<Refusal>,
    /// Who reads the upload.
    reader: Mutex<Option<Waker>>,
}

/// One body. Only the worker of its connection writes, so that a load and a store are an addition.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    bytes: AtomicU64,
    turn: AtomicU8,
}

/// Who has to do something for a body to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Turn {
    /// There is no body yet.
    Nobodys,
    /// The client has to send, or to take, what is next.
    Clients,
    /// The upstream has to.
    Upstreams,
    /// The body is over.
    Over,
}

impl Flow {
    /// Bytes so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, bytes: usize) {
        let sum = self.bytes().saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        self.bytes.store(sum, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, turn: Turn) {
        let turn = match turn {
            Turn::Nobodys => 0,
            Turn::Clients => 1,
            Turn::Upstreams => 2,
            Turn::Over => 3,
        };
        self.turn.store(turn, Ordering::Relaxed);
    }

    pub(crate) fn turn(&self) -> Turn {
        match self.turn.load(Ordering::Relaxed) {
            0 => Turn::Nobodys,
            1 => Turn::Clients,
            2 => Turn::Upstreams,
            _ => Turn::Over,
        }
    }
}

impl Progress {
    /// Of a request that begins now. Its upload may have `body_limit` bytes.
    pub fn new(body_limit: u64) -> Self {
        Self {
            started: Instant::now(),
            body_limit,
            upload: Flow::default(),
            download: Flow::default(),
            last_ms: AtomicU64::new(0),
            stopped: OnceLock::new(),
            reader: Mutex::default(),
        }
    }

    /// Since when the request is here.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// The upload shows a sign of life.
    pub(crate) fn touch(&self) {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(elapsed, Ordering::Relaxed);
    }

    /// How long ago the last sign of life was.
    pub(crate) fn still_for(&self) -> Duration {
        self.started.elapsed().saturating_sub(Duration::from_millis(self.last_ms.load(Ordering::Relaxed)))
    }

    /// Stops the request for `refusal`, unless it has been stopped already.
    pub(crate) fn stop(&self, refusal: Refusal) {
        if self.stopped.set(refusal).is_ok() {
            let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take();
            reader.inspect(Waker::wake_by_ref);
        }
    }

    /// Why it was stopped, if it was.
    pub(crate) fn stopped(&self) -> Option<&Refusal> {
        self.stopped.get()
    }

    /// Has `waker` called when the request is stopped.
    pub(crate) fn wake_when_stopped(&self, waker: &Waker) {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        if !reader.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *reader = Some(waker.clone());
        }
    }
}

/// What a request looked like some time ago.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Glance {
    at: Instant,
    upload: Look,
    download: Look,
}

#[derive(Debug, Clone, Copy)]
struct Look {
    bytes: u64,
    turn: Turn,
}

impl Look {
    fn at(flow: &Flow) -> Self {
        Self { bytes: flow.bytes(), turn: flow.turn() }
    }

    /// Whether the client was waited for then and is now, and moved fewer than `least` bytes.
    fn is_slow(self, now: Self, least: u64) -> bool {
        self.turn == Turn::Clients && now.turn == Turn::Clients && now.bytes - self.bytes < least
    }
}

impl Glance {
    /// At a request whose head has come and nothing else.
    pub(crate) fn first(at: Instant) -> Self {
        let look = |turn| Look { bytes: 0, turn };
        Self { at, upload: look(Turn::Clients), download: look(Turn::Nobodys) }
    }

    /// Looks again at a request, if the last look is old enough: the refusal of a client that was waited for at both
    /// times and moved too little in between.
    pub(crate) fn again(&mut self, progress: &Progress, pace: &Pace, now: Instant) -> Option<Refusal> {
        let (upload, download) = (Look::at(&progress.upload), Look::at(&progress.download));
        // While both sides may speak it is a conversation (gRPC's streams), in which nobody has to.
        let conversation = download.turn != Turn::Nobodys && upload.turn != Turn::Over;
        let window = now.saturating_duration_since(self.at);
        if window < if conversation { pace.stream_idle_timeout } else { pace.timeout } {
            return None;
        }
        let least = window.as_secs().saturating_mul(pace.bytes_per_second).max(1);
        let (sent, taken) = (upload.bytes - self.upload.bytes, download.bytes - self.download.bytes);
        let refusal = if self.download.is_slow(download, least) {
            Some(Refusal::ResponseTooSlow { bytes: taken, window })
        } else if conversation {
            (sent + taken == 0).then_some(Refusal::StreamIdle { after: window })
        } else {
            self.upload.is_slow(upload, least).then_some(Refusal::BodyTooSlow { bytes: sent, window })
        };
        *self = Self { at: now, upload, download };
        refusal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    const PACE: Pace =
        Pace { timeout: SECOND, bytes_per_second: 100, stream_idle_timeout: Duration::from_secs(5) };

    /// What is said of a request after a second in which `change` happened to it.
    fn after_a_second(
        progress: &Progress,
        glance: &mut Glance,
        change: impl FnOnce(),
    ) -> Option<&'static str> {
        change();
        let now = glance.at + SECOND;
        glance.again(progress, &PACE, now).map(|refusal| refusal.label())
    }

    #[test]
    fn an_upload_is_slow_only_while_the_client_is_waited_for() {
        let (progress, upload) = (Progress::new(u64::MAX), |progress: &Progress, bytes, turn| {
            progress.upload.add(bytes);
            progress.upload.set(turn);
        });
        let mut glance = Glance::first(progress.started());
        for (bytes, turn, verdict) in [
            (100, Turn::Clients, None),
            (99, Turn::Clients, Some("body_too_slow")),
            (0, Turn::Upstreams, None),
            (0, Turn::Clients, None),
            (0, Turn::Clients, Some("body_too_slow")),
            (0, Turn::Over, None),
        ] {
            let said = after_a_second(&progress, &mut glance, || upload(&progress, bytes, turn));
            assert_eq!(said, verdict, "{bytes} {turn:?}");
        }
        assert_eq!(glance.again(&progress, &PACE, glance.at + SECOND / 2), None, "too early to tell");
    }

    #[test]
    fn a_download_is_slow_only_while_the_client_is_waited_for() {
        let progress = Progress::new(u64::MAX);
        progress.upload.set(Turn::Over);
        let mut glance = Glance::first(progress.started());
        for (bytes, turn, verdict) in [
            (0, Turn::Upstreams, None),
            (1, Turn::Clients, None),
            (100, Turn::Clients, None),
            (99, Turn::Clients, Some("response_too_slow")),
            (0, Turn::Upstreams, None),
            (0, Turn::Upstreams, None),
        ] {
            progress.download.add(bytes);
            let said = after_a_second(&progress, &mut glance, || progress.download.set(turn));
            assert_eq!(said, verdict, "{bytes} {turn:?}");
        }
    }

    #[test]
    fn a_conversation_ends_when_nobody_has_spoken_for_long() {
        let progress = Progress::new(u64::MAX);
        progress.upload.set(Turn::Clients);
        progress.download.set(Turn::Upstreams);
        let mut glance = Glance::first(progress.started());
        let start = progress.started();
        assert_eq!(glance.again(&progress, &PACE, start + 4 * SECOND), None);
        progress.download.add(1);
        assert_eq!(glance.again(&progress, &PACE, start + 5 * SECOND), None);
        let said = glance.again(&progress, &PACE, start + 10 * SECOND).map(|refusal| refusal.label());
        assert_eq!(said, Some("stream_idle"));
    }
}
