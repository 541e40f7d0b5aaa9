//! AWS Private CA: making CAs there, and certificates by them, whose keys are made here and stay here.
//!
//! Every call is tried again by the SDK, and the ones that make something carry a token, so that a command that was cut off
//! can be given again: AWS gives the same thing to the same token, for five minutes.

mod create;
mod issue;
mod revoke;
mod status;
mod truststore;

pub use create::{CreateCa, CrlSettings, Kind};
pub use issue::IssueLeaf;
pub use revoke::{RevokeLeaf, Revoked};
pub use status::CaStatus;

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_lc_rs::digest;
use aws_sdk_acmpca::Client;
use aws_sdk_acmpca::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use tokio::runtime::Runtime;

use crate::Error;

/// The most of one call, its repetitions included.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// How often a call is made at most.
const CALLS: u32 = 5;
/// How often AWS is asked whether something is finished, a second apart.
const POLLS: u32 = 120;
/// AWS's answer until it is.
const IN_PROGRESS: &str = "RequestInProgressException";

/// AWS, with the configuration of the environment, and somebody who is told what is done.
pub struct PrivateCa {
    config: SdkConfig,
    client: Client,
    runtime: Runtime,
    say: fn(&str),
    dry_run: bool,
}

impl PrivateCa {
    /// Region, credentials and endpoints as the AWS command line finds them; the region of `arn` goes first. With
    /// `dry_run`, nothing is made or changed, and what is said is what would be done.
    ///
    /// # Errors
    /// [`Error::Aws`] when no region is configured.
    pub fn connect(arn: Option<&str>, dry_run: bool, say: fn(&str)) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let timeouts = TimeoutConfig::builder().operation_timeout(CALL_TIMEOUT).build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .retry_config(RetryConfig::standard().with_max_attempts(CALLS))
            .timeout_config(timeouts);
        // arn:PARTITION:acm-pca:REGION:ACCOUNT:certificate-authority/ID
        if let Some(region) = arn.and_then(|arn| arn.split(':').nth(3)).filter(|region| !region.is_empty()) {
            loader = loader.region(Region::new(region.to_owned()));
        }
        let config = runtime.block_on(loader.load());
        if config.region().is_none() {
            return Err(Error::Aws("no region: set AWS_REGION, or one in the profile".to_owned()));
        }
        Ok(Self { client: Client::new(&config), config, runtime, say, dry_run })
    }

    /// Says what was done or, in a dry run, would be. Answers whether to do it.
    fn step(&self, step: &str) -> bool {
        (self.say)(&if self.dry_run { format!("would {step}") } else { step.to_owned() });
        !self.dry_run
    }

    /// One call.
    fn call<T, E>(&self, call: impl Future<Output = Result<T, SdkError<E>>>) -> Result<T, Error>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        self.runtime.block_on(call).map_err(|error| refused(&error))
    }

    /// A call that is made until what it asks for is finished.
    fn await_call<T, E, C>(&self, call: impl Fn() -> C) -> Result<T, Error>
    where
        C: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        for _ in 0..POLLS {
            match self.runtime.block_on(call()) {
                Err(error) if error.code() == Some(IN_PROGRESS) => {
                    self.runtime.block_on(tokio::time::sleep(Duration::from_secs(1)));
                }
                done => return done.map_err(|error| refused(&error)),
            }
        }
        Err(Error::Aws(format!("not finished within {POLLS} s: give the same command again")))
    }
}

/// A failed call, in AWS's own words.
fn refused<E: ProvideErrorMetadata + std::error::Error + 'static>(error: &SdkError<E>) -> Error {
    Error::Aws(match (error.code(), error.message()) {
        (Some(code), message) => format!("{code}: {}", message.unwrap_or("no message")),
        (None, _) => DisplayErrorContext(error).to_string(),
    })
}

/// The same for the same words, in the 36 characters that AWS takes.
fn token(words: &[&str]) -> String {
    let digest = digest::digest(&digest::SHA256, words.join("\n").as_bytes());
    digest.as_ref().iter().take(18).map(|byte| format!("{byte:02x}")).collect()
}

/// The ARN of a template of AWS's, in the partition of a CA.
fn template(ca: &str, name: &str) -> String {
    let partition = ca.split(':').nth(1).unwrap_or("aws");
    format!("arn:{partition}:acm-pca:::template/{name}/V1")
}

/// What AWS always answers with, unless it does not.
fn present<T>(part: Option<T>, what: &str) -> Result<T, Error> {
    part.ok_or_else(|| Error::Aws(format!("an answer without {what}")))
}
