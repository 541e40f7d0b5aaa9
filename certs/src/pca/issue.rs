//! A certificate by a CA of AWS Private CA, for a key that never leaves this machine.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aws_sdk_acmpca::primitives::Blob;
use aws_sdk_acmpca::types::{Validity, ValidityPeriodType};
use rcgen::{DistinguishedName, DnType, KeyPair};
use x509_parser::parse_x509_certificate;
use x509_parser::pem::Pem;

use super::{PrivateCa, present, template, token};
use crate::files::{Access, Overwrite, Staging};
use crate::{Error, KeyType, Leaf, Usage, pem};

/// A certificate to have issued.
#[derive(Clone, Debug)]
pub struct IssueLeaf {
    /// The ARN of the CA.
    pub ca: String,
    /// What it shall say. Of its validity, only the number of days counts.
    pub leaf: Leaf,
    /// How long it is valid.
    pub days: i64,
    /// The key that is made.
    pub key_type: KeyType,
    /// Where `<name>.key`, `<name>.csr` and `<name>.pem` are written.
    pub directory: PathBuf,
}

impl PrivateCa {
    /// Makes a key and a CSR, has the certificate issued, and writes it with the CAs to send along. A key and CSR that are
    /// there already are used: a command that was cut off goes on.
    ///
    /// # Errors
    /// AWS's, and those of the files. A certificate that is there already is not replaced.
    pub fn issue(&self, wanted: &IssueLeaf) -> Result<(), Error> {
        let file = |ending: &str| wanted.directory.join(format!("{}.{ending}", wanted.leaf.name));
        let [key, csr, certificate] = ["key", "csr", "pem"].map(file);
        // In the way before anything is made or issued, rather than after.
        Staging::new(Overwrite::Refuse, &[&certificate])?;
        let template_name = match wanted.leaf.usage {
            Usage::Client => "EndEntityClientAuthCertificate",
            Usage::Server => "EndEntityServerAuthCertificate",
        };
        let shown = format!("by {}, by the template {template_name}, for {} days", wanted.ca, wanted.days);
        if self.dry_run {
            self.step(&format!("make a {} key in {}, unless it is there", wanted.key_type, key.display()));
            self.step(&format!("have CN={} issued {shown}", wanted.leaf.name));
            self.step(&format!("write {}", certificate.display()));
            return Ok(());
        }
        let request = self.request(wanted, &key, &csr)?;
        let validity = Validity::builder().value(wanted.days).r#type(ValidityPeriodType::Days).build();
        let issue = self
            .client
            .issue_certificate()
            .certificate_authority_arn(&wanted.ca)
            .csr(Blob::new(request.as_bytes()))
            .signing_algorithm(self.signing_algorithm(&wanted.ca)?)
            .template_arn(template(&wanted.ca, template_name))
            .validity(validity.map_err(|error| Error::Aws(error.to_string()))?)
            .idempotency_token(token(&[&wanted.ca, &request]));
        let issued = present(self.call(issue.send())?.certificate_arn, "a certificate's ARN")?;
        let answer = self.await_call(|| {
            let get = self.client.get_certificate();
            get.certificate_authority_arn(&wanted.ca).certificate_arn(&issued).send()
        })?;
        let leaf = present(answer.certificate, "a certificate")?;
        let chain = format!("{leaf}\n{}", answer.certificate_chain.unwrap_or_default());
        let chain = to_send(&chain);
        let first = chain.first().ok_or_else(|| Error::Aws("a certificate that is none".to_owned()))?;
        let serial = serial(first)?;
        write(&certificate, Access::Public, &pem::certificates(&chain))?;
        self.step(&format!(
            "issued CN={}, serial {serial}, {shown}: {}",
            wanted.leaf.name,
            certificate.display()
        ));
        Ok(())
    }

    /// The CSR, and the key for it: those that are there, or new ones.
    fn request(&self, wanted: &IssueLeaf, key: &Path, csr: &Path) -> Result<String, Error> {
        let pair = match existing(key)? {
            Some(text) => KeyPair::from_pem(&text)?,
            None => {
                let pair = wanted.key_type.generate()?;
                write(key, Access::Private, &pair.serialize_pem())?;
                self.step(&format!("made a {} key: {}", wanted.key_type, key.display()));
                pair
            }
        };
        if let Some(text) = existing(csr)? {
            return Ok(text);
        }
        let mut params = wanted.leaf.params()?;
        // The organization of the development PKI is nobody's here.
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, wanted.leaf.name.as_str());
        let text = params.serialize_request(&pair)?.pem()?;
        write(csr, Access::Public, &text)?;
        Ok(text)
    }
}

/// The certificates of a chain without the root, which whoever trusts it has.
fn to_send(chain: &str) -> Vec<Vec<u8>> {
    let blocks = Pem::iter_from_buffer(chain.as_bytes()).map_while(Result::ok).map(|block| block.contents);
    let is_root = |der: &Vec<u8>| {
        parse_x509_certificate(der).is_ok_and(|(_, parsed)| parsed.subject() == parsed.issuer())
    };
    blocks.filter(|der| !is_root(der)).collect()
}

/// A certificate's serial number, as `revoke` takes it.
pub(super) fn serial(der: &[u8]) -> Result<String, Error> {
    let (_, parsed) =
        parse_x509_certificate(der).map_err(|_opaque| Error::UnusableCa("not a certificate"))?;
    // Without the octet that only says that the number is positive, as AWS and openssl write it.
    let octets = parsed.raw_serial();
    let octets = octets.strip_prefix(&[0]).filter(|rest| !rest.is_empty()).unwrap_or(octets);
    Ok(octets.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(":"))
}

fn existing(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some).map_err(Error::io("read", path)),
    }
}

/// Writes a file that is not there yet.
fn write(path: &Path, access: Access, content: &str) -> Result<(), Error> {
    let mut staging = Staging::new(Overwrite::Refuse, &[path])?;
    staging.add(path, access, |out| Ok(out.write_all(content.as_bytes())?))?;
    staging.commit()
}
