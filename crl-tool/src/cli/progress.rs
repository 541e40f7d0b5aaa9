//! How far long work has come: a bar on the terminal.

use super::style::Style;
use crl_tool::{Index, Watch};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fs::Metadata;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::{Duration, Instant};

/// Work that is done sooner shows no bar.
const PATIENCE: Duration = Duration::from_millis(500);

const WITH_TOTAL: &str = "{msg} {wide_bar} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left";
const WITHOUT_TOTAL: &str = "{msg} {spinner} {bytes}, {bytes_per_sec}";

/// A bar that is gone when the work is done, or when it fails.
pub(crate) struct Progress(Option<ProgressBar>);

impl Progress {
    /// For the reading of the file at `path`, if somebody looks at standard error.
    pub(crate) fn of_file(path: &Path, style: Style) -> Progress {
        let metadata = std::fs::metadata(path).ok().filter(Metadata::is_file);
        Progress::start(metadata.map(|metadata| metadata.len()), style)
    }

    /// For the reading of the CRLs in some indexes.
    pub(crate) fn of_indexes(indexes: &[&Index], style: Style) -> Progress {
        let total = indexes.iter().map(|index| index.metadata().crl_bytes).sum();
        Progress::start(Some(total), style)
    }

    fn start(total: Option<u64>, style: Style) -> Progress {
        if style.is_quiet() || !io::stderr().is_terminal() {
            return Progress(None);
        }
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        let template = if total.is_some() { WITH_TOTAL } else { WITHOUT_TOTAL };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Progress(Some(bar.with_message("reading")))
    }

    /// What moves the bar.
    pub(crate) fn watch(&self) -> Watch {
        let Some(bar) = self.0.clone() else { return Watch::default() };
        let started = Instant::now();
        Watch::new(move |bytes| {
            if bar.is_hidden() && started.elapsed() >= PATIENCE {
                bar.set_draw_target(ProgressDrawTarget::stderr());
            }
            bar.inc(bytes);
            if bar.length().is_some_and(|total| bar.position() >= total) {
                bar.set_message("finishing");
            }
        })
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
