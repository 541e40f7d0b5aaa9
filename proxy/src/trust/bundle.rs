//! The trust bundle: the CAs that client certificates must lead to.

use std::collections::BTreeSet;

use crl_tool::IssuerId;
use rustls::DistinguishedName;
use rustls_pki_types::TrustAnchor;
use webpki::anchor_from_trusted_cert;

use super::path::{issuer_id, sha256};
use super::pem::certificates_in;
use crate::config::{Invalid, Source};
use crate::sources::Sources;

/// RFC 8446 §4.2.4 limits the names of CAs in a CertificateRequest to 65,535 bytes, and the message has other parts.
const HINTS_LIMIT: usize = 60_000;

/// A set of trust anchors, taken at face value as RFC 5280 §6.1.1 (d) has it.
#[derive(Debug)]
pub struct TrustBundle {
    anchors: Vec<TrustAnchor<'static>>,
    issuers: Vec<IssuerId>,
    hints: Vec<DistinguishedName>,
    fingerprint: [u8; 32],
}

impl TrustBundle {
    /// Reads PEM of CA certificates.
    pub(super) fn load(source: &Source, sources: &Sources) -> Result<Self, Invalid> {
        let (_, text) = sources.read(source)?;
        let mut anchors = Vec::new();
        for (position, certificate) in certificates_in(&text, source)?.iter().enumerate() {
            let anchor = anchor_from_trusted_cert(certificate).map_err(|error| {
                let problem = format!("{}: certificate {}: {error}", source.place, position + 1);
                Invalid::new(&source.key, problem, "remove or replace that certificate")
            })?;
            anchors.push(anchor.to_owned());
        }
        let issuers = anchors
            .iter()
            .map(|anchor| issuer_id(&anchor.subject, &anchor.subject_public_key_info))
            .collect();
        let mut hints: Vec<_> =
            anchors.iter().map(|anchor| DistinguishedName::in_sequence(&anchor.subject)).collect();
        if hints.iter().map(|name| name.as_ref().len() + 2).sum::<usize>() > HINTS_LIMIT {
            // An empty list is allowed and means "any": clients then choose without our help.
            hints.clear();
        }
        let fingerprint = fingerprint(&anchors);
        Ok(Self { anchors, issuers, hints, fingerprint })
    }

    /// For path building.
    pub fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.anchors
    }

    /// The names that a CertificateRequest lists.
    pub fn hints(&self) -> &[DistinguishedName] {
        &self.hints
    }

    /// The same for the same anchors, in whatever process and order.
    pub(super) fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// Who `anchor`, one of this bundle's, is as the issuer of a CRL.
    pub(super) fn issuer_of(&self, anchor: &TrustAnchor<'_>) -> IssuerId {
        let known =
            self.anchors.iter().zip(&self.issuers).find(|(ours, _)| *ours == anchor).map(|(_, id)| *id);
        known.unwrap_or_else(|| issuer_id(&anchor.subject, &anchor.subject_public_key_info))
    }
}

fn fingerprint(anchors: &[TrustAnchor<'_>]) -> [u8; 32] {
    let digests: BTreeSet<_> = anchors
        .iter()
        .map(|anchor| {
            let constraints = anchor.name_constraints.as_deref().unwrap_or_default();
            // Digests are of one length, so that nothing can move from one part into the next.
            let parts = [&anchor.subject[..], &anchor.subject_public_key_info, constraints].map(sha256);
            sha256(&parts.concat())
        })
        .collect();
    sha256(&digests.into_iter().collect::<Vec<_>>().concat())
}
