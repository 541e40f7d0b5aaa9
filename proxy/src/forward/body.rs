//! Bodies on their way through: counted, never collected.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use thiserror::Error;
use tokio::time::{Sleep, sleep_until};

use super::describe;
use super::ours::remove_from_trailers;
use super::pool::Lease;
use crate::config::IdentityHeaders;
use crate::refusal::Refusal;

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
    /// None for a request that has none; with what decides about its trailers.
    inner: Option<(Incoming, Arc<IdentityHeaders>)>,
    progress: Arc<Progress>,
}

impl RequestBody {
    pub(super) fn new(inner: Incoming, progress: Arc<Progress>, settings: Arc<IdentityHeaders>) -> Self {
        if inner.is_end_stream() {
            progress.end();
        }
        Self { inner: Some((inner, settings)), progress }
    }

    /// No body.
    pub(super) fn empty(progress: Arc<Progress>) -> Self {
        progress.end();
        Self { inner: None, progress }
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
        let Some((inner, settings)) = &mut this.inner else { return Poll::Ready(None) };
        let mut polled = Pin::new(&mut *inner).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &mut polled {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            this.progress.bytes.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
            this.progress.touch();
            if let Some(trailers) = frame.trailers_mut() {
                remove_from_trailers(trailers, settings);
            }
        }
        if matches!(polled, Poll::Ready(None)) || inner.is_end_stream() {
            this.progress.end();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(|(inner, _)| inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or(SizeHint::with_exact(0), |(inner, _)| inner.size_hint())
    }
}

/// Why a response's body broke off.
#[derive(Debug, Error)]
pub enum Broken {
    /// The upstream closed.
    #[error(transparent)]
    Closed(#[from] hyper::Error),
    /// Nothing came for this long.
    #[error("the upstream stopped sending")]
    Stalled(Duration),
    /// The request as a whole took longer than this.
    #[error("the request took too long")]
    TooLong(Duration),
}

impl Broken {
    /// What is written down of it.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Closed(error) => Refusal::UpstreamClosed { detail: describe(error) },
            Self::Stalled(after) => Refusal::UpstreamStalled { after: *after },
            Self::TooLong(after) => Refusal::UpstreamTimeout { after: *after },
        }
    }
}

/// When a response must be whole, and how long it had for that.
pub(super) type End = (tokio::time::Instant, Duration);

/// A response's body on its way to the client.
pub struct ResponseBody(Source);

enum Source {
    /// From the upstream. The connection goes back to the pool with the last byte, and is dropped if it does not come to that.
    Upstream {
        body: Incoming,
        lease: Option<Lease>,
        reusable: bool,
        end: Option<(Pin<Box<Sleep>>, Duration)>,
    },
    /// Our own words.
    Own(Option<Bytes>),
}

impl ResponseBody {
    pub(super) fn upstream(body: Incoming, lease: Lease, reusable: bool, end: Option<End>) -> Self {
        let mut lease = Some(lease);
        if body.is_end_stream() {
            whole(&mut lease, reusable);
        }
        Self(Source::Upstream {
            body,
            lease,
            reusable,
            end: end.map(|(end, limit)| (Box::pin(sleep_until(end)), limit)),
        })
    }

    /// A body of our own.
    pub fn own(bytes: Bytes) -> Self {
        Self(Source::Own(Some(bytes)))
    }
}

/// The last byte is here.
fn whole(lease: &mut Option<Lease>, reusable: bool) {
    if let Some(lease) = lease.take().filter(|_| reusable) {
        lease.give_back();
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut self.get_mut().0 {
            Source::Upstream { body, lease, reusable, end } => {
                if let Some((end, limit)) = end
                    && end.as_mut().poll(context).is_ready()
                {
                    *lease = None;
                    return Poll::Ready(Some(Err(Broken::TooLong(*limit))));
                }
                let polled = Pin::new(&mut *body).poll_frame(context);
                let flow = lease.as_ref().and_then(Lease::flow);
                match (&polled, flow) {
                    (Poll::Pending, Some(flow)) => flow.waits(),
                    (Poll::Ready(frame), Some(flow)) => {
                        flow.came();
                        // A connection that is cut looks like the end of a body to hyper.
                        if let (None | Some(Err(_)), Some(after)) = (frame, flow.cut_after()) {
                            *lease = None;
                            return Poll::Ready(Some(Err(Broken::Stalled(after))));
                        }
                    }
                    (_, None) => {}
                }
                match &polled {
                    Poll::Ready(None) => whole(lease, *reusable),
                    Poll::Ready(Some(Ok(_))) if body.is_end_stream() => whole(lease, *reusable),
                    Poll::Ready(Some(Err(_))) => *lease = None,
                    Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
                }
                polled.map_err(Broken::from)
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
