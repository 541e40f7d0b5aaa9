use std::time::Duration;

use super::super::section::Section;

/// `[upstream.ejection]`
#[derive(Debug, Clone, PartialEq)]
pub struct Ejection {
    /// Failures in a row after which an address gets no more requests; 0 for never.
    pub failures: u32,
    /// For how long, the first time. Each further time doubles it.
    pub shortest: Duration,
    /// For how long at most.
    pub longest: Duration,
}

impl Ejection {
    pub(super) fn read(ejection: &mut Section<'_>) -> Self {
        let shortest = ejection.milliseconds("shortest_ms", 1_000);
        let longest = ejection.milliseconds("longest_ms", 30_000);
        if shortest > longest {
            ejection.problem("shortest_ms", "longer than longest_ms", "make it the shorter one");
        }
        Self { failures: ejection.number("failures", 3, 0..=1_000), shortest, longest }
    }
}
