//! `[drain]`: how to stop.

use std::time::Duration;

use super::section::Section;

/// `[drain]`
#[derive(Debug, Clone, PartialEq)]
pub struct Drain {
    /// How long new connections are still accepted after SIGTERM.
    pub accept: Duration,
    /// When what is still open is cut, counted from SIGTERM.
    pub deadline: Duration,
}

impl Drain {
    pub(super) fn read(drain: &mut Section<'_>) -> Self {
        let accept = drain.milliseconds_from("accept_ms", 0, 0);
        let deadline = drain.milliseconds("deadline_ms", 25_000);
        if accept >= deadline {
            drain.problem(
                "accept_ms",
                "not before drain.deadline_ms, so the last connections would be cut as they come",
                "leave requests some seconds between the two",
            );
        }
        Self { accept, deadline }
    }
}
