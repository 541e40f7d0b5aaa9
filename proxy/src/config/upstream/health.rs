use std::time::Duration;

use http::uri::PathAndQuery;

use super::super::section::Section;

/// `[upstream.health]`
#[derive(Debug, Clone, PartialEq)]
pub struct Health {
    /// Between two checks of an address; none for no checks.
    pub interval: Option<Duration>,
    /// For one check, from the connection to the answer.
    pub timeout: Duration,
    /// Failed checks in a row after which an address gets no more requests.
    pub failures: u32,
    /// What is asked for.
    pub path: PathAndQuery,
}

impl Health {
    pub(super) fn read(health: &mut Section<'_>) -> Self {
        Self {
            interval: health.optional_milliseconds("interval_ms", 0),
            timeout: health.milliseconds("timeout_ms", 2_000),
            failures: health.number("failures", 2, 1..=100),
            path: health.parsed(
                "path",
                PathAndQuery::from_static("/ping"),
                "a path, such as \"/ping\"",
                |text| text.parse().ok().filter(|_| text.starts_with('/')),
            ),
        }
    }
}
