//! A window that slides over a CRL of any size. What leaves it is hashed and, if asked for, stored.

use super::stored::Stored;
use crate::problem::Problem;
use crate::width::{length_of, position};
use aws_lc_rs::digest::{Context, Digest};
use std::io::{self, Read};
use std::ops::Range;

/// Bytes of the window: several times the largest part of a CRL that must lie in it as a whole, and little enough to
/// stay in the processor's second-level cache.
const SIZE: usize = 256 * 1024;

/// The window.
pub(crate) struct Window<R> {
    source: R,
    buffer: Vec<u8>,
    /// The part of `buffer` that was read and not consumed.
    unread: Range<usize>,
    /// Where `unread` starts in the CRL.
    offset: u64,
    ended: bool,
    tap: Tap,
}

/// What happens to the bytes that leave the window.
#[derive(Default)]
struct Tap {
    /// The part of the CRL that is hashed.
    signed: Range<u64>,
    digests: Vec<Context>,
    /// Takes the whole CRL.
    store: Option<Stored>,
}

impl<R: Read> Window<R> {
    pub(crate) fn new(source: R) -> Window<R> {
        Window { source, buffer: vec![0; SIZE], unread: 0..0, offset: 0, ended: false, tap: Tap::default() }
    }

    /// Where the unread bytes start in the CRL.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Hashes the bytes of `signed` as they leave. Call it before the window moves.
    pub(crate) fn tap(&mut self, signed: Range<u64>, digests: Vec<Context>) {
        self.tap.signed = signed;
        self.tap.digests = digests;
    }

    /// Copies everything that leaves to `store`. Call it before the window moves.
    pub(crate) fn store_in(&mut self, store: Stored) {
        self.tap.store = Some(store);
    }

    /// The unread bytes at hand.
    pub(crate) fn unread(&self) -> &[u8] {
        self.buffer.get(self.unread.clone()).unwrap_or_default()
    }

    /// At least `wanted` unread bytes, or all there are before the input's end.
    #[inline]
    pub(crate) fn fill(&mut self, wanted: usize) -> Result<&[u8], Problem> {
        if self.unread.len() < wanted && !self.ended {
            self.read(wanted)?;
        }
        Ok(self.unread())
    }

    fn read(&mut self, wanted: usize) -> Result<(), Problem> {
        self.slide()?;
        while self.unread.len() < wanted {
            let free = self.buffer.get_mut(self.unread.end..).unwrap_or_default();
            match self.source.read(free) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(count) => self.unread.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Marks `count` of the unread bytes as done with.
    #[inline]
    pub(crate) fn consume(&mut self, count: usize) {
        self.unread.start = self.unread.start.saturating_add(count).min(self.unread.end);
        self.offset += position(count);
    }

    /// Hands the consumed bytes to the tap and moves the others to the front.
    fn slide(&mut self) -> Result<(), Problem> {
        let consumed = self.buffer.get(..self.unread.start).unwrap_or_default();
        self.tap.take(consumed, self.offset - position(consumed.len()))?;
        self.buffer.copy_within(self.unread.clone(), 0);
        self.unread = 0..self.unread.len();
        Ok(())
    }

    /// The digests, once all was consumed.
    pub(crate) fn finish(mut self) -> Result<Vec<Digest>, Problem> {
        self.slide()?;
        Ok(self.tap.digests.into_iter().map(Context::finish).collect())
    }
}

impl Tap {
    fn take(&mut self, bytes: &[u8], offset: u64) -> Result<(), Problem> {
        if let Some(store) = &self.store {
            store.write_all_at(bytes, offset).map_err(Problem::Store)?;
        }
        let within = |at: u64| length_of(at.saturating_sub(offset)).min(bytes.len());
        if let Some(signed) = bytes.get(within(self.signed.start)..within(self.signed.end)) {
            self.digests.iter_mut().for_each(|digest| digest.update(signed));
        }
        Ok(())
    }
}
