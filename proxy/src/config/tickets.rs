//! `[tickets]`: sessions that clients resume, so that a new connection needs no full handshake.

use std::time::Duration;

use super::section::Section;
use super::source::{Kind, Source};

/// RFC 8446 §4.6.1: no ticket is good for longer than seven days.
const LONGEST_SECONDS: u64 = 604_800;

/// `[tickets]`
#[derive(Debug, Clone, PartialEq)]
pub struct Tickets {
    /// Whether clients get tickets at all.
    pub enabled: bool,
    /// The keys that a fleet shares; without it, each process makes its own.
    pub keys: Option<Source>,
    /// How long after a full handshake its session may be resumed.
    pub lifetime: Duration,
}

impl Tickets {
    pub(super) fn read(tickets: &mut Section<'_>) -> Self {
        Self {
            enabled: tickets.boolean("enabled", true),
            keys: tickets.optional_source("keys", Kind::Keys),
            lifetime: Duration::from_secs(tickets.number("lifetime_seconds", 43_200, 1..=LONGEST_SECONDS)),
        }
    }
}
