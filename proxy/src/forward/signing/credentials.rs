//! The proxy's AWS credentials: where the AWS SDKs look for them, kept, and renewed before they expire.

use std::time::{Duration, SystemTime};

use aws_config::Region;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_smithy_runtime_api::client::identity::Identity;
use time::OffsetDateTime;
use tokio::sync::Mutex;

use crate::forward::describe;
use crate::refusal::Refusal;

/// How long before they expire credentials are renewed: AWS has new ones five minutes before, at the latest.
const RENEW_BEFORE: Duration = Duration::from_secs(300);
/// How long a failed look-up is not tried again.
const PAUSE: Duration = Duration::from_secs(5);

/// Credentials of the environment, a profile, a web identity, the container or the instance: whichever is found first.
#[derive(Debug)]
pub(super) struct Credentials {
    region: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    chain: Option<DefaultCredentialsChain>,
    current: Option<aws_credential_types::Credentials>,
    failed: Option<(SystemTime, String)>,
}

impl Credentials {
    /// Looks for nothing yet: what gives credentials may come up later than the proxy.
    pub(super) fn new(region: String) -> Self {
        Self { region, state: Mutex::default() }
    }

    /// Credentials that are good now. One request looks for them, and others wait for it.
    pub(super) async fn get(&self) -> Result<Identity, Refusal> {
        let mut state = self.state.lock().await;
        let now = SystemTime::from(OffsetDateTime::now_utc());
        if let Some(current) = state.good_until(now + RENEW_BEFORE) {
            return Ok(current);
        }
        if state.failed.as_ref().is_none_or(|(at, _)| *at + PAUSE <= now) {
            self.renew(&mut state, now).await;
        }
        // What could not be renewed is used to its end.
        state.good_until(now).ok_or_else(|| {
            let detail = state.failed.as_ref().map_or("they have expired", |(_, detail)| detail.as_str());
            Refusal::NotSigned { detail: format!("no AWS credentials: {detail}") }
        })
    }

    async fn renew(&self, state: &mut State, now: SystemTime) {
        if state.chain.is_none() {
            let builder = DefaultCredentialsChain::builder().region(Region::new(self.region.clone()));
            state.chain = Some(builder.build().await);
        }
        let Some(chain) = &state.chain else { return };
        match chain.provide_credentials().await {
            Ok(renewed) => (state.current, state.failed) = (Some(renewed), None),
            Err(error) => {
                let detail = describe(&error);
                tracing::error!(detail, "no new AWS credentials");
                state.failed = Some((now, detail));
            }
        }
    }
}

impl State {
    /// Those that expire after `then`, or never.
    fn good_until(&self, then: SystemTime) -> Option<Identity> {
        let current = self.current.as_ref()?;
        current.expiry().is_none_or(|expiry| expiry > then).then(|| current.clone().into())
    }
}
