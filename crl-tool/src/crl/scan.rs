//! The one pass over a CRL: its bytes are hashed, checked entry by entry and, if asked for, stored on the way.

use super::entry::{self, Entry};
use super::head::{self, Head};
use super::stored::Stored;
use super::tail::{self, Tail};
use super::window::Window;
use crate::problem::{Flaw, Problem};
use crate::signature::Scheme;
use crate::width::{length_of, offset, position};
use aws_lc_rs::digest::{Context, Digest, SHA256};
use std::io::{self, Read};

/// A CRL whose entries are being read.
pub(crate) struct Scan<R> {
    window: Window<R>,
    head: Head,
    /// The bytes before the first entry.
    before: Vec<u8>,
    scheme: Option<&'static Scheme>,
    /// Bytes of the entry that was handed out last.
    current: usize,
    /// Where the first entry lies that names a certificate issuer.
    attributed: Option<u64>,
    entries: u32,
}

/// A CRL that was read to its end and is well-formed. Nobody has looked at its signature yet.
pub(crate) struct Scanned {
    pub(crate) head: Head,
    pub(crate) tail: Tail,
    pub(crate) frame: Frame,
    /// Entries, a serial that is listed twice counted twice.
    pub(crate) entries: u32,
    /// SHA-256 of the signed part.
    pub(crate) tbs_sha256: Digest,
    /// The digest that the signature is over; `None` for algorithms that sign the message itself.
    pub(crate) digest: Option<Digest>,
    /// How it is signed; `None` for an algorithm nobody here knows.
    pub(crate) scheme: Option<&'static Scheme>,
}

/// A CRL without its entries.
pub(crate) struct Frame {
    pub(crate) before: Vec<u8>,
    pub(crate) after: Vec<u8>,
}

impl<R: Read> Scan<R> {
    /// Reads a CRL up to its first entry.
    pub(crate) fn start(source: R, max_bytes: u32) -> Result<Scan<R>, Flaw> {
        let mut window = Window::new(source);
        let bytes = window.fill(head::LIMIT).map_err(|problem| Flaw::new(0, problem))?;
        if bytes.is_empty() {
            return Err(Flaw::new(0, Problem::Empty));
        }
        let bytes = bytes.get(..head::LIMIT).unwrap_or(bytes);
        let head = Head::read(bytes)?;
        if head.size > u64::from(max_bytes) {
            return Err(Flaw::new(0, Problem::TooLarge { size: head.size, limit: max_bytes }));
        }
        let start = length_of(head.entries.start);
        let before = bytes.get(..start).unwrap_or_default().to_vec();
        let scheme = Scheme::of(&head.algorithm);
        let mut digests = vec![Context::new(&SHA256)];
        if let Some(hash) = scheme.and_then(|scheme| scheme.hash).filter(|&hash| *hash != SHA256) {
            digests.push(Context::new(hash));
        }
        window.tap(head.signed.clone(), digests);
        window.consume(start);
        Ok(Scan { window, head, before, scheme, current: 0, attributed: None, entries: 0 })
    }

    /// Copies the CRL to `store` on the way. Call it before the first entry.
    ///
    /// # Errors
    /// There is no space for it.
    pub(crate) fn store_in(&mut self, store: Stored) -> io::Result<()> {
        store.reserve(self.head.size)?;
        self.window.store_in(store);
        Ok(())
    }

    /// Whether the signature is over the message instead of its hash, so that the CRL must be kept to verify it.
    pub(crate) fn signs_message(&self) -> bool {
        self.scheme.is_some_and(|scheme| scheme.hash.is_none())
    }

    /// The issuer's name, as DER.
    pub(crate) fn issuer(&self) -> &[u8] {
        &self.head.issuer
    }

    /// The bytes before the first entry.
    pub(crate) fn before_entries(&self) -> &[u8] {
        &self.before
    }

    /// Bytes of all entries.
    pub(crate) fn entries_size(&self) -> usize {
        length_of(self.head.entries.end - self.head.entries.start)
    }

    /// Calls `visit` for each entry that was not read yet, with where it lies in the CRL.
    pub(crate) fn each_entry(&mut self, mut visit: impl FnMut(u32, &Entry<'_>)) -> Result<(), Flaw> {
        loop {
            self.each_common_entry(&mut visit);
            match self.next_entry()? {
                Some((offset, entry)) => visit(offset, &entry),
                None => return Ok(()),
            }
        }
    }

    /// Visits the common entries that lie in the window, up to the first one that does not.
    fn each_common_entry(&mut self, visit: &mut impl FnMut(u32, &Entry<'_>)) {
        self.window.consume(self.current);
        self.current = 0;
        let at = self.window.offset();
        let left = length_of(self.head.entries.end - at);
        let bytes = self.window.unread();
        let bytes = bytes.get(..left).unwrap_or(bytes);
        let mut rest = bytes;
        while let Some(entry) = Entry::common(rest).filter(|entry| self.head.v2 || !entry.has_extensions) {
            visit(offset(at + position(bytes.len() - rest.len())), &entry);
            self.entries += 1;
            rest = rest.get(entry.size..).unwrap_or_default();
        }
        let read = bytes.len() - rest.len();
        self.window.consume(read);
    }

    /// The next entry and where it lies in the CRL.
    pub(crate) fn next_entry(&mut self) -> Result<Option<(u32, Entry<'_>)>, Flaw> {
        self.window.consume(self.current);
        self.current = 0;
        let at = self.window.offset();
        let left = length_of(self.head.entries.end - at);
        if left == 0 {
            return Ok(None);
        }
        let bytes = self.window.fill(left.min(entry::LIMIT)).map_err(|problem| Flaw::new(at, problem))?;
        let bytes = bytes.get(..left.min(entry::LIMIT)).unwrap_or(bytes);
        let entry = Entry::read(bytes, at).map_err(|flaw| {
            flaw.cut_off("an entry", bytes.len(), entry::LIMIT, position(left - bytes.len()))
        })?;
        if entry.has_extensions && !self.head.v2 {
            return Err(Flaw::new(at, Problem::ExtensionsInV1));
        }
        if entry.issuer.is_some() {
            self.attributed.get_or_insert(at);
        }
        self.current = entry.size;
        self.entries += 1;
        Ok(Some((offset(at), entry)))
    }

    /// Reads what follows the entries, all of which must have been read.
    pub(crate) fn finish(mut self) -> Result<Scanned, Flaw> {
        let at = self.window.offset();
        let left = length_of(self.head.size - at);
        if left > tail::LIMIT {
            return Err(Flaw::new(at, Problem::PartTooLarge { part: "a trailer", limit: tail::LIMIT }));
        }
        // One byte more shows whether anything follows.
        let bytes = self.window.fill(left + 1).map_err(|problem| Flaw::new(at, problem))?;
        let Some(after) = bytes.get(..left) else {
            return Err(Flaw::new(at, Problem::Truncated { missing: position(left - bytes.len()) }));
        };
        if bytes.len() > left {
            return Err(Flaw::new(self.head.size, Problem::Trailing { what: "the CRL" }));
        }
        let after = after.to_vec();
        let tail = Tail::read(&after, &self.head)?;
        // RFC 5280 §5.2.5: without the flag, all entries are of the CRL's own issuer.
        if let Some(at) = self.attributed.filter(|_| !tail.extensions.is_indirect()) {
            return Err(Flaw::new(at, Problem::NotIndirect));
        }
        self.window.consume(left);
        let digests = self.window.finish().map_err(|problem| Flaw::new(at, problem))?;
        let [tbs_sha256, others @ ..] = digests.as_slice() else {
            return Err(Flaw::new(at, Problem::Missing { wanted: "a digest" }));
        };
        let digest =
            self.scheme.and_then(|scheme| scheme.hash).map(|_hash| *others.first().unwrap_or(tbs_sha256));
        Ok(Scanned {
            head: self.head,
            tail,
            frame: Frame { before: self.before, after },
            entries: self.entries,
            tbs_sha256: *tbs_sha256,
            digest,
            scheme: self.scheme,
        })
    }
}
