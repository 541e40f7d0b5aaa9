//! Bodies on their way through: counted, never collected.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::ours::remove_from_trailers;
use super::pool::{Pool, Sender};
use crate::config::IdentityHeaders;

/// How a request's body is coming along.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    bytes: AtomicU64,
    /// Of the last frame, since `started`.
    last_ms: AtomicU64,
    ended: AtomicBool,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            bytes: AtomicU64::new(0),
            last_ms: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        }
    }
}

impl Progress {
    /// Bytes of body received from the client so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Since when the request is here.
    pub fn started(&self) -> Instant {
        self.started
    }

    pub(super) fn touch(&self) {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(elapsed, Ordering::Relaxed);
    }

    /// Whether all of the body was read.
    pub(super) fn body_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// How long ago the last sign of life was.
    pub(super) fn still_for(&self) -> Duration {
        self.started.elapsed().saturating_sub(Duration::from_millis(self.last_ms.load(Ordering::Relaxed)))
    }
}

/// A request's body on its way upstream.
pub(super) struct RequestBody {
    inner: Incoming,
    progress: Arc<Progress>,
    settings: Arc<IdentityHeaders>,
}

impl RequestBody {
    pub(super) fn new(inner: Incoming, progress: Arc<Progress>, settings: Arc<IdentityHeaders>) -> Self {
        if inner.is_end_stream() {
            progress.end();
        }
        Self { inner, progress, settings }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let mut polled = Pin::new(&mut this.inner).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &mut polled {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            this.progress.bytes.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
            this.progress.touch();
            if let Some(trailers) = frame.trailers_mut() {
                remove_from_trailers(trailers, &this.settings);
            }
        }
        if matches!(polled, Poll::Ready(None)) || this.inner.is_end_stream() {
            this.progress.end();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A response's body on its way to the client.
pub struct ResponseBody(Source);

enum Source {
    /// From the upstream. The connection goes back to the pool with the last byte, and is dropped if it does not come to that.
    Upstream { body: Incoming, lease: Option<Lease> },
    /// Our own words.
    Own(Option<Bytes>),
}

/// A connection in use, and the pool that it goes back to, if it can be used again.
type Lease = (Option<Arc<Pool>>, Sender);

impl ResponseBody {
    pub(super) fn upstream(body: Incoming, pool: Option<Arc<Pool>>, sender: Sender) -> Self {
        let mut lease = Some((pool, sender));
        if body.is_end_stream() {
            give_back(&mut lease);
        }
        Self(Source::Upstream { body, lease })
    }

    /// A body of our own.
    pub fn own(bytes: Bytes) -> Self {
        Self(Source::Own(Some(bytes)))
    }
}

fn give_back(lease: &mut Option<Lease>) {
    if let Some((Some(pool), sender)) = lease.take() {
        pool.give_back(sender);
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.get_mut().0 {
            Source::Upstream { body, lease } => {
                let polled = Pin::new(&mut *body).poll_frame(context);
                match &polled {
                    Poll::Ready(None) => give_back(lease),
                    Poll::Ready(Some(Ok(_))) if body.is_end_stream() => give_back(lease),
                    Poll::Ready(Some(Err(_))) => *lease = None,
                    Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
                }
                polled
            }
            Source::Own(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Upstream { body, .. } => body.is_end_stream(),
            Source::Own(bytes) => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Upstream { body, .. } => body.size_hint(),
            Source::Own(bytes) => SizeHint::with_exact(
                bytes.as_ref().map_or(0, |bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
            ),
        }
    }
}
