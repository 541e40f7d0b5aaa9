//! Bodies on their way through: counted, never collected.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use thiserror::Error;
use tokio::time::{Sleep, sleep_until};

use super::describe;
use super::ours::remove_from_trailers;
use super::pool::Lease;
use crate::config::IdentityHeaders;
use crate::progress::{Progress, Turn};
use crate::refusal::Refusal;
use crate::upload::Upload;

/// A request's body on its way upstream.
pub(super) struct RequestBody {
    /// None for a request that has none; with what decides about its trailers.
    inner: Option<(Upload, Arc<IdentityHeaders>)>,
    /// What was read of it in advance: all of it.
    whole: Option<Bytes>,
    progress: Arc<Progress>,
}

/// Why a request's body broke off.
#[derive(Debug, Error)]
pub(super) enum RequestBodyError {
    /// Its client, or the way to it.
    #[error(transparent)]
    Client(#[from] hyper::Error),
    /// We did: the progress knows why.
    #[error("the request was stopped")]
    Stopped,
}

impl RequestBody {
    pub(super) fn new(inner: Upload, progress: Arc<Progress>, settings: Arc<IdentityHeaders>) -> Self {
        if inner.is_end_stream() {
            progress.upload.set(Turn::Over);
        }
        Self { inner: Some((inner, settings)), whole: None, progress }
    }

    /// The same body, all of which was read: `whole`.
    #[cfg(feature = "aws")]
    pub(super) fn read(self, whole: Bytes) -> Self {
        Self { inner: None, whole: Some(whole).filter(|bytes| !bytes.is_empty()), ..self }
    }

    /// No body.
    pub(super) fn empty(progress: Arc<Progress>) -> Self {
        progress.upload.set(Turn::Over);
        Self { inner: None, whole: None, progress }
    }
}

/// Counts what came.
fn take_in(progress: &Progress, frame: &Frame<Bytes>) -> Result<(), RequestBodyError> {
    progress.upload.add(frame.data_ref().map_or(0, Bytes::len));
    progress.touch();
    // What Content-Length said has been looked at; this is for bodies that do not say.
    if progress.upload.bytes() > progress.body_limit {
        progress.stop(Refusal::BodyTooLarge { limit: progress.body_limit });
        return Err(RequestBodyError::Stopped);
    }
    Ok(())
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        let this = self.get_mut();
        let Some((inner, settings)) = &mut this.inner else {
            return Poll::Ready(this.whole.take().map(|bytes| Ok(Frame::data(bytes))));
        };
        let progress = &this.progress;
        if progress.stopped().is_some() {
            return Poll::Ready(Some(Err(RequestBodyError::Stopped)));
        }
        match Pin::new(&mut *inner).poll_frame(context) {
            Poll::Ready(Some(Ok(mut frame))) => {
                if let Some(trailers) = frame.trailers_mut() {
                    remove_from_trailers(trailers, settings);
                }
                let taken = take_in(progress, &frame);
                progress.upload.set(if inner.is_end_stream() { Turn::Over } else { Turn::Upstreams });
                Poll::Ready(Some(taken.map(|()| frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => {
                progress.upload.set(Turn::Over);
                Poll::Ready(None)
            }
            Poll::Pending => {
                progress.upload.set(Turn::Clients);
                progress.wake_when_stopped(context.waker());
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.whole.is_none() && self.inner.as_ref().is_none_or(|(inner, _)| inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.inner, &self.whole) {
            (Some((inner, _)), _) => inner.size_hint(),
            (None, whole) => exactly(whole.as_ref()),
        }
    }
}

fn exactly(bytes: Option<&Bytes>) -> SizeHint {
    SizeHint::with_exact(bytes.map_or(0, |bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX)))
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

    /// No body at all.
    pub(super) fn nothing() -> Self {
        Self(Source::Own(None))
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
            Source::Own(bytes) => exactly(bytes.as_ref()),
        }
    }
}
