//! One upstream as one worker sees it: its connections, and how requests are sent on them.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::body::{Progress, RequestBody, ResponseBody};
use super::connect::{Connector, Trusted};
use super::describe;
use super::headers::{self, Asker};
use super::pool::Pool;
use crate::config;
use crate::refusal::Refusal;
use crate::routes::Routed;

/// One worker's way to one upstream.
pub(super) struct Upstream {
    pool: Arc<Pool>,
    connector: Connector,
    response_timeout: Duration,
    header_limit: usize,
    host: HeaderValue,
}

impl Upstream {
    /// Does not connect: an upstream may come up later than the proxy.
    pub(super) fn new(upstream: &config::Upstream, trusted: Trusted) -> Self {
        Self {
            pool: Arc::new(Pool::new(upstream.max_idle_connections, upstream.pool_idle_timeout)),
            connector: Connector::new(upstream, trusted),
            response_timeout: upstream.response_timeout,
            header_limit: upstream.header_limit,
            host: upstream.host.clone(),
        }
    }

    /// Another worker's way: the same settings, connections of its own.
    pub(super) fn for_another_worker(&self) -> Self {
        Self {
            pool: Arc::new(self.pool.empty_like_this()),
            connector: self.connector.clone(),
            response_timeout: self.response_timeout,
            header_limit: self.header_limit,
            host: self.host.clone(),
        }
    }

    /// Sends `request` by the route `routed`. `progress` counts its body.
    pub(super) async fn forward(
        &self,
        routed: Routed<'_>,
        request: Request<Incoming>,
        asker: Asker<'_>,
        progress: &Arc<Progress>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let (mut head, body) = request.into_parts();
        let target = routed.target(&head.uri)?;
        headers::to_upstream(&mut head, asker, &self.host, &body.size_hint(), self.header_limit)?;
        head.uri = target;
        head.version = Version::HTTP_11;
        let mut request = Request::from_parts(
            head,
            RequestBody::new(body, progress.clone(), asker.identity.settings.clone()),
        );
        loop {
            let reused = self.pool.take();
            let fresh = reused.is_none();
            let mut sender = match reused {
                Some(sender) => sender,
                None => self.connector.connect().await?,
            };
            let response = self.answer(sender.try_send_request(request), progress).await?;
            match response {
                Ok(response) => {
                    let (mut head, body) = response.into_parts();
                    if head.status == StatusCode::SWITCHING_PROTOCOLS {
                        let detail = "it switches protocols, which nobody asked for".to_owned();
                        return Err(Refusal::UpstreamMalformed { detail });
                    }
                    // hyper goes on in HTTP/1.0 on such a connection, which cannot carry a body of unknown size.
                    let pool = (head.version != Version::HTTP_10).then(|| self.pool.clone());
                    headers::to_client(&mut head);
                    let body = ResponseBody::upstream(body, pool, sender);
                    return Ok(Response::from_parts(head, body));
                }
                Err(mut failed) => match failed.take_message() {
                    // A kept connection was closed under us before a byte of this request was written: safe to go on.
                    Some(unsent) if !fresh => request = unsent,
                    Some(_) | None => return Err(send_refusal(failed.error())),
                },
            }
        }
    }

    /// Waits for the response's head, as long as the upload makes progress or `response_timeout` is not over.
    async fn answer<T>(&self, sent: impl Future<Output = T>, progress: &Progress) -> Result<T, Refusal> {
        tokio::pin!(sent);
        let mut wait = self.response_timeout;
        progress.touch();
        loop {
            if let Ok(answer) = timeout(wait, &mut sent).await {
                return Ok(answer);
            }
            wait = self.response_timeout.saturating_sub(progress.still_for());
            if wait.is_zero() && progress.body_ended() {
                return Err(Refusal::UpstreamTimeout { after: self.response_timeout });
            }
            if wait.is_zero() {
                let detail = format!("nothing of its body came for {} ms", self.response_timeout.as_millis());
                return Err(Refusal::RequestAborted { detail });
            }
        }
    }
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
