//! Which certificates a CRL is about, when not about all of its issuer's (RFC 5280 §5.2.5).

use super::extension::Extension;
use crate::der::{self, Reader};
use crate::point::{GeneralName, Point};
use crate::problem::{Flaw, Problem};
use crate::reasons::Reasons;
use crate::subject::Subject;
use std::fmt;

/// The scope of a CRL, from its issuing distribution point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The names of the distribution point, of which a certificate must give one. Empty: no such limit.
    pub names: Vec<GeneralName>,
    /// The one kind of certificates in it.
    pub only: Option<Kind>,
    /// The reasons in it.
    pub reasons: Reasons,
    /// Whether it lists certificates of other issuers, too: of those that name its issuer as theirs of CRLs.
    pub indirect: bool,
}

/// A kind of certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Certificates that are not a CA's.
    EndEntity,
    /// CA certificates.
    Ca,
    /// Attribute certificates, none of which anybody authenticates with.
    Attribute,
}

/// Why absence from a CRL does not mean that a certificate is not revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Gap {
    /// The certificate names no distribution point of the CRL: it belongs to another partition.
    #[error("the CRL is of a distribution point that the certificate does not name")]
    DistributionPoint,
    /// The CRL is another issuer's, and the certificate does not give that one as the issuer of its CRLs.
    #[error("the CRL is of an issuer that the certificate does not name")]
    Issuer,
    /// The CRL lists another kind of certificates.
    #[error("the CRL lists {0} only")]
    Kind(Kind),
    /// Some revocation reasons are in no CRL that covers the certificate.
    #[error("the CRL lists only some reasons ({0})")]
    Reasons(Reasons),
    /// Only the serial number is known, and the CRL does not list everything.
    #[error(
        "the CRL is limited in scope, and the serial number alone does not tell whether it covers the certificate"
    )]
    SerialOnly,
    /// There was no CRL to ask.
    #[error("there is no CRL")]
    NoCrl,
}

impl Scope {
    /// Reads an issuing distribution point of a CRL by `issuer`.
    pub(super) fn read(extension: &Extension<'_>, issuer: &[u8]) -> Result<Scope, Flaw> {
        let list = extension.only(der::SEQUENCE, "an issuing distribution point")?;
        let malformed = || list.flaw(Problem::Malformed { what: "issuing distribution point" });
        let mut fields = list.reader();
        // RFC 5280 §5.2.5: an empty SEQUENCE is not allowed.
        if fields.is_empty() {
            return Err(malformed());
        }
        let names = fields.optional(0xa0)?;
        let names =
            names.map(|point| GeneralName::of_point(&point, Some(issuer))).transpose()?.unwrap_or_default();
        let kinds = [(flag(&mut fields, 0x81)?, Kind::EndEntity), (flag(&mut fields, 0x82)?, Kind::Ca)];
        let reasons = fields.optional(0x83)?.map(|flags| Reasons::read(&flags)).transpose()?;
        let indirect = flag(&mut fields, 0x84)?;
        let attribute = (flag(&mut fields, 0x85)?, Kind::Attribute);
        let mut kinds = kinds.into_iter().chain([attribute]).filter(|(set, _)| *set);
        let only = kinds.next().map(|(_, kind)| kind);
        // RFC 5280 §5.2.5: at most one kind, and a CRL about no reason at all is none.
        if !fields.is_empty() || kinds.next().is_some() || reasons == Some(Reasons::NONE) {
            return Err(malformed());
        }
        Ok(Scope { names, only, reasons: reasons.unwrap_or(Reasons::ALL), indirect })
    }

    /// The reasons for which absence from the CRL, which `crl_issuer` issued (a DER `Name`), means that `subject` is not
    /// revoked (RFC 5280 §6.3.3 (b) and (d)).
    pub(crate) fn covers(&self, subject: &Subject, crl_issuer: &[u8]) -> Result<Reasons, Gap> {
        let other_kind = match self.only {
            None => false,
            Some(Kind::EndEntity) => subject.is_ca,
            Some(Kind::Ca) => !subject.is_ca,
            Some(Kind::Attribute) => true,
        };
        if let Some(kind) = self.only.filter(|_| other_kind) {
            return Err(Gap::Kind(kind));
        }
        let own = subject.issuer_der == crl_issuer;
        let crl_issuer = GeneralName::directory(crl_issuer);
        // A CRL found elsewhere is treated as of a point with the name of the certificate's issuer.
        if own && (self.names.is_empty() || self.names.contains(&crl_issuer)) {
            return Ok(self.reasons);
        }
        // RFC 5280 §6.3.3 (b) (1): of another issuer, it has to be indirect, and the certificate has to name that issuer.
        let named = |point: &&Point| match point.crl_issuers.as_slice() {
            [] => own,
            names => (own || self.indirect) && names.contains(&crl_issuer),
        };
        let here = |point: &&Point| {
            self.names.is_empty() || point.names.iter().any(|name| self.names.contains(name))
        };
        let mut points = subject.points.iter().filter(named).peekable();
        if !own && points.peek().is_none() {
            return Err(Gap::Issuer);
        }
        points
            .filter(here)
            .map(|point| point.reasons)
            .reduce(Reasons::union)
            .map(|reasons| reasons.intersection(self.reasons))
            .ok_or(Gap::DistributionPoint)
    }
}

fn flag(fields: &mut Reader<'_>, tag: u8) -> Result<bool, Flaw> {
    fields.optional(tag)?.map_or(Ok(false), |flag| der::boolean(&flag, "a scope of FALSE"))
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::EndEntity => "end-entity certificates",
            Kind::Ca => "CA certificates",
            Kind::Attribute => "attribute certificates",
        })
    }
}

/// Its limits, separated by `; `.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut limits = Vec::new();
        if !self.names.is_empty() {
            let names: Vec<String> = self.names.iter().map(GeneralName::to_string).collect();
            limits.push(format!("distribution point {}", names.join(" or ")));
        }
        limits.extend(self.only.map(|kind| format!("{kind} only")));
        if !self.reasons.is_all() {
            limits.push(format!("only the reasons {}", self.reasons));
        }
        limits.extend(self.indirect.then(|| "indirect".to_owned()));
        let limits = if limits.is_empty() { "no limit".to_owned() } else { limits.join("; ") };
        f.write_str(&limits)
    }
}
