//! The circuit breaker of one upstream: when nothing works, it says so at once, and lets one request at a time find out
//! whether anything does again.
//!
//! A request in good times costs it a few plain loads and stores: the counters are one worker's own, and only failures take the lock.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config;
use crate::metrics::UpstreamMetrics;
use crate::refusal::Refusal;

/// Of one upstream and one worker.
pub(super) struct Breaker {
    name: String,
    settings: config::Breaker,
    metrics: UpstreamMetrics,
    /// Requests so far.
    requests: AtomicU64,
    /// Whether the lock has to be taken: the last request failed, or the breaker is not closed.
    alert: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    state: State,
    /// Failures in a row.
    failures: u32,
    window: Option<Window>,
}

#[derive(Default)]
enum State {
    #[default]
    Closed,
    Open {
        until: Instant,
    },
    HalfOpen {
        probing: bool,
    },
}

/// Begins with a failure.
struct Window {
    since: Instant,
    requests_before: u64,
    failures: u32,
}

impl Breaker {
    pub(super) fn new(name: &str, settings: &config::Breaker, metrics: UpstreamMetrics) -> Self {
        Self {
            name: name.to_owned(),
            settings: settings.clone(),
            metrics,
            requests: AtomicU64::new(0),
            alert: AtomicBool::new(false),
            inner: Mutex::default(),
        }
    }

    /// Requests that were let through, ever.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Lets a request through, or not.
    pub(super) fn admit(&self) -> Result<Admission<'_>, Refusal> {
        // Nobody else writes it: a load and a store do.
        self.requests.store(self.requests() + 1, Ordering::Relaxed);
        let probe = self.alert.load(Ordering::Relaxed) && self.admit_carefully()?;
        Ok(Admission { breaker: self, probe })
    }

    /// Answers whether the request is the one that finds out.
    fn admit_carefully(&self) -> Result<bool, Refusal> {
        let mut inner = self.lock();
        let busy = Duration::from_secs(1);
        match &mut inner.state {
            State::Closed => Ok(false),
            State::Open { until } => {
                let left = until.saturating_duration_since(Instant::now());
                if !left.is_zero() {
                    return Err(Refusal::UpstreamCircuitOpen { retry_after: left });
                }
                inner.state = State::HalfOpen { probing: true };
                tracing::info!(upstream = self.name, "circuit breaker half open: one request may try");
                Ok(true)
            }
            State::HalfOpen { probing: true } => Err(Refusal::UpstreamCircuitOpen { retry_after: busy }),
            State::HalfOpen { probing } => {
                *probing = true;
                Ok(true)
            }
        }
    }

    fn succeeded(&self, probe: bool) {
        if !self.alert.load(Ordering::Relaxed) {
            return;
        }
        let mut inner = self.lock();
        inner.failures = 0;
        if probe {
            inner.state = State::Closed;
            inner.window = None;
            self.metrics.breaker_open.dec();
            self.metrics.breaker_closes.inc();
            tracing::info!(upstream = self.name, "circuit breaker closed: the upstream answers");
        }
        if matches!(inner.state, State::Closed) {
            self.alert.store(false, Ordering::Relaxed);
        }
    }

    fn failed(&self, probe: bool) {
        let now = Instant::now();
        let requests = self.requests();
        let mut inner = self.lock();
        inner.failures = inner.failures.saturating_add(1);
        let longest = self.settings.window;
        let window = inner.window.take().filter(|window| now.duration_since(window.since) <= longest);
        let mut window =
            window.unwrap_or(Window { since: now, requests_before: requests.saturating_sub(1), failures: 0 });
        window.failures = window.failures.saturating_add(1);
        let among = requests.saturating_sub(window.requests_before);
        let row = self.settings.failures;
        let percent = u64::from(self.settings.failure_percent);
        let too_many = (row > 0 && inner.failures >= row)
            || (percent > 0
                && among >= u64::from(self.settings.least_requests)
                && u64::from(window.failures) * 100 >= percent * among);
        inner.window = Some(window);
        let until = now + self.settings.open;
        match inner.state {
            State::Closed if too_many => {
                self.metrics.breaker_open.inc();
                self.metrics.breaker_opens.inc();
                tracing::error!(
                    upstream = self.name,
                    failures = inner.failures,
                    for_ms = self.settings.open.as_millis(),
                    "circuit breaker open: requests are refused"
                );
                inner.state = State::Open { until };
            }
            State::HalfOpen { .. } if probe => {
                tracing::warn!(upstream = self.name, "circuit breaker open again: the upstream still fails");
                inner.state = State::Open { until };
            }
            // Requests that were on their way before.
            State::Closed | State::HalfOpen { .. } | State::Open { .. } => {}
        }
        self.alert.store(true, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Breaker {
    fn drop(&mut self) {
        if !matches!(self.lock().state, State::Closed) {
            self.metrics.breaker_open.dec();
        }
    }
}

/// A request that was let through.
pub(super) struct Admission<'a> {
    breaker: &'a Breaker,
    probe: bool,
}

impl Admission<'_> {
    /// The upstream answered.
    pub(super) fn succeeded(mut self) {
        self.breaker.succeeded(std::mem::take(&mut self.probe));
    }

    /// It did not, or not well.
    pub(super) fn failed(mut self) {
        self.breaker.failed(std::mem::take(&mut self.probe));
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        // A client that goes away has found out nothing: the next one may.
        if self.probe
            && let State::HalfOpen { probing } = &mut self.breaker.lock().state
        {
            *probing = false;
        }
    }
}
