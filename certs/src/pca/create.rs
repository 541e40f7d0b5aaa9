//! Making a CA and its certificate.

use aws_sdk_acmpca::primitives::Blob;
use aws_sdk_acmpca::types::{
    Asn1Subject, CertificateAuthorityConfiguration, CertificateAuthorityType, CrlConfiguration, CrlType,
    KeyAlgorithm, KeyStorageSecurityStandard, RevocationConfiguration, S3ObjectAcl, SigningAlgorithm,
    Validity, ValidityPeriodType,
};

use super::{PrivateCa, present, template, token};
use crate::{Error, KeyType};

/// Where a CA stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// At the top: it signs its own certificate.
    Root,
    /// Below the CA with this ARN, and with so many CAs below it at most.
    Subordinate {
        /// The ARN of the CA above.
        parent: String,
        /// 0: it signs end-entity certificates only.
        path_length: u8,
    },
}

/// Where a CA puts its CRLs.
#[derive(Clone, Debug)]
pub struct CrlSettings {
    /// The bucket. Its policy has to let `acm-pca.amazonaws.com` write.
    pub bucket: String,
    /// Partitions of 1 MB instead of one complete CRL: for over a million certificates.
    pub partitioned: bool,
    /// The host name in the certificates' distribution points, instead of the bucket's.
    pub cname: Option<String>,
    /// What the CRLs' keys start with.
    pub path: Option<String>,
    /// How long a CRL is valid. AWS renews it at half of that.
    pub days: i32,
}

/// A CA to make.
#[derive(Clone, Debug)]
pub struct CreateCa {
    /// Where it stands.
    pub kind: Kind,
    /// The common name.
    pub name: String,
    /// The organization, if its subject has one.
    pub organization: Option<String>,
    /// Its key. Ed25519 is none of AWS's.
    pub key_type: KeyType,
    /// How long its certificate is valid.
    pub years: i64,
    /// Without them, nothing that it signs can be revoked by CRL.
    pub crl: Option<CrlSettings>,
}

impl PrivateCa {
    /// Makes a CA, has its certificate issued, and imports that. Gives the ARN, unless it was a dry run.
    ///
    /// # Errors
    /// AWS's. A CA without a certificate may be there then: the same command goes on with it within five minutes.
    pub fn create(&self, wanted: &CreateCa) -> Result<Option<String>, Error> {
        let (key, signing) = algorithms(wanted.key_type)?;
        let subject = Asn1Subject::builder().common_name(&wanted.name);
        let subject = subject.set_organization(wanted.organization.clone()).build();
        let configuration = CertificateAuthorityConfiguration::builder()
            .key_algorithm(key)
            .signing_algorithm(signing.clone())
            .subject(subject)
            .build()
            .map_err(|error| Error::Aws(error.to_string()))?;
        let (kind, parent, template_name) = match &wanted.kind {
            Kind::Root => (CertificateAuthorityType::Root, None, "RootCACertificate".to_owned()),
            Kind::Subordinate { parent, path_length } => (
                CertificateAuthorityType::Subordinate,
                Some(parent.as_str()),
                format!("SubordinateCACertificate_PathLen{path_length}"),
            ),
        };
        let crl = wanted.crl.as_ref().map(crl_configuration).transpose()?;
        let with = wanted.crl.as_ref().map_or_else(
            || "without a CRL".to_owned(),
            |crl| {
                format!(
                    "with {} CRLs in s3://{}",
                    if crl.partitioned { "partitioned" } else { "complete" },
                    crl.bucket
                )
            },
        );
        let shown = format!(
            "{} CA CN={}, {} key, {with}",
            kind.as_str().to_lowercase(),
            wanted.name,
            wanted.key_type
        );
        if !self.step(&format!("create the {shown}")) {
            self.step(&format!(
                "have its certificate issued by {}, by the template {template_name}, for {} years",
                parent.unwrap_or("itself"),
                wanted.years
            ));
            self.step("import the certificate, which activates the CA");
            return Ok(None);
        }
        let made = self
            .client
            .create_certificate_authority()
            .certificate_authority_configuration(configuration)
            .certificate_authority_type(kind)
            .key_storage_security_standard(KeyStorageSecurityStandard::Fips1402Level3OrHigher)
            .set_revocation_configuration(
                crl.map(|crl| RevocationConfiguration::builder().crl_configuration(crl).build()),
            )
            .idempotency_token(token(&[&shown, parent.unwrap_or_default()]));
        let arn = present(self.call(made.send())?.certificate_authority_arn, "an ARN")?;
        self.step(&arn);
        let csr = self.await_call(|| {
            self.client.get_certificate_authority_csr().certificate_authority_arn(&arn).send()
        })?;
        let csr = present(csr.csr, "a CSR")?;
        let issuer = parent.unwrap_or(&arn);
        let issuer_signs = match parent {
            Some(parent) => self.signing_algorithm(parent)?,
            None => signing,
        };
        let validity = Validity::builder().value(wanted.years).r#type(ValidityPeriodType::Years).build();
        let issue = self
            .client
            .issue_certificate()
            .certificate_authority_arn(issuer)
            .csr(Blob::new(csr.as_bytes()))
            .signing_algorithm(issuer_signs)
            .template_arn(template(issuer, &template_name))
            .validity(validity.map_err(|error| Error::Aws(error.to_string()))?)
            .idempotency_token(token(&[&arn, "certificate"]));
        let issued = present(self.call(issue.send())?.certificate_arn, "a certificate's ARN")?;
        self.step(&format!("issued its certificate by {issuer}, by the template {template_name}"));
        let certificate = self.await_call(|| {
            let get = self.client.get_certificate();
            get.certificate_authority_arn(issuer).certificate_arn(&issued).send()
        })?;
        let import = self
            .client
            .import_certificate_authority_certificate()
            .certificate_authority_arn(&arn)
            .certificate(Blob::new(present(certificate.certificate, "a certificate")?))
            // A root has none above it, and AWS refuses a chain there.
            .set_certificate_chain(parent.and(certificate.certificate_chain).map(Blob::new));
        self.call(import.send())?;
        self.step("imported the certificate: the CA is active");
        Ok(Some(arn))
    }

    /// What a CA signs with.
    pub(super) fn signing_algorithm(&self, ca: &str) -> Result<SigningAlgorithm, Error> {
        let described = self.client.describe_certificate_authority().certificate_authority_arn(ca);
        let described = present(self.call(described.send())?.certificate_authority, "a CA")?;
        let configuration = present(described.certificate_authority_configuration, "a configuration")?;
        Ok(configuration.signing_algorithm)
    }
}

fn crl_configuration(crl: &CrlSettings) -> Result<CrlConfiguration, Error> {
    let built = CrlConfiguration::builder()
        .enabled(true)
        .s3_bucket_name(&crl.bucket)
        .crl_type(if crl.partitioned { CrlType::Partitioned } else { CrlType::Complete })
        .set_custom_cname(crl.cname.clone())
        .set_custom_path(crl.path.clone())
        .expiration_in_days(crl.days)
        // Buckets block public access, as they should: whoever reads CRLs is given that right.
        .s3_object_acl(S3ObjectAcl::BucketOwnerFullControl)
        .build();
    built.map_err(|error| Error::Aws(error.to_string()))
}

fn algorithms(key: KeyType) -> Result<(KeyAlgorithm, SigningAlgorithm), Error> {
    match key {
        KeyType::P256 => Ok((KeyAlgorithm::EcPrime256v1, SigningAlgorithm::Sha256Withecdsa)),
        KeyType::P384 => Ok((KeyAlgorithm::EcSecp384r1, SigningAlgorithm::Sha384Withecdsa)),
        KeyType::Rsa2048 => Ok((KeyAlgorithm::Rsa2048, SigningAlgorithm::Sha256Withrsa)),
        KeyType::Ed25519 => {
            Err(Error::Aws("AWS Private CA has no Ed25519 keys: use p256 or p384".to_owned()))
        }
    }
}
