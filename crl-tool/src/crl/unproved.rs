//! What a CRL says by itself, before anybody asked who signed it.

use super::input::Input;
use super::scan::Scan;
use super::scope::Scope;
use crate::issuer::{digest_bytes, sha256};
use crate::name;
use crate::number::CrlNumber;
use crate::problem::{CrlError, Flaw};
use crate::signature;
use time::OffsetDateTime;

/// What a well-formed CRL says. Anybody could have written it: nobody looked at its signature.
#[derive(Clone, Debug)]
pub struct Unproved {
    /// Whom it gives as its issuer, as RFC 4514 writes it.
    pub issuer: String,
    /// SHA-256 of that name's DER.
    pub name_sha256: [u8; 32],
    /// The key identifier it gives for its issuer.
    pub authority_key_id: Option<Vec<u8>>,
    /// What it is signed with: a name, or the object identifier of an algorithm nobody here knows.
    pub algorithm: String,
    /// Its number.
    pub crl_number: Option<CrlNumber>,
    /// When it was issued.
    pub this_update: OffsetDateTime,
    /// When the next one is due.
    pub next_update: Option<OffsetDateTime>,
    /// Which of its issuer's certificates it is about; `None` for all of them.
    pub scope: Option<Scope>,
    /// Its entries; a serial that is listed twice counts twice.
    pub listed: u64,
    /// Its bytes in DER.
    pub crl_bytes: u64,
    /// SHA-256 of its signed part.
    pub tbs_sha256: [u8; 32],
}

impl Unproved {
    /// Reads a CRL of at most `max_bytes` bytes. It is checked as when an index is built, but for its signature.
    ///
    /// # Errors
    /// The CRL is malformed.
    pub fn read(input: Input, max_bytes: u32) -> Result<Unproved, CrlError> {
        let name = input.name.clone();
        let source = input.into_der().map_err(|problem| Flaw::new(0, problem));
        let scanned = source.and_then(|source| {
            let mut scan = Scan::start(source, max_bytes)?;
            scan.each_entry(|_, _| ())?;
            scan.finish()
        });
        let scanned = scanned.map_err(|flaw| flaw.in_input(&name))?;
        let (head, extensions) = (&scanned.head, scanned.tail.extensions);
        Ok(Unproved {
            issuer: name::rfc4514(&head.issuer).unwrap_or_default(),
            name_sha256: sha256(&head.issuer),
            authority_key_id: extensions.authority_key_id,
            algorithm: signature::shown(&head.algorithm),
            crl_number: extensions.crl_number,
            this_update: head.this_update,
            next_update: head.next_update,
            scope: extensions.scope,
            listed: u64::from(scanned.entries),
            crl_bytes: head.size,
            tbs_sha256: digest_bytes(&scanned.tbs_sha256),
        })
    }
}
