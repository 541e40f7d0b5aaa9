//! The course of a connection whose client is known, and its end: the client's own, a refusal, its age, or the process's.
//!
//! A connection that only has to make room *retires*: nobody is refused, and nothing that is on its way is lost. HTTP/2 has
//! GOAWAY for that. An HTTP/1.1 client learns it from its next response; if none is due, the connection is closed once it has been
//! idle for `limits.last_request_ms`, so that a request that was sent just then still arrives.

use std::pin::Pin;
use std::sync::PoisonError;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http2;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep};

use super::session::Session;
use crate::authorize::Client;
use crate::drain::{Phase, reached};
use crate::forward::describe;
use crate::http1::Http1;
use crate::http2::Streams;
use crate::http2_guard::flood;
use crate::identify::ClientIdentity;
use crate::metrics::Retirement;
use crate::open_requests::Stalled;
use crate::record::{RecordedBody, report_connection};
use crate::refusal::Refusal;

/// What a connection that has to end gets to finish its last response.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A connection without requests gives up what only requests need after so long: a client that asks in a steady stream does
/// not pay for getting it back, and of clients that come in a crowd only a few hold it at a time.
const BEFORE_A_REST: Duration = Duration::from_millis(50);

/// Wall clocks are set; a connection looks at its client again after this time, however far away its deadline seems.
const LONGEST_NAP: Duration = Duration::from_secs(60);

impl Session {
    /// Drives the connection to its end.
    pub(super) async fn drive<C: Graceful>(&self, mut connection: Pin<&mut C>) {
        let app = self.app();
        self.report(&mut self.client.lock().unwrap_or_else(PoisonError::into_inner));
        let mut trust = app.trust.subscribe();
        // What changed since the handshake began is to be seen, too.
        trust.mark_changed();
        let (mut draining, mut cut) = (app.drain.subscribe(), app.drain.subscribe());
        if app.drain.phase() != Phase::Serving {
            // A load balancer sends new connections for a while: each gets an answer to its first request.
            self.retire(Retirement::Drain);
        }
        let mut told = false;
        let mut before_a_rest = BEFORE_A_REST;
        loop {
            // Before its first request a client would take it for a refusal, and come back.
            if self.is_retiring() && self.has_begun() && !told {
                connection.as_mut().retire();
                told = true;
            }
            let (nap, idle_at) = self.nap();
            let nap = if connection.is_resting() { nap } else { nap.min(before_a_rest) };
            tokio::select! {
                biased;
                over = connection.as_mut() => return self.over(over),
                () = self.over.notified() => break,
                () = self.retired.notified() => {}
                () = self.begun.notified(), if self.is_retiring() && !told => {}
                () = self.awake.notified() => {
                    before_a_rest = BEFORE_A_REST;
                    continue;
                }
                _ = trust.changed() => {}
                () = sleep(nap) => {}
                () = reached(&mut draining, Phase::Draining), if !self.is_retiring() => {
                    self.retire(Retirement::Drain);
                }
                () = reached(&mut cut, Phase::Cut) => return,
            }
            let now = Instant::now();
            if let Err(Stalled) = self.open_requests.stop_slow_ones(&app.config.limits.pace, now.into_std()) {
                return;
            }
            if let Err(refusal) = self.check_client() {
                self.refuse(&refusal);
                self.note(&refusal);
                break;
            }
            if idle_at.is_some_and(|idle_at| idle_at <= now) && self.idle_at() == idle_at {
                self.retire(Retirement::Idle);
                break;
            }
            if self.old_at.is_some_and(|old_at| old_at <= now) {
                self.retire(Retirement::Age);
            }
            if self.open_requests.quiet_since().is_some_and(|since| now.into_std() - since >= BEFORE_A_REST) {
                connection.as_mut().rest();
                self.rest();
                self.open_requests.shrink();
            }
            // Looking is not free: a request that takes a minute is not looked at a thousand times.
            before_a_rest = before_a_rest.saturating_mul(2);
        }
        connection.as_mut().end();
        tokio::select! {
            over = connection.as_mut() => self.over(over),
            () = sleep(LAST_WORDS) => {}
        }
    }

    /// Whether the client is still good, now.
    fn check_client(&self) -> Result<(), Refusal> {
        let app = self.app();
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        client.check(&app.trust.current(), app.clock.now())?;
        self.report(&mut client);
        Ok(())
    }

    /// Writes down what the client would be refused for, once.
    fn report(&self, client: &mut Client) {
        if let Some(refusal) = client.would_refuse() {
            let ClientIdentity { leaf, origin, .. } = &self.identity;
            report_connection(self.app(), &self.id, origin, leaf.as_ref(), &refusal);
        }
    }

    /// How long nothing can happen, if nothing is said; and when the connection has been idle for too long.
    fn nap(&self) -> (Duration, Option<Instant>) {
        let good_until = self.client.lock().unwrap_or_else(PoisonError::into_inner).good_until();
        // One second more: the last second is still good.
        let good_for = good_until.as_secs().saturating_sub(self.app().clock.now().as_secs()) + 1;
        let idle_at = self.idle_at();
        // A request may begin at any time, and its client be too slow from then on; or end, and leave the connection idle.
        let longest = LONGEST_NAP.min(self.app().config.limits.pace.timeout).min(self.longest_idle());
        let until = |at: Option<Instant>| {
            at.map_or(longest, |at| at.saturating_duration_since(Instant::now()).min(longest))
        };
        let old_at = self.old_at.filter(|_| !self.is_retiring());
        (Duration::from_secs(good_for).min(until(idle_at)).min(until(old_at)), idle_at)
    }

    /// When the connection will have been idle for too long; `None` while a request is open.
    fn idle_at(&self) -> Option<Instant> {
        Some(Instant::from_std(self.open_requests.quiet_since()?) + self.longest_idle())
    }

    fn longest_idle(&self) -> Duration {
        let limits = &self.app().config.limits;
        if self.is_retiring() { limits.last_request.min(limits.idle_timeout) } else { limits.idle_timeout }
    }

    /// The HTTP connection ended by itself.
    fn over(&self, result: hyper::Result<()>) {
        let Err(error) = result else { return };
        if let Some(refusal) = flood(&error) {
            self.refuse(&refusal);
        } else if error.is_parse() {
            // The guard let it pass and hyper did not: an error of ours, so it is to be seen.
            let refusal = Refusal::MalformedRequest { detail: describe(&error).into() };
            self.refuse(&refusal);
        } else {
            tracing::debug!(connection = self.id, error = describe(&error), "connection ended");
        }
    }
}

/// An HTTP server connection of either version.
pub(super) trait Graceful: Future<Output = hyper::Result<()>> {
    /// Tells the client to send its next requests elsewhere; those on their way are answered.
    fn retire(self: Pin<&mut Self>);

    /// No new requests; those in flight finish.
    fn end(self: Pin<&mut Self>);

    /// Whether it has given up all memory that it can, until its client speaks.
    fn is_resting(&self) -> bool;

    /// Gives up what only requests need.
    fn rest(self: Pin<&mut Self>);
}

impl<I, S> Graceful for Http1<I, S>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: hyper::service::HttpService<Incoming, ResBody = RecordedBody>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    Self: Future<Output = hyper::Result<()>> + Unpin,
{
    fn retire(self: Pin<&mut Self>) {
        // The next response says it.
    }

    fn end(self: Pin<&mut Self>) {
        self.get_mut().graceful_shutdown();
    }

    fn is_resting(&self) -> bool {
        self.is_resting()
    }

    fn rest(self: Pin<&mut Self>) {
        self.get_mut().rest();
    }
}

impl<I, S> Graceful for http2::Connection<I, S, Streams>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    S: hyper::service::HttpService<Incoming, ResBody = RecordedBody>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: Send + 'static,
{
    fn retire(self: Pin<&mut Self>) {
        // RFC 9113 §6.8: first without a last stream, then, a round trip later, with it.
        self.graceful_shutdown();
    }

    fn end(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }

    fn is_resting(&self) -> bool {
        // Its state is the client's, too.
        true
    }

    fn rest(self: Pin<&mut Self>) {}
}
