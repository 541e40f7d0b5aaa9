//! Figures for people and for programs.

use std::path::Path;
use std::time::Duration;

use comfy_table::{Table, presets};
use postern_tests::{Failure, files};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::arena::{Sample, cores};

/// The middle of several measurements, and how far they spread.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// Of figures in any order; zeros without any.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let at = |index: usize| figures.get(index).copied().unwrap_or_default();
        let last = figures.len().saturating_sub(1);
        // The mean of the two in the middle when their number is even.
        Self { median: f64::midpoint(at(last / 2), at(last.div_ceil(2))), least: at(0), most: at(last) }
    }

    /// `median (least–most)`.
    pub(crate) fn show(&self, decimals: usize) -> String {
        format!("{:.decimals$} ({:.decimals$}–{:.decimals$})", self.median, self.least, self.most)
    }
}

/// All measurements of one kind.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// All rounds together.
    pub(crate) operations: u32,
    pub(crate) errors: u32,
    pub(crate) first_error: Option<String>,
    /// Of the proxy, user and system.
    pub(crate) cpu_us_per_operation: Spread,
    pub(crate) wall_us_per_operation: Spread,
}

impl Row {
    pub(crate) fn new(name: impl Into<String>, operations: u32, samples: &[Sample]) -> Self {
        let rounds = u32::try_from(samples.len()).unwrap_or(u32::MAX);
        Self {
            name: name.into(),
            operations: operations.saturating_mul(rounds),
            errors: samples.iter().map(|sample| sample.tally.errors).sum(),
            first_error: samples.iter().find_map(|sample| sample.tally.first_error.clone()),
            cpu_us_per_operation: Spread::of(samples.iter().map(|sample| microseconds(sample.cpu))),
            wall_us_per_operation: Spread::of(
                samples.iter().map(|sample| microseconds(sample.tally.wall / operations.max(1))),
            ),
        }
    }
}

/// Prints the rows.
pub(crate) fn print(rows: &[Row]) {
    let mut table = table(["operation", "operations", "errors", "µs CPU each", "µs wall each"]);
    for row in rows {
        table.add_row([
            row.name.clone(),
            row.operations.to_string(),
            row.errors.to_string(),
            row.cpu_us_per_operation.show(1),
            row.wall_us_per_operation.show(1),
        ]);
    }
    println!("{table}\nmedian (least–most); CPU time is the proxy's, user and system");
    for (name, error) in rows.iter().filter_map(|row| Some((&row.name, row.first_error.as_ref()?))) {
        println!("first error of {name}: {error}");
    }
}

/// An empty table with these columns.
pub(crate) fn table<const COLUMNS: usize>(columns: [&str; COLUMNS]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_header(columns);
    table
}

/// Writes the figures with the machine they are of.
pub(crate) fn write(path: &Path, figures: &serde_json::Value) -> Result<(), Failure> {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let report = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "date": time::OffsetDateTime::now_utc().date().to_string(),
        "cores": cores(),
        "kernel": kernel.trim(),
        "processor": processor(),
        "figures": figures,
    });
    files::write(path, format!("{report:#}\n"))
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(": ")).map_or_else(String::new, |(_, name)| name.to_owned())
}

/// To the kibibyte, which is what the kernel counts in.
pub(crate) fn mebibytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes / 1024).unwrap_or(u32::MAX)) / 1024.0
}

pub(crate) fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
