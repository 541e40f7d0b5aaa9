use std::time::Duration;

use super::super::section::Section;

/// `[upstream.breaker]`
#[derive(Debug, Clone, PartialEq)]
pub struct Breaker {
    /// Failures in a row that open it; 0 for never.
    pub failures: u32,
    /// Failures among a hundred requests that open it; 0 for never.
    pub failure_percent: u32,
    /// Requests below which no percentage counts.
    pub least_requests: u32,
    /// The time over which the percentage is taken.
    pub window: Duration,
    /// How long it stays open before one request may try.
    pub open: Duration,
    /// Statuses of the upstream that count as failures.
    pub statuses: Vec<u16>,
}

impl Breaker {
    pub(super) fn read(breaker: &mut Section<'_>) -> Self {
        Self {
            failures: breaker.number("failures", 10, 0..=100_000),
            failure_percent: breaker.number("failure_percent", 50, 0..=100),
            least_requests: breaker.number("least_requests", 20, 1..=1_000_000),
            window: breaker.milliseconds("window_ms", 10_000),
            open: breaker.milliseconds("open_ms", 5_000),
            statuses: breaker.numbers("statuses", 400..=599),
        }
    }
}
