//! A TLS stream that misbehaves once its switch is thrown.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// Not a status line of any HTTP version.
const MALFORMED: &[u8] = b"HTTQ/one 2oo maybe\r\nthis is: not\x00HTTP\r\n\r\n";

const NONE: u8 = 0;
const WRITE_MALFORMED: u8 = 1;
const RESET: u8 = 2;
const SWALLOW: u8 = 3;

/// What goes wrong at the next write.
#[derive(Clone, Copy)]
pub(super) enum Fault {
    /// Bytes that are not HTTP, then an orderly close.
    Malformed,
    /// A TCP reset instead of an answer.
    Reset,
}

/// Thrown by the request that asks for a fault, obeyed by the stream below it.
#[derive(Clone, Default)]
pub(super) struct Switch(Arc<AtomicU8>);

impl Switch {
    pub(super) fn throw(&self, fault: Fault) {
        let position = match fault {
            Fault::Malformed => WRITE_MALFORMED,
            Fault::Reset => RESET,
        };
        self.0.store(position, Ordering::Relaxed);
    }
}

/// A connection to a client, obeying its [`Switch`].
pub(super) struct Faulty {
    stream: TlsStream<TcpStream>,
    switch: Switch,
}

impl Faulty {
    pub(super) fn new(stream: TlsStream<TcpStream>, switch: Switch) -> Self {
        Self { stream, switch }
    }
}

impl AsyncWrite for Faulty {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.switch.0.load(Ordering::Relaxed) {
            NONE => Pin::new(&mut self.stream).poll_write(cx, buf),
            WRITE_MALFORMED => {
                ready!(Pin::new(&mut self.stream).poll_write(cx, MALFORMED))?;
                self.switch.0.store(SWALLOW, Ordering::Relaxed);
                Poll::Ready(Ok(buf.len()))
            }
            RESET => {
                // With no lingering, closing the socket sends RST.
                self.stream.get_ref().0.set_zero_linger()?;
                Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
            }
            _ => Poll::Ready(Ok(buf.len())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.switch.0.load(Ordering::Relaxed) == RESET {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncRead for Faulty {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}
