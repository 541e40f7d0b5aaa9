//! Stands between TLS and the HTTP/1.1 parser, and lets no request head pass that two parsers could read differently.
//!
//! hyper repairs what RFC 9112 lets a recipient repair: it drops Content-Length beside Transfer-Encoding, accepts bare LF
//! and so on. In front of another parser that is how requests are smuggled (RFC 9112 §11.2). Here such a head is refused,
//! with its name. So is one that is too large or too slow.
//!
//! A refused head is replaced by a harmless one, so that the refusal is answered in order, by the same code, and is
//! recorded like every other: the service asks [`Guard::take_refusal`] first. What comes after it is read and forgotten.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

pub use self::guard::Guard;
use self::head::{Framing, Head};
use crate::lingering::poll_discard;
use crate::refusal::Refusal;

mod chunked;
mod guard;
mod head;

/// What hyper gets to see instead of a refused head.
const REPLACEMENT: &[u8] = b"GET / HTTP/1.1\r\nhost: refused.invalid\r\nconnection: close\r\n\r\n";

/// Bytes that are read of a request that ends a silence; most heads are shorter.
const FIRST: usize = 4096;

/// Limits on a request's head.
#[derive(Debug, Clone, Copy)]
pub struct HeadLimits {
    /// Bytes, blank line included.
    pub bytes: usize,
    /// Header fields.
    pub count: usize,
    /// From its first byte to its last.
    pub time: Duration,
    /// Whether a request may ask for another protocol.
    pub upgrades: bool,
}

/// A connection whose read side is guarded.
pub struct Guarded<S> {
    inner: S,
    guard: Guard,
    limits: HeadLimits,
    framing: Framing,
    /// The beginning of a head that is not complete.
    held: BytesMut,
    /// Bytes that may pass and found no room in the reader's buffer.
    cleared: BytesMut,
    /// Runs while a head is incomplete.
    deadline: Option<Pin<Box<Sleep>>>,
    state: Reading,
}

/// What reading is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// Requests.
    Requests,
    /// Nothing: a head was refused, and is being answered.
    Nothing,
    /// Nothing, and hyper is to know: a body is broken.
    EndOfFile,
}

impl<S> Guarded<S> {
    /// Guards `inner`. The service asks `guard`.
    pub fn new(inner: S, guard: Guard, limits: HeadLimits) -> Self {
        Self {
            inner,
            guard,
            limits,
            framing: Framing::Head,
            held: BytesMut::new(),
            cleared: BytesMut::new(),
            deadline: None,
            state: Reading::Requests,
        }
    }

    /// Takes back what passed and was not used.
    pub fn unread(&mut self, bytes: &[u8]) {
        self.cleared = [bytes, &self.cleared].concat().as_slice().into();
    }

    /// Waits for the client to say something, which is kept for the reader, or to end the connection.
    pub fn poll_begin(&mut self, context: &mut Context<'_>) -> Poll<()>
    where
        S: AsyncRead + Unpin,
    {
        if self.cleared.has_remaining() {
            return Poll::Ready(());
        }
        let mut first = [0; FIRST];
        let mut buffer = ReadBuf::new(&mut first);
        // The reader will meet an error, or the end, for itself.
        let _ = ready!(Pin::new(&mut self.inner).poll_read(context, &mut buffer));
        let mut bytes = std::mem::take(&mut self.held);
        bytes.extend_from_slice(buffer.filled());
        self.admit(bytes);
        Poll::Ready(())
    }

    /// Whether a reader that comes anew would miss nothing.
    fn is_quiet(&self) -> bool {
        self.state == Reading::Requests
            && matches!(self.framing, Framing::Head)
            && self.held.is_empty()
            && self.cleared.is_empty()
    }

    /// Takes in what was read: what may pass goes to `cleared`, an incomplete head stays in `held`.
    fn admit(&mut self, mut bytes: BytesMut) {
        while !bytes.is_empty() && self.state == Reading::Requests {
            match &mut self.framing {
                Framing::Undecided => {
                    // All of it came with the head, so there is no deadline to keep.
                    self.held = bytes;
                    return;
                }
                Framing::Tunnel => self.cleared.unsplit(bytes.split()),
                Framing::Head => match Head::scan(&bytes, self.limits) {
                    Ok(Head::Incomplete) => {
                        self.held = bytes;
                        return;
                    }
                    Ok(Head::Complete { length, body }) => {
                        self.cleared.unsplit(bytes.split_to(length));
                        self.framing = body;
                        self.deadline = None;
                        self.guard.pass(matches!(self.framing, Framing::Undecided));
                    }
                    Err(refusal) => self.refuse(refusal),
                },
                Framing::Length(left) => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left -= u64::try_from(here).unwrap_or(u64::MAX);
                    self.cleared.unsplit(bytes.split_to(here));
                    if *left == 0 {
                        self.framing = Framing::Head;
                    }
                }
                Framing::Chunked(chunked) => match chunked.scan(&bytes) {
                    Ok((here, done)) => {
                        self.cleared.unsplit(bytes.split_to(here));
                        if done {
                            self.framing = Framing::Head;
                        }
                    }
                    // In the middle of a body there is no place for an answer: end-of-file, and hyper gives up.
                    Err(_) => self.state = Reading::EndOfFile,
                },
            }
        }
    }

    /// The usual read, one whole head and perhaps the beginning of its body, passes as it is, without being copied.
    fn passes_whole(&mut self, read: &[u8]) -> bool {
        if !self.held.is_empty() || !matches!(self.framing, Framing::Head) {
            return false;
        }
        let Ok(Head::Complete { length, mut body }) = Head::scan(read, self.limits) else { return false };
        let behind = read.len() - length;
        match &mut body {
            _ if behind == 0 => {}
            Framing::Length(left) if u64::try_from(behind).is_ok_and(|behind| behind < *left) => {
                *left -= u64::try_from(behind).unwrap_or_default();
            }
            Framing::Length(_)
            | Framing::Chunked(_)
            | Framing::Head
            | Framing::Undecided
            | Framing::Tunnel => {
                return false;
            }
        }
        self.guard.pass(matches!(body, Framing::Undecided));
        self.framing = body;
        self.deadline = None;
        true
    }

    /// Whether a head goes on in `read` and cannot end there: it has to be looked at only when a line ends.
    fn holds_on(&mut self, read: &[u8]) -> bool {
        let within = self.held.len() + read.len() <= self.limits.bytes;
        let goes_on = within
            && !self.held.is_empty()
            && matches!(self.framing, Framing::Head)
            && !read.contains(&b'\n');
        if goes_on {
            self.held.extend_from_slice(read);
        }
        goes_on
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.guard.refuse(refusal);
        self.cleared.extend_from_slice(REPLACEMENT);
        self.held.clear();
        self.deadline = None;
        self.state = Reading::Nothing;
    }

    fn hand_out(&mut self, buffer: &mut ReadBuf<'_>) {
        let count = self.cleared.len().min(buffer.remaining());
        buffer.put_slice(&self.cleared.split_to(count));
    }

    /// Whether the head in `held` has taken too long; its timer starts here.
    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.held.is_empty() {
            self.deadline = None;
            return Poll::Pending;
        }
        let time = self.limits.time;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + time)));
        deadline.as_mut().poll(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.cleared.has_remaining() {
                this.hand_out(buffer);
                return Poll::Ready(Ok(()));
            }
            if this.state == Reading::EndOfFile || buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            if this.state != Reading::Requests {
                return poll_discard(&mut this.inner, context).map(Ok);
            }
            if matches!(this.framing, Framing::Undecided) {
                let switched = ready!(this.guard.poll_decided(context));
                this.framing = if switched { Framing::Tunnel } else { Framing::Head };
                let early = std::mem::take(&mut this.held);
                this.admit(early);
                continue;
            }
            let before = buffer.filled().len();
            match Pin::new(&mut this.inner).poll_read(context, buffer) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => match this.poll_deadline(context) {
                    Poll::Ready(()) => {
                        this.refuse(Refusal::HeaderTimeout { after: this.limits.time });
                        continue;
                    }
                    Poll::Pending => return Poll::Pending,
                },
            }
            let read = buffer.filled().get(before..).unwrap_or_default();
            if read.is_empty() {
                return Poll::Ready(Ok(()));
            }
            if matches!(this.framing, Framing::Tunnel) {
                return Poll::Ready(Ok(()));
            }
            if let Framing::Length(left) = &mut this.framing {
                // The bulk of an upload passes without being copied.
                let length = u64::try_from(read.len()).unwrap_or(u64::MAX);
                if length < *left {
                    *left -= length;
                    return Poll::Ready(Ok(()));
                }
            }
            if this.passes_whole(read) {
                return Poll::Ready(Ok(()));
            }
            if this.holds_on(read) {
                buffer.set_filled(before);
                continue;
            }
            let mut bytes = std::mem::take(&mut this.held);
            bytes.extend_from_slice(read);
            buffer.set_filled(before);
            this.admit(bytes);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.guard.set_quiet(false);
        Pin::new(&mut this.inner).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.guard.set_quiet(false);
        ready!(Pin::new(&mut this.inner).poll_flush(context))?;
        this.guard.set_quiet(this.is_quiet());
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.guard.set_quiet(false);
        Pin::new(&mut this.inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.guard.set_quiet(false);
        Pin::new(&mut this.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// Gives its bytes in pieces of `step`.
    struct Pieces {
        bytes: BytesMut,
        step: usize,
    }

    impl AsyncRead for Pieces {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let here = self.step.min(self.bytes.len()).min(buffer.remaining());
            buffer.put_slice(&self.bytes.split_to(here));
            Poll::Ready(Ok(()))
        }
    }

    /// What passes of `stream`, and how many heads that is.
    fn passes(stream: &[u8], step: usize) -> (Vec<u8>, usize) {
        let limits = HeadLimits { bytes: 500, count: 10, time: Duration::from_secs(60), upgrades: false };
        let guard = Guard::default();
        let mut guarded = Guarded::new(Pieces { bytes: stream.into(), step }, guard.clone(), limits);
        let mut passed = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(guarded.read_to_end(&mut passed)).unwrap();
        let count = guard.lock().passed;
        (passed, count)
    }

    #[test]
    fn what_passes_does_not_depend_on_where_the_reads_fall() {
        let stream = b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\
            POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\nGET /no HTTP/1.1\r\n\r\n\
            POST /chunks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n\
            GET /last HTTP/1.1\r\nHost: a\r\n\r\n";
        for step in 1..=stream.len() {
            assert_eq!(passes(stream, step), (stream.to_vec(), 4), "reads of {step}");
        }
    }

    #[test]
    fn nothing_behind_a_refused_head_passes_wherever_the_reads_fall() {
        let good = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let stream = [&good[..], b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", good].concat();
        for step in 1..=stream.len() {
            let expected = [&good[..], REPLACEMENT].concat();
            assert_eq!(passes(&stream, step), (expected, 1), "reads of {step}");
        }
    }
}
