//! Revoking a certificate of AWS Private CA, which then puts it on the next CRL.

use aws_sdk_acmpca::types::RevocationReason;

use super::{PrivateCa, issue};
use crate::{Error, Reason, pem};

/// The code of AWS's answer for a certificate that is revoked already.
const ALREADY: &str = "RequestAlreadyProcessedException";

/// What to revoke.
#[derive(Clone, Debug)]
pub struct RevokeLeaf {
    /// The ARN of the CA that issued it.
    pub ca: String,
    /// Its serial number in hex; colons may stand between.
    pub serial: String,
    /// Why.
    pub reason: Reason,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// It is revoked now.
    Now,
    /// It was revoked already.
    Already,
    /// It was a dry run.
    Not,
}

impl RevokeLeaf {
    /// The serial number of the first certificate in a PEM file.
    ///
    /// # Errors
    /// There is none.
    pub fn serial_in(text: &str) -> Result<String, Error> {
        let der = pem::first_certificate(text).ok_or(Error::UnusableCa("no certificate"))?;
        issue::serial(&der)
    }
}

impl PrivateCa {
    /// Revokes a certificate. To revoke what is revoked already is no failure.
    ///
    /// # Errors
    /// AWS's: it knows no such certificate, for one.
    pub fn revoke(&self, wanted: &RevokeLeaf) -> Result<Revoked, Error> {
        let serial = with_colons(&wanted.serial)?;
        let reason = reason(wanted.reason)?;
        let shown = format!("serial {serial} of {}, reason {}", wanted.ca, wanted.reason);
        if self.dry_run {
            self.step(&format!("revoke {shown}"));
            return Ok(Revoked::Not);
        }
        let call = self.client.revoke_certificate();
        let call =
            call.certificate_authority_arn(&wanted.ca).certificate_serial(&serial).revocation_reason(reason);
        match self.call(call.send()) {
            Ok(_) => {
                self.step(&format!("revoked {shown}: it is on the next CRL, within about half an hour"));
                Ok(Revoked::Now)
            }
            Err(Error::Aws(said)) if said.starts_with(ALREADY) => {
                self.step(&format!("was revoked already: {shown}"));
                Ok(Revoked::Already)
            }
            Err(error) => Err(error),
        }
    }
}

/// As AWS takes it: two digits, a colon, two digits.
fn with_colons(serial: &str) -> Result<String, Error> {
    let digits: Vec<char> = serial.chars().filter(|c| *c != ':').map(|c| c.to_ascii_lowercase()).collect();
    if digits.is_empty() || !digits.len().is_multiple_of(2) || !digits.iter().all(char::is_ascii_hexdigit) {
        let (name, expected) = (serial.to_owned(), "serial number: pairs of hexadecimal digits");
        return Err(Error::InvalidName { name, expected });
    }
    let pairs = digits.chunks(2).map(|pair| pair.iter().collect::<String>());
    Ok(pairs.collect::<Vec<_>>().join(":"))
}

fn reason(reason: Reason) -> Result<RevocationReason, Error> {
    Ok(match reason {
        Reason::Unspecified => RevocationReason::Unspecified,
        Reason::KeyCompromise => RevocationReason::KeyCompromise,
        Reason::CaCompromise => RevocationReason::CertificateAuthorityCompromise,
        Reason::AffiliationChanged => RevocationReason::AffiliationChanged,
        Reason::Superseded => RevocationReason::Superseded,
        Reason::CessationOfOperation => RevocationReason::CessationOfOperation,
        Reason::CertificateHold => {
            return Err(Error::Aws(
                "AWS Private CA holds no certificates: revocation is for good".to_owned(),
            ));
        }
        Reason::PrivilegeWithdrawn => RevocationReason::PrivilegeWithdrawn,
        Reason::AaCompromise => RevocationReason::AaCompromise,
    })
}
