//! The index: a file that answers whether a serial is revoked (specified in `FORMAT.md`).

pub(crate) mod build;
pub(crate) mod entries;
pub(crate) mod error;
mod export;
pub(crate) mod header;
mod issuers;
pub(crate) mod line;
pub(crate) mod metadata;
mod open;
pub(crate) mod prove;
pub(crate) mod seal;
pub(crate) mod status;
pub(crate) mod table;

use crate::crl::delta::{Change, Delta};
use crate::crl::entry::{self, Entry};
use crate::crl::head::Head;
use crate::crl::scope::Gap;
use crate::crl::stored::Stored;
use crate::memory::Memory;
use crate::problem::Problem;
use crate::reason::Reason;
use crate::serial::Serial;
use crate::watch::Watch;
use crate::width::length;
use error::LookupError;
use header::Header;
use issuers::Issuers;
use line::{Hash, Line};
use metadata::Metadata;
use seal::Seal;
use std::path::PathBuf;
use time::OffsetDateTime;

/// Bytes of an entry that one read fetches; more are fetched in the rare case that an entry is longer.
const USUAL_ENTRY: usize = 128;

/// An open index: lines and offsets in memory, the CRL read from the file when a fingerprint matches.
///
/// Everything in memory was checked when the file was opened, so that a lookup cannot panic. Replace the file only by
/// renaming another one over it: this index then keeps reading the old file.
#[derive(Debug)]
pub struct Index {
    path: PathBuf,
    crl: Stored,
    header: Header,
    head: Head,
    metadata: Metadata,
    seed: u64,
    /// The lines as they stand in the file, each in one cache line of the processor.
    lane: Memory,
    /// Of each serial in the order of the lines, where its entry lies in the CRL.
    offsets: Memory,
    /// Whose certificates the entries are about.
    issuers: Issuers,
    /// What changed since the CRL.
    delta: Option<Box<Delta>>,
    /// Who signed the index.
    seal: Option<Box<Seal>>,
    watch: Watch,
}

/// The answer to a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The CRL covers the certificate and does not list it.
    NotRevoked,
    /// The CRL lists it.
    Revoked(Revocation),
    /// The CRL does not list it and, for this reason, could not be expected to. Never take it for good.
    NotCovered(Gap),
}

/// What the CRL says about a revoked certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The reason, if the CRL gives one.
    pub reason: Option<Reason>,
    /// Since when it is revoked.
    pub date: OffsetDateTime,
}

impl Revocation {
    pub(crate) fn of(entry: &Entry<'_>) -> Revocation {
        Revocation { reason: entry.reason, date: entry.date.to_date_time() }
    }
}

impl Index {
    /// Whether a file that starts with `bytes` is an index (of whatever version) rather than a CRL. Eight are enough.
    #[must_use]
    pub fn is_index(bytes: &[u8]) -> bool {
        Header::is_at(bytes)
    }

    /// What the index says about its CRL.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Tells `watch` how much of the CRL was read, whenever all of it is.
    #[must_use]
    pub fn watched(self, watch: Watch) -> Index {
        Index { watch, ..self }
    }

    /// Bytes of the index's file.
    #[must_use]
    pub fn file_size(&self) -> u64 {
        self.header.file_size()
    }

    /// Bytes of memory that the index holds while it is open.
    #[must_use]
    pub fn memory(&self) -> usize {
        let delta = self.delta.as_ref().map_or(0, |delta| delta.memory());
        let changes = size_of_val(self.issuers.changes.as_slice());
        self.lane.bytes().len() + self.offsets.bytes().len() + changes + delta
    }

    /// Looks a serial up. Exact: a match of fingerprints is confirmed against the serial in the CRL. A CRL that is limited
    /// in scope never answers that a serial is not revoked: ask it with [`Index::status`].
    ///
    /// # Errors
    /// The file could not be read or changed since it was opened. There is no answer then, and the certificate must
    /// be refused.
    pub fn lookup(&self, serial: &Serial) -> Result<Lookup, LookupError> {
        Ok(match self.listed(serial)? {
            Some(revocation) => Lookup::Revoked(revocation),
            None if self.metadata.scope.is_some() => Lookup::NotCovered(Gap::SerialOnly),
            None => Lookup::NotRevoked,
        })
    }

    /// What the CRL lists for a serial of its own issuer. Nothing means `not revoked` only where the CRL covers the certificate
    /// ([`Index::covers`]).
    ///
    /// # Errors
    /// As [`Index::lookup`].
    pub fn listed(&self, serial: &Serial) -> Result<Option<Revocation>, LookupError> {
        match self.delta.as_ref().and_then(|delta| delta.change(serial)) {
            Some(Change::Revoked(revocation)) => Ok(Some(revocation)),
            Some(Change::Removed) => Ok(None),
            None => Ok(self.find(None, serial)?.map(|(_, revocation)| revocation)),
        }
    }

    /// As [`Index::listed`], for a serial of `issuer` (a DER `Name`; `None`: the CRL's own issuer). Only an indirect CRL
    /// lists anything of another one.
    ///
    /// # Errors
    /// As [`Index::lookup`].
    pub fn listed_of(
        &self,
        issuer: Option<&[u8]>,
        serial: &Serial,
    ) -> Result<Option<Revocation>, LookupError> {
        match issuer {
            Some(name) if name != self.head.issuer => {
                Ok(self.find(issuer, serial)?.map(|(_, revocation)| revocation))
            }
            _ => self.listed(serial),
        }
    }

    /// What the complete CRL says about a serial of `issuer` (`None`: of its own), and where.
    fn find(&self, issuer: Option<&[u8]>, serial: &Serial) -> Result<Option<(u32, Revocation)>, LookupError> {
        let hash = Hash::of(serial.as_der_content(), issuers::seed_of(issuer, self.seed));
        let home = hash.home(self.header.home_lines);
        let lines = self.lane.pieces().get(length(home)..).unwrap_or_default();
        for (number, bytes) in (home..).zip(lines) {
            if Line::may_hold(bytes, hash.fingerprint) {
                let found = self.find_in(&Line::of(bytes), number, hash, (issuer, serial))?;
                if found.is_some() {
                    return Ok(found);
                }
            }
            if !Line::overflows(bytes) {
                break;
            }
        }
        Ok(None)
    }

    /// What the complete CRL says about a certificate if its serial is in line `number`. Kept apart from the search for a
    /// line, which is nearly all that a lookup of a good certificate is: preparing for this would double it.
    #[inline(never)]
    fn find_in(
        &self,
        line: &Line,
        number: u32,
        hash: Hash,
        identity: (Option<&[u8]>, &Serial),
    ) -> Result<Option<(u32, Revocation)>, LookupError> {
        let mut matches = line.matches(hash.fingerprint);
        while matches != 0 {
            let found = self.confirm(line.before + matches.trailing_zeros(), number, hash, identity)?;
            if found.is_some() {
                return Ok(found);
            }
            matches &= matches - 1;
        }
        Ok(None)
    }

    /// Compares issuer and serial with those of entry `number`, whose fingerprint in line `line` matched.
    fn confirm(
        &self,
        number: u32,
        line: u32,
        hash: Hash,
        (issuer, serial): (Option<&[u8]>, &Serial),
    ) -> Result<Option<(u32, Revocation)>, LookupError> {
        // The lines count as many serials as there are offsets, and every offset lies in the entries.
        let offset = self.offsets.pieces().get(length(number)).copied().map_or(0, u32::from_le_bytes);
        let changed = LookupError::Changed { offset };
        let mut usual = [0; USUAL_ENTRY];
        let mut large = Vec::new();
        let Some(bytes) = self.entry_bytes(offset, &mut usual)? else { return Err(changed) };
        let entry = match Entry::read(bytes, u64::from(offset)) {
            Err(flaw) if matches!(flaw.problem, Problem::Overrun { .. }) => {
                large.resize(entry::LIMIT, 0);
                let Some(bytes) = self.entry_bytes(offset, &mut large)? else { return Err(changed) };
                Entry::read(bytes, u64::from(offset))
            }
            other => other,
        };
        let Ok(entry) = entry else { return Err(changed) };
        let found_issuer = self.issuers.at(&self.crl, &self.header.crl_entries, offset)?;
        if entry.serial == serial.as_der_content() && found_issuer.as_deref() == issuer {
            return Ok(Some((offset, Revocation::of(&entry))));
        }
        // Another serial with the same fingerprint. If it does not belong here, the CRL changed under the index, and
        // the serial that was here may be the one asked for.
        let found = Hash::of(entry.serial, issuers::seed_of(found_issuer.as_deref(), self.seed));
        if found.fingerprint == hash.fingerprint && found.home(self.header.home_lines) <= line {
            Ok(None)
        } else {
            Err(changed)
        }
    }

    /// Fills `buffer` with the bytes at `offset` of the CRL, not reading past its entries.
    fn entry_bytes<'a>(&self, offset: u32, buffer: &'a mut [u8]) -> Result<Option<&'a [u8]>, LookupError> {
        let entries = &self.header.crl_entries;
        if !entries.contains(&offset) {
            return Ok(None);
        }
        let available = length(entries.end - offset).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..available) else { return Ok(None) };
        self.crl.read_exact_at(buffer, u64::from(offset))?;
        Ok(Some(buffer))
    }
}
