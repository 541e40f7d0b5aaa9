//! What is counted of each upstream. The label is its name in the configuration.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, Result};

use super::{counters, counters2, gauges};

/// All upstreams'.
pub(super) struct Upstreams {
    addresses: IntGaugeVec,
    lookups: IntCounterVec,
    connects: IntCounterVec,
    connections_open: IntGaugeVec,
    waiting: IntGaugeVec,
    address_failures: IntCounterVec,
    ejections: IntCounterVec,
    health_checks: IntCounterVec,
    retries: IntCounterVec,
    breaker_open: IntGaugeVec,
    breaker_changes: IntCounterVec,
}

/// One upstream's.
#[derive(Clone)]
pub struct UpstreamMetrics {
    /// Addresses that are known.
    pub addresses: IntGauge,
    /// Lookups with an answer.
    pub resolved: IntCounter,
    /// Lookups without one.
    pub unresolved: IntCounter,
    /// Connections made.
    pub connects: IntCounter,
    /// Connections that exist now.
    pub connections_open: IntGauge,
    /// Requests that wait for a connection now.
    pub waiting: IntGauge,
    /// Failures of an address: to connect to it, or to get an answer from it.
    pub address_failures: IntCounter,
    /// Addresses that were left alone for a while.
    pub ejections: IntCounter,
    /// Health checks that went well.
    pub healthy: IntCounter,
    /// Health checks that did not.
    pub unhealthy: IntCounter,
    /// Requests that were sent again.
    pub retries: IntCounter,
    /// Requests that would have been, but for the budget.
    pub retries_over_budget: IntCounter,
    /// Workers whose circuit breaker is not closed.
    pub breaker_open: IntGauge,
    /// How often one opened.
    pub breaker_opens: IntCounter,
    /// How often one closed again.
    pub breaker_closes: IntCounter,
}

impl Upstreams {
    pub(super) fn new(r: &Registry) -> Result<Self> {
        let label = "upstream";
        Ok(Self {
            addresses: gauges(r, "postern_upstream_addresses", "Addresses of the upstream.", label)?,
            lookups: counters2(r, "postern_upstream_lookups_total", "DNS lookups.", [label, "result"])?,
            connects: counters(r, "postern_upstream_connects_total", "Connections made.", label)?,
            connections_open: gauges(r, "postern_upstream_connections_open", "Connections open now.", label)?,
            waiting: gauges(
                r,
                "postern_upstream_waiting",
                "Requests that wait for a connection now.",
                label,
            )?,
            address_failures: counters(
                r,
                "postern_upstream_address_failures_total",
                "Addresses that could not be connected to, or did not answer.",
                label,
            )?,
            ejections: counters(
                r,
                "postern_upstream_ejections_total",
                "Addresses left alone for a while.",
                label,
            )?,
            health_checks: counters2(
                r,
                "postern_upstream_health_checks_total",
                "Active health checks.",
                [label, "result"],
            )?,
            retries: counters2(
                r,
                "postern_upstream_retries_total",
                "Requests sent again, or not for want of budget.",
                [label, "result"],
            )?,
            breaker_open: gauges(
                r,
                "postern_upstream_breaker_open",
                "Workers whose circuit breaker is not closed.",
                label,
            )?,
            breaker_changes: counters2(
                r,
                "postern_upstream_breaker_changes_total",
                "Circuit breakers opened and closed.",
                [label, "to"],
            )?,
        })
    }

    /// Those of `name`, at 0 from now on.
    pub(super) fn of(&self, name: &str) -> UpstreamMetrics {
        let one = |all: &IntGaugeVec| all.with_label_values(&[name]);
        let count = |all: &IntCounterVec| all.with_label_values(&[name]);
        let kind = |all: &IntCounterVec, kind: &str| all.with_label_values(&[name, kind]);
        UpstreamMetrics {
            addresses: one(&self.addresses),
            resolved: kind(&self.lookups, "found"),
            unresolved: kind(&self.lookups, "failed"),
            connects: count(&self.connects),
            connections_open: one(&self.connections_open),
            waiting: one(&self.waiting),
            address_failures: count(&self.address_failures),
            ejections: count(&self.ejections),
            healthy: kind(&self.health_checks, "passed"),
            unhealthy: kind(&self.health_checks, "failed"),
            retries: kind(&self.retries, "sent"),
            retries_over_budget: kind(&self.retries, "over_budget"),
            breaker_open: one(&self.breaker_open),
            breaker_opens: kind(&self.breaker_changes, "open"),
            breaker_closes: kind(&self.breaker_changes, "closed"),
        }
    }
}
