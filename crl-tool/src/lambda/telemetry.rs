//! What the function says: one JSON object a line on standard output, which CloudWatch keeps and takes metrics from
//! (the embedded metric format).

use crate::pipeline::{Object, Report, word};
use crl_tool::Published;
use serde_json::{Map, Value, json};
use std::io::{self, Write};
use std::time::Duration;
use time::OffsetDateTime;

/// The namespace of the metrics.
const NAMESPACE: &str = "Postern/CrlPipeline";

/// Writes lines about one invocation.
pub(super) struct Telemetry {
    pub(super) request_id: String,
    pub(super) function: String,
}

impl Telemetry {
    /// A CRL that was taken.
    pub(super) fn done(&self, crl: &Object, report: &Report, took: Duration, now: OffsetDateTime) {
        let metadata = &report.metadata;
        let written = report.outputs.iter().any(|(_, published)| *published == Published::Written);
        let mut metrics = vec![
            ("Processed", "Count", json!(1)),
            ("Entries", "Count", json!(metadata.entries)),
            ("Duration", "Milliseconds", json!(took.as_millis())),
            ("CrlAge", "Seconds", json!((now - metadata.this_update).whole_seconds())),
        ];
        if let Some(due) = metadata.next_update {
            metrics.push(("CrlExpiresIn", "Seconds", json!((due - now).whole_seconds())));
        }
        // A second event for what is there already would say how late it is itself.
        if let (true, Some(uploaded)) = (written, report.uploaded) {
            let latency = (now - uploaded).whole_milliseconds().max(0);
            metrics.push(("UploadToIndexed", "Milliseconds", json!(latency)));
        }
        let outputs = report.outputs.iter();
        let outputs: Map<String, Value> =
            outputs.map(|(object, published)| (object.to_string(), word(*published).into())).collect();
        let line = json!({
            "level": "INFO",
            "message": "CRL published",
            "crl": crl.to_string(),
            "Issuer": metadata.issuer,
            "crl_number": metadata.crl_number.map(|number| number.to_string()),
            "outputs": outputs,
        });
        self.say(with_metrics(line, &metrics, &[&["FunctionName"], &["FunctionName", "Issuer"]], now));
    }

    /// A record of which nothing came.
    pub(super) fn failed(&self, what: &str, hint: &str, now: OffsetDateTime) {
        let line = json!({ "level": "ERROR", "message": what, "hint": hint });
        self.say(with_metrics(line, &[("Failed", "Count", json!(1))], &[&["FunctionName"]], now));
    }

    /// A record that is not for us.
    pub(super) fn ignored(&self, what: &str) {
        self.say(json!({ "level": "INFO", "message": "ignored", "what": what }));
    }

    fn say(&self, mut line: Value) {
        if let Some(line) = line.as_object_mut() {
            line.insert("requestId".to_owned(), self.request_id.clone().into());
            line.insert("FunctionName".to_owned(), self.function.clone().into());
        }
        // There is nobody to tell that nobody listens.
        let _ = writeln!(io::stdout(), "{line}");
    }
}

/// `line` with metrics (name, unit, value) in it, by `dimensions`, which it also has.
fn with_metrics(
    mut line: Value,
    metrics: &[(&str, &str, Value)],
    dimensions: &[&[&str]],
    now: OffsetDateTime,
) -> Value {
    let definitions = metrics.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit }));
    let directive = json!({
        "Namespace": NAMESPACE,
        "Dimensions": dimensions,
        "Metrics": definitions.collect::<Vec<_>>(),
    });
    let milliseconds = now.unix_timestamp_nanos() / 1_000_000;
    if let Some(line) = line.as_object_mut() {
        line.insert(
            "_aws".to_owned(),
            json!({ "Timestamp": milliseconds, "CloudWatchMetrics": [directive] }),
        );
        line.extend(metrics.iter().map(|(name, _, value)| ((*name).to_owned(), value.clone())));
    }
    line
}
