//! The status of a certificate, from one CRL or from several of its issuer's.

use super::{Index, Lookup};
use crate::crl::scope::Gap;
use crate::index::error::LookupError;
use crate::reasons::Reasons;
use crate::subject::Subject;

impl Index {
    /// The reasons for which absence from this CRL means that a certificate of its issuer is not revoked: all of them, if
    /// the CRL is not limited in scope. That the issuers are the same is for the caller to know.
    ///
    /// # Errors
    /// Why the CRL says nothing about the certificate.
    pub fn covers(&self, subject: &Subject) -> Result<Reasons, Gap> {
        self.metadata().scope.as_ref().map_or(Ok(Reasons::ALL), |scope| scope.covers(subject))
    }

    /// Looks a certificate up in this CRL alone.
    ///
    /// # Errors
    /// As [`Index::lookup`].
    pub fn status(&self, subject: &Subject) -> Result<Lookup, LookupError> {
        status([self], subject)
    }
}

/// Looks a certificate up in several CRLs of its issuer. Not revoked means that those which cover it are about all
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
                if let Some(revocation) = index.listed(&subject.serial)? {
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
