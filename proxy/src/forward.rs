//! Phase 5: the permitted request goes to the private API, and its response comes back, both streamed.

mod body;
mod headers;
mod pool;
mod upstream;

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::timeout;

use self::body::RequestBody;
pub use self::body::{Progress, ResponseBody};
pub use self::headers::IdentityHeaderValues;
use self::pool::Pool;
use self::upstream::Connector;
use crate::authorize::Permit;
use crate::config::{Config, Invalid};
use crate::refusal::Refusal;

/// One worker's way to the upstream.
pub struct Forwarder {
    pool: Arc<Pool>,
    connector: Connector,
    response_timeout: Duration,
    header_limit: usize,
    host: http::HeaderValue,
}

impl Forwarder {
    /// Reads what TLS with the upstream needs. Does not connect: an upstream may come up later than the proxy.
    ///
    /// # Errors
    ///
    /// A trust bundle that cannot be used.
    pub fn new(config: &Config) -> Result<Self, Invalid> {
        let upstream = &config.upstream;
        Ok(Self {
            pool: Arc::new(Pool::new(upstream.max_idle_connections, upstream.pool_idle_timeout)),
            connector: Connector::new(upstream)?,
            response_timeout: upstream.response_timeout,
            header_limit: upstream.header_limit,
            host: upstream.host.clone(),
        })
    }

    /// Another worker's way: the same settings, connections of its own.
    pub fn for_another_worker(&self) -> Self {
        Self {
            pool: Arc::new(self.pool.empty_like_this()),
            connector: self.connector.clone(),
            response_timeout: self.response_timeout,
            header_limit: self.header_limit,
            host: self.host.clone(),
        }
    }

    /// Sends `request` upstream. `progress` counts its body.
    ///
    /// # Errors
    ///
    /// The refusal that is the answer to the request.
    pub async fn forward(
        &self,
        _permit: Permit,
        request: Request<Incoming>,
        identity: &IdentityHeaderValues,
        progress: &Arc<Progress>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let (mut head, body) = request.into_parts();
        headers::to_upstream(&mut head, identity, &self.host, &body.size_hint(), self.header_limit)?;
        head.version = Version::HTTP_11;
        let mut request = Request::from_parts(head, RequestBody::new(body, progress.clone()));
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

/// An error with its causes, which hyper leaves out of its own `Display`.
pub(crate) fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
