//! `[log]`: what is written.

use tracing::Level;

use super::section::Section;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// Of both logs.
    pub format: LogFormat,
    /// The least severe level that the operational log shows.
    pub level: Level,
}

impl Log {
    pub(super) fn read(log: &mut Section<'_>) -> Self {
        let levels = "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"";
        Self {
            format: log.parsed("format", LogFormat::Json, "\"json\" or \"text\"", |text| match text {
                "json" => Some(LogFormat::Json),
                "text" => Some(LogFormat::Text),
                _ => None,
            }),
            level: log.parsed("level", Level::INFO, levels, |text| text.parse().ok()),
        }
    }
}
