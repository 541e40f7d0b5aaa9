//! Certificate authorities of AWS Private CA.

use super::super::Terms;
use super::super::fault::DownloadFault;
use super::{Session, fault};
use aws_config::Region;
use aws_sdk_acmpca::Client;

/// The certificate of the CA with this ARN, as PEM.
pub(in super::super) fn certificate(arn: &str, region: &str, terms: &Terms) -> Result<String, DownloadFault> {
    let session = Session::start(terms, Some(Region::new(region.to_owned())))?;
    let client = Client::new(&session.config);
    let call = client.get_certificate_authority_certificate().certificate_authority_arn(arn).send();
    let answer = session.wait(call)?.map_err(|error| fault(&error))?;
    // The chain that comes with it is of other CAs: they do not sign this one's CRLs.
    answer.certificate.ok_or_else(|| DownloadFault::AwsCall("an answer without a certificate".to_owned()))
}
