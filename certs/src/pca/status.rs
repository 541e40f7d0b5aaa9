//! What CAs there are, and how they are.

use aws_sdk_acmpca::types::CertificateAuthority;
use time::OffsetDateTime;

use super::{PrivateCa, present};
use crate::Error;

/// One CA.
#[derive(Clone, Debug)]
pub struct CaStatus {
    /// Its ARN.
    pub arn: String,
    /// Its common name.
    pub name: String,
    /// `ROOT` or `SUBORDINATE`.
    pub kind: String,
    /// AWS's word, such as `ACTIVE`.
    pub status: String,
    /// The last moment its certificate is valid.
    pub until: Option<OffsetDateTime>,
    /// Where its CRLs are, if it has any.
    pub crl: Option<String>,
}

impl PrivateCa {
    /// One CA, or all of the account and region.
    ///
    /// # Errors
    /// AWS's.
    pub fn status(&self, ca: Option<&str>) -> Result<Vec<CaStatus>, Error> {
        if let Some(ca) = ca {
            let describe = self.client.describe_certificate_authority().certificate_authority_arn(ca);
            return Ok(vec![of(present(self.call(describe.send())?.certificate_authority, "a CA")?)]);
        }
        let (mut all, mut next) = (Vec::new(), None);
        loop {
            let page = self.call(self.client.list_certificate_authorities().set_next_token(next).send())?;
            all.extend(page.certificate_authorities.unwrap_or_default().into_iter().map(of));
            next = page.next_token;
            if next.is_none() {
                return Ok(all);
            }
        }
    }
}

fn of(ca: CertificateAuthority) -> CaStatus {
    let subject = ca.certificate_authority_configuration.and_then(|configuration| configuration.subject);
    let crl = ca.revocation_configuration.and_then(|revocation| revocation.crl_configuration);
    let crl = crl.filter(|crl| crl.enabled).map(|crl| {
        let kind = crl.crl_type.map_or("COMPLETE", |kind| {
            if kind.as_str() == "PARTITIONED" { "PARTITIONED" } else { "COMPLETE" }
        });
        format!("{kind} s3://{}", crl.s3_bucket_name.unwrap_or_default())
    });
    CaStatus {
        arn: ca.arn.unwrap_or_default(),
        name: subject.and_then(|subject| subject.common_name).unwrap_or_default(),
        kind: ca.r#type.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        status: ca.status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
        until: ca.not_after.and_then(|at| OffsetDateTime::from_unix_timestamp(at.secs()).ok()),
        crl,
    }
}
