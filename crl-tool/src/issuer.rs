//! Who issues a CRL: a CA by its name and its key.

use crate::name;
use aws_lc_rs::digest::{self, Digest};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

/// A CA by name and key, so that two CAs of one name never mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IssuerId {
    /// SHA-256 of the DER `Name`, tag and length included.
    pub name_sha256: [u8; 32],
    /// SHA-256 of the DER `SubjectPublicKeyInfo`, tag and length included.
    pub spki_sha256: [u8; 32],
}

impl IssuerId {
    /// The identity of the CA whose certificate this is: its subject and its key.
    ///
    /// # Errors
    /// Refuses what is no certificate.
    pub fn of_certificate(der: &[u8]) -> Result<IssuerId, IssuerError> {
        let (_, certificate) =
            X509Certificate::from_der(der).map_err(|_details| IssuerError::NotACertificate)?;
        Ok(IssuerId {
            name_sha256: sha256(certificate.subject().as_raw()),
            spki_sha256: sha256(certificate.public_key().raw),
        })
    }
}

/// Why a certificate cannot be used as an issuer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// Not DER of an X.509 certificate.
    #[error("not an X.509 certificate")]
    NotACertificate,
    /// A PEM file without a certificate in it.
    #[error("no PEM block `CERTIFICATE`")]
    NoCertificate,
    /// An extension that the certificate's use as an issuer depends on is malformed or there twice.
    #[error("a certificate whose {extension} extension is malformed or there twice")]
    Extension {
        /// Which one.
        extension: &'static str,
    },
}

/// A certificate a CRL may be verified with.
#[derive(Clone, Debug)]
pub struct Issuer {
    pub(crate) id: IssuerId,
    /// The subject, as DER.
    pub(crate) subject: Vec<u8>,
    /// The key, as DER.
    pub(crate) spki: Vec<u8>,
    /// The key's AlgorithmIdentifier without its tag and length.
    pub(crate) key_algorithm: Vec<u8>,
    /// The modulus's length, for RSA keys.
    pub(crate) rsa_bits: Option<usize>,
    pub(crate) key_id: Option<Vec<u8>>,
    pub(crate) is_ca: bool,
    /// `None` without a key usage extension.
    pub(crate) may_sign_crls: Option<bool>,
}

impl Issuer {
    /// Reads one certificate.
    ///
    /// # Errors
    /// Refuses what is no certificate, or one whose extensions cannot be trusted.
    pub fn from_der(der: &[u8]) -> Result<Issuer, IssuerError> {
        let (rest, certificate) =
            X509Certificate::from_der(der).map_err(|_details| IssuerError::NotACertificate)?;
        if !rest.is_empty() {
            return Err(IssuerError::NotACertificate);
        }
        let broken = |extension| move |_details| IssuerError::Extension { extension };
        let constraints = certificate.basic_constraints().map_err(broken("basic constraints"))?;
        let usage = certificate.key_usage().map_err(broken("key usage"))?;
        let key_id = certificate
            .get_extension_unique(&x509_parser::oid_registry::OID_X509_EXT_SUBJECT_KEY_IDENTIFIER)
            .map_err(broken("subject key identifier"))?;
        let key_id = match key_id.map(|extension| extension.parsed_extension()) {
            None => None,
            Some(ParsedExtension::SubjectKeyIdentifier(id)) => Some(id.0.to_vec()),
            Some(_) => return Err(IssuerError::Extension { extension: "subject key identifier" }),
        };
        let key = certificate.public_key();
        let rsa_bits = match key.parsed() {
            Ok(PublicKey::RSA(key)) => Some(key.key_size()),
            Ok(_) | Err(_) => None,
        };
        Ok(Issuer {
            id: IssuerId {
                name_sha256: sha256(certificate.subject().as_raw()),
                spki_sha256: sha256(key.raw),
            },
            subject: certificate.subject().as_raw().to_vec(),
            spki: key.raw.to_vec(),
            key_algorithm: key_algorithm(key.raw).ok_or(IssuerError::NotACertificate)?,
            rsa_bits,
            key_id,
            is_ca: constraints.is_some_and(|constraints| constraints.value.ca),
            may_sign_crls: usage.map(|usage| usage.value.crl_sign()),
        })
    }

    /// Reads the certificates of a file: one as DER, or any number as PEM.
    ///
    /// # Errors
    /// As [`Issuer::from_der`], and for PEM without a certificate.
    pub fn from_file_content(content: &[u8]) -> Result<Vec<Issuer>, IssuerError> {
        if content.first() == Some(&crate::der::SEQUENCE) {
            return Issuer::from_der(content).map(|issuer| vec![issuer]);
        }
        let mut issuers = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(content) {
            let certificate = certificate.map_err(|_details| IssuerError::NoCertificate)?;
            issuers.push(Issuer::from_der(&certificate)?);
        }
        if issuers.is_empty() { Err(IssuerError::NoCertificate) } else { Ok(issuers) }
    }

    /// The CA's identity.
    #[must_use]
    pub fn id(&self) -> IssuerId {
        self.id
    }

    /// The CA's name, as RFC 4514 writes it.
    #[must_use]
    pub fn name(&self) -> String {
        name::rfc4514(&self.subject).unwrap_or_default()
    }
}

/// The content of the AlgorithmIdentifier in a SubjectPublicKeyInfo.
pub(crate) fn key_algorithm(spki: &[u8]) -> Option<Vec<u8>> {
    let info = crate::der::only(spki, crate::der::SEQUENCE, "a public key").ok()?;
    let algorithm = info.reader().expect(crate::der::SEQUENCE, "a key's algorithm").ok()?;
    Some(algorithm.content.to_vec())
}

/// SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest_bytes(&digest::digest(&digest::SHA256, bytes))
}

/// The bytes of a SHA-256 digest.
pub(crate) fn digest_bytes(digest: &Digest) -> [u8; 32] {
    // The one other length there could be is no digest of SHA-256; it matches nothing.
    digest.as_ref().try_into().unwrap_or_default()
}
