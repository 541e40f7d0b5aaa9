//! Going through all entries of an index.

use super::error::{Fault, LookupError, OpenError};
use super::issuers::Attribution;
use super::{Index, Revocation};
use crate::crl::delta::Change;
use crate::crl::scan::Scan;
use crate::crl::stored::Stored;
use crate::problem::Flaw;
use crate::serial::Serial;
use crate::watch::Watched;
use crate::width::{length_of, position};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;

/// Why not all entries could be gone through.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EntriesError {
    /// The index is damaged.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The index is damaged.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The CRL lists certificates of several issuers.
    #[error("an indirect CRL: serial numbers alone do not tell which of its certificates they mean")]
    Indirect,
    /// What was to be written could not be.
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

impl EntriesError {
    /// How to go on, in one sentence.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            EntriesError::Indirect => {
                "leave JSON out, or convert it to der or pem, which say whose certificates are revoked"
            }
            EntriesError::Open(_) | EntriesError::Lookup(_) | EntriesError::Write(_) => {
                "check the space and the permissions where the file goes, and build the index again"
            }
        }
    }
}

/// A revoked certificate.
#[derive(Clone, Debug)]
pub struct Revoked<'a> {
    /// Its issuer's name (DER); `None` for the CRL's own issuer.
    pub issuer: Option<&'a [u8]>,
    /// Its serial number.
    pub serial: Serial,
    /// Since when and why.
    pub revocation: Revocation,
}

impl Index {
    /// Calls `visit` for each revoked certificate, once, in the order of the CRL, and then for those of a delta CRL.
    ///
    /// # Errors
    /// The index is damaged, or `visit` failed.
    pub fn each_entry<E>(&self, mut visit: impl FnMut(&Revoked<'_>) -> Result<(), E>) -> Result<(), E>
    where
        E: From<OpenError> + From<LookupError>,
    {
        let refused = |flaw: Flaw| OpenError { path: self.path.clone(), fault: Fault::from(flaw) };
        let mut scan = self.scan().map_err(refused)?;
        let mut attribution = Attribution::new(&self.head.issuer);
        while let Some((offset, entry)) = scan.next_entry().map_err(refused)? {
            let serial = Serial::from_der_content(entry.serial)
                .map_err(|error| refused(Flaw::new(u64::from(offset), error.into())))?;
            attribution.note(offset, &entry);
            let issuer = attribution.current();
            // Where the CRL repeats serials, the index has the first entry of each.
            let repeats = self.header.listed > self.header.entries
                && self.find(issuer, &serial)?.is_none_or(|(first, _)| first != offset);
            let changed = self.delta.as_ref().is_some_and(|delta| delta.change(&serial).is_some());
            if !repeats && !changed {
                visit(&Revoked { issuer, serial, revocation: Revocation::of(&entry) })?;
            }
        }
        for (serial, change) in self.delta.iter().flat_map(|delta| delta.changes()) {
            if let Change::Revoked(revocation) = change {
                visit(&Revoked { issuer: None, serial, revocation })?;
            }
        }
        Ok(())
    }

    /// Writes the JSON cache that Lambda authorizers read: a flat object whose keys are `0x` and the serial in
    /// lower-case hexadecimal without leading zeros, and whose values are empty strings.
    ///
    /// # Errors
    /// The index is damaged, its CRL lists certificates of several issuers, or `out` cannot be written to.
    pub fn write_json_cache(&self, mut out: impl Write) -> Result<(), EntriesError> {
        let mut separator = "{";
        self.each_entry(|revoked| {
            if revoked.issuer.is_some() {
                return Err(EntriesError::Indirect);
            }
            write!(out, "{separator}\"{}\": \"\"", json_key(&revoked.serial))?;
            separator = ", ";
            Ok::<(), EntriesError>(())
        })?;
        if separator == "{" {
            out.write_all(b"{")?;
        }
        out.write_all(b"}")?;
        Ok(out.flush()?)
    }

    /// Reads the CRL from its start.
    pub(super) fn scan(&self) -> Result<Scan<Watched<Section<'_>>>, Flaw> {
        let embedded = Section { crl: &self.crl, at: 0, end: u64::from(self.header.crl_size) };
        let embedded = Watched { reader: embedded, watch: self.watch.clone() };
        Scan::start(embedded, self.header.crl_size)
    }
}

/// The serial as Python's `hex` writes it.
fn json_key(serial: &Serial) -> String {
    let text = serial.to_string();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
    let digits = digits.strip_prefix('0').filter(|rest| !rest.is_empty()).unwrap_or(digits);
    format!("{sign}0x{digits}")
}

/// A part of a file, counted from where its CRL starts.
pub(super) struct Section<'a> {
    pub(super) crl: &'a Stored,
    pub(super) at: u64,
    pub(super) end: u64,
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = length_of(self.end - self.at).min(buffer.len());
        let count =
            self.crl.file.read_at(buffer.get_mut(..wanted).unwrap_or_default(), self.crl.start + self.at)?;
        self.at += position(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keys_are_those_of_python() {
        for (hex, key) in [("00", "0x0"), ("0a", "0xa"), ("10", "0x10"), ("0abc", "0xabc"), ("-01", "-0x1")] {
            assert_eq!(json_key(&Serial::from_hex(hex).unwrap()), key);
        }
    }
}
