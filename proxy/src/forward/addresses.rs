//! Where an upstream is: its addresses, looked up again when they grow old, the last good ones kept.
//!
//! One task for each upstream does it for all workers, away from requests: they see a list that is there already.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::resolver::Resolver;
use super::zone;
use crate::config::{Upstream, Zone};
use crate::metrics::UpstreamMetrics;

/// More than any VPC endpoint has. What a name server says beyond it is left out.
const MOST: usize = 64;

/// One address, as all workers see it.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    /// In this process's own zone.
    pub(super) nearby: bool,
    unhealthy: AtomicBool,
    passes: AtomicU32,
    /// Failed health checks in a row.
    misses: AtomicU32,
}

impl Target {
    pub(super) fn new(address: SocketAddr, nearby: bool) -> Self {
        Self {
            address,
            nearby,
            unhealthy: AtomicBool::default(),
            passes: AtomicU32::default(),
            misses: AtomicU32::default(),
        }
    }

    /// What the health check thinks; true where there is none.
    pub(super) fn is_healthy(&self) -> bool {
        !self.unhealthy.load(Ordering::Relaxed)
    }

    /// Grows with every health check that went well.
    pub(super) fn passes(&self) -> u32 {
        self.passes.load(Ordering::Relaxed)
    }

    /// A health check went well. Answers whether that is news.
    pub(super) fn passed(&self) -> bool {
        self.passes.fetch_add(1, Ordering::Relaxed);
        self.misses.store(0, Ordering::Relaxed);
        self.unhealthy.swap(false, Ordering::Relaxed)
    }

    /// A health check failed; `most` in a row make the address unhealthy. Answers whether this one did.
    pub(super) fn missed(&self, most: u32) -> bool {
        let misses = self.misses.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        misses >= most && !self.unhealthy.swap(true, Ordering::Relaxed)
    }
}

/// What is known of an upstream's addresses.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    /// All of them; empty until the first lookup went well.
    pub(super) targets: Arc<[Arc<Target>]>,
    /// Why the last lookup failed.
    pub(super) problem: Option<Arc<str>>,
}

/// The addresses of one upstream.
pub(super) struct Addresses {
    name: String,
    port: u16,
    zone: Option<Zone>,
    found: watch::Sender<Found>,
}

impl Addresses {
    /// An IP address is known at once; a name once [`Addresses::follow`] has looked it up.
    pub(super) fn new(upstream: &Upstream) -> Self {
        let (name, port) = upstream.address.rsplit_once(':').unwrap_or((&upstream.address, "443"));
        let name = name.trim_start_matches('[').trim_end_matches(']').to_owned();
        // The configuration was checked for a port.
        let port = port.parse().unwrap_or(443);
        let found = match name.parse::<IpAddr>() {
            Ok(ip) => {
                Found { targets: [Arc::new(Target::new((ip, port).into(), false))].into(), problem: None }
            }
            Err(_a_name) => Found::default(),
        };
        Self { name, port, zone: upstream.zone.clone(), found: watch::Sender::new(found) }
    }

    /// To be told of every change.
    pub(super) fn subscribe(&self) -> watch::Receiver<Found> {
        self.found.subscribe()
    }

    /// Looks the name up again and again, for ever.
    pub(super) async fn follow(self: Arc<Self>, resolver: Arc<Resolver>, metrics: UpstreamMetrics) {
        if !self.found.borrow().targets.is_empty() {
            metrics.addresses.set(1);
            return;
        }
        let zonal = zone::zonal_name(&self.name, self.zone.as_ref()).await;
        let mut failures = 0;
        loop {
            let wait = match resolver.look_up(&self.name).await {
                Ok((addresses, good_for)) => {
                    failures = 0;
                    let nearby = match &zonal {
                        // Without an answer there, no address is nearer than another.
                        Some(zonal) => resolver.look_up(zonal).await.unwrap_or_default().0,
                        None => Vec::new(),
                    };
                    metrics.resolved.inc();
                    self.publish(addresses, &nearby, &metrics);
                    good_for
                }
                Err(problem) => {
                    failures += 1;
                    metrics.unresolved.inc();
                    tracing::warn!(
                        name = self.name,
                        problem,
                        "cannot look up the upstream; its last addresses stay"
                    );
                    self.found.send_modify(|found| found.problem = Some(problem.into()));
                    resolver.patience(failures)
                }
            };
            sleep(wait.max(Duration::from_millis(1))).await;
        }
    }

    fn publish(&self, addresses: Vec<IpAddr>, nearby: &[IpAddr], metrics: &UpstreamMetrics) {
        let all: BTreeSet<IpAddr> = addresses.into_iter().chain(nearby.iter().copied()).collect();
        let last = self.found.borrow().clone();
        let known = |address, nearby| {
            last.targets.iter().find(|target| target.address == address && target.nearby == nearby).cloned()
        };
        let targets: Arc<[Arc<Target>]> = all
            .into_iter()
            .take(MOST)
            .map(|ip| {
                let (address, nearby) = (SocketAddr::new(ip, self.port), nearby.contains(&ip));
                known(address, nearby).unwrap_or_else(|| Arc::new(Target::new(address, nearby)))
            })
            .collect();
        metrics.addresses.set(i64::try_from(targets.len()).unwrap_or(i64::MAX));
        let same = targets.len() == last.targets.len()
            && targets.iter().zip(last.targets.iter()).all(|(new, old)| Arc::ptr_eq(new, old));
        if same && last.problem.is_none() {
            return;
        }
        let list: Vec<_> = targets.iter().map(|target| target.address).collect();
        tracing::info!(name = self.name, addresses = ?list, "upstream looked up");
        self.found.send_replace(Found { targets, problem: None });
    }
}
