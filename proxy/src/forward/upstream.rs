//! One upstream: everything about its connections, behind [`Upstream::send`].

use std::sync::Arc;

use http::{Request, Response, StatusCode, Version, request};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout, timeout_at};

use super::addresses::Addresses;
use super::body::{End, RequestBody, ResponseBody};
use super::breaker::{Admission, Breaker};
use super::connector::Connector;
use super::headers::{self, Api, Asker};
use super::pool::{Lease, Pool, Wish};
use super::resolver::Resolver;
use super::retry::{Budget, is_idempotent};
#[cfg(feature = "aws")]
use super::signing::{self, Signer};
use super::tls::{Trusted, TrustedBundles};
use super::upgrade::{Upgrade, switched};
use super::{describe, health};
use crate::config;
use crate::metrics::UpstreamMetrics;
use crate::progress::{Progress, Turn};
use crate::refusal::Refusal;
use crate::routes::Routed;
use crate::upload::Upload;

/// How many kept connections may turn out to be closed before a request gets a new one.
const STALE: u32 = 3;

/// What all workers share of one upstream.
pub(super) struct Shared {
    name: String,
    settings: Arc<config::Upstream>,
    connector: Arc<Connector>,
    addresses: Arc<Addresses>,
    metrics: UpstreamMetrics,
    #[cfg(feature = "aws")]
    signer: Option<Arc<Signer>>,
}

impl Shared {
    /// Does not connect: an upstream may come up later than the proxy.
    pub(super) fn new(
        name: &str,
        settings: &config::Upstream,
        trusted: Trusted,
        metrics: UpstreamMetrics,
    ) -> Self {
        Self {
            name: name.to_owned(),
            settings: Arc::new(settings.clone()),
            connector: Arc::new(Connector::new(settings, trusted, metrics.connections_open.clone())),
            addresses: Arc::new(Addresses::new(settings)),
            metrics,
            #[cfg(feature = "aws")]
            signer: settings.sigv4.as_ref().map(Signer::new),
        }
    }

    /// Looks after the addresses from now on, for all workers. To be called once, inside of a runtime that goes on.
    pub(super) fn start(&self, resolver: &Arc<Resolver>) {
        let Self { settings, connector, addresses, metrics, .. } = self;
        tokio::spawn(addresses.clone().follow(resolver.clone(), metrics.clone()));
        if let Some(interval) = settings.health.interval {
            let check = health::Check {
                connector: connector.clone(),
                host: settings.host.clone(),
                settings: settings.health.clone(),
                metrics: metrics.clone(),
            };
            tokio::spawn(check.forever(addresses.subscribe(), interval));
        }
    }

    /// Reads the files again, those of several upstreams together. What cannot be used leaves the last good in force.
    pub(super) fn reload(&self, bundles: &mut TrustedBundles) {
        if let Some(trusted) = bundles.get(&self.settings) {
            self.connector.trust(trusted);
        }
    }
}

/// A request as the upstream is to see it. In a box: it goes through several hands, and would be copied by each.
struct Outgoing {
    head: request::Parts,
    body: RequestBody,
}

/// One worker's way to one upstream.
pub(super) struct Upstream {
    settings: Arc<config::Upstream>,
    pool: Arc<Pool>,
    breaker: Breaker,
    budget: Budget,
    metrics: UpstreamMetrics,
    #[cfg(feature = "aws")]
    signer: Option<Arc<Signer>>,
}

impl Upstream {
    pub(super) fn new(shared: &Shared) -> Self {
        let Shared { name, settings, connector, addresses, metrics, .. } = shared;
        Self {
            pool: Arc::new(Pool::new(
                addresses.subscribe(),
                connector.clone(),
                settings.clone(),
                metrics.clone(),
            )),
            breaker: Breaker::new(name, &settings.breaker, metrics.clone()),
            budget: Budget::new(&settings.retry),
            settings: settings.clone(),
            metrics: metrics.clone(),
            #[cfg(feature = "aws")]
            signer: shared.signer.clone(),
        }
    }

    /// Sends `request` by the route `routed`. `progress` counts its body.
    pub(super) async fn forward(
        &self,
        routed: Routed<'_>,
        request: Request<Upload>,
        asker: Asker<'_>,
        progress: &Arc<Progress>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let (mut head, body) = request.into_parts();
        let config::Upstream { host, api_id_header, header_limit, .. } = self.settings.as_ref();
        let target = routed.target(&head.uri)?;
        let upgrade = Upgrade::take(&mut head, self.settings.allow_upgrade && body.is_end_stream());
        let body = RequestBody::new(body, progress.clone(), asker.identity.settings.clone());
        #[cfg(feature = "aws")]
        let body = match &self.signer {
            Some(signer) => signer.prepare(&mut head, body, progress, self.settings.response_timeout).await?,
            None => body,
        };
        let api = Api { host, id: api_id_header.as_ref() };
        headers::to_upstream(&mut head, asker, api, &body.size_hint(), *header_limit)?;
        upgrade.iter().for_each(|upgrade| upgrade.ask(&mut head.headers));
        head.uri = target;
        head.version = Version::HTTP_11;
        self.send(Box::new(Outgoing { head, body }), upgrade.map(Box::new), progress).await
    }

    async fn send(
        &self,
        request: Box<Outgoing>,
        upgrade: Option<Box<Upgrade>>,
        progress: &Arc<Progress>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let admission = self.breaker.admit()?;
        let Some(limit) = self.settings.total_timeout else {
            return self.send_admitted(request, upgrade, progress, admission, None).await;
        };
        let end = Instant::now() + limit;
        let sent = self.send_admitted(request, upgrade, progress, admission, Some((end, limit)));
        match timeout_at(end, sent).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(Refusal::UpstreamTimeout { after: limit }),
        }
    }

    async fn send_admitted(
        &self,
        request: Box<Outgoing>,
        upgrade: Option<Box<Upgrade>>,
        progress: &Arc<Progress>,
        admission: Admission<'_>,
        end: Option<End>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let answer = self.attempts(request, progress).await;
        match answer {
            Ok((response, lease)) => {
                let status = response.status();
                if self.settings.breaker.statuses.contains(&status.as_u16()) {
                    admission.failed();
                } else {
                    admission.succeeded();
                }
                if status == StatusCode::SWITCHING_PROTOCOLS {
                    return switched(upgrade.map(|upgrade| *upgrade), response, lease);
                }
                let (mut head, body) = response.into_parts();
                // hyper goes on in HTTP/1.0 on such a connection, which cannot carry a body of unknown size.
                let reusable = head.version != Version::HTTP_10;
                headers::to_client(&mut head);
                Ok(Response::from_parts(head, ResponseBody::upstream(body, lease, reusable, end)))
            }
            Err(refusal) => {
                if refusal.is_failed_upstream() {
                    admission.failed();
                }
                Err(refusal)
            }
        }
    }

    /// Sends the request until there is an answer, or a reason not to send it again.
    async fn attempts(
        &self,
        mut request: Box<Outgoing>,
        progress: &Arc<Progress>,
    ) -> Result<(Response<Incoming>, Lease), Refusal> {
        let mut wish = Wish::default();
        let mut repeats = 0;
        let mut stale = 0;
        // Nothing of the body is sent then that could not be sent again.
        let harmless = self.settings.retry.attempts > 0
            && is_idempotent(&request.head.method)
            && request.body.is_end_stream();
        loop {
            #[cfg(feature = "aws")]
            signing::sign(&mut request.head, self.settings.header_limit).await?;
            let mut lease = self.pool.acquire(wish).await?;
            // The head is final here, and each attempt has its own.
            let copy =
                (harmless && repeats < self.settings.retry.attempts).then(|| Box::new(request.head.clone()));
            let Some(sender) = lease.sender() else { return Err(closed("before it was used")) };
            let Outgoing { head, body } = *request;
            let sent = sender.try_send_request(Request::from_parts(head, body));
            let mut failed = match self.answer(sent, progress).await {
                Ok(Ok(response)) => {
                    lease.answered();
                    return Ok((response, lease));
                }
                Ok(Err(failed)) => failed,
                Err(refusal) => {
                    if refusal.is_failed_upstream() {
                        self.pool.failed(lease.endpoint);
                    }
                    return Err(refusal);
                }
            };
            if let Some(refusal) = progress.stopped() {
                return Err(refusal.clone());
            }
            let refusal = send_refusal(failed.error());
            // An upstream may close a connection that it has kept; one that is new shows that something is wrong.
            if lease.fresh && refusal.is_failed_upstream() {
                self.pool.failed(lease.endpoint);
            }
            let (unsent, fresh) = (failed.take_message(), lease.fresh);
            wish.avoid = Some(lease.endpoint);
            drop(lease);
            match (unsent, copy) {
                // It was closed under us before a byte of this request was written: safe to go on, whatever it is.
                (Some(unsent), _) if !fresh => {
                    stale += 1;
                    wish.fresh = stale >= STALE;
                    *request = again(unsent);
                    if stale <= STALE {
                        continue;
                    }
                    return Err(refusal);
                }
                (Some(unsent), _) if repeats < self.settings.retry.attempts => *request = again(unsent),
                (None, Some(copy)) if refusal.is_failed_upstream() => {
                    // Another kept connection may be closed just now, too.
                    wish.fresh = true;
                    *request = Outgoing { head: *copy, body: RequestBody::empty(progress.clone()) };
                }
                (Some(_) | None, _) => return Err(refusal),
            }
            if !self.budget.take(self.breaker.requests()) {
                self.metrics.retries_over_budget.inc();
                return Err(refusal);
            }
            repeats += 1;
            self.metrics.retries.inc();
        }
    }

    /// Waits for the response's head: `response_timeout` from the last time that the upload moved, or that the client had to.
    async fn answer<T>(&self, sent: impl Future<Output = T>, progress: &Progress) -> Result<T, Refusal> {
        let limit = self.settings.response_timeout;
        tokio::pin!(sent);
        let mut wait = limit;
        progress.touch();
        loop {
            if let Ok(answer) = timeout(wait, &mut sent).await {
                return Ok(answer);
            }
            wait = limit.saturating_sub(progress.still_for());
            if progress.upload.turn() == Turn::Clients {
                // How long that may take is not the upstream's affair: `limits.body_timeout_ms`.
                wait = limit;
            }
            if wait.is_zero() {
                return Err(Refusal::UpstreamTimeout { after: limit });
            }
        }
    }
}

/// What comes back unsent is to be sent once more.
fn again(unsent: Request<RequestBody>) -> Outgoing {
    let (head, body) = unsent.into_parts();
    Outgoing { head, body }
}

fn closed(detail: &str) -> Refusal {
    Refusal::UpstreamClosed { detail: detail.to_owned() }
}

fn send_refusal(error: &hyper::Error) -> Refusal {
    let detail = describe(error);
    if error.is_parse() {
        Refusal::UpstreamMalformed { detail }
    } else if error.is_user() || error.is_body_write_aborted() {
        Refusal::RequestAborted { detail }
    } else {
        Refusal::UpstreamClosed { detail }
    }
}
