//! Where CRLs come from besides files: the web and Amazon S3.

mod counted;
mod fault;
#[cfg(feature = "http")]
mod http;
mod location;

pub use fault::DownloadFault;
pub use location::Location;

use std::io::Read;
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
}

impl Location {
    /// Starts the download, which then goes on as it is read.
    ///
    /// A read fails with a [`Problem::Download`](crate::Problem::Download) inside of its [`std::io::Error`].
    ///
    /// # Errors
    /// There is nothing to read at this location, or too much.
    pub fn open(&self, terms: &Terms) -> Result<Box<dyn Read>, DownloadFault> {
        match self {
            #[cfg(feature = "http")]
            Location::Web { url } => Ok(Box::new(http::open(url, terms)?)),
            #[cfg(not(feature = "http"))]
            Location::Web { .. } => Err(DownloadFault::NotBuilt { scheme: "https", feature: "http" }),
            Location::S3 { .. } => Err(DownloadFault::NotBuilt { scheme: "s3", feature: "aws" }),
        }
    }
}
