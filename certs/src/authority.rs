//! A CA: it issues subordinate CAs, end-entity certificates and, through [`crate::Crl`], CRLs.

use aws_lc_rs::rand;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
};
use time::OffsetDateTime;
use x509_parser::extensions::ParsedExtension;
use x509_parser::parse_x509_certificate;

use crate::leaf::subject;
use crate::{Error, KeyType, Leaf, Validity, pem};

/// A certification authority: its certificate, its private key, and the CAs between it and the root.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Vec<u8>,
    /// This CA's certificate and those above it, without the root: what its leaves are sent with.
    chain: Vec<Vec<u8>>,
    name_der: Vec<u8>,
    key_id: Vec<u8>,
    name: String,
    valid_until: OffsetDateTime,
}

impl Authority {
    /// A new self-signed root, below which one further CA may stand.
    ///
    /// # Errors
    /// When the crypto library cannot make the key or the certificate.
    pub fn root(name: &str, key_type: KeyType, validity: Validity) -> Result<Self, Error> {
        let params = ca_params(name, 1, validity)?;
        let key = key_type.generate()?;
        let certificate = params.self_signed(&key)?;
        Self::new(certificate.der().to_vec(), key, Vec::new())
    }

    /// A new CA below this one. It may issue end-entity certificates only.
    ///
    /// # Errors
    /// As [`Authority::root`].
    pub fn subordinate(&self, name: &str, key_type: KeyType, validity: Validity) -> Result<Self, Error> {
        let mut params = ca_params(name, 0, validity)?;
        params.use_authority_key_identifier_extension = true;
        let key = key_type.generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Self::new(certificate.der().to_vec(), key, self.chain.clone())
    }

    /// A CA from its certificate and private key, both PEM.
    ///
    /// The CA is taken to stand right below the root, or to be the root when it is self-signed.
    ///
    /// # Errors
    /// [`Error::UnusableCa`] when either is not what it should be.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, Error> {
        let certificate = pem::first_certificate(certificate).ok_or(Error::UnusableCa("no certificate"))?;
        let key = KeyPair::from_pem(key).map_err(|_opaque| Error::UnusableCa("no private key"))?;
        Self::new(certificate, key, Vec::new())
    }

    fn new(certificate: Vec<u8>, key: KeyPair, above: Vec<Vec<u8>>) -> Result<Self, Error> {
        let (_, parsed) =
            parse_x509_certificate(&certificate).map_err(|_opaque| Error::UnusableCa("not a certificate"))?;
        let key_id = parsed
            .iter_extensions()
            .find_map(|extension| {
                let ParsedExtension::SubjectKeyIdentifier(id) = extension.parsed_extension() else {
                    return None;
                };
                Some(id.0.to_vec())
            })
            .ok_or(Error::UnusableCa("no subject key identifier"))?;
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(Error::UnusableCa("the private key belongs to another certificate"));
        }
        let self_signed = parsed.subject() == parsed.issuer();
        let name_der = parsed.subject().as_raw().to_vec();
        let name = parsed.subject().to_string();
        let valid_until = parsed.validity().not_after.to_datetime();
        let issuer = Issuer::from_ca_cert_der(&certificate.as_slice().into(), key)?;
        let own = if self_signed { None } else { Some(certificate.clone()) };
        let chain = own.into_iter().chain(above).collect();
        Ok(Self { issuer, certificate, chain, name_der, key_id, name, valid_until })
    }

    /// Issues an end-entity certificate with a new key.
    ///
    /// # Errors
    /// [`Error::Certificate`] for names that a certificate cannot carry.
    pub fn issue(&self, leaf: &Leaf, key_type: KeyType) -> Result<Identity, Error> {
        let mut params = leaf.params()?;
        let serial = random_serial()?;
        params.serial_number = Some(serial.clone().into());
        params.use_authority_key_identifier_extension = true;
        let key = key_type.generate()?;
        let certificate: Certificate = params.signed_by(&key, &self.issuer)?;
        let mut chain = vec![certificate.der().to_vec()];
        chain.extend_from_slice(&self.chain);
        Ok(Identity { name: leaf.name.clone(), validity: leaf.validity, serial, chain, key })
    }

    /// The CA's certificate, DER.
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate
    }

    /// The CA's certificate, PEM.
    pub fn certificate_pem(&self) -> String {
        pem::certificates(std::slice::from_ref(&self.certificate))
    }

    /// The CA's private key, PKCS#8 PEM.
    pub fn key_pem(&self) -> String {
        self.key().serialize_pem()
    }

    /// The subject, readable.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The last moment the CA's certificate is valid.
    pub fn valid_until(&self) -> OffsetDateTime {
        self.valid_until
    }

    /// The subject's DER, as CRLs carry it in `issuer`.
    pub(crate) fn name_der(&self) -> &[u8] {
        &self.name_der
    }

    /// The subject key identifier, as CRLs and leaves carry it in their authority key identifier.
    pub(crate) fn key_id(&self) -> &[u8] {
        &self.key_id
    }

    pub(crate) fn key(&self) -> &KeyPair {
        self.issuer.key()
    }
}

/// A certificate with its private key and the CAs to send along.
pub struct Identity {
    name: String,
    validity: Validity,
    serial: Vec<u8>,
    chain: Vec<Vec<u8>>,
    key: KeyPair,
}

impl Identity {
    /// The name it was issued for, which is also its file name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When it is valid.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// The serial number: 16 octets, the first between 0x40 and 0x7f.
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// The certificate and the CAs above it without the root, DER, in the order TLS sends them.
    pub fn chain_der(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// [`Identity::chain_der`] as PEM.
    pub fn chain_pem(&self) -> String {
        pem::certificates(&self.chain)
    }

    /// The private key, PKCS#8 DER.
    pub fn key_der(&self) -> &[u8] {
        self.key.serialized_der()
    }

    /// The private key, PKCS#8 PEM.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }
}

fn ca_params(name: &str, path_length: u8, validity: Validity) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(name);
    params.not_before = validity.from;
    params.not_after = validity.until;
    params.serial_number = Some(random_serial()?.into());
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

/// RFC 5280 §4.1.2.2: positive and at most 20 octets. These have 126 random bits and always 16 octets.
fn random_serial() -> Result<Vec<u8>, Error> {
    let mut serial = vec![0; 16];
    rand::fill(&mut serial).map_err(|_unspecified| Error::Random)?;
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    Ok(serial)
}
