//! Stands between TLS and the HTTP/2 codec, and counts the frames that ask for work and carry no request: PING, SETTINGS,
//! PRIORITY, and types that nobody knows. The codec answers each of them, however many come; here there is a measure.
//!
//! What the codec limits itself (streams that are reset before they are looked at, CONTINUATION, empty DATA) ends the
//! connection there; both meet in [`Refusal::Http2Flood`].

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::refusal::Refusal;

/// What a connection may send at once; settings at its start, pings from several callers.
const BURST: u64 = 1_000;
/// What it may send for each second that it has been open. Clients that keep alive with a ping send one in ten seconds.
const EACH_SECOND: u64 = 10;

/// The client's first bytes, RFC 9113 §3.4.
const PREFACE: usize = 24;
const HEAD: usize = 9;

/// RFC 9113 §6.8, a GOAWAY for stream 0 with ENHANCE_YOUR_CALM and the last stream that can have been seen.
const GOAWAY: [u8; HEAD + 8] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 11];

/// What a read fails with then: the codec keeps an error's kind and text, and no socket has this one.
const FLOODED: io::ErrorKind = io::ErrorKind::QuotaExceeded;

/// Follows the frames of one connection from head to head.
#[derive(Debug)]
struct Frames {
    head: [u8; HEAD],
    /// Bytes of `head` that are here.
    have: usize,
    /// Bytes until the next head.
    skip: usize,
    /// Frames that were no request.
    chatter: u64,
}

impl Frames {
    fn new() -> Self {
        Self { head: [0; HEAD], have: 0, skip: PREFACE, chatter: 0 }
    }

    fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let over = self.skip.min(bytes.len());
            self.skip -= over;
            bytes = bytes.get(over..).unwrap_or_default();
            let (part, rest) = bytes.split_at(bytes.len().min(HEAD - self.have));
            for (to, from) in self.head.iter_mut().skip(self.have).zip(part) {
                *to = *from;
            }
            self.have += part.len();
            bytes = rest;
            if self.have == HEAD {
                let [l0, l1, l2, kind, ..] = self.head;
                self.have = 0;
                self.skip = usize::try_from(u32::from_be_bytes([0, l0, l1, l2])).unwrap_or(usize::MAX);
                // DATA, HEADERS, RST_STREAM, WINDOW_UPDATE and CONTINUATION are the business of streams.
                self.chatter += u64::from(!matches!(kind, 0 | 1 | 3 | 8 | 9));
            }
        }
    }
}

/// An HTTP/2 connection whose read side is counted.
#[derive(Debug)]
pub struct Counted<S> {
    inner: S,
    frames: Frames,
    started: Instant,
    allowance: u64,
    /// All that was written has been flushed, so that the other side waits for the head of a frame.
    between_frames: bool,
}

impl<S> Counted<S> {
    /// Counts what `inner` reads.
    pub fn new(inner: S) -> Self {
        Self { inner, frames: Frames::new(), started: Instant::now(), allowance: BURST, between_frames: true }
    }

    /// Whether there has been more chatter than its time allows.
    fn is_flooded(&mut self) -> bool {
        if self.frames.chatter > self.allowance {
            // The clock is looked at only here, which nobody comes to who is not chatty.
            self.allowance = BURST + self.started.elapsed().as_secs().saturating_mul(EACH_SECOND);
        }
        self.frames.chatter > self.allowance
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.inner).poll_read(context, buffer);
        this.frames.read(buffer.filled().get(before..).unwrap_or_default());
        if this.is_flooded() {
            if this.between_frames {
                // A courtesy: a client that does not read it finds the connection closed.
                let _ = Pin::new(&mut this.inner).poll_write(context, &GOAWAY);
                let _ = Pin::new(&mut this.inner).poll_flush(context);
            }
            let text = format!("{} frames that carry no request", this.frames.chatter);
            return Poll::Ready(Err(io::Error::new(FLOODED, text)));
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.between_frames = false;
        Pin::new(&mut this.inner).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.inner).poll_flush(context);
        this.between_frames = flushed.is_ready();
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.between_frames = false;
        Pin::new(&mut this.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

/// The refusal in the error that a connection ended with, if it ended because there was too much of something.
pub fn flood(error: &hyper::Error) -> Option<Refusal> {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        // hyper takes an I/O error out of the codec's.
        let flooded = error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == FLOODED);
        let calmed = error
            .downcast_ref::<h2::Error>()
            .is_some_and(|error| error.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM) && !error.is_remote());
        if flooded || calmed {
            return Some(Refusal::Http2Flood { detail: error.to_string() });
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, 0, 0, 0, 0, 0];
        frame.extend(std::iter::repeat_n(6, length.into()));
        frame
    }

    #[test]
    fn frames_are_followed_wherever_the_reads_fall() {
        // Ping, data, headers, settings, priority, an unknown type, a window update, a reset.
        let kinds = [(6, 8), (0, 200), (1, 30), (4, 0), (2, 5), (200, 1), (8, 4), (3, 4)];
        let stream: Vec<u8> =
            [vec![b'P'; PREFACE], kinds.iter().flat_map(|(kind, length)| frame(*kind, *length)).collect()]
                .concat();
        for step in 1..=stream.len() {
            let mut frames = Frames::new();
            stream.chunks(step).for_each(|part| frames.read(part));
            assert_eq!((frames.chatter, frames.skip, frames.have), (4, 0, 0), "reads of {step}");
        }
    }

    #[test]
    fn an_allowance_grows_with_time() {
        let mut counted = Counted::new(());
        counted.frames.chatter = BURST + 30;
        assert!(counted.is_flooded());
        counted.started = counted.started.checked_sub(std::time::Duration::from_secs(4)).unwrap();
        assert!(!counted.is_flooded());
    }
}
