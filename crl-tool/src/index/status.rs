//! The status of a certificate, from one CRL or from several of its issuer's.

use super::metadata::Metadata;
use super::{Index, Lookup, Revocation};
use crate::crl::scope::Gap;
use crate::index::error::LookupError;
use crate::reasons::Reasons;
use crate::subject::Subject;

impl Index {
    /// The reasons for which absence from this CRL means that a certificate is not revoked: all of them, if the CRL is of
    /// the certificate's issuer and not limited in scope. Issuers are compared by name; their keys are for the caller.
    ///
    /// # Errors
    /// Why the CRL says nothing about the certificate.
    pub fn covers(&self, subject: &Subject) -> Result<Reasons, Gap> {
        let Metadata { scope, issuer_der, .. } = self.metadata();
        match scope {
            Some(scope) => scope.covers(subject, issuer_der),
            None if *issuer_der == subject.issuer_der => Ok(Reasons::ALL),
            None => Err(Gap::Issuer),
        }
    }

    /// What the CRL lists for a certificate. Nothing means `not revoked` only where the CRL covers it
    /// ([`Index::covers`]).
    ///
    /// # Errors
    /// As [`Index::lookup`].
    pub fn lists(&self, subject: &Subject) -> Result<Option<Revocation>, LookupError> {
        self.listed_of(Some(&subject.issuer_der), &subject.serial)
    }

    /// Looks a certificate up in this CRL alone.
    ///
    /// # Errors
    /// As [`Index::lookup`].
    pub fn status(&self, subject: &Subject) -> Result<Lookup, LookupError> {
        status([self], subject)
    }
}

/// Looks a certificate up in several CRLs of its issuer, or of one that it names as its CRLs'. Not revoked means that those which cover it are about all
/// reasons together, and that none lists it.
///
/// # Errors
/// As [`Index::lookup`].
#[expect(single_use_lifetimes, reason = "it cannot be left out of `impl Trait`")]
pub fn status<'a>(
    indexes: impl IntoIterator<Item = &'a Index>,
    subject: &Subject,
) -> Result<Lookup, LookupError> {
    let mut covered: Option<Reasons> = None;
    let mut gap = Gap::NoCrl;
    for index in indexes {
        match index.covers(subject) {
            Err(why) => gap = why,
            Ok(reasons) => {
                if let Some(revocation) = index.lists(subject)? {
                    return Ok(Lookup::Revoked(revocation));
                }
                covered = Some(covered.unwrap_or(Reasons::NONE).union(reasons));
            }
        }
    }
    Ok(match covered {
        Some(reasons) if reasons.is_all() => Lookup::NotRevoked,
        Some(reasons) => Lookup::NotCovered(Gap::Reasons(reasons)),
        None => Lookup::NotCovered(gap),
    })
}
