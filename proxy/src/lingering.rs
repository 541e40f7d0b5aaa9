//! The end of a connection that the client gets to read: close_notify and FIN first, and then whatever it still sends is read and
//! forgotten until it closes, too. Bytes that nobody has read would turn the close into a reset, which can overtake the last
//! response on its way to the client (RFC 9112 §9.6).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::time::{Sleep, sleep, timeout};

/// How long a client gets to read our last words.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// Closes `stream`. To be used where no HTTP connection does it.
pub async fn close(stream: impl AsyncRead + AsyncWrite + Unpin) {
    // A failure means that nobody is there any more.
    let _ = timeout(PATIENCE, Lingering::new(stream).shutdown()).await;
}

/// A connection whose shutdown waits for the client's.
pub struct Lingering<S> {
    inner: S,
    /// Our side is closed, and until then the client is listened to.
    closed: Option<Pin<Box<Sleep>>>,
}

impl<S> Lingering<S> {
    /// Shuts `inner` down with patience.
    pub fn new(inner: S) -> Self {
        Self { inner, closed: None }
    }
}

/// Reads and forgets until the other side has no more to say.
pub fn poll_discard(stream: &mut (impl AsyncRead + Unpin), context: &mut Context<'_>) -> Poll<()> {
    let mut scrap = [0; 4096];
    loop {
        let mut buffer = ReadBuf::new(&mut scrap);
        match ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer)) {
            Ok(()) if !buffer.filled().is_empty() => {}
            Ok(()) | Err(_) => return Poll::Ready(()),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.closed.is_none() {
            ready!(Pin::new(&mut this.inner).poll_shutdown(context))?;
            this.closed = Some(Box::pin(sleep(PATIENCE)));
        }
        if poll_discard(&mut this.inner, context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        this.closed.as_mut().map_or(Poll::Ready(()), |patience| patience.as_mut().poll(context)).map(Ok)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
