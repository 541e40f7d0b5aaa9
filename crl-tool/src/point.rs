//! Where CRLs are published, as certificates and CRLs name it: distribution points and their names.

use crate::der::{self, Element, Reader};
use crate::name;
use crate::problem::{Flaw, Problem};
use crate::reasons::Reasons;
use std::fmt;

const URI: u8 = 0x86;
const DNS_NAME: u8 = 0x82;
pub(crate) const DIRECTORY_NAME: u8 = 0xa4;

/// A GeneralName (RFC 5280 §4.2.1.6), compared by its bytes: two spellings of one address are two names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneralName(Vec<u8>);

impl GeneralName {
    /// The directoryName of a DER `Name`.
    pub(crate) fn directory(name: &[u8]) -> GeneralName {
        GeneralName(der::encode(DIRECTORY_NAME, name))
    }

    /// The DER `Name` of a directoryName.
    fn as_directory(&self) -> Option<&[u8]> {
        let name = der::only(&self.0, DIRECTORY_NAME, "a directory name").ok()?;
        Some(name.content)
    }

    /// Reads GeneralNames, whatever tag holds them.
    fn read_all(names: &Element<'_>) -> Result<Vec<GeneralName>, Flaw> {
        let mut reader = names.reader();
        let mut all = Vec::new();
        while !reader.is_empty() {
            all.push(GeneralName(reader.element()?.raw.to_vec()));
        }
        if all.is_empty() {
            return Err(
                names.flaw(Problem::Malformed { what: "names of a distribution point: there are none" })
            );
        }
        Ok(all)
    }

    /// Reads a DistributionPointName (RFC 5280 §4.2.1.13) in whatever tag it lies. `base` is what a relative name goes on
    /// from: the name of the CRLs' issuer.
    pub(crate) fn of_point(point: &Element<'_>, base: Option<&[u8]>) -> Result<Vec<GeneralName>, Flaw> {
        let mut reader = point.reader();
        let choice = reader.element()?;
        reader.finish("a distribution point's name")?;
        match choice.tag {
            0xa0 => GeneralName::read_all(&choice),
            // nameRelativeToCRLIssuer: one more RDN behind the issuer's name.
            0xa1 => {
                let base = base.ok_or_else(|| {
                    choice.flaw(Problem::Malformed {
                        what: "distribution point: a name relative to no one name",
                    })
                })?;
                let base = der::only(base, der::SEQUENCE, "the issuer's name")?;
                let name = [base.content, &der::encode(der::SET, choice.content)].concat();
                Ok(vec![GeneralName::directory(&der::encode(der::SEQUENCE, &name))])
            }
            tag => Err(choice.flaw(Problem::Unexpected { wanted: "a distribution point's name", tag })),
        }
    }
}

/// `URI:` or `DNS:` and the text, `DirName:` and RFC 4514, or the tag and hexadecimal.
impl fmt::Display for GeneralName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(Element { tag, content, .. }) = Reader::new(&self.0, 0).element() else { return Ok(()) };
        let text = || String::from_utf8_lossy(content).escape_debug().to_string();
        match tag {
            URI => write!(f, "URI:{}", text()),
            DNS_NAME => write!(f, "DNS:{}", text()),
            DIRECTORY_NAME => write!(f, "DirName:{}", name::rfc4514(content).unwrap_or_default()),
            tag => {
                write!(f, "0x{tag:02x}:")?;
                content.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
            }
        }
    }
}

/// A distribution point of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) names: Vec<GeneralName>,
    /// Who issues the CRLs there (DER `Name`s); none: the certificate's own issuer.
    pub(crate) crl_issuers: Vec<GeneralName>,
    /// The reasons that the CRLs there are about.
    pub(crate) reasons: Reasons,
}

impl Point {
    /// Reads the CRLDistributionPoints extension of a certificate by `issuer` (RFC 5280 §4.2.1.13).
    pub(crate) fn read_all(extension: &[u8], issuer: &[u8]) -> Result<Vec<Point>, Flaw> {
        let mut list = der::only(extension, der::SEQUENCE, "distribution points")?.reader();
        let mut points = Vec::new();
        while !list.is_empty() {
            points.extend(Point::read(&list.expect(der::SEQUENCE, "a distribution point")?, issuer)?);
        }
        Ok(points)
    }

    fn read(point: &Element<'_>, issuer: &[u8]) -> Result<Option<Point>, Flaw> {
        let mut fields = point.reader();
        let names = fields.optional(0xa0)?;
        let reasons = fields.optional(0x81)?;
        let crl_issuers = fields.optional(0xa2)?;
        fields.finish("a distribution point")?;
        let reasons = reasons.map_or(Ok(Reasons::ALL), |flags| Reasons::read(&flags))?;
        let crl_issuers = crl_issuers.map(|names| GeneralName::read_all(&names)).transpose()?;
        let crl_issuers = crl_issuers.unwrap_or_default();
        // RFC 5280 §4.2.1.13: a relative name goes on from the CRL issuer's, of whom there is then one.
        let base = match crl_issuers.as_slice() {
            [] => Some(issuer),
            [one] => one.as_directory(),
            [_, _, ..] => None,
        };
        let names = names.map(|names| GeneralName::of_point(&names, base)).transpose()?;
        Ok(match names {
            Some(names) => Some(Point { names, crl_issuers, reasons }),
            None if crl_issuers.is_empty() => None,
            // RFC 5280 §6.3.3 (b) (2) (i): without names of its own, the point has those of the CRL's issuer.
            None => Some(Point { names: crl_issuers.clone(), crl_issuers, reasons }),
        })
    }
}
