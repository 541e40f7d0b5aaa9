//! A certificate that an index is asked about.

use crate::index::Index;
use crate::issuer::IssuerError;
use crate::name;
use crate::point::{GeneralName, Point};
use crate::serial::Serial;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::extensions::ParsedExtension;
use x509_parser::oid_registry::OID_X509_EXT_CRL_DISTRIBUTION_POINTS;
use x509_parser::prelude::{FromDer, X509Certificate};

/// What of a certificate matters to its revocation.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its serial number.
    pub serial: Serial,
    /// Its issuer's name, as RFC 4514 writes it.
    pub issuer: String,
    pub(crate) issuer_der: Vec<u8>,
    /// The key identifier of its issuer, if it names one.
    authority_key_id: Option<Vec<u8>>,
    /// Whether it is a CA's (RFC 5280 §4.2.1.9).
    pub is_ca: bool,
    /// Where it says that CRLs about it are.
    pub(crate) points: Vec<Point>,
}

impl Subject {
    /// Reads the first certificate of a file, DER or PEM.
    ///
    /// # Errors
    /// Refuses what is no certificate.
    pub fn from_file_content(content: &[u8]) -> Result<Subject, IssuerError> {
        if content.first() == Some(&crate::der::SEQUENCE) {
            return Subject::from_der(content);
        }
        let certificate = CertificateDer::pem_slice_iter(content).next().ok_or(IssuerError::NoCertificate)?;
        Subject::from_der(&certificate.map_err(|_details| IssuerError::NoCertificate)?)
    }

    /// Reads a certificate.
    ///
    /// # Errors
    /// Refuses what is no certificate, or one that does not say whether it is a CA's.
    pub fn from_der(der: &[u8]) -> Result<Subject, IssuerError> {
        let (_, certificate) =
            X509Certificate::from_der(der).map_err(|_details| IssuerError::NotACertificate)?;
        let serial = Serial::from_der_content(certificate.raw_serial())
            .map_err(|_details| IssuerError::NotACertificate)?;
        let issuer_der = certificate.issuer().as_raw().to_vec();
        let authority_key_id = certificate.iter_extensions().find_map(|extension| {
            if let ParsedExtension::AuthorityKeyIdentifier(id) = extension.parsed_extension() {
                id.key_identifier.as_ref().map(|id| id.0.to_vec())
            } else {
                None
            }
        });
        let issuer = name::rfc4514(&issuer_der).unwrap_or_default();
        let constraints = certificate
            .basic_constraints()
            .map_err(|_details| IssuerError::Extension { extension: "basic constraints" })?;
        let is_ca = constraints.is_some_and(|constraints| constraints.value.ca);
        // Malformed points are none, so that no CRL of a distribution point covers the certificate.
        let points = certificate
            .get_extension_unique(&OID_X509_EXT_CRL_DISTRIBUTION_POINTS)
            .ok()
            .flatten()
            .and_then(|extension| Point::read_all(extension.value, &issuer_der).ok())
            .unwrap_or_default();
        Ok(Subject { serial, issuer, issuer_der, authority_key_id, is_ca, points })
    }
}

impl Index {
    /// Whether the index is of the certificate's issuer, as far as the certificate alone tells: the names are equal,
    /// and the key identifiers do not differ. An indirect one may also be of an issuer that the certificate names as that
    /// of its CRLs. Whoever has the issuer's certificate compares [`crate::IssuerId`]s.
    #[must_use]
    pub fn is_by_issuer_of(&self, subject: &Subject) -> bool {
        let metadata = self.metadata();
        let same_key = match (&metadata.authority_key_id, &subject.authority_key_id) {
            (Some(ours), Some(theirs)) => ours == theirs,
            (None, _) | (_, None) => true,
        };
        if metadata.issuer_der == subject.issuer_der {
            return same_key;
        }
        let issuer = GeneralName::directory(&metadata.issuer_der);
        let indirect = metadata.scope.as_ref().is_some_and(|scope| scope.indirect);
        indirect && subject.points.iter().any(|point| point.crl_issuers.contains(&issuer))
    }
}
