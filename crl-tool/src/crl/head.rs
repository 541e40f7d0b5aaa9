//! A CRL up to its first entry.

use crate::date::Moment;
use crate::der::{self, Header, Reader};
use crate::name;
use crate::problem::{Flaw, Problem};
use crate::width::{length_of, position};
use std::ops::Range;
use time::OffsetDateTime;

/// The most bytes before the first entry. The issuer's name is the only part that varies much.
pub(crate) const LIMIT: usize = 64 * 1024;

/// What precedes the entries.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// Whether extensions are allowed.
    pub(crate) v2: bool,
    /// Bytes of the whole CRL.
    pub(crate) size: u64,
    /// Where the signed part lies, tag and length included.
    pub(crate) signed: Range<u64>,
    /// Where the entries lie; empty where the list is absent.
    pub(crate) entries: Range<u64>,
    /// The signature algorithm, as DER.
    pub(crate) algorithm: Vec<u8>,
    /// The issuer's name, as DER.
    pub(crate) issuer: Vec<u8>,
    pub(crate) this_update: OffsetDateTime,
    pub(crate) next_update: Option<OffsetDateTime>,
}

impl Head {
    /// Reads the start of a CRL: `bytes` are its first ones and reach at least to the first entry.
    pub(crate) fn read(bytes: &[u8]) -> Result<Head, Flaw> {
        let outer = Header::read(bytes, 0)?;
        if outer.tag != der::SEQUENCE {
            return Err(Flaw::new(0, Problem::NotACrl));
        }
        let start = position(outer.size);
        let signed = Header::read(bytes.get(outer.size..).unwrap_or_default(), start)?;
        let (size, end) = (start.saturating_add(outer.length), start + position(signed.size));
        let end = end.saturating_add(signed.length);
        if signed.tag != der::SEQUENCE {
            let wanted = "the SEQUENCE of the signed list";
            return Err(Flaw::new(start, Problem::Unexpected { wanted, tag: signed.tag }));
        }
        if end > size {
            let available = outer.length.saturating_sub(position(signed.size));
            return Err(Flaw::new(start, Problem::Overrun { length: signed.length, available }));
        }
        let first = outer.size + signed.size;
        let seen = bytes.get(first..bytes.len().min(length_of(end))).unwrap_or_default();
        Head::fields(seen, position(first), start..end, size).map_err(|flaw| {
            flaw.cut_off("a header", bytes.len(), LIMIT, end.saturating_sub(position(bytes.len())))
        })
    }

    fn fields(bytes: &[u8], offset: u64, signed: Range<u64>, size: u64) -> Result<Head, Flaw> {
        let mut fields = Reader::new(bytes, offset);
        let version = fields.optional(der::INTEGER)?;
        // RFC 5280 §5.1.2.1: if present, it is v2, whose value is 1.
        if let Some(version) = version.filter(|version| version.content != [1]) {
            return Err(version.flaw(Problem::Version));
        }
        let algorithm = fields.expect(der::SEQUENCE, "the signature algorithm")?;
        let issuer = fields.expect(der::SEQUENCE, "the issuer's name")?;
        // RFC 5280 §5.1.2.3: the issuer's name is never empty.
        if issuer.content.is_empty() || name::rfc4514(issuer.raw).is_none() {
            return Err(issuer.flaw(Problem::Malformed { what: "issuer's name" }));
        }
        let this_update = Moment::read(&fields.element()?)?.to_date_time();
        let next_update = match fields.peek() {
            Some(der::UTC_TIME | der::GENERALIZED_TIME) => {
                let element = fields.element()?;
                let next_update = Moment::read(&element)?.to_date_time();
                if next_update < this_update {
                    return Err(element.flaw(Problem::NextBeforeThis));
                }
                Some(next_update)
            }
            _ => None,
        };
        let entries = Head::entries(&fields, bytes, offset, signed.end)?;
        Ok(Head {
            v2: version.is_some(),
            size,
            signed,
            entries,
            algorithm: algorithm.raw.to_vec(),
            issuer: issuer.raw.to_vec(),
            this_update,
            next_update,
        })
    }

    /// Where the entries lie: the list is not read here, as it may be gigabytes long.
    fn entries(fields: &Reader<'_>, bytes: &[u8], offset: u64, signed_end: u64) -> Result<Range<u64>, Flaw> {
        let at = fields.offset();
        if fields.peek() != Some(der::SEQUENCE) {
            return Ok(at..at);
        }
        let list = Header::read(bytes.get(length_of(at - offset)..).unwrap_or_default(), at)?;
        let start = at + position(list.size);
        let available = signed_end - start.min(signed_end);
        // RFC 5280 §5.1.2.6: when there are no revoked certificates, the list MUST be absent.
        match list.length {
            0 => Err(Flaw::new(at, Problem::EmptyList)),
            length if length > available => Err(Flaw::new(at, Problem::Overrun { length, available })),
            length => Ok(start..start + length),
        }
    }
}
