//! The framing of extensions, and the ones a CRL may have.

use super::scope::Scope;
use crate::der::{self, Element};
use crate::number::CrlNumber;
use crate::problem::{Flaw, Problem};
use x509_parser::extensions::AuthorityKeyIdentifier;
use x509_parser::prelude::FromDer;

/// The most extensions in one list; looking for duplicates is quadratic.
const LIMIT: usize = 32;

const ISSUER_ALT_NAME: &[u8] = &[0x55, 0x1d, 18];
const CRL_NUMBER: &[u8] = &[0x55, 0x1d, 20];
const DELTA_CRL_INDICATOR: &[u8] = &[0x55, 0x1d, 27];
const ISSUING_DISTRIBUTION_POINT: &[u8] = &[0x55, 0x1d, 28];
const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 35];

/// One extension of a list.
#[derive(Clone, Copy)]
pub(crate) struct Extension<'a> {
    pub(crate) oid: &'a [u8],
    pub(crate) critical: bool,
    /// The octet string with the DER of the extension's own type in it.
    pub(crate) value: Element<'a>,
}

impl<'a> Extension<'a> {
    /// The one element the value consists of.
    pub(crate) fn only(&self, tag: u8, wanted: &'static str) -> Result<Element<'a>, Flaw> {
        let mut reader = self.value.reader();
        let element = reader.expect(tag, wanted)?;
        reader.finish(wanted)?;
        Ok(element)
    }
}

/// Calls `visit` for each extension of the SEQUENCE `list`.
pub(crate) fn each<'a>(
    list: &Element<'a>,
    mut visit: impl FnMut(Extension<'a>) -> Result<(), Flaw>,
) -> Result<(), Flaw> {
    let mut reader = list.reader();
    if reader.is_empty() {
        return Err(list.flaw(Problem::Malformed { what: "list of extensions: it is empty" }));
    }
    let mut seen: [&[u8]; LIMIT] = [&[]; LIMIT];
    let mut free = seen.iter_mut();
    let mut count = 0;
    while !reader.is_empty() {
        let element = reader.expect(der::SEQUENCE, "an extension")?;
        let extension = read(&element)?;
        let slot = free.next().ok_or_else(|| element.flaw(Problem::TooManyExtensions { limit: LIMIT }))?;
        *slot = extension.oid;
        count += 1;
        visit(extension)?;
    }
    // RFC 5280 §4.2: no extension twice.
    for (index, oid) in seen.iter().enumerate().take(count) {
        if seen.iter().take(index).any(|earlier| earlier == oid) {
            return Err(list.flaw(Problem::DuplicateExtension { oid: der::dotted(oid) }));
        }
    }
    Ok(())
}

fn read<'a>(element: &Element<'a>) -> Result<Extension<'a>, Flaw> {
    let mut fields = element.reader();
    let oid = fields.expect(der::OID, "an extension's object identifier")?;
    // X.690 §8.19.2: no subidentifier starts with 0x80, the last octet ends one.
    let starts_padded = oid.content.first() == Some(&0x80)
        || oid.content.windows(2).any(|pair| matches!(*pair, [before, 0x80] if before < 0x80));
    if starts_padded || oid.content.last().is_none_or(|&last| last >= 0x80) {
        return Err(oid.flaw(Problem::Malformed { what: "object identifier" }));
    }
    let critical = match fields.optional(der::BOOLEAN)? {
        None => false,
        Some(flag) => der::boolean(&flag, "critical FALSE")?,
    };
    let value = fields.expect(der::OCTET_STRING, "an extension's value")?;
    fields.finish("an extension")?;
    Ok(Extension { oid: oid.content, critical, value })
}

/// What a CRL's extensions say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CrlExtensions {
    pub(crate) authority_key_id: Option<Vec<u8>>,
    pub(crate) crl_number: Option<CrlNumber>,
    /// Of a delta CRL, the number that its base has at least.
    pub(crate) base_number: Option<CrlNumber>,
    /// `None`: the CRL is about all certificates of its issuer.
    pub(crate) scope: Option<Scope>,
}

impl CrlExtensions {
    /// Reads the SEQUENCE of the extensions of a CRL by `issuer`.
    pub(crate) fn read(list: &Element<'_>, issuer: &[u8]) -> Result<CrlExtensions, Flaw> {
        let mut extensions = CrlExtensions::default();
        each(list, |extension| extensions.take(&extension, issuer))?;
        Ok(extensions)
    }

    /// Whether the CRL lists certificates of other issuers, too.
    pub(crate) fn is_indirect(&self) -> bool {
        self.scope.as_ref().is_some_and(|scope| scope.indirect)
    }

    fn take(&mut self, extension: &Extension<'_>, issuer: &[u8]) -> Result<(), Flaw> {
        let value = &extension.value;
        match extension.oid {
            AUTHORITY_KEY_IDENTIFIER => {
                extension.only(der::SEQUENCE, "an authority key identifier")?;
                let (_, identifier) =
                    AuthorityKeyIdentifier::from_der(value.content).map_err(|_details| {
                        value.flaw(Problem::Malformed { what: "authority key identifier" })
                    })?;
                self.authority_key_id = identifier.key_identifier.map(|id| id.0.to_vec());
                Ok(())
            }
            CRL_NUMBER => {
                self.crl_number = Some(number(extension)?);
                Ok(())
            }
            DELTA_CRL_INDICATOR => {
                self.base_number = Some(number(extension)?);
                Ok(())
            }
            ISSUING_DISTRIBUTION_POINT => {
                self.scope = Some(Scope::read(extension, issuer)?);
                Ok(())
            }
            // It only adds names of the issuer, so that ignoring it changes nothing about an entry.
            ISSUER_ALT_NAME => Ok(()),
            oid if extension.critical => Err(value.flaw(Problem::UnknownCritical { oid: der::dotted(oid) })),
            _ => Ok(()),
        }
    }
}

fn number(extension: &Extension<'_>) -> Result<CrlNumber, Flaw> {
    let number = extension.only(der::INTEGER, "a CRL number")?;
    CrlNumber::from_der_content(number.content).ok_or_else(|| number.flaw(Problem::CrlNumber))
}
