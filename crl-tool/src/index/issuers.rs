//! Whose certificates the entries of an indirect CRL are (FORMAT.md, section 5). An entry that names the issuer of its
//! certificate names it for the entries after it, too (RFC 5280 §5.3.3), so that the last change before an entry counts.

use super::error::LookupError;
use crate::crl::entry::{self, Entry};
use crate::crl::stored::Stored;
use crate::width::length;
use std::io;
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Bytes that one read of an entry with a name fetches; more are fetched in the rare case that it is longer.
const USUAL: usize = 512;

/// The issuers of the certificates that a CRL lists. Below, `None` stands for the CRL's own issuer.
#[derive(Debug)]
pub(crate) struct Issuers {
    /// The CRL's own, as DER `Name`.
    own: Vec<u8>,
    /// Where the entries lie that change the issuer. Empty unless the CRL is indirect.
    pub(crate) changes: Vec<u32>,
}

impl Issuers {
    pub(crate) fn new(own: &[u8], changes: Vec<u32>) -> Issuers {
        Issuers { own: own.to_vec(), changes }
    }

    fn unless_own<'a>(&self, name: &'a [u8]) -> Option<&'a [u8]> {
        Some(name).filter(|name| *name != self.own)
    }

    /// The issuer of the certificate that the entry at `offset` of `crl` is about.
    pub(crate) fn at(
        &self,
        crl: &Stored,
        entries: &Range<u32>,
        offset: u32,
    ) -> Result<Option<Vec<u8>>, LookupError> {
        let after = self.changes.partition_point(|&change| change <= offset);
        let Some(&change) = after.checked_sub(1).and_then(|last| self.changes.get(last)) else {
            return Ok(None);
        };
        let name = name_at(crl, entries, change)?.ok_or(LookupError::Changed { offset: change })?;
        Ok(self.unless_own(&name).map(<[u8]>::to_vec))
    }
}

/// The issuer of the entry at hand, while a CRL is read from its start.
#[derive(Debug)]
pub(crate) struct Attribution {
    pub(crate) issuers: Issuers,
    current: Option<Vec<u8>>,
}

impl Attribution {
    /// Before the first entry of a CRL by `own`.
    pub(crate) fn new(own: &[u8]) -> Attribution {
        Attribution { issuers: Issuers::new(own, Vec::new()), current: None }
    }

    /// Goes on to the entry at `offset`. Whether the issuer is another one now.
    #[inline]
    pub(crate) fn note(&mut self, offset: u32, entry: &Entry<'_>) -> bool {
        entry.issuer.is_some_and(|name| self.change(offset, name))
    }

    fn change(&mut self, offset: u32, name: &[u8]) -> bool {
        let issuer = self.issuers.unless_own(name);
        let changes = issuer != self.current.as_deref();
        if changes {
            self.issuers.changes.push(offset);
            self.current = issuer.map(<[u8]>::to_vec);
        }
        changes
    }

    pub(crate) fn current(&self) -> Option<&[u8]> {
        self.current.as_deref()
    }
}

/// The seed under which serials of `issuer` are hashed where those of the CRL's own have `seed`: one serial of many
/// issuers must not crowd one line.
pub(crate) fn seed_of(issuer: Option<&[u8]>, seed: u64) -> u64 {
    issuer.map_or(seed, |name| xxh3_64_with_seed(name, seed))
}

/// The name that the entry at `offset` gives as its certificate's issuer, if it gives one.
fn name_at(crl: &Stored, entries: &Range<u32>, offset: u32) -> io::Result<Option<Vec<u8>>> {
    let available = length(entries.end.saturating_sub(offset));
    let mut bytes = Vec::new();
    for limit in [USUAL, entry::LIMIT] {
        bytes.resize(available.min(limit), 0);
        crl.read_exact_at(&mut bytes, u64::from(offset))?;
        if let Ok(entry) = Entry::read(&bytes, u64::from(offset)) {
            return Ok(entry.issuer.map(<[u8]>::to_vec));
        }
    }
    Ok(None)
}
