//! HTTP/1.1 as the server of one connection, and what the connection may become after it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::Incoming;
use hyper::server::conn::http1::{Builder, UpgradeableConnection};
use hyper::service::HttpService;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::config::Config;
use crate::connection::Session;
use crate::http1_guard::{Guarded, HeadLimits};
use crate::record::RecordedBody;

/// A connection: requests, and then perhaps a tunnel.
pub struct Http1<I, S: HttpService<Incoming>> {
    requests: UpgradeableConnection<TokioIo<Guarded<I>>, S>,
    session: Arc<Session>,
    tunnel: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<I, S> Http1<I, S>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: HttpService<Incoming, ResBody = RecordedBody>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Serves `stream`.
    pub fn new(stream: I, service: S, session: Arc<Session>, config: &Config) -> Self {
        let limits = &config.limits;
        let head = HeadLimits {
            bytes: limits.header_bytes,
            count: limits.header_count,
            time: limits.header_timeout,
            upgrades: config.upstreams.iter().any(|upstream| upstream.allow_upgrade),
        };
        let guarded = Guarded::new(stream, session.guard.clone(), head);
        let requests = Builder::new()
            .header_read_timeout(None)
            .max_headers(limits.header_count + 1)
            .serve_connection(TokioIo::new(guarded), service)
            .with_upgrades();
        Self { requests, session, tunnel: None }
    }

    /// No new requests; those in flight finish. A tunnel goes on until its connection is dropped.
    pub fn graceful_shutdown(&mut self) {
        if self.tunnel.is_none() {
            Pin::new(&mut self.requests).graceful_shutdown();
        }
    }
}

impl<I, S> Future for Http1<I, S>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: HttpService<Incoming, ResBody = RecordedBody>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    Self: Unpin,
{
    type Output = hyper::Result<()>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        let this = self.get_mut();
        if this.tunnel.is_none() {
            ready!(Pin::new(&mut this.requests).poll(context))?;
            let Some((tunnel, record)) = this.session.take_tunnel() else { return Poll::Ready(Ok(())) };
            this.tunnel = Some(Box::pin(tunnel.run(record)));
        }
        match &mut this.tunnel {
            Some(tunnel) => tunnel.as_mut().poll(context).map(Ok),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl<I, S: HttpService<Incoming>> Drop for Http1<I, S> {
    fn drop(&mut self) {
        // The record of a tunnel that came to nothing holds the session which holds it.
        drop(self.session.take_tunnel());
    }
}
