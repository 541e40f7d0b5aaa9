//! Calls that are made again and again, on one set of connections and credentials.

use super::super::courier::Parcel;
use super::super::fault::DownloadFault;
use super::super::{Terms, counted::Counted};
use super::s3::{Bucket, Object};
use super::{Session, fault};
use crate::issuer::sha256;
use aws_sdk_s3::Client;
use std::io::Cursor;

/// What all of a courier's calls share.
pub(in super::super) struct Calls {
    session: Session,
    s3: Client,
}

impl Calls {
    pub(in super::super) fn start(terms: &Terms) -> Result<Calls, DownloadFault> {
        // Whether there is a region matters to S3 alone: ARNs name theirs.
        let session = Session::load(terms, None)?;
        let s3 = super::s3::client(&session, terms);
        Ok(Calls { session, s3 })
    }

    /// An object, unless its ETag is still `known`.
    pub(in super::super) fn object(
        &self,
        bucket: &str,
        key: &str,
        known: Option<&str>,
        terms: &Terms,
    ) -> Result<Option<Parcel>, DownloadFault> {
        let object = self.bucket(bucket, terms)?.get_unless(key, known)?;
        let parcel = |object: Object| Parcel {
            tag: object.etag,
            version: object.version,
            modified: object.modified,
            body: Box::new(object.body),
        };
        Ok(object.map(parcel))
    }

    /// The keys in `bucket` that start with `prefix`.
    pub(in super::super) fn list(
        &self,
        bucket: &str,
        prefix: &str,
        most: usize,
        terms: &Terms,
    ) -> Result<Vec<String>, DownloadFault> {
        self.bucket(bucket, terms)?.list(prefix, most)
    }

    /// The certificate of a CA of AWS Private CA, then those above it, as PEM.
    pub(in super::super) fn chain(
        &self,
        arn: &str,
        region: &str,
        known: Option<&str>,
        terms: &Terms,
    ) -> Result<Option<Parcel>, DownloadFault> {
        let session = self.session.again_in(region, terms);
        let client = aws_sdk_acmpca::Client::new(&session.config);
        let call = client.get_certificate_authority_certificate().certificate_authority_arn(arn).send();
        let answer = session.wait(call)?.map_err(|error| fault(&error))?;
        let pem = [answer.certificate, answer.certificate_chain].into_iter().flatten().collect::<Vec<_>>();
        parcel(pem.join("\n"), known, terms)
    }

    /// The current value of a secret of AWS Secrets Manager.
    pub(in super::super) fn secret(
        &self,
        arn: &str,
        region: &str,
        known: Option<&str>,
        terms: &Terms,
    ) -> Result<Option<Parcel>, DownloadFault> {
        let session = self.session.again_in(region, terms);
        let client = aws_sdk_secretsmanager::Client::new(&session.config);
        let call = client.get_secret_value().secret_id(arn).send();
        let answer = session.wait(call)?.map_err(|error| fault(&error))?;
        let text = answer.secret_string.ok_or(DownloadFault::NoText)?;
        parcel(text, known, terms)
    }

    fn bucket<'a>(&self, name: &'a str, terms: &Terms) -> Result<Bucket<'a>, DownloadFault> {
        if self.session.config.region().is_none() {
            return Err(DownloadFault::NoRegion);
        }
        Ok(Bucket::on(name, self.s3.clone(), self.session.again(terms), terms))
    }
}

/// What comes without a name of its own is called by its digest.
fn parcel(text: String, known: Option<&str>, terms: &Terms) -> Result<Option<Parcel>, DownloadFault> {
    let digest = sha256(text.as_bytes());
    let tag: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
    if known == Some(tag.as_str()) {
        return Ok(None);
    }
    let size = u64::try_from(text.len()).ok();
    let body = Counted::new(Cursor::new(text.into_bytes()), size, terms.max_bytes)?;
    Ok(Some(Parcel { tag, version: None, modified: None, body: Box::new(body) }))
}
