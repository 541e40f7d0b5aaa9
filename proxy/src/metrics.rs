//! Every metric there is. Registered here, injected everywhere else. Labels are closed sets, never a path or a subject.

mod trust;
mod upstream;

use std::collections::BTreeMap;

use http::StatusCode;
use prometheus::{
    Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    Result, TextEncoder,
};
use rustls_pki_types::UnixTime;
use x509_parser::prelude::{FromDer, X509Certificate};

pub use self::trust::TrustMetrics;
pub use self::upstream::UpstreamMetrics;
use self::upstream::Upstreams;
use crate::clock::seconds;
use crate::config::Config;
use crate::handshake::TicketUse;
use crate::refusal::Refusal;
use crate::trust::{Declined, Trust, crl_age};

/// Upper bounds in seconds: half a millisecond to a minute.
const BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 60.0];

/// The process's metrics.
pub struct Metrics {
    registry: Registry,
    /// `postern_connections_total`: accepted TCP connections.
    pub connections: IntCounter,
    /// `postern_connections_open`: those that are open now.
    pub connections_open: IntGauge,
    /// HTTP/1.1 connections that hold next to nothing until their client's next request.
    pub connections_resting: IntGauge,
    /// `postern_handshakes_open`: those that have begun and are not finished.
    pub handshakes_open: IntGauge,
    /// `postern_handshake_duration_seconds`, of finished handshakes.
    pub handshake_seconds: Histogram,
    /// `postern_request_duration_seconds`: from a request's head to its response's last byte.
    pub request_seconds: Histogram,
    /// `postern_access_log_dropped_total`: lines that standard output was too slow for, or did not take.
    pub access_log_dropped: IntCounter,
    /// `postern_upgrades_total`: connections that went on in another protocol.
    pub upgrades: IntCounter,
    /// `postern_draining`: 1 after SIGTERM.
    pub draining: IntGauge,
    /// Of sources and CRLs.
    pub trust: TrustMetrics,
    handshakes: IntCounterVec,
    tickets: IntCounterVec,
    retired: IntCounterVec,
    refusals: IntCounterVec,
    would_refuse: IntCounterVec,
    requests: ByClass,
    /// By number of the route; none without `[[route]]`.
    routes: Vec<ByClass>,
    reloads: IntCounterVec,
    crl_age: IntGaugeVec,
    crl_next_update: IntGaugeVec,
    crl_entries: IntGaugeVec,
    certificate_expiry: IntGaugeVec,
    trust_generation: IntGauge,
    upstreams: Upstreams,
    /// The label of each server, by number.
    servers: Vec<String>,
}

/// Requests by the class of their answer, found without a look into a table of labels.
struct ByClass {
    classes: [IntCounter; 5],
    aborted: IntCounter,
}

impl ByClass {
    fn new(counter: impl Fn(&str) -> IntCounter) -> Self {
        Self { classes: ["1xx", "2xx", "3xx", "4xx", "5xx"].map(&counter), aborted: counter("aborted") }
    }

    fn count(&self, status: Option<StatusCode>) {
        let class = status.and_then(|status| usize::from(status.as_u16() / 100).checked_sub(1));
        class.and_then(|class| self.classes.get(class)).unwrap_or(&self.aborted).inc();
    }
}

/// How a handshake went, as the label `result` says it.
#[derive(Debug, Clone, Copy)]
pub enum HandshakeResult {
    /// A connection came of it.
    Accepted,
    /// None did.
    Refused,
    /// The client was a load balancer's TCP health check.
    Probe,
}

/// Why a connection ends that nobody is refused on, as the label `reason` says it.
#[derive(Debug, Clone, Copy)]
pub enum Retirement {
    /// `limits.max_connection_age_ms`.
    Age,
    /// `limits.max_requests_per_connection`.
    Requests,
    /// `limits.idle_timeout_ms`.
    Idle,
    /// The process is on its way out.
    Drain,
}

impl Metrics {
    /// Registers everything. Labels are those of `config`.
    ///
    /// # Errors
    ///
    /// Two metrics of one name.
    pub fn new(config: &Config) -> Result<Self> {
        let registry = Registry::new();
        let r = &registry;
        let names = config.routes.iter().filter_map(|route| route.name.as_deref());
        let help = "Requests that took a route, by class of status.";
        let by_route =
            IntCounterVec::new(Opts::new("postern_route_requests_total", help), &["route", "class"])?;
        r.register(Box::new(by_route.clone()))?;
        let requests =
            counters(r, "postern_requests_total", "Requests answered, by class of status.", "class")?;
        let build = gauges(r, "postern_build_info", "Always 1; the label is the version.", "version")?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let report_only =
            gauge(r, "postern_revocation_report_only", "1 if clients that the CRLs refuse are let in.")?;
        report_only.set(config.revocation.report_only.into());
        let handshakes = counters(r, "postern_handshakes_total", "Handshakes, by result.", "result")?;
        let tickets = counters(r, "postern_tickets_total", "Session tickets offered, by result.", "result")?;
        let retired = counters(
            r,
            "postern_connections_retired_total",
            "Connections that were told to end, or closed while idle, and not refused.",
            "reason",
        )?;
        let reloads = counters(
            r,
            "postern_reloads_total",
            "Reloads of certificates, trust bundle and CRLs.",
            "result",
        )?;
        // What an alert is to be set on must be there before it happens for the first time.
        for result in ["accepted", "refused", "probe"] {
            handshakes.with_label_values(&[result]);
        }
        for result in ["resumed", "unreadable", "too_old", "not_good", "unused"] {
            tickets.with_label_values(&[result]);
        }
        for reason in ["age", "requests", "idle", "drain"] {
            retired.with_label_values(&[reason]);
        }
        for result in ["applied", "kept_last_good"] {
            reloads.with_label_values(&[result]);
        }
        Ok(Self {
            connections: counter(r, "postern_connections_total", "TCP connections accepted.")?,
            connections_open: gauge(r, "postern_connections_open", "Connections open now.")?,
            connections_resting: gauge(
                r,
                "postern_connections_resting",
                "HTTP/1.1 connections without a request that have given up what only requests need.",
            )?,
            handshakes_open: gauge(r, "postern_handshakes_open", "Handshakes going on now.")?,
            handshake_seconds: histogram(
                r,
                "postern_handshake_duration_seconds",
                "Finished TLS handshakes.",
            )?,
            request_seconds: histogram(
                r,
                "postern_request_duration_seconds",
                "From a request's head to the last byte of its response.",
            )?,
            access_log_dropped: counter(
                r,
                "postern_access_log_dropped_total",
                "Access log lines lost because standard output was too slow, full or closed.",
            )?,
            upgrades: counter(r, "postern_upgrades_total", "Connections that went on in another protocol.")?,
            draining: gauge(r, "postern_draining", "1 after SIGTERM.")?,
            trust: TrustMetrics::new(r)?,
            handshakes,
            tickets,
            retired,
            refusals: counters(
                r,
                "postern_refusals_total",
                "Refused connections and requests, by reason.",
                "reason",
            )?,
            would_refuse: counters(
                r,
                "postern_would_refuse_total",
                "Connections that report-only mode let in, by what they would have been refused for.",
                "reason",
            )?,
            requests: ByClass::new(|class| requests.with_label_values(&[class])),
            routes: names
                .map(|name| ByClass::new(|class| by_route.with_label_values(&[name, class])))
                .collect(),
            reloads,
            crl_age: gauges(r, "postern_crl_age_seconds", "Time since the CRL's thisUpdate.", "issuer")?,
            crl_next_update: gauges(
                r,
                "postern_crl_next_update_seconds",
                "Time until the CRL's nextUpdate; negative after it.",
                "issuer",
            )?,
            crl_entries: gauges(r, "postern_crl_entries", "Revoked certificates on the CRL.", "issuer")?,
            certificate_expiry: gauges(
                r,
                "postern_server_certificate_expiry_seconds",
                "Time until the server certificate's notAfter; negative after it.",
                "server",
            )?,
            servers: config.servers.iter().map(|server| server.label.clone()).collect(),
            trust_generation: gauge(
                r,
                "postern_trust_generation",
                "Grows with every change of what is in force.",
            )?,
            upstreams: Upstreams::new(r)?,
            registry,
        })
    }

    /// Counts a handshake.
    pub fn handshake(&self, result: HandshakeResult) {
        let label = match result {
            HandshakeResult::Accepted => "accepted",
            HandshakeResult::Refused => "refused",
            HandshakeResult::Probe => "probe",
        };
        self.handshakes.with_label_values(&[label]).inc();
    }

    /// Counts what became of a client's session ticket.
    pub fn ticket(&self, ticket: TicketUse) {
        let label = match ticket {
            TicketUse::Resumed => "resumed",
            TicketUse::Declined(Declined::Unreadable) => "unreadable",
            TicketUse::Declined(Declined::TooOld) => "too_old",
            TicketUse::Declined(Declined::NotGood) => "not_good",
            TicketUse::Unused => "unused",
        };
        self.tickets.with_label_values(&[label]).inc();
    }

    /// Counts a connection that is to end, once.
    pub fn retired(&self, why: Retirement) {
        let label = match why {
            Retirement::Age => "age",
            Retirement::Requests => "requests",
            Retirement::Idle => "idle",
            Retirement::Drain => "drain",
        };
        self.retired.with_label_values(&[label]).inc();
    }

    /// Counts a refusal.
    pub fn refusal(&self, refusal: &Refusal) {
        self.refusals.with_label_values(&[refusal.label()]).inc();
    }

    /// Counts a connection that was let in because its refusal is only reported.
    pub fn would_refuse(&self, refusal: &Refusal) {
        self.would_refuse.with_label_values(&[refusal.label()]).inc();
    }

    /// Counts a request that is over, and that took `route`. `None` as status: the client did not wait for an answer.
    pub fn request(&self, status: Option<StatusCode>, route: Option<usize>) {
        self.requests.count(status);
        if let Some(route) = route.and_then(|number| self.routes.get(number)) {
            route.count(status);
        }
    }

    /// Those of the upstream `name`, a name from the configuration.
    pub fn upstream(&self, name: &str) -> UpstreamMetrics {
        self.upstreams.of(name)
    }

    /// Counts a reload.
    pub fn reload(&self, applied_whole: bool) {
        let label = if applied_whole { "applied" } else { "kept_last_good" };
        self.reloads.with_label_values(&[label]).inc();
    }

    /// The text format, with ages as of `now`.
    ///
    /// # Errors
    ///
    /// When a metric cannot be encoded.
    pub fn render(&self, trust: &Trust, now: UnixTime) -> Result<Vec<u8>> {
        let now_seconds = seconds(now);
        // A CRL that is gone must not leave its last age behind.
        for gauges in [&self.crl_age, &self.crl_next_update, &self.crl_entries] {
            gauges.reset();
        }
        // Of an issuer with several CRLs: the oldest one, the first one due, and all entries.
        let mut issuers = BTreeMap::new();
        for crl in trust.revocations.crls() {
            let metadata = crl.index.metadata();
            let (age, due, entries) =
                issuers.entry(metadata.issuer.as_str()).or_insert((i64::MIN, i64::MAX, 0_i64));
            *age = crl_age(crl, now).max(*age);
            *due = (crl.next_update - now_seconds).min(*due);
            *entries = entries.saturating_add_unsigned(metadata.entries);
        }
        for (issuer, (age, due, entries)) in issuers {
            self.crl_age.with_label_values(&[issuer]).set(age);
            self.crl_next_update.with_label_values(&[issuer]).set(due);
            self.crl_entries.with_label_values(&[issuer]).set(entries);
        }
        let crls = trust.revocations.crls();
        let step = |crl| trust.revocations.freshness(crl, now);
        let steps: Vec<_> = crls.map(|crl| (crl.index.metadata().issuer.as_str(), step(crl))).collect();
        self.trust.freshness(&steps);
        for (server, label) in trust.servers().iter().zip(&self.servers) {
            let leaf = server.certificate.cert.first();
            if let Some((_, leaf)) = leaf.and_then(|leaf| X509Certificate::from_der(leaf).ok()) {
                let expiry = leaf.validity().not_after.timestamp() - now_seconds;
                self.certificate_expiry.with_label_values(&[label]).set(expiry);
            }
        }
        self.trust_generation.set(i64::try_from(trust.generation).unwrap_or(i64::MAX));
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

fn counter(registry: &Registry, name: &str, help: &str) -> Result<IntCounter> {
    let metric = IntCounter::new(name, help)?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn counters(registry: &Registry, name: &str, help: &str, label: &str) -> Result<IntCounterVec> {
    let metric = IntCounterVec::new(Opts::new(name, help), &[label])?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn counters2(registry: &Registry, name: &str, help: &str, labels: [&str; 2]) -> Result<IntCounterVec> {
    let metric = IntCounterVec::new(Opts::new(name, help), &labels)?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge> {
    let metric = IntGauge::new(name, help)?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn gauges(registry: &Registry, name: &str, help: &str, label: &str) -> Result<IntGaugeVec> {
    let metric = IntGaugeVec::new(Opts::new(name, help), &[label])?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn gauges2(registry: &Registry, name: &str, help: &str, labels: [&str; 2]) -> Result<IntGaugeVec> {
    let metric = IntGaugeVec::new(Opts::new(name, help), &labels)?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn histogram(registry: &Registry, name: &str, help: &str) -> Result<Histogram> {
    let metric = Histogram::with_opts(HistogramOpts::new(name, help).buckets(BUCKETS.to_vec()))?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}
