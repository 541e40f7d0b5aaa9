//! What an index says about its CRL.

use crate::crl::head::Head;
use crate::crl::tail::Tail;
use crate::issuer::{IssuerId, sha256};
use crate::name;
use crate::number::CrlNumber;
use time::OffsetDateTime;

/// What an index says about its CRL, read from the signed DER itself.
#[derive(Clone, Debug)]
pub struct Metadata {
    /// The issuer's name, as RFC 4514 writes it.
    pub issuer: String,
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
    /// Certificates in the index. A serial that the CRL lists twice counts once.
    pub entries: u64,
    /// SHA-256 of the CRL's signed part: the same for every encoding and copy of one CRL.
    pub tbs_sha256: [u8; 32],
    /// Bytes of the CRL in DER.
    pub crl_bytes: u64,
}

impl Metadata {
    pub(crate) fn new(
        head: &Head,
        tail: &Tail,
        spki_sha256: [u8; 32],
        entries: u32,
        tbs_sha256: [u8; 32],
    ) -> Metadata {
        Metadata {
            issuer: name::rfc4514(&head.issuer).unwrap_or_default(),
            issuer_id: IssuerId { name_sha256: sha256(&head.issuer), spki_sha256 },
            authority_key_id: tail.extensions.authority_key_id.clone(),
            crl_number: tail.extensions.crl_number,
            this_update: head.this_update,
            next_update: head.next_update,
            entries: u64::from(entries),
            tbs_sha256,
            crl_bytes: head.size,
        }
    }
}
