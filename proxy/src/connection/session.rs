//! A connection whose client is known, and the answer to each of its requests.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Worker;
use crate::access_log::{Peer, Who};
use crate::app::App;
use crate::authorize::Client;
use crate::forward::{Asker, IdentityHeaderValues, ResponseBody, upgrade};
use crate::http1_guard::Guard;
use crate::identify::ClientIdentity;
use crate::metrics::Retirement;
use crate::open_requests::OpenRequests;
use crate::problem;
use crate::record::{Record, RecordedBody, refuse_connection};
use crate::refusal::Refusal;
use crate::tunnel::Tunnel;
use crate::upload::Upload;

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
    /// Whether the handshake resumed a session.
    pub resumed: bool,
    pub(super) client: Mutex<Client>,
    /// From a request on until the next rest.
    asking: Mutex<Option<Arc<Asking>>>,
    /// Of HTTP/1.1's heads.
    pub guard: Guard,
    /// What the connection becomes after HTTP/1.1.
    tunnel: Mutex<Option<(Tunnel, Record)>>,
    requests: AtomicU64,
    /// Those that are being answered.
    pub open_requests: OpenRequests,
    /// Set off by the first request.
    pub(super) begun: Notify,
    /// Set off by what ends a rest.
    pub awake: Notify,
    /// Set off by a refusal after which the connection cannot go on.
    pub(super) over: Notify,
    /// The connection is to end, and its client is to hear of it first.
    retiring: AtomicBool,
    /// The connection ends because its client was revoked.
    revoked: AtomicBool,
    /// Set off by the last request that the connection may carry.
    pub(super) retired: Notify,
    /// When the connection is old.
    pub(super) old_at: Option<Instant>,
}

/// What is said of the client for each of its requests, upstream and in the access log: written once, as long as there are requests.
pub struct Asking {
    /// Of the trust that the client's path was found good under: with another one, it may be another path.
    generation: u64,
    headers: IdentityHeaderValues,
    /// Ends each of its lines.
    pub who: Who,
}

impl Session {
    /// The session of a client that was just identified.
    pub(super) fn new(
        worker: Arc<Worker>,
        id: String,
        identity: ClientIdentity,
        server: usize,
        (tls, resumed): (&'static str, bool),
        client: Client,
    ) -> Self {
        let (now, lifetime) = (Instant::now(), worker.app.config.limits.lifetime());
        Self {
            worker,
            id,
            identity,
            server,
            tls,
            resumed,
            client: Mutex::new(client),
            asking: Mutex::default(),
            guard: Guard::default(),
            tunnel: Mutex::default(),
            requests: AtomicU64::new(0),
            open_requests: OpenRequests::new(now.into_std()),
            begun: Notify::new(),
            awake: Notify::new(),
            over: Notify::new(),
            retiring: AtomicBool::new(false),
            revoked: AtomicBool::new(false),
            retired: Notify::new(),
            old_at: lifetime.and_then(|lifetime| now.checked_add(lifetime)),
        }
    }

    /// What all connections share.
    pub fn app(&self) -> &App {
        &self.worker.app
    }

    /// Gives up what only requests need.
    pub(super) fn rest(&self) {
        *self.asking.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// What is said of the client for each of its requests.
    pub fn asking(&self) -> Arc<Asking> {
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = client.generation();
        if asking.as_ref().is_some_and(|asking| asking.generation != generation) {
            *asking = None;
        }
        let write = || {
            let settings = self.app().config.identity_headers.clone();
            let headers = IdentityHeaderValues::new(&self.identity, client.chain(), settings);
            Arc::new(Asking { generation, headers, who: self.who() })
        };
        asking.get_or_insert_with(write).clone()
    }

    fn who(&self) -> Who {
        let ClientIdentity { leaf, spiffe_id, origin } = &self.identity;
        self.app().access_log.who(&Peer {
            connection: &self.id,
            client: origin.client,
            vpce: origin.vpc_endpoint.as_deref(),
            leaf: leaf.as_ref(),
            spiffe_id: spiffe_id.as_deref(),
            tls: Some(self.tls),
            resumed: self.resumed,
            server: self.app().config.server_label(self.server),
        })
    }

    /// Answers one request.
    pub(super) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<RecordedBody>, hyper::Error> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        if number == 1 {
            self.begun.notify_one();
        }
        if number == self.app().config.limits.max_requests_per_connection {
            self.retire(Retirement::Requests);
            self.retired.notify_one();
        }
        let mut record = Record::begin(self.clone(), &request, number);
        let version = request.version();
        let upgrade = upgrade::is_asked(&request);
        let request = request.map(|body| Upload::new(body, version));
        let answer = match self.guard.take_refusal() {
            Some(refusal) => {
                record.unread();
                Err(refusal)
            }
            None => self.forward(request, &mut record).await,
        };
        let mut response = match answer {
            Ok(response) => {
                record.answered(response.status());
                response
            }
            Err(refusal) => {
                let response = problem::response(&refusal, &record.id, version);
                if refusal.ends_connection(version) {
                    self.note(&refusal);
                    self.over.notify_one();
                }
                record.refused(refusal);
                response
            }
        };
        // RFC 9112 §9.6: after this response nothing more is read, so the client has to know. HTTP/2 has GOAWAY.
        if self.is_retiring()
            && version != Version::HTTP_2
            && response.status() != StatusCode::SWITCHING_PROTOCOLS
        {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let tunnel = response.extensions_mut().remove::<Tunnel>();
        if upgrade {
            self.guard.decide(tunnel.is_some());
        }
        let Some(tunnel) = tunnel else {
            return Ok(response.map(|body| RecordedBody::new(body, record)));
        };
        self.app().metrics.upgrades.inc();
        *self.tunnel.lock().unwrap_or_else(PoisonError::into_inner) = Some((tunnel, record));
        Ok(response.map(RecordedBody::unrecorded))
    }

    /// What the connection becomes after HTTP/1.1, if that was asked for and granted.
    pub fn take_tunnel(&self) -> Option<(Tunnel, Record)> {
        self.tunnel.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Phases 4 and 5.
    async fn forward(
        &self,
        request: Request<Upload>,
        record: &mut Record,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let app = self.app();
        let permit = {
            let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
            let (limits, trust) = (&app.config.limits, app.trust.current());
            client.authorize(&request, limits, &app.routes, &trust, app.clock.now())?
        };
        record.routed(permit.routed().route);
        let asking = self.asking();
        let asker = Asker { identity: &asking.headers, request_id: &record.id };
        self.worker.forwarder.forward(permit, request, asker, &record.progress).await
    }

    /// Whether there has been a request.
    pub(super) fn has_begun(&self) -> bool {
        self.requests.load(Ordering::Relaxed) > 0
    }

    /// From now on responses ask the client to go elsewhere.
    pub(super) fn retire(&self, why: Retirement) {
        if !self.retiring.swap(true, Ordering::Relaxed) {
            self.app().metrics.retired(why);
        }
    }

    /// Whether the connection is to end.
    pub(super) fn is_retiring(&self) -> bool {
        self.retiring.load(Ordering::Relaxed)
    }

    /// Writes down that the connection ends for `refusal`, outside of a request.
    pub(super) fn refuse(&self, refusal: &Refusal) {
        let ClientIdentity { leaf, origin, .. } = &self.identity;
        refuse_connection(self.app(), &self.id, origin, leaf.as_ref(), refusal);
    }

    /// Notes what the connection ends for.
    pub(super) fn note(&self, refusal: &Refusal) {
        if matches!(refusal, Refusal::CertificateRevoked { .. }) {
            self.revoked.store(true, Ordering::Relaxed);
        }
    }

    /// The connection is closed.
    pub(super) fn closed(&self) {
        if self.revoked.load(Ordering::Relaxed) {
            self.app().metrics.trust.closed();
        }
    }

    /// Ends the connection for `refusal`.
    pub fn end(&self, refusal: &Refusal) {
        self.refuse(refusal);
        self.over.notify_one();
    }
}
