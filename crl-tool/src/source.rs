//! Where CRLs and their issuers come from besides files: the web, Amazon S3 and AWS Private CA.

#[cfg(feature = "aws")]
mod aws;
#[cfg(any(feature = "aws", feature = "http"))]
mod counted;
mod courier;
mod edition;
mod fault;
#[cfg(feature = "http")]
mod http;
mod location;
mod upload;

pub use courier::{Courier, Parcel};
pub use edition::Edition;
pub use fault::DownloadFault;
pub use location::Location;
pub use upload::UploadFault;

use crate::key::Signer;
#[cfg(feature = "aws")]
use std::io;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;
use time::OffsetDateTime;

/// The IAM actions that the calls to AWS in here need. `aws-permissions.json` says on what, and when.
pub const AWS_ACTIONS: [&str; 6] = [
    "acm-pca:GetCertificateAuthorityCertificate",
    "kms:GetPublicKey",
    "kms:Sign",
    "s3:GetObject",
    // Without it, S3 refuses instead of saying that an object is not there.
    "s3:ListBucket",
    "s3:PutObject",
];

/// What a download may take, and where it may lead.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The most bytes that are read.
    pub max_bytes: u64,
    /// From the first step to the last byte.
    pub timeout: Duration,
    /// Refuse a way on which others can change what is read: plain http, also behind a redirect. Signed CRLs may take
    /// it; the certificate that proves them may not.
    pub authenticated: bool,
    /// Put the bucket into the path of S3 requests instead of the host's name, as many servers but Amazon's want it.
    pub s3_path_style: bool,
}

/// What is at a location.
pub struct Download {
    /// Read as it comes. A read fails with a [`Problem::Download`](crate::Problem::Download) inside of its [`std::io::Error`].
    pub body: Box<dyn Read>,
    /// The name of this content at this place, if it has one: it changes whenever the content does.
    pub etag: Option<String>,
    /// Since when it is there, if that is known.
    pub modified: Option<OffsetDateTime>,
}

/// Something on its way into S3, and whether it goes all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// It is written.
    Really,
    /// It is compared, and not written.
    DryRun,
}

/// What became of something on its way into S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// It is there now.
    Written,
    /// It was there already.
    Unchanged,
    /// What a newer CRL was made into is there, and stays.
    Superseded,
}

/// A key of AWS KMS, by its id, alias or ARN, for signing indexes.
///
/// # Errors
/// KMS does not show its public half, or it is of a kind that does not sign indexes.
#[cfg_attr(
    not(feature = "aws"),
    expect(unused_variables, reason = "without the feature, there is nobody to ask")
)]
pub fn kms_key(id: &str, terms: &Terms) -> Result<Box<dyn Signer>, DownloadFault> {
    #[cfg(feature = "aws")]
    {
        Ok(Box::new(aws::KmsKey::find(id, terms)?))
    }
    #[cfg(not(feature = "aws"))]
    {
        Err(DownloadFault::NotBuilt { what: "AWS KMS", feature: "aws" })
    }
}

#[cfg(not(feature = "aws"))]
const NO_S3: DownloadFault = DownloadFault::NotBuilt { what: "s3:// addresses", feature: "aws" };

#[cfg(any(feature = "aws", feature = "http"))]
impl Download {
    /// Something of which nothing else is known.
    fn of(body: impl Read + 'static) -> Download {
        Download { body: Box::new(body), etag: None, modified: None }
    }
}

impl Location {
    /// Puts the index in a file here, in place of one of an older CRL or of none. Nobody sees a part of it.
    ///
    /// The newer of two CRLs of one issuer and scope stays, whatever the order they come in and however many write at
    /// once (RFC 5280 §5.2.3: the number only grows). An index of the same CRL by the same signer is left alone.
    ///
    /// # Errors
    /// Nothing can be written here, or what is here must stay. It is left as it is.
    #[cfg_attr(
        not(feature = "aws"),
        expect(unused_variables, reason = "without the feature, there is nowhere to write to")
    )]
    pub fn publish(&self, index: &Path, terms: &Terms, write: Write) -> Result<Published, UploadFault> {
        match self {
            #[cfg(feature = "aws")]
            Location::S3 { bucket, key } => aws::publish(bucket, key, index, terms, write),
            #[cfg(not(feature = "aws"))]
            Location::S3 { .. } => Err(NO_S3.into()),
            Location::Web { .. } | Location::PrivateCa { .. } | Location::Secret { .. } => {
                Err(UploadFault::NotWritable)
            }
        }
    }

    /// Puts what was made of a CRL here, in place of what was made of an older one, or by others, or of none. `make` gives
    /// the file, and is called only if it is needed.
    ///
    /// # Errors
    /// As [`Location::publish`], and those of `make`.
    #[cfg_attr(
        not(feature = "aws"),
        expect(unused_variables, reason = "without the feature, there is nowhere to write to")
    )]
    pub fn publish_made_of(
        &self,
        edition: &Edition,
        make: &mut dyn FnMut() -> Result<PathBuf, UploadFault>,
        terms: &Terms,
        write: Write,
    ) -> Result<Published, UploadFault> {
        match self {
            #[cfg(feature = "aws")]
            Location::S3 { bucket, key } => aws::publish_made_of(bucket, key, edition, make, terms, write),
            #[cfg(not(feature = "aws"))]
            Location::S3 { .. } => Err(NO_S3.into()),
            Location::Web { .. } | Location::PrivateCa { .. } | Location::Secret { .. } => {
                Err(UploadFault::NotWritable)
            }
        }
    }

    /// As [`Location::download`], without what is known about it.
    ///
    /// # Errors
    /// There is nothing to read at this location, or too much.
    pub fn open(&self, terms: &Terms) -> Result<Box<dyn Read>, DownloadFault> {
        self.download(terms).map(|download| download.body)
    }

    /// Starts the download, which then goes on as it is read.
    ///
    /// # Errors
    /// There is nothing to read at this location, or too much.
    #[cfg_attr(
        not(any(feature = "aws", feature = "http")),
        expect(unused_variables, reason = "without both features, there is nothing that could be opened")
    )]
    pub fn download(&self, terms: &Terms) -> Result<Download, DownloadFault> {
        match self {
            #[cfg(feature = "http")]
            Location::Web { url } => Ok(Download::of(http::open(url, terms)?)),
            #[cfg(not(feature = "http"))]
            Location::Web { .. } => {
                Err(DownloadFault::NotBuilt { what: "https:// and http:// addresses", feature: "http" })
            }
            #[cfg(feature = "aws")]
            Location::S3 { bucket, key } => aws::open(bucket, key, terms),
            #[cfg(not(feature = "aws"))]
            Location::S3 { .. } => Err(NO_S3),
            #[cfg(feature = "aws")]
            Location::PrivateCa { arn, region } => {
                Ok(Download::of(io::Cursor::new(aws::certificate(arn, region, terms)?)))
            }
            #[cfg(not(feature = "aws"))]
            Location::PrivateCa { .. } => {
                Err(DownloadFault::NotBuilt { what: "AWS Private CA", feature: "aws" })
            }
            // Nothing that is read here is secret.
            Location::Secret { .. } => Err(DownloadFault::Scheme),
        }
    }
}
