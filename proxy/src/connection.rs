//! One client connection from its first byte to its last: the five phases in order, and its end.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

use crate::accept::Slot;
use crate::app::App;
use crate::authorize::Client;
use crate::drain::{Phase, reached};
use crate::forward::{Asker, Forwarder, IdentityHeaderValues, ResponseBody, describe};
use crate::handshake::{Failed, Secured, handshake, linger};
use crate::http1_guard::{Guard, Guarded, HeadLimits};
use crate::http2::{self as h2, Streams};
use crate::http2_guard::{Counted, flood};
use crate::identify::{ClientIdentity, LeafSummary, identify};
use crate::metrics::HandshakeResult;
use crate::open_requests::{OpenRequests, Stalled};
use crate::problem;
use crate::proxy_protocol::{self, Origin};
use crate::record::{Record, RecordedBody, refuse_connection};
use crate::refusal::Refusal;
use crate::routes::Destination;
use crate::shares::address_key;
use crate::trust::VerifiedPath;

/// What a connection that has to end gets to finish its last response.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Wall clocks are set; a connection looks at its client again after this time, however far away its deadline seems.
const LONGEST_NAP: Duration = Duration::from_secs(60);

/// What one worker's connections share.
pub struct Worker {
    /// What all workers share.
    pub app: Arc<App>,
    /// This worker's way to the upstream.
    pub forwarder: Forwarder,
}

/// A connection whose client is known.
pub struct Session {
    worker: Arc<Worker>,
    /// Joins the log lines of this connection.
    pub id: String,
    /// Who the client is.
    pub identity: ClientIdentity,
    /// The number of the server that it is on.
    pub server: usize,
    /// `1.2` or `1.3`.
    pub tls: &'static str,
    client: Mutex<Client>,
    identity_headers: IdentityHeaderValues,
    guard: Guard,
    requests: AtomicU64,
    /// Those that are being answered.
    pub open_requests: OpenRequests,
    /// Set off by the first request.
    begun: Notify,
    /// Set off by a refusal after which the connection cannot go on.
    over: Notify,
}

/// Serves a connection that was just accepted.
pub async fn serve(mut stream: TcpStream, address: SocketAddr, slot: Slot, worker: Arc<Worker>) {
    let app = worker.app.clone();
    let id = app.connection_id();
    let (began, patience) = (Instant::now(), app.config.limits.handshake_timeout);
    let mut origin = Origin::direct(address);
    if let Some(settings) = &app.config.listen.proxy_protocol {
        let stated = timeout_at(began + patience, proxy_protocol::origin(&mut stream, address, settings));
        match stated.await.unwrap_or(Err(Refusal::HandshakeTimeout { after: patience })) {
            Ok(Some(stated)) => origin = stated,
            Ok(None) => return app.metrics.handshake(HandshakeResult::Probe),
            Err(refusal) => {
                app.metrics.handshake(HandshakeResult::Refused);
                return refuse_connection(&app, &id, &origin, None, &refusal);
            }
        }
    }
    let _share_of_address = match app.by_address.take(|| address_key(origin.client.ip())) {
        Ok(share) => share,
        Err(limit) => {
            let refusal = Refusal::TooManyFromAddress { limit };
            return refuse_connection(&app, &id, &origin, None, &refusal);
        }
    };
    let trust = app.trust.current().clone();
    let secured = handshake(stream, &trust, &app.handshakes, began, patience).await;
    let Secured { stream, server, client } = match secured {
        Ok(secured) => secured,
        Err(Failed::Probe) => return app.metrics.handshake(HandshakeResult::Probe),
        Err(Failed::Refused { refusal, leaf, stream }) => {
            app.metrics.handshake(HandshakeResult::Refused);
            let leaf = leaf.map(|der| LeafSummary::of(&der));
            refuse_connection(&app, &id, &origin, leaf.as_ref(), &refusal);
            if let Some(stream) = stream {
                linger(stream).await;
            }
            return;
        }
    };
    let path = client.as_ref().map(|(path, _)| path);
    let identity = match identify(path, origin.clone()) {
        Ok(identity) => identity,
        Err(refusal) => return refuse_connection(&app, &id, &origin, None, &refusal),
    };
    let _share_of_client = match app.by_client.take(|| identity.name()) {
        Ok(share) => share,
        Err(limit) => {
            app.metrics.handshake(HandshakeResult::Refused);
            let (leaf, refusal) = (identity.leaf.as_ref(), Refusal::TooManyOfClient { limit });
            refuse_connection(&app, &id, &origin, leaf, &refusal);
            return linger(stream).await;
        }
    };
    app.metrics.handshake(HandshakeResult::Accepted);
    app.metrics.handshake_seconds.observe(began.elapsed().as_secs_f64());

    let (_, tls) = stream.get_ref();
    let http2 = tls.alpn_protocol() == Some(b"h2");
    let destination = Destination { server, name: tls.server_name().map(Into::into) };
    let tls = if tls.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3) { "1.3" } else { "1.2" };
    let identity_headers = IdentityHeaderValues::new(
        &identity,
        path.map_or(&[], VerifiedPath::chain),
        app.config.identity_headers.clone(),
    );
    let session = Arc::new(Session {
        id,
        identity,
        tls,
        server,
        client: Mutex::new(Client::new(client, &trust, destination)),
        identity_headers,
        guard: Guard::default(),
        requests: AtomicU64::new(0),
        open_requests: OpenRequests::new(Instant::now().into_std()),
        begun: Notify::new(),
        over: Notify::new(),
        worker,
    });
    drop(trust);
    let service = {
        let session = session.clone();
        service_fn(move |request| session.clone().answer(request))
    };
    let limits = &app.config.limits;
    if http2 {
        let counted = TokioIo::new(Counted::new(stream));
        let connection = h2::builder(session.clone(), limits).serve_connection(counted, service);
        session.drive(connection).await;
    } else {
        let head = HeadLimits {
            bytes: limits.header_bytes,
            count: limits.header_count,
            time: limits.header_timeout,
        };
        let guarded = Guarded::new(stream, session.guard.clone(), head);
        let connection = http1::Builder::new()
            .header_read_timeout(None)
            .max_headers(limits.header_count + 1)
            .serve_connection(TokioIo::new(guarded), service);
        session.drive(connection).await;
    }
    drop(slot);
}

impl Session {
    /// What all connections share.
    pub fn app(&self) -> &App {
        &self.worker.app
    }

    /// Answers one request.
    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<RecordedBody>, hyper::Error> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        if number == 1 {
            self.begun.notify_one();
        }
        let mut record = Record::begin(self.clone(), &request, number);
        let version = request.version();
        let answer = match self.guard.take_refusal() {
            Some(refusal) => {
                record.unread();
                Err(refusal)
            }
            None => self.forward(request, &mut record).await,
        };
        let response = match answer {
            Ok(response) => {
                record.answered(response.status());
                response
            }
            Err(refusal) => {
                let response = problem::response(&refusal, &record.id, version);
                if refusal.ends_connection(version) {
                    self.over.notify_one();
                }
                record.refused(refusal);
                response
            }
        };
        Ok(response.map(|body| RecordedBody::new(body, record)))
    }

    /// Phases 4 and 5.
    async fn forward(
        &self,
        request: Request<Incoming>,
        record: &mut Record,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let app = self.app();
        let permit = {
            let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
            let (limits, trust) = (&app.config.limits, app.trust.current());
            client.authorize(&request, limits, &app.routes, &trust, app.clock.now())?
        };
        record.routed(permit.routed().route);
        let asker = Asker { identity: &self.identity_headers, request_id: &record.id };
        self.worker.forwarder.forward(permit, request, asker, &record.progress).await
    }

    /// Writes down that the connection ends for `refusal`, outside of a request.
    fn refuse(&self, refusal: &Refusal) {
        let ClientIdentity { leaf, origin, .. } = &self.identity;
        refuse_connection(self.app(), &self.id, origin, leaf.as_ref(), refusal);
    }

    /// Ends the connection for `refusal`.
    pub fn end(&self, refusal: &Refusal) {
        self.refuse(refusal);
        self.over.notify_one();
    }

    /// Drives the connection to its end: its own, its client's, or the process's.
    async fn drive<C: Graceful>(&self, connection: C) {
        let app = self.app();
        let mut connection = pin!(connection);
        let mut trust = app.trust.subscribe();
        // What changed since the handshake began is to be seen, too.
        trust.mark_changed();
        let (mut draining, mut cut) = (app.drain.subscribe(), app.drain.subscribe());
        if app.drain.phase() != Phase::Serving {
            // A load balancer sends new connections for a while: each gets an answer to its first request.
            tokio::select! {
                over = connection.as_mut() => return self.over(over),
                () = self.begun.notified() => {}
                () = sleep(app.config.limits.header_timeout) => {}
                () = reached(&mut cut, Phase::Cut) => return,
            }
        }
        let mut last_requests = false;
        loop {
            let (nap, idle_at) = self.nap();
            tokio::select! {
                biased;
                over = connection.as_mut() => return self.over(over),
                () = self.over.notified() => break,
                _ = trust.changed() => {}
                () = sleep(nap) => {}
                () = reached(&mut draining, Phase::Draining), if !last_requests => {
                    // Requests in flight finish; the deadline is the process's.
                    connection.as_mut().graceful_shutdown();
                    last_requests = true;
                }
                () = reached(&mut cut, Phase::Cut) => return,
            }
            if let Err(Stalled) =
                self.open_requests.stop_slow_ones(&app.config.limits.pace, Instant::now().into_std())
            {
                return;
            }
            if let Err(refusal) = self.check_client() {
                self.refuse(&refusal);
                break;
            }
            if idle_at.is_some_and(|idle_at| idle_at <= Instant::now()) && self.idle_at() == idle_at {
                break;
            }
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            over = connection => self.over(over),
            () = sleep(LAST_WORDS) => {}
        }
    }

    /// Whether the client is still good, now.
    fn check_client(&self) -> Result<(), Refusal> {
        let app = self.app();
        self.client
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .check(&app.trust.current(), app.clock.now())
    }

    /// How long nothing can happen, if nothing is said; and when the connection has been idle for too long.
    fn nap(&self) -> (Duration, Option<Instant>) {
        let good_until = self.client.lock().unwrap_or_else(PoisonError::into_inner).good_until();
        // One second more: the last second is still good.
        let good_for = good_until.as_secs().saturating_sub(self.app().clock.now().as_secs()) + 1;
        let idle_at = self.idle_at();
        let limits = &self.app().config.limits;
        // A request may begin at any time, and its client be too slow from then on.
        let longest = LONGEST_NAP.min(limits.pace.timeout);
        let idle_in = idle_at.map_or(longest, |at| at.saturating_duration_since(Instant::now()));
        (Duration::from_secs(good_for).min(idle_in).min(longest), idle_at)
    }

    /// When the connection will have been idle for too long; `None` while a request is open.
    fn idle_at(&self) -> Option<Instant> {
        Some(Instant::from_std(self.open_requests.quiet_since()?) + self.app().config.limits.idle_timeout)
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
trait Graceful: Future<Output = hyper::Result<()>> {
    /// No new requests; those in flight finish.
    fn graceful_shutdown(self: Pin<&mut Self>);
}

impl<I, S> Graceful for http1::Connection<I, S>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    S: hyper::service::HttpService<Incoming, ResBody = RecordedBody>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn graceful_shutdown(self: Pin<&mut Self>) {
        Self::graceful_shutdown(self);
    }
}

impl<I, S> Graceful for http2::Connection<I, S, Streams>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    S: hyper::service::HttpService<Incoming, ResBody = RecordedBody>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: Send + 'static,
{
    fn graceful_shutdown(self: Pin<&mut Self>) {
        Self::graceful_shutdown(self);
    }
}
