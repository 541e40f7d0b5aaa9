//! Where CRLs and their issuers come from besides files: the web, Amazon S3 and AWS Private CA.

#[cfg(feature = "aws")]
mod aws;
#[cfg(any(feature = "aws", feature = "http"))]
mod counted;
mod fault;
#[cfg(feature = "http")]
mod http;
mod location;
mod upload;

pub use fault::DownloadFault;
pub use location::Location;
pub use upload::UploadFault;

use crate::key::Signer;
#[cfg(feature = "aws")]
use std::io;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

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

impl Location {
    /// Puts the index in a file here, in place of one of an older CRL or of none. Nobody sees a part of it.
    ///
    /// The newer of two CRLs of one issuer and scope stays, whatever the order they come in and however many write at
    /// once (RFC 5280 §5.2.3: the number only grows).
    ///
    /// # Errors
    /// Nothing can be written here, or what is here must stay. It is left as it is.
    #[cfg_attr(
        not(feature = "aws"),
        expect(unused_variables, reason = "without the feature, there is nowhere to write to")
    )]
    pub fn publish(&self, index: &Path, terms: &Terms) -> Result<(), UploadFault> {
        match self {
            #[cfg(feature = "aws")]
            Location::S3 { bucket, key } => aws::publish(bucket, key, index, terms),
            #[cfg(not(feature = "aws"))]
            Location::S3 { .. } => {
                Err(DownloadFault::NotBuilt { what: "s3:// addresses", feature: "aws" }.into())
            }
            Location::Web { .. } | Location::PrivateCa { .. } => Err(UploadFault::NotWritable),
        }
    }

    /// Starts the download, which then goes on as it is read.
    ///
    /// A read fails with a [`Problem::Download`](crate::Problem::Download) inside of its [`std::io::Error`].
    ///
    /// # Errors
    /// There is nothing to read at this location, or too much.
    #[cfg_attr(
        not(any(feature = "aws", feature = "http")),
        expect(unused_variables, reason = "without both features, there is nothing that could be opened")
    )]
    pub fn open(&self, terms: &Terms) -> Result<Box<dyn Read>, DownloadFault> {
        match self {
            #[cfg(feature = "http")]
            Location::Web { url } => Ok(Box::new(http::open(url, terms)?)),
            #[cfg(not(feature = "http"))]
            Location::Web { .. } => {
                Err(DownloadFault::NotBuilt { what: "https:// and http:// addresses", feature: "http" })
            }
            #[cfg(feature = "aws")]
            Location::S3 { bucket, key } => Ok(Box::new(aws::open(bucket, key, terms)?)),
            #[cfg(not(feature = "aws"))]
            Location::S3 { .. } => Err(DownloadFault::NotBuilt { what: "s3:// addresses", feature: "aws" }),
            #[cfg(feature = "aws")]
            Location::PrivateCa { arn, region } => {
                Ok(Box::new(io::Cursor::new(aws::certificate(arn, region, terms)?)))
            }
            #[cfg(not(feature = "aws"))]
            Location::PrivateCa { .. } => {
                Err(DownloadFault::NotBuilt { what: "AWS Private CA", feature: "aws" })
            }
        }
    }
}
