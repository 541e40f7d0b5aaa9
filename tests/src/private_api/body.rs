//! Response bodies: a whole one, a long stream, and one that breaks off.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use aws_lc_rs::digest;
use bytes::Bytes;
use hyper::body::Frame;

use crate::hex;

/// A repeated block; its prime length keeps it out of step with every buffer size.
const BLOCK_BYTES: usize = 65_521;

/// What a response carries.
pub(super) enum Body {
    Full(Option<Bytes>),
    Pattern {
        block: Bytes,
        remaining: u64,
    },
    CutShort(Cut),
    /// Some bytes, and then nothing any more.
    Stalled(Option<Bytes>),
    /// No data, then these.
    Trailers(Option<http::HeaderMap>),
}

/// How far a body that breaks off has come.
pub(super) enum Cut {
    Fresh,
    /// The first bytes must leave before the connection breaks, or the client sees no response at all.
    Flushing,
    Broken,
}

impl Body {
    pub(super) fn full(bytes: impl Into<Bytes>) -> Self {
        Self::Full(Some(bytes.into()))
    }

    /// `length` bytes, made as they are read.
    pub(super) fn pattern(length: u64) -> Self {
        Self::Pattern { block: block(), remaining: length }
    }

    /// A few bytes, and nothing after them.
    pub(super) fn stalled() -> Self {
        Self::Stalled(Some(Bytes::from_static(b"and then it sto")))
    }

    /// A few bytes, then an error that ends the connection.
    pub(super) fn cut_short() -> Self {
        Self::CutShort(Cut::Fresh)
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let bytes = match self.get_mut() {
            Self::Full(bytes) => bytes.take(),
            Self::Pattern { remaining: 0, .. } => None,
            Self::Pattern { block, remaining } => Some(take(block, remaining)),
            Self::Stalled(bytes @ Some(_)) => bytes.take(),
            Self::Stalled(None) => return Poll::Pending,
            Self::CutShort(cut @ Cut::Fresh) => {
                *cut = Cut::Flushing;
                Some(Bytes::from_static(b"and then it brea"))
            }
            Self::CutShort(cut @ Cut::Flushing) => {
                *cut = Cut::Broken;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Self::Trailers(trailers) => {
                return Poll::Ready(trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
            }
            Self::CutShort(Cut::Broken) => {
                return Poll::Ready(Some(Err(io::Error::other("broke off as asked"))));
            }
        };
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(bytes) => bytes.is_none(),
            Self::Pattern { remaining, .. } => *remaining == 0,
            Self::CutShort(_) | Self::Stalled(_) => false,
            Self::Trailers(trailers) => trailers.is_none(),
        }
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match self {
            Self::Full(Some(bytes)) => hyper::body::SizeHint::with_exact(length(bytes)),
            Self::Full(None) => hyper::body::SizeHint::with_exact(0),
            Self::Pattern { remaining, .. } => hyper::body::SizeHint::with_exact(*remaining),
            Self::CutShort(_) | Self::Stalled(_) | Self::Trailers(_) => hyper::body::SizeHint::default(),
        }
    }
}

/// SHA-256, in hex, of the first `length` bytes that `/bytes/{length}` sends.
#[must_use]
pub fn pattern_sha256(length: u64) -> String {
    let (block, mut remaining) = (block(), length);
    let mut hash = digest::Context::new(&digest::SHA256);
    while remaining > 0 {
        hash.update(&take(&block, &mut remaining));
    }
    hex(hash.finish().as_ref())
}

fn block() -> Bytes {
    (0..=u8::MAX).cycle().take(BLOCK_BYTES).collect()
}

/// The next piece of the pattern: a whole block, or what is left.
fn take(block: &Bytes, remaining: &mut u64) -> Bytes {
    let size = usize::try_from(*remaining).map_or(block.len(), |left| left.min(block.len()));
    let piece = block.slice(..size);
    *remaining -= length(&piece);
    piece
}

fn length(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
