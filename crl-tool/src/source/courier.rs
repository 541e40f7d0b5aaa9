//! Looking at the same places again and again: what has not changed is not sent again.

use super::Terms;
#[cfg(feature = "aws")]
use super::aws::Calls;
use super::fault::DownloadFault;
use super::location::Location;
use std::io::Read;
#[cfg(feature = "aws")]
use std::sync::{Mutex, OnceLock, PoisonError};
use time::OffsetDateTime;

/// Asks AWS again and again, with one set of connections and credentials. What it asks for first sets it up.
pub struct Courier {
    #[cfg_attr(
        not(feature = "aws"),
        expect(dead_code, reason = "without the feature, there is nobody to ask")
    )]
    terms: Terms,
    #[cfg(feature = "aws")]
    calls: OnceLock<Calls>,
    /// Whoever has it sets `calls` up.
    #[cfg(feature = "aws")]
    setting_up: Mutex<()>,
}

/// What is at a location now.
pub struct Parcel {
    /// The location's own name for this content: as long as it stays, so does the content.
    pub tag: String,
    /// The location's name for it among all that it ever had, if it keeps them: the VersionId of an object in S3.
    pub version: Option<String>,
    /// When it was put there, if the location says so.
    pub modified: Option<OffsetDateTime>,
    /// The content, which is read as it comes. A read fails with a [`Problem::Download`](crate::Problem::Download) inside
    /// of its [`std::io::Error`].
    pub body: Box<dyn Read>,
}

impl Courier {
    /// One that keeps to these terms in each of its calls.
    #[must_use]
    pub fn new(terms: Terms) -> Courier {
        Courier {
            terms,
            #[cfg(feature = "aws")]
            calls: OnceLock::new(),
            #[cfg(feature = "aws")]
            setting_up: Mutex::default(),
        }
    }

    /// What is at `location`; `None` if that is still what it calls `known`.
    ///
    /// # Errors
    /// There is nothing, or too much, or nobody who could be asked.
    #[cfg_attr(
        not(feature = "aws"),
        expect(unused_variables, reason = "without the feature, there is nobody to ask")
    )]
    pub fn fetch(&self, location: &Location, known: Option<&str>) -> Result<Option<Parcel>, DownloadFault> {
        #[cfg(feature = "aws")]
        {
            let calls = self.calls()?;
            match location {
                Location::S3 { bucket, key } => calls.object(bucket, key, known, &self.terms),
                Location::PrivateCa { arn, region } => calls.chain(arn, region, known, &self.terms),
                Location::Secret { arn, region } => calls.secret(arn, region, known, &self.terms),
                Location::Web { .. } => Err(DownloadFault::Scheme),
            }
        }
        #[cfg(not(feature = "aws"))]
        {
            Err(DownloadFault::NotBuilt { what: "AWS", feature: "aws" })
        }
    }

    /// The keys in `bucket` that start with `prefix`, at most `most` of them.
    ///
    /// # Errors
    /// There are more, or nobody who could be asked.
    #[cfg_attr(
        not(feature = "aws"),
        expect(unused_variables, reason = "without the feature, there is nobody to ask")
    )]
    pub fn list(&self, bucket: &str, prefix: &str, most: usize) -> Result<Vec<String>, DownloadFault> {
        #[cfg(feature = "aws")]
        {
            self.calls()?.list(bucket, prefix, most, &self.terms)
        }
        #[cfg(not(feature = "aws"))]
        {
            Err(DownloadFault::NotBuilt { what: "AWS", feature: "aws" })
        }
    }

    #[cfg(feature = "aws")]
    fn calls(&self) -> Result<&Calls, DownloadFault> {
        if let Some(calls) = self.calls.get() {
            return Ok(calls);
        }
        let _setting_up = self.setting_up.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have had it before.
        if let Some(calls) = self.calls.get() {
            return Ok(calls);
        }
        let calls = Calls::start(&self.terms)?;
        Ok(self.calls.get_or_init(|| calls))
    }
}
