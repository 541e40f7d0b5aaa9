//! AWS: the SDK with the configuration of the environment, and the one runtime that its calls run on.

mod calls;
mod kms;
mod private_ca;
mod publish;
mod s3;

pub(super) use calls::Calls;
pub(super) use kms::KmsKey;
pub(super) use private_ca::certificate;
pub(super) use publish::{publish, publish_made_of};
pub(super) use s3::open;

use super::Terms;
use super::fault::DownloadFault;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// To a connection, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// From a request to the first byte of its answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The configuration for a few calls, which together end in time.
struct Session {
    config: SdkConfig,
    runtime: Arc<Runtime>,
    end: Instant,
    timeout: Duration,
}

impl Session {
    /// Region, credentials and endpoints of the environment, as the AWS command line finds them; `region` goes first.
    fn start(terms: &Terms, region: Option<Region>) -> Result<Session, DownloadFault> {
        let session = Session::load(terms, region)?;
        if session.config.region().is_none() {
            return Err(DownloadFault::NoRegion);
        }
        Ok(session)
    }

    /// As [`Session::start`], where it may be that no region is known.
    fn load(terms: &Terms, region: Option<Region>) -> Result<Session, DownloadFault> {
        // The caller waits for each call: no other thread is needed.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| DownloadFault::Broken(error.to_string()))?;
        let end = Instant::now() + terms.timeout;
        let timeouts =
            TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts);
        if let Some(region) = region {
            loader = loader.region(region);
        }
        let config = runtime.block_on(loader.load());
        Ok(Session { config, runtime: Arc::new(runtime), end, timeout: terms.timeout })
    }

    /// The same for a few more calls, which have as much time again.
    fn again(&self, terms: &Terms) -> Session {
        let (config, runtime) = (self.config.clone(), self.runtime.clone());
        Session { config, runtime, end: Instant::now() + terms.timeout, timeout: terms.timeout }
    }

    /// The same in another region.
    fn again_in(&self, region: &str, terms: &Terms) -> Session {
        let again = self.again(terms);
        let config = again.config.into_builder().region(Region::new(region.to_owned())).build();
        Session { config, ..again }
    }

    /// Waits for a call or a part of it.
    fn wait<T>(&self, call: impl Future<Output = T>) -> Result<T, DownloadFault> {
        let left = self.end.saturating_duration_since(Instant::now());
        let ended = self.runtime.block_on(async { tokio::time::timeout(left, call).await });
        ended.map_err(|_elapsed| DownloadFault::Late { limit: self.timeout })
    }
}

/// A failed call, in AWS's own words.
fn fault<E: ProvideErrorMetadata + Error + 'static>(error: &SdkError<E>) -> DownloadFault {
    if let Some(service) = error.as_service_error() {
        let status = || error.raw_response().map_or(0, |response| response.status().as_u16());
        let code = service.code().map_or_else(|| format!("status {}", status()), str::to_owned);
        let message = service.message().unwrap_or("no message").to_owned();
        return DownloadFault::Aws { code, message };
    }
    DownloadFault::AwsCall(chain(error))
}

/// What an error and those behind it say, as one sentence.
fn chain(error: &dyn Error) -> String {
    let mut words = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push(error.to_string());
        cause = error.source();
    }
    words.dedup();
    words.join(": ")
}
