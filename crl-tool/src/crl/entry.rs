//! One entry of a CRL.

use super::extension::{self, Extension};
use crate::date::Moment;
use crate::der::{self, Header, Reader};
use crate::name;
use crate::point;
use crate::problem::{Flaw, Problem};
use crate::reason::Reason;
use crate::serial;

/// The most bytes of one entry; real ones have 35 to 50.
pub(crate) const LIMIT: usize = 64 * 1024;

const REASON_CODE: &[u8] = &[0x55, 0x1d, 21];
const INVALIDITY_DATE: &[u8] = &[0x55, 0x1d, 24];
const CERTIFICATE_ISSUER: &[u8] = &[0x55, 0x1d, 29];

/// A revoked certificate, as the CRL states it.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    /// Bytes of the entry.
    pub(crate) size: usize,
    /// The content octets of the serial, known to be minimal.
    pub(crate) serial: &'a [u8],
    pub(crate) date: Moment,
    pub(crate) reason: Option<Reason>,
    /// The DER `Name` of who issued this certificate and those of the entries after it (RFC 5280 §5.3.3). Only
    /// indirect CRLs give it.
    pub(crate) issuer: Option<&'a [u8]>,
    pub(crate) has_extensions: bool,
}

impl<'a> Entry<'a> {
    /// Reads the entry at the start of `bytes`, which lie at `offset` of the CRL.
    #[inline]
    pub(crate) fn read(bytes: &'a [u8], offset: u64) -> Result<Entry<'a>, Flaw> {
        match Entry::common(bytes) {
            Some(entry) => Ok(entry),
            None => Entry::any(bytes, offset),
        }
    }

    /// As [`Entry::read`], for a delta CRL, which may also remove what its base lists.
    pub(crate) fn read_of_delta(bytes: &'a [u8], offset: u64) -> Result<Entry<'a>, Flaw> {
        Entry::parse(bytes, offset, true)
    }

    /// Reads an entry in whatever encoding.
    pub(super) fn any(bytes: &'a [u8], offset: u64) -> Result<Entry<'a>, Flaw> {
        Entry::parse(bytes, offset, false)
    }

    fn parse(bytes: &'a [u8], offset: u64, in_delta: bool) -> Result<Entry<'a>, Flaw> {
        let entry = Reader::new(bytes, offset).expect(der::SEQUENCE, "an entry")?;
        let mut fields = entry.reader();
        let number = fields.expect(der::INTEGER, "an entry's serial number")?;
        serial::check(number.content).map_err(|error| number.flaw(error.into()))?;
        let date = Moment::read(&fields.element()?)?;
        let (mut reason, mut issuer) = (None, None);
        let extensions = fields.optional(der::SEQUENCE)?;
        fields.finish("an entry")?;
        if let Some(list) = extensions {
            extension::each(&list, |extension| take(&extension, &mut reason, &mut issuer, in_delta))?;
        }
        let has_extensions = extensions.is_some();
        Ok(Entry { size: entry.raw.len(), serial: number.content, date, reason, issuer, has_extensions })
    }
}

/// The bytes of an entry that its serial ends within: two headers and the serial.
pub(crate) const SERIAL_WITHIN: usize = 2 * der::MAX_HEADER + serial::MAX_SERIAL_OCTETS;

/// The serial of an entry, of which `bytes` are the first [`SERIAL_WITHIN`] or all.
pub(crate) fn serial(bytes: &[u8]) -> Option<&[u8]> {
    let entry = Header::read(bytes, 0).ok()?;
    let mut fields = Reader::new(bytes.get(entry.size..)?, 0);
    fields.expect(der::INTEGER, "an entry's serial number").ok().map(|number| number.content)
}

fn take<'a>(
    extension: &Extension<'a>,
    reason: &mut Option<Reason>,
    issuer: &mut Option<&'a [u8]>,
    in_delta: bool,
) -> Result<(), Flaw> {
    let value = &extension.value;
    match extension.oid {
        REASON_CODE => {
            let code = extension.only(der::ENUMERATED, "a reason code")?;
            let &[number] = code.content else {
                return Err(code.flaw(Problem::Malformed { what: "reason code" }));
            };
            match Reason::from_code(number) {
                None => return Err(code.flaw(Problem::ReasonCode { code: number })),
                // RFC 5280 §5.3.1: it may only appear in delta CRLs.
                Some(Reason::RemoveFromCrl) if !in_delta => return Err(code.flaw(Problem::RemoveFromCrl)),
                Some(known) => *reason = Some(known),
            }
            Ok(())
        }
        INVALIDITY_DATE => {
            // RFC 5280 §5.3.2: always a GeneralizedTime, whatever the year.
            let date = extension.only(der::GENERALIZED_TIME, "an invalidity date")?;
            Moment::generalized(date.content).map(drop).map_err(|why| date.flaw(Problem::Time(why)))
        }
        CERTIFICATE_ISSUER => {
            *issuer = Some(certificate_issuer(extension)?);
            Ok(())
        }
        oid if extension.critical => {
            Err(value.flaw(Problem::UnknownCriticalInEntry { oid: der::dotted(oid) }))
        }
        _ => Ok(()),
    }
}

/// RFC 5280 §5.3.3: names of the certificate's issuer, of which one is its distinguished name.
fn certificate_issuer<'a>(extension: &Extension<'a>) -> Result<&'a [u8], Flaw> {
    let names = extension.only(der::SEQUENCE, "the names of a certificate's issuer")?;
    let malformed =
        || names.flaw(Problem::Malformed { what: "certificate issuer: not one distinguished name" });
    let mut reader = names.reader();
    let mut found = None;
    while !reader.is_empty() {
        let general = reader.element()?;
        if general.tag == point::DIRECTORY_NAME && found.replace(general.content).is_some() {
            return Err(malformed());
        }
    }
    // An empty name would be that of no CA (RFC 5280 §4.1.2.4).
    found.filter(|name| name::rfc4514(name).is_some_and(|text| !text.is_empty())).ok_or_else(malformed)
}
