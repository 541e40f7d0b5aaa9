//! RFC 5280 §6.1: from the client's certificate to a trust anchor, and what to look up in CRLs on the way.

mod memory;
mod signatures;

use aws_lc_rs::digest::{SHA256, digest};
use crl_tool::{Index, IssuerId, Metadata, Serial, Subject};
use rustls::DistinguishedName;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::bundle::TrustBundle;
use super::revocation::Revocations;
use crate::clock::seconds;
use crate::refusal::Refusal;

/// One certificate of a path as its issuer's CRL knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// Name and key of the issuer.
    pub issuer: IssuerId,
    /// The certificate's serial number.
    pub serial: Serial,
}

/// A chain that was verified up to a trust anchor and was not revoked. Only [`VerifiedPath::verify`] makes one, and a ticket of
/// ours brings one back, checked again.
#[derive(Debug, Clone)]
pub struct VerifiedPath {
    chain: Vec<CertificateDer<'static>>,
    links: Vec<Link>,
    not_after: UnixTime,
}

/// Until when a verdict holds if nothing changes: the first of the path's notAfter and its CRLs' deadlines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Inclusive.
    pub good_until: UnixTime,
    /// What the CRLs have against the client, which `revocation.report_only` lets in all the same.
    pub would_refuse: Option<Refusal>,
}

impl VerifiedPath {
    /// Verifies `leaf` for client authentication at `now`, and its revocation status.
    ///
    /// # Errors
    ///
    /// The refusal that the client is to meet.
    pub fn verify(
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        bundle: &TrustBundle,
        revocations: &Revocations,
        now: UnixTime,
    ) -> Result<(Self, Standing), Refusal> {
        let end_entity = EndEntityCert::try_from(leaf).map_err(refusal)?;
        let path = end_entity
            .verify_for_usage(
                &signatures::REMEMBERING,
                bundle.anchors(),
                intermediates,
                now,
                KeyUsage::client_auth(),
                None,
                None,
            )
            .map_err(refusal)?;

        // As long as they get: they live as long as the connection.
        let length = 1 + path.intermediate_certificates().count();
        let (mut chain, mut links) = (Vec::with_capacity(length), Vec::with_capacity(length));
        chain.push(leaf.clone().into_owned());
        let mut serial = path.end_entity().serial();
        for certificate in path.intermediate_certificates() {
            let spki = certificate.subject_public_key_info();
            links.push(link(serial, issuer_id_of(certificate.subject(), &spki))?);
            serial = certificate.serial();
            chain.push(certificate.der().into_owned());
        }
        links.push(link(serial, bundle.issuer_of(path.anchor()))?);

        let not_after = earliest_not_after(&chain)?;
        let path = Self { chain, links, not_after };
        let standing = path.check(revocations, now)?;
        Ok((path, standing))
    }

    /// Looks the path up in the CRLs again, and at its validity: all that can change while the trust anchors stay.
    ///
    /// # Errors
    ///
    /// The refusal that the client is to meet.
    pub fn check(&self, revocations: &Revocations, now: UnixTime) -> Result<Standing, Refusal> {
        if now > self.not_after {
            return Err(Refusal::CertificateExpired { not_after: seconds(self.not_after) });
        }
        let (crls_until, would_refuse) = match revocations.check(&self.links, &self.chain, now) {
            Ok(until) => (until, None),
            Err(refusal) if revocations.only_reports(&refusal) => (None, Some(refusal)),
            Err(refusal) => return Err(refusal),
        };
        let good_until = crls_until.map_or(self.not_after, |until| until.min(self.not_after));
        Ok(Standing { good_until, would_refuse })
    }

    /// Verifies the same chain anew against another bundle.
    ///
    /// # Errors
    ///
    /// The refusal that the client is to meet.
    pub fn verify_again(
        &self,
        bundle: &TrustBundle,
        revocations: &Revocations,
        now: UnixTime,
    ) -> Result<(Self, Standing), Refusal> {
        let (leaf, intermediates) =
            self.chain.split_first().ok_or(Refusal::BadCertificate { detail: "empty chain".to_owned() })?;
        Self::verify(leaf, intermediates, bundle, revocations, now)
    }

    /// The first notAfter of its certificates.
    pub(super) fn not_after(&self) -> UnixTime {
        self.not_after
    }

    /// What tells it from other paths: whose certificate the leaf is, and its serial number.
    pub(super) fn name(&self) -> Option<(IssuerId, Vec<u8>)> {
        self.links.first().map(|link| (link.issuer, link.serial.as_der_content().to_vec()))
    }

    /// Whether a CRL by one of its CAs lists one of its certificates.
    pub(super) fn is_listed_in(&self, index: &Index) -> bool {
        let Metadata { issuer_id, scope, .. } = index.metadata();
        self.links.iter().zip(&self.chain).filter(|(link, _)| link.issuer == *issuer_id).any(|(link, der)| {
            let listed = matches!(index.listed(&link.serial), Ok(Some(_)));
            listed && (scope.is_none() || Subject::from_der(der).is_ok_and(|it| index.covers(&it).is_ok()))
        })
    }

    /// The leaf, then the intermediates that led to the trust anchor; the anchor itself is not in it.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }
}

/// Name and key of an issuer, from the *contents* of its Name and SubjectPublicKeyInfo as webpki holds them.
pub(super) fn issuer_id(name: &[u8], spki: &[u8]) -> IssuerId {
    issuer_id_of(name, DistinguishedName::in_sequence(spki).as_ref())
}

fn issuer_id_of(name: &[u8], spki_der: &[u8]) -> IssuerId {
    IssuerId {
        name_sha256: sha256(DistinguishedName::in_sequence(name).as_ref()),
        spki_sha256: sha256(spki_der),
    }
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

fn link(serial: &[u8], issuer: IssuerId) -> Result<Link, Refusal> {
    let serial = Serial::from_der_content(serial)
        .map_err(|error| Refusal::BadCertificate { detail: format!("serial number: {error}") })?;
    Ok(Link { issuer, serial })
}

fn earliest_not_after(chain: &[CertificateDer<'_>]) -> Result<UnixTime, Refusal> {
    let mut earliest = i64::MAX;
    for certificate in chain {
        let (_, parsed) = X509Certificate::from_der(certificate)
            .map_err(|error| Refusal::BadCertificate { detail: error.to_string() })?;
        earliest = earliest.min(parsed.validity().not_after.timestamp());
    }
    let earliest = u64::try_from(earliest).unwrap_or(0);
    Ok(UnixTime::since_unix_epoch(std::time::Duration::from_secs(earliest)))
}

/// What the verifier's word means for the client.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "webpki::Error may grow; what it adds is a bad certificate"
)]
fn refusal(error: Error) -> Refusal {
    match error {
        Error::CertExpired { not_after, .. } => Refusal::CertificateExpired { not_after: seconds(not_after) },
        Error::CertNotValidYet { not_before, .. } => {
            Refusal::CertificateNotYetValid { not_before: seconds(not_before) }
        }
        Error::UnknownIssuer => Refusal::UnknownIssuer { detail: "none of its CAs is there" },
        // A CA of the right name and the wrong key. RFC 8446 §6.2: unknown_ca, "could not be matched with a known trust anchor".
        Error::InvalidSignatureForPublicKey => Refusal::UnknownIssuer {
            detail: "a CA of that name is there, but its key did not sign the chain",
        },
        Error::RequiredEkuNotFoundContext(_) => Refusal::WrongKeyUsage,
        other => Refusal::BadCertificate { detail: other.to_string() },
    }
}
