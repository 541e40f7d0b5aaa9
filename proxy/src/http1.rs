//! HTTP/1.1 as the server of one connection, and what the connection may become after it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::Incoming;
use hyper::server::conn::http1::{Builder, Parts, UpgradeableConnection};
use hyper::service::HttpService;
use hyper_util::rt::TokioIo;
use prometheus::IntGauge;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::connection::Session;
use crate::http1_guard::{Guarded, HeadLimits};
use crate::record::RecordedBody;

/// A connection: requests, and then perhaps a tunnel.
pub struct Http1<I, S: HttpService<Incoming>> {
    requests: Requests<I, S>,
    session: Arc<Session>,
    tunnel: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// What the connection is for until there is a tunnel.
enum Requests<I, S: HttpService<Incoming>> {
    /// The next request. A parser's buffers take more memory than all else that a connection needs, so there is a parser
    /// only while there is something to do for it.
    Awaited(Option<(Guarded<I>, S, Resting)>),
    Served(Box<UpgradeableConnection<TokioIo<Guarded<I>>, S>>),
}

/// Counts the connections at rest.
struct Resting(IntGauge);

impl Resting {
    fn begin(session: &Session) -> Self {
        let gauge = &session.app().metrics.connections_resting;
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Resting {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl<I, S> Http1<I, S>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: HttpService<Incoming, ResBody = RecordedBody>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Serves `stream`.
    pub fn new(stream: I, service: S, session: Arc<Session>) -> Self {
        let config = &session.app().config;
        let limits = &config.limits;
        let head = HeadLimits {
            bytes: limits.header_bytes,
            count: limits.header_count,
            time: limits.header_timeout,
            upgrades: config.upstreams.iter().any(|upstream| upstream.allow_upgrade),
        };
        let guarded = Guarded::new(stream, session.guard.clone(), head);
        let resting = Resting::begin(&session);
        Self { requests: Requests::Awaited(Some((guarded, service, resting))), session, tunnel: None }
    }

    /// No new requests; those in flight finish. A tunnel goes on until its connection is dropped.
    pub fn graceful_shutdown(&mut self) {
        if self.tunnel.is_none()
            && let Some(requests) = self.serve()
        {
            Pin::new(requests).graceful_shutdown();
        }
    }

    /// Whether there is nothing that a rest would save.
    pub fn is_resting(&self) -> bool {
        self.tunnel.is_some() || matches!(self.requests, Requests::Awaited(_))
    }

    /// Gives the parser and its buffers up until the client's next word, if nothing is half done.
    pub fn rest(&mut self) {
        if self.is_resting() || !self.session.guard.is_quiet() {
            return;
        }
        if let Requests::Served(requests) = std::mem::replace(&mut self.requests, Requests::Awaited(None))
            && let Some(Parts { io, service, read_buf, .. }) = requests.into_parts()
        {
            let mut guarded = io.into_inner();
            guarded.unread(&read_buf);
            self.requests = Requests::Awaited(Some((guarded, service, Resting::begin(&self.session))));
        }
    }

    /// The parser, a new one after a rest.
    fn serve(&mut self) -> Option<&mut UpgradeableConnection<TokioIo<Guarded<I>>, S>> {
        if let Requests::Awaited(awaited) = &mut self.requests {
            let (guarded, service, _) = awaited.take()?;
            let requests = Builder::new()
                .header_read_timeout(None)
                .max_headers(self.session.app().config.limits.header_count + 1)
                .serve_connection(TokioIo::new(guarded), service)
                .with_upgrades();
            self.requests = Requests::Served(Box::new(requests));
        }
        match &mut self.requests {
            Requests::Served(requests) => Some(&mut **requests),
            Requests::Awaited(_) => None,
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
            if let Requests::Awaited(Some((guarded, ..))) = &mut this.requests {
                ready!(guarded.poll_begin(context));
                this.session.awake.notify_one();
            }
            let Some(requests) = this.serve() else { return Poll::Ready(Ok(())) };
            ready!(Pin::new(requests).poll(context))?;
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
