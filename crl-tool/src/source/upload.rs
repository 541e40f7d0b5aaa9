//! Why an index was not put where it should go, each with the way out.

use super::fault::DownloadFault;
use crate::index::entries::EntriesError;
use crate::index::error::OpenError;
use crate::number::CrlNumber;
use crate::problem::Problem;
use std::io;
use time::OffsetDateTime;

/// What is wrong with an upload.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UploadFault {
    /// Nothing can be written there.
    #[error("an address that crl-tool does not write to")]
    NotWritable,
    /// The index is larger than one object of S3 may be when it is written at once.
    #[error("an index of {size} bytes, and S3 takes {limit} at once")]
    TooLarge {
        /// Its size.
        size: u64,
        /// The most that S3 takes.
        limit: u64,
    },
    /// A newer CRL's index is there.
    #[error("rollback: a CRL of {new} would take the place of one of {old} (number {}, and {})", shown(.new_number), shown(.old_number))]
    Older {
        /// When the CRL was issued.
        new: OffsetDateTime,
        /// Its number.
        new_number: Option<CrlNumber>,
        /// When the CRL that is there was issued.
        old: OffsetDateTime,
        /// Its number.
        old_number: Option<CrlNumber>,
    },
    /// Another issuer's index is there, or one for other certificates.
    #[error("the index of another CRL is there, by {issuer}")]
    OtherCrl {
        /// Whose it is.
        issuer: String,
    },
    /// Something else is there, or the index cannot be opened.
    #[error(transparent)]
    NoIndex(#[from] OpenError),
    /// Others write there all the time.
    #[error("others wrote there first, {attempts} times")]
    Contended {
        /// How often it was tried.
        attempts: u32,
    },
    /// The JSON cache could not be made.
    #[error(transparent)]
    Cache(#[from] EntriesError),
    /// The way there.
    #[error(transparent)]
    Transfer(#[from] DownloadFault),
    /// A file of this machine.
    #[error("cannot use a temporary file: {0}")]
    Io(#[source] io::Error),
}

impl UploadFault {
    /// How to go on, in one sentence.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            UploadFault::NotWritable => "write to a file, or to s3://BUCKET/KEY",
            UploadFault::TooLarge { .. } => "keep the CRL beside its index: build with --sidecar to a file",
            UploadFault::Older { .. } => {
                "publish a CRL with a higher number; to go back on purpose, remove the object first"
            }
            UploadFault::OtherCrl { .. } | UploadFault::NoIndex(_) => {
                "choose another key, or remove what is there first"
            }
            UploadFault::Contended { .. } => "try again, and let one publisher at a time write there",
            UploadFault::Cache(error) => error.hint(),
            UploadFault::Transfer(fault) => fault.hint(),
            UploadFault::Io(_) => "check the space and the permissions of TMPDIR",
        }
    }
}

/// A read from S3 passes its own fault on inside of the error.
impl From<io::Error> for UploadFault {
    fn from(error: io::Error) -> UploadFault {
        match error.downcast::<Problem>() {
            Ok(Problem::Download(fault)) => UploadFault::Transfer(fault),
            Ok(problem) => UploadFault::Io(io::Error::other(problem)),
            Err(error) => UploadFault::Io(error),
        }
    }
}

fn shown(number: &Option<CrlNumber>) -> String {
    number.map_or_else(|| "none".to_owned(), |number| number.to_string())
}
