//! Asks each address of an upstream whether it is well, for all workers. API Gateway answers `/ping` at every VPC endpoint:
//! that says that it is up, not that an API is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::HOST;
use http::{HeaderValue, Request};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::addresses::{Found, Target};
use super::body::RequestBody;
use super::connector::Connector;
use super::describe;
use crate::config;
use crate::metrics::UpstreamMetrics;
use crate::progress::Progress;
use crate::refusal::Refusal;

/// How one upstream is checked.
#[derive(Clone)]
pub(super) struct Check {
    pub(super) connector: Arc<Connector>,
    pub(super) host: HeaderValue,
    pub(super) settings: config::Health,
    pub(super) metrics: UpstreamMetrics,
}

impl Check {
    /// Checks every address, each `pause`.
    pub(super) async fn forever(self, mut found: watch::Receiver<Found>, pause: Duration) {
        let mut ticks = interval(pause);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let targets = found.borrow_and_update().targets.clone();
            let mut running = JoinSet::new();
            for target in targets.iter().cloned() {
                running.spawn(self.clone().look_at(target));
            }
            running.join_all().await;
        }
    }

    async fn look_at(self, target: Arc<Target>) {
        let limit = self.settings.timeout;
        let problem = match timeout(limit, self.ask(target.address)).await {
            Ok(Ok(())) => {
                self.metrics.healthy.inc();
                if target.passed() {
                    tracing::info!(address = %target.address, "upstream address is well again");
                }
                return;
            }
            Ok(Err(problem)) => problem.to_string(),
            Err(_elapsed) => format!("no answer after {} ms", limit.as_millis()),
        };
        self.metrics.unhealthy.inc();
        if target.missed(self.settings.failures) {
            tracing::warn!(address = %target.address, problem, "upstream address is not well");
        }
    }

    async fn ask(&self, address: SocketAddr) -> Result<(), Refusal> {
        let closed = |error: &dyn std::error::Error| Refusal::UpstreamClosed { detail: describe(error) };
        let mut connection = self.connector.connect(address).await?;
        let request = Request::get(http::Uri::from(self.settings.path.clone()))
            .header(HOST, self.host.clone())
            .body(RequestBody::empty(Arc::new(Progress::new(0))))
            .map_err(|error| closed(&error))?;
        let response = connection.sender.send_request(request).await.map_err(|error| closed(&error))?;
        if response.status().is_success() {
            return Ok(());
        }
        Err(Refusal::UpstreamClosed { detail: format!("it answered {}", response.status()) })
    }
}
