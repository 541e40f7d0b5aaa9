//! An upgraded connection: bytes both ways, until one side ends, the client is no longer good, or nobody says anything.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};

use crate::progress::{Progress, Turn};
use crate::record::Record;

/// Both ends of a connection that is about to be upgraded. Whoever takes them first has them.
#[derive(Clone)]
pub struct Tunnel(Arc<Mutex<Option<Ends>>>);

struct Ends {
    client: OnUpgrade,
    upstream: OnUpgrade,
    /// Keeps the upstream's connection among those that are in use.
    place: Box<dyn Send>,
}

impl Tunnel {
    /// Between `client` and `upstream`. `place` is dropped with it.
    pub fn new(client: OnUpgrade, upstream: OnUpgrade, place: Box<dyn Send>) -> Self {
        Self(Arc::new(Mutex::new(Some(Ends { client, upstream, place }))))
    }

    /// Carries bytes to the end. `record` is that of the request which asked for it, and is written then.
    pub async fn run(self, mut record: Record) {
        let ends = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Ends { client, upstream, place }) = ends else { return };
        let progress = record.progress.clone();
        // A conversation: `limits.stream_idle_timeout_ms` ends it when neither side says anything.
        progress.upload.set(Turn::Upstreams);
        progress.download.set(Turn::Upstreams);
        let carried = async {
            let (client, upstream) = (client.await, upstream.await);
            let (client, upstream) = (client.map_err(io::Error::other)?, upstream.map_err(io::Error::other)?);
            let mut client = Counted { inner: TokioIo::new(client), progress: &progress, upload: true };
            let mut upstream = Counted { inner: TokioIo::new(upstream), progress: &progress, upload: false };
            copy_bidirectional(&mut client, &mut upstream).await
        };
        if let Err(error) = carried.await {
            record.ended_early(error.to_string());
        }
        drop(place);
    }
}

/// One end, whose reads are counted.
struct Counted<'a> {
    inner: TokioIo<Upgraded>,
    progress: &'a Progress,
    upload: bool,
}

impl AsyncRead for Counted<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.inner).poll_read(context, buffer);
        let flow = if this.upload { &this.progress.upload } else { &this.progress.download };
        flow.add(buffer.filled().len() - before);
        polled
    }
}

impl AsyncWrite for Counted<'_> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}
