//! Keys that sign CRLs about certificates of another key: a CA's key for CRLs alone, the other key of a rollover, the
//! issuer of an indirect CRL. Only those count that the operator names.

use crl_tool::{IssuerId, Serial};
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::EndEntityCert;
use x509_parser::oid_registry as oid;
use x509_parser::prelude::{FromDer, KeyUsage, X509Certificate};

use super::path::Link;
use super::pem::certificates_in;
use crate::clock::seconds;
use crate::config::{Invalid, Source};
use crate::cryptography::provider;
use crate::refusal::Refusal;
use crate::sources::Sources;

const KEY: &str = "revocation.crl_signers";

/// A CRL signer and the CAs above it, whose signatures were verified up to the trust anchor.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CrlSigner {
    /// Its name and its key.
    pub id: IssuerId,
    is_ca: bool,
    /// Name and key of the trust anchor.
    anchor: IssuerId,
    /// From the signer up, each certificate as its issuer's CRL knows it. Empty if the signer is the anchor.
    pub links: Vec<Link>,
    /// The same certificates.
    pub chain: Vec<CertificateDer<'static>>,
    /// When all of them are valid, in seconds since the Unix epoch, both inclusive.
    validity: (i64, i64),
}

/// Why a file does not make a CRL signer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Unfit {
    #[error("certificate {0} cannot be read")]
    Unreadable(usize),
    #[error("certificate {0} was not issued by the next one: it names another issuer")]
    OtherIssuer(usize),
    #[error("certificate {0} was not issued by the next one: the next one's key did not sign it")]
    OtherKey(usize),
    #[error("certificate {0} is not a CA's")]
    NotACa(usize),
    #[error("certificate {0} allows fewer CAs below it")]
    PathLength(usize),
    #[error("certificate {0} has the critical extension {1}, which is not understood here")]
    Critical(usize, String),
    #[error("certificate 1 does not allow its key to sign CRLs (key usage cRLSign)")]
    MayNotSign,
}

impl CrlSigner {
    /// Reads PEM: the signer's certificate, then the CAs above it, the trust anchor last.
    pub(super) fn load(source: &Source, sources: &Sources) -> Result<Self, Invalid> {
        let (_, text) = sources.read(source)?;
        Self::verify(certificates_in(&text, source)?).map_err(|unfit| {
            let hint =
                "give the signer's certificate first, then the CAs above it in order, the trust anchor last";
            Invalid::new(KEY, format!("{}: {unfit}", source.place), hint)
        })
    }

    fn verify(mut chain: Vec<CertificateDer<'static>>) -> Result<Self, Unfit> {
        let parsed = chain.iter().zip(1..).map(|(der, number)| {
            X509Certificate::from_der(der)
                .map(|(_, parsed)| parsed)
                .map_err(|_details| Unfit::Unreadable(number))
        });
        let parsed = parsed.collect::<Result<Vec<_>, _>>()?;
        let ids = chain
            .iter()
            .zip(1..)
            .map(|(der, number)| IssuerId::of_certificate(der).map_err(|_details| Unfit::Unreadable(number)));
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        let (Some(signer), Some(&id), Some(&anchor)) = (parsed.first(), ids.first(), ids.last()) else {
            return Err(Unfit::Unreadable(1));
        };
        // RFC 5280 §6.3.3 (f). Who is no CA needs the bit, as otherwise every client could sign.
        let constraints = signer.basic_constraints().map_err(|_details| Unfit::Unreadable(1))?;
        let is_ca = constraints.is_some_and(|constraints| constraints.value.ca);
        let may_sign = usage(signer, 1)?.map_or(is_ca, KeyUsage::crl_sign);
        if !may_sign {
            return Err(Unfit::MayNotSign);
        }
        let (mut links, mut validity, mut below) = (Vec::new(), (i64::MIN, i64::MAX), 0);
        let above = parsed.iter().zip(&chain).zip(&ids).skip(1);
        for ((number, child), ((issuer, issuer_der), &issuer_id)) in (1..).zip(&parsed).zip(above) {
            issued(child, number, issuer, issuer_der)?;
            check_ca(issuer, number + 1, below)?;
            // RFC 5280 §4.2.1.9: self-issued certificates do not count.
            below += u32::from(issuer.subject().as_raw() != issuer.issuer().as_raw());
            let serial = Serial::from_der_content(child.raw_serial());
            links.push(Link {
                issuer: issuer_id,
                serial: serial.map_err(|_details| Unfit::Unreadable(number))?,
            });
            let (from, until) = (child.validity().not_before, child.validity().not_after);
            validity = (validity.0.max(from.timestamp()), validity.1.min(until.timestamp()));
        }
        drop(parsed);
        // The anchor is believed as it is.
        chain.pop();
        Ok(Self { id, is_ca, anchor, links, chain, validity })
    }

    /// Whether it may sign CRLs about the certificate at the start of `path`: one verified up to the same trust anchor,
    /// of a CA that is the same one, or that names this signer in the certificate, which the CRL's scope tells.
    pub(super) fn speaks_for(&self, path: &[Link]) -> bool {
        let (Some(certificate), Some(top)) = (path.first(), path.last()) else { return false };
        // RFC 5280 §6.3.3 (f): the same trust anchor. The CA's own key needs nobody to speak for it.
        if top.issuer != self.anchor || certificate.issuer == self.id {
            return false;
        }
        if certificate.issuer.name_sha256 != self.id.name_sha256 {
            return true;
        }
        // A name alone does not make two keys one CA: one certified the other, or a CA certified both under this name,
        // this one for CRLs only.
        let signers_issuer = self.links.first().map(|link| link.issuer);
        let cas_issuer = path.get(1).map(|link| link.issuer);
        signers_issuer == Some(certificate.issuer)
            || cas_issuer == Some(self.id)
            || (!self.is_ca && signers_issuer.is_some() && signers_issuer == cas_issuer)
    }

    /// Whether its certificates are valid at `now`.
    pub(super) fn check_validity(&self, now: UnixTime) -> Result<UnixTime, Refusal> {
        let (from, until) = self.validity;
        let now = seconds(now);
        if now > until {
            return Err(Refusal::CertificateExpired { not_after: until });
        }
        if now < from {
            return Err(Refusal::CertificateNotYetValid { not_before: from });
        }
        let until = u64::try_from(until).unwrap_or(0);
        Ok(UnixTime::since_unix_epoch(std::time::Duration::from_secs(until)))
    }
}

/// Certificate `number`, `child`, is signed by the next one.
fn issued(
    child: &X509Certificate<'_>,
    number: usize,
    issuer: &X509Certificate<'_>,
    issuer_der: &CertificateDer<'_>,
) -> Result<(), Unfit> {
    if child.issuer().as_raw() != issuer.subject().as_raw() {
        return Err(Unfit::OtherIssuer(number));
    }
    for extension in child.extensions().iter().filter(|extension| extension.critical) {
        let understood = [
            oid::OID_X509_EXT_BASIC_CONSTRAINTS,
            oid::OID_X509_EXT_KEY_USAGE,
            oid::OID_X509_EXT_CRL_DISTRIBUTION_POINTS,
            oid::OID_X509_EXT_CERTIFICATE_POLICIES,
        ];
        if !understood.contains(&extension.oid) {
            return Err(Unfit::Critical(number, extension.oid.to_id_string()));
        }
    }
    let key = EndEntityCert::try_from(issuer_der).map_err(|_details| Unfit::Unreadable(number + 1))?;
    let (message, signature) = (child.tbs_certificate.as_ref(), &child.signature_value.data);
    let signed = |algorithm: &&_| key.verify_signature(**algorithm, message, signature).is_ok();
    if provider().signature_verification_algorithms.all.iter().any(|algorithm| signed(&algorithm)) {
        Ok(())
    } else {
        Err(Unfit::OtherKey(number))
    }
}

/// Certificate `number` is that of a CA with at most `below` CAs below it.
fn check_ca(ca: &X509Certificate<'_>, number: usize, below: u32) -> Result<(), Unfit> {
    let constraints = ca.basic_constraints().map_err(|_details| Unfit::Unreadable(number))?;
    let may_sign = usage(ca, number)?.is_none_or(KeyUsage::key_cert_sign);
    let Some(constraints) = constraints.filter(|constraints| constraints.value.ca && may_sign) else {
        return Err(Unfit::NotACa(number));
    };
    match constraints.value.path_len_constraint {
        Some(most) if most < below => Err(Unfit::PathLength(number)),
        Some(_) | None => Ok(()),
    }
}

fn usage<'a>(certificate: &'a X509Certificate<'_>, number: usize) -> Result<Option<&'a KeyUsage>, Unfit> {
    let usage = certificate.key_usage().map_err(|_details| Unfit::Unreadable(number))?;
    Ok(usage.map(|usage| usage.value))
}
