//! What an index says about its CRL.

use super::error::Fault;
use crate::crl::delta::{Change, Delta};
use crate::crl::head::Head;
use crate::crl::scope::Scope;
use crate::crl::tail::Tail;
use crate::issuer::{IssuerId, sha256};
use crate::name;
use crate::number::CrlNumber;
use crate::width::position;
use time::OffsetDateTime;

/// What an index says about its CRL, read from the signed DER itself.
#[derive(Clone, Debug)]
pub struct Metadata {
    /// The issuer's name, as RFC 4514 writes it.
    pub issuer: String,
    /// The issuer's name, as DER.
    pub issuer_der: Vec<u8>,
    /// The issuer by name and key.
    pub issuer_id: IssuerId,
    /// The key identifier the CRL gives for its issuer, if it gives one.
    pub authority_key_id: Option<Vec<u8>>,
    /// The CRL's number. RFC 5280 §5.2.3 requires it, old CAs leave it out.
    pub crl_number: Option<CrlNumber>,
    /// When the CRL was issued.
    pub this_update: OffsetDateTime,
    /// When the next CRL is due at the latest. RFC 5280 §5.1.2.5 requires it, some CAs leave it out.
    pub next_update: Option<OffsetDateTime>,
    /// Revoked certificates. A serial that the CRL lists twice counts once.
    pub entries: u64,
    /// Entries of the CRL; more than `entries` if it lists a serial again. What it says first counts.
    pub listed: u64,
    /// Which of its issuer's certificates the CRL is about; `None` for all of them.
    pub scope: Option<Scope>,
    /// SHA-256 of the CRL's signed part: the same for every encoding and copy of one CRL.
    pub tbs_sha256: [u8; 32],
    /// Bytes of the CRL in DER.
    pub crl_bytes: u64,
    /// The delta CRL that is applied. Number and dates are then the delta's (RFC 5280 §5.2.4); entries and digest stay
    /// those of the complete CRL.
    pub delta: Option<DeltaSummary>,
}

/// A delta CRL that an index has applied.
#[derive(Clone, Debug)]
pub struct DeltaSummary {
    /// The number of the complete CRL it is applied to.
    pub base: Option<CrlNumber>,
    /// Certificates it revokes.
    pub revoked: u64,
    /// Certificates it removes from the complete CRL.
    pub removed: u64,
    /// SHA-256 of its signed part.
    pub tbs_sha256: [u8; 32],
}

/// What the signed DER does not say by itself.
pub(crate) struct Beside {
    pub(crate) spki_sha256: [u8; 32],
    pub(crate) tbs_sha256: [u8; 32],
    pub(crate) entries: u32,
    pub(crate) listed: u32,
}

impl Metadata {
    /// Whether this CRL was issued before `other`, of the same issuer and scope: its number or its thisUpdate says so.
    /// RFC 5280 §5.2.3: the CRL number only grows. An older CRL is a replay, and would let revoked clients back in.
    #[must_use]
    pub fn is_older_than(&self, other: &Metadata) -> bool {
        self.crl_number < other.crl_number || self.this_update < other.this_update
    }

    pub(crate) fn new(head: &Head, tail: &Tail, beside: &Beside) -> Metadata {
        Metadata {
            issuer: name::rfc4514(&head.issuer).unwrap_or_default(),
            issuer_id: IssuerId { name_sha256: sha256(&head.issuer), spki_sha256: beside.spki_sha256 },
            issuer_der: head.issuer.clone(),
            authority_key_id: tail.extensions.authority_key_id.clone(),
            crl_number: tail.extensions.crl_number,
            this_update: head.this_update,
            next_update: head.next_update,
            entries: u64::from(beside.entries),
            listed: u64::from(beside.listed),
            scope: tail.extensions.scope.clone(),
            tbs_sha256: beside.tbs_sha256,
            crl_bytes: head.size,
            delta: None,
        }
    }

    /// Reads a delta CRL and takes over what it changes.
    pub(crate) fn apply(&mut self, der: Vec<u8>) -> Result<Box<Delta>, Fault> {
        let delta = Delta::read(der)?;
        delta.follows(self)?;
        self.take(&delta);
        Ok(Box::new(delta))
    }

    /// RFC 5280 §5.2.4: what is constructed has the delta's number and dates.
    pub(crate) fn take(&mut self, delta: &Delta) {
        let (removed, revoked): (Vec<_>, Vec<_>) =
            delta.changes().into_iter().partition(|(_, change)| *change == Change::Removed);
        self.delta = Some(DeltaSummary {
            base: self.crl_number,
            revoked: position(revoked.len()),
            removed: position(removed.len()),
            tbs_sha256: delta.tbs_sha256,
        });
        self.crl_number = delta.tail.extensions.crl_number;
        self.this_update = delta.head.this_update;
        self.next_update = delta.head.next_update;
    }
}
