//! `[sources]`: how what comes from files, S3 and AWS is looked at again.

use std::path::PathBuf;
use std::time::Duration;

use super::section::Section;
use crate::jitter::shortened;

/// `[sources]`
#[derive(Debug, Clone, PartialEq)]
pub struct Sources {
    /// Between two looks at what is in S3, AWS Private CA or AWS Secrets Manager.
    pub interval: Duration,
    /// How much of that time is left to chance, so that not all ask at once.
    pub jitter_percent: u32,
    /// Between two looks at the files; none if only SIGHUP has them read again.
    pub files_interval: Option<Duration>,
    /// For one look, from its first step to the last byte.
    pub timeout: Duration,
    /// Of one object or file.
    pub max_bytes: u64,
    /// Below one prefix.
    pub max_objects: usize,
    /// Buckets in the path of S3 requests.
    pub s3_path_style: bool,
    /// Where copies are kept; none for a temporary directory that goes with the process.
    pub directory: Option<PathBuf>,
}

impl Sources {
    pub(super) fn read(sources: &mut Section<'_>) -> Self {
        Self {
            interval: sources.milliseconds("interval_ms", 30_000),
            jitter_percent: sources.number("jitter_percent", 20, 0..=100),
            files_interval: sources.optional_milliseconds("files_interval_ms", 1_000),
            timeout: sources.milliseconds("timeout_ms", 60_000),
            max_bytes: sources.number("max_bytes", 1 << 30, 1..=4_294_967_295),
            max_objects: sources.number("max_objects", 1_000, 1..=100_000),
            s3_path_style: sources.boolean("s3_path_style", false),
            directory: sources.optional_file("directory").map(|file| file.path),
        }
    }

    /// The time to the next look: the interval, less some of the part that is left to chance.
    pub fn pause(&self) -> Duration {
        shortened(self.interval, self.jitter_percent)
    }
}
