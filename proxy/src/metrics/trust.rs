//! What is counted of sources and CRLs. Issuers are those of the configured CRLs.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use prometheus::{GaugeVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, Result};
use time::OffsetDateTime;

use super::{counters, gauge, gauges, gauges2};
use crate::sources::Look;
use crate::trust::{Crl, Freshness, NotTaken, Why};

/// The metrics.
pub struct TrustMetrics {
    looks: IntCounterVec,
    failing: IntGauge,
    not_taken: IntGaugeVec,
    states: IntGaugeVec,
    swaps: IntCounterVec,
    latency: GaugeVec,
    /// Whose CRLs came into force the last time, and when.
    last_swap: Mutex<Option<(Instant, Vec<String>)>>,
}

impl TrustMetrics {
    pub(super) fn new(r: &Registry) -> Result<Self> {
        let looks =
            counters(r, "postern_source_looks_total", "Looks at sources of trust, by result.", "result")?;
        for result in ["unchanged", "changed", "failed"] {
            looks.with_label_values(&[result]);
        }
        let not_taken = gauges(
            r,
            "postern_trust_not_taken",
            "What is kept out now while the last good stays in force, by reason.",
            "reason",
        )?;
        let help = "How long each step of the last CRL took.";
        let latency = GaugeVec::new(Opts::new("postern_crl_latency_seconds", help), &["issuer", "step"])?;
        r.register(Box::new(latency.clone()))?;
        Ok(Self {
            looks,
            failing: gauge(r, "postern_sources_failing", "Sources whose last look failed.")?,
            not_taken,
            states: gauges2(
                r,
                "postern_crl_state",
                "CRLs in force that are on this step of the freshness ladder.",
                ["issuer", "state"],
            )?,
            swaps: counters(r, "postern_crl_swaps_total", "CRLs that came into force.", "issuer")?,
            latency,
            last_swap: Mutex::default(),
        })
    }

    /// Counts a look.
    pub fn looked(&self, look: Look) {
        let label = match look {
            Look::Unchanged => "unchanged",
            Look::Changed => "changed",
            Look::Failed => "failed",
        };
        self.looks.with_label_values(&[label]).inc();
    }

    /// How things are now.
    pub fn report(&self, failing: usize, not_taken: &[NotTaken]) {
        self.failing.set(i64::try_from(failing).unwrap_or(i64::MAX));
        for why in Why::ALL {
            let count = not_taken.iter().filter(|it| it.why == why).count();
            self.not_taken.with_label_values(&[why.label()]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// On which step each CRL is.
    pub(super) fn freshness(&self, crls: &[(&str, Freshness)]) {
        let mut counts: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        for (issuer, freshness) in crls {
            for step in Freshness::ALL {
                *counts.entry((issuer, step.label())).or_default() += i64::from(step == *freshness);
            }
        }
        // A CRL that is gone must not leave its last state behind.
        self.states.reset();
        for ((issuer, state), count) in counts {
            self.states.with_label_values(&[issuer, state]).set(count);
        }
    }

    /// Notes that these came into force.
    pub fn swapped(&self, crls: &[Crl]) {
        for crl in crls {
            let metadata = crl.index.metadata();
            self.swaps.with_label_values(&[metadata.issuer.as_str()]).inc();
            let step = |name, from: Option<OffsetDateTime>, to: OffsetDateTime| {
                if let Some(from) = from {
                    let took = (to - from).as_seconds_f64().max(0.0);
                    self.latency.with_label_values(&[metadata.issuer.as_str(), name]).set(took);
                }
            };
            if let Some(modified) = crl.modified {
                step("issued_to_published", Some(metadata.this_update), modified);
            }
            step("published_to_fetched", crl.modified, crl.fetched);
            step("fetched_to_in_force", Some(crl.fetched), crl.since);
        }
        if !crls.is_empty() {
            let issuers = crls.iter().map(|crl| crl.index.metadata().issuer.clone()).collect();
            *self.last_swap.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), issuers));
        }
    }

    /// Notes that an open connection of a client that became revoked is closed.
    pub fn closed(&self) {
        let last = self.last_swap.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((swapped, issuers)) = last else { return };
        for issuer in issuers {
            let labels = &[issuer.as_str(), "in_force_to_last_closed"];
            self.latency.with_label_values(labels).set(swapped.elapsed().as_secs_f64());
        }
    }
}
