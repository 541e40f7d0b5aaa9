//! A delta CRL: what changed since a complete one (RFC 5280 §5.2.4). It is small and read as a whole.

use super::entry::{self, Entry};
use super::head::Head;
use super::tail::Tail;
use crate::index::Revocation;
use crate::index::metadata::Metadata;
use crate::issuer::{Issuer, sha256};
use crate::number::CrlNumber;
use crate::problem::{Flaw, Problem};
use crate::reason::Reason;
use crate::serial::Serial;
use crate::signature::{self, VerifyError};
use crate::width::length_of;
use std::collections::HashMap;

/// The most bytes of a delta CRL: opening an index reads all of it.
pub const MAX_DELTA_BYTES: u32 = 16 << 20;

/// A delta CRL that is well-formed. Nobody has looked at its signature yet.
#[derive(Clone, Debug)]
pub(crate) struct Delta {
    pub(crate) head: Head,
    pub(crate) tail: Tail,
    /// The complete CRL it builds on has this number at least.
    pub(crate) base_number: CrlNumber,
    pub(crate) tbs_sha256: [u8; 32],
    /// The signed DER.
    pub(crate) der: Vec<u8>,
    changes: HashMap<Serial, Change>,
}

/// What a delta says about a serial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Revoked(Revocation),
    /// removeFromCRL: a hold was released, or the certificate expired.
    Removed,
}

/// Why a delta CRL does not go with a complete one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeltaError {
    /// The issuers' names or keys differ.
    #[error("the delta CRL is another issuer's than the base")]
    OtherIssuer,
    /// The issuing distribution points differ.
    #[error("the delta CRL has another scope than the base")]
    OtherScope,
    /// A complete CRL without a number.
    #[error("the base has no CRL number, so that nothing tells whether the delta CRL follows it")]
    NoNumber,
    /// Changes in between are missing.
    #[error(
        "the delta CRL builds on CRL number {needed}, and the base has {base}: changes in between would be missed"
    )]
    BaseTooOld {
        /// The delta's BaseCRLNumber.
        needed: CrlNumber,
        /// The base's number.
        base: CrlNumber,
    },
    /// The base is as new as the delta, or newer.
    #[error("the delta CRL has the number {delta} and the base {base}: it brings nothing new")]
    NotNewer {
        /// The delta's number.
        delta: CrlNumber,
        /// The base's number.
        base: CrlNumber,
    },
}

impl DeltaError {
    /// How to go on, in one sentence.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            DeltaError::OtherIssuer | DeltaError::OtherScope => {
                "pass the base and the delta of one CA and one partition"
            }
            DeltaError::NoNumber | DeltaError::BaseTooOld { .. } => {
                "fetch the CA's current complete CRL as the base"
            }
            DeltaError::NotNewer { .. } => "keep the base, or fetch a newer delta CRL",
        }
    }
}

impl Delta {
    /// Reads a delta CRL.
    pub(crate) fn read(der: Vec<u8>) -> Result<Delta, Flaw> {
        if der.is_empty() {
            return Err(Flaw::new(0, Problem::Empty));
        }
        let head = Head::read(der.get(..super::head::LIMIT).unwrap_or(&der))?;
        let size = length_of(head.size);
        if size > der.len() {
            return Err(Flaw::new(
                0,
                Problem::Truncated { missing: head.size - crate::width::position(der.len()) },
            ));
        }
        if size < der.len() {
            return Err(Flaw::new(head.size, Problem::Trailing { what: "the CRL" }));
        }
        let slice = |range: &std::ops::Range<u64>| {
            der.get(length_of(range.start)..length_of(range.end)).unwrap_or_default()
        };
        let tail = Tail::read_delta(slice(&(head.entries.end..head.size)), &head)?;
        if tail.extensions.is_indirect() {
            return Err(Flaw::new(head.entries.end, Problem::IndirectDelta));
        }
        let changes = changes(slice(&head.entries), &head)?;
        let base_number = tail.extensions.base_number.ok_or_else(|| Flaw::new(0, Problem::NotADelta))?;
        // RFC 5280 §5.2.3: CRLs of an issuer that has deltas are numbered.
        if tail.extensions.crl_number.is_none() {
            return Err(Flaw::new(
                head.entries.end,
                Problem::Missing { wanted: "the CRL number of a delta CRL" },
            ));
        }
        let tbs_sha256 = sha256(slice(&head.signed));
        Ok(Delta { base_number, tbs_sha256, changes, head, tail, der })
    }

    /// Proves that one of `issuers` signed it.
    pub(crate) fn verify<'a>(&self, issuers: &'a [Issuer]) -> Result<&'a Issuer, VerifyError> {
        let signed = &self.head.signed;
        let message = self.der.get(length_of(signed.start)..length_of(signed.end)).unwrap_or_default();
        signature::verify_message(&self.head, &self.tail, issuers, message)
    }

    /// Whether it may be applied to the complete CRL that `base` describes (RFC 5280 §5.2.4 (a) to (d)). That the keys
    /// are the same, the signatures tell.
    pub(crate) fn follows(&self, base: &Metadata) -> Result<(), DeltaError> {
        if self.head.issuer != base.issuer_der {
            return Err(DeltaError::OtherIssuer);
        }
        if self.tail.extensions.scope != base.scope {
            return Err(DeltaError::OtherScope);
        }
        let number = base.crl_number.ok_or(DeltaError::NoNumber)?;
        let delta = self.tail.extensions.crl_number.ok_or(DeltaError::NoNumber)?;
        if number < self.base_number {
            return Err(DeltaError::BaseTooOld { needed: self.base_number, base: number });
        }
        if number >= delta {
            return Err(DeltaError::NotNewer { delta, base: number });
        }
        Ok(())
    }

    /// Bytes of memory that it takes, about.
    pub(crate) fn memory(&self) -> usize {
        self.der.len() + self.changes.capacity() * size_of::<(Serial, Change)>()
    }

    /// What it changes about a serial.
    pub(crate) fn change(&self, serial: &Serial) -> Option<Change> {
        self.changes.get(serial).copied()
    }

    /// All that it lists, ordered by serial.
    pub(crate) fn changes(&self) -> Vec<(Serial, Change)> {
        let mut changes: Vec<_> = self.changes.iter().map(|(serial, change)| (*serial, *change)).collect();
        changes.sort_unstable_by(|(a, _), (b, _)| a.as_der_content().cmp(b.as_der_content()));
        changes
    }
}

fn changes(mut entries: &[u8], head: &Head) -> Result<HashMap<Serial, Change>, Flaw> {
    let mut at = head.entries.start;
    let mut changes = HashMap::new();
    while !entries.is_empty() {
        let entry = Entry::read_of_delta(entries.get(..entry::LIMIT).unwrap_or(entries), at)?;
        if entry.has_extensions && !head.v2 {
            return Err(Flaw::new(at, Problem::ExtensionsInV1));
        }
        if entry.issuer.is_some() {
            return Err(Flaw::new(at, Problem::NotIndirect));
        }
        let serial = Serial::from_der_content(entry.serial).map_err(|error| Flaw::new(at, error.into()))?;
        let change = match entry.reason {
            Some(Reason::RemoveFromCrl) => Change::Removed,
            _ => Change::Revoked(Revocation::of(&entry)),
        };
        // Whether the serial is revoked would depend on which of the two counts.
        if changes.insert(serial, change).is_some_and(|earlier| earlier != change) {
            return Err(Flaw::new(at, Problem::Contradiction));
        }
        entries = entries.get(entry.size..).unwrap_or_default();
        at += crate::width::position(entry.size);
    }
    Ok(changes)
}
