//! A request's body, which a client may still be sending when it has its answer.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Version;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::lingering::PATIENCE;

/// The body of a request. What nobody has read of it when it is dropped is read and forgotten for a while, in HTTP/2: a stream
/// that ends before its client is done takes a RST_STREAM (RFC 9113 §8.1), and some clients forget the answer over it. HTTP/1.1
/// has [`crate::lingering`].
pub struct Upload {
    /// None when there is nothing to wait for.
    body: Option<Incoming>,
    lingers: bool,
}

impl Upload {
    /// The body of a request of that version.
    pub fn new(body: Incoming, version: Version) -> Self {
        Self { body: Some(body).filter(|body| !body.is_end_stream()), lingers: version == Version::HTTP_2 }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(mut body) = self.body.take().filter(|body| self.lingers && !body.is_end_stream()) else {
            return;
        };
        // Without a runtime there is no connection any more.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(timeout(PATIENCE, async move {
                while let Some(Ok(_forgotten)) = body.frame().await {}
            }));
        }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.get_mut().body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
