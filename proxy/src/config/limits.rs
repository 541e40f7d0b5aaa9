//! `[limits]`: how much of everything.

use std::time::Duration;

use super::section::Section;
use crate::jitter::shortened;

/// `[limits]`
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Open client connections, all workers together.
    pub max_connections: usize,
    /// Open connections of one client address; 0 for any number.
    pub max_connections_per_address: usize,
    /// Open connections of one client; 0 for any number.
    pub max_connections_per_client: usize,
    /// Handshakes that have begun and are not finished, all workers together.
    pub max_handshakes: usize,
    /// From the accepted connection to the finished handshake.
    pub handshake_timeout: Duration,
    /// From the first byte of a request's head to its last.
    pub header_timeout: Duration,
    /// How long a connection may be open without a request.
    pub idle_timeout: Duration,
    /// Requests on one connection; `u64::MAX` for any number.
    pub max_requests_per_connection: u64,
    /// How old a connection gets at most; `None` for any age.
    pub max_connection_age: Option<Duration>,
    /// How many hundredths of that age connections differ by.
    pub connection_age_jitter: u32,
    /// How long a connection that is to end may be idle and still bring a last request.
    pub last_request: Duration,
    /// Bytes of a request's head.
    pub header_bytes: usize,
    /// Header fields of a request.
    pub header_count: usize,
    /// Bytes of a request's body; `u64::MAX` for any size.
    pub body_bytes: u64,
    /// How slow bodies may be.
    pub pace: Pace,
    /// Streams that an HTTP/2 client may have open on one connection.
    pub h2_streams: u32,
    /// Requests that an HTTP/2 client may give up on one connection before it has to be half of them.
    pub h2_resets: u64,
}

/// How slow bodies may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// How long the client may be waited for while its bytes come, or go, at less than `bytes_per_second`.
    pub timeout: Duration,
    /// See `timeout`. With 0, any byte is enough.
    pub bytes_per_second: u64,
    /// How long both sides of a conversation may be silent: an upgraded connection, a response during its upload.
    pub stream_idle_timeout: Duration,
}

impl Limits {
    pub(super) fn read(limits: &mut Section<'_>) -> Self {
        let max_connections = limits.number("max_connections", 10_000, 1..=10_000_000);
        let mut share = |name: &str| {
            let share = limits.number(name, 0, 0..=10_000_000);
            if share > max_connections {
                limits.problem(
                    name,
                    format!(
                        "more than limits.max_connections, which is {max_connections}: it is never reached"
                    ),
                    "lower it, or raise the other",
                );
            }
            share
        };
        Self {
            max_connections_per_address: share("max_connections_per_address"),
            max_connections_per_client: share("max_connections_per_client"),
            max_connections,
            max_handshakes: limits.number("max_handshakes", 4_000, 1..=10_000_000),
            handshake_timeout: limits.milliseconds("handshake_timeout_ms", 10_000),
            header_timeout: limits.milliseconds("header_timeout_ms", 10_000),
            idle_timeout: limits.milliseconds("idle_timeout_ms", 120_000),
            max_requests_per_connection: match limits.number(
                "max_requests_per_connection",
                0,
                0..=u64::MAX >> 1,
            ) {
                0 => u64::MAX,
                requests => requests,
            },
            max_connection_age: Some(limits.milliseconds_from("max_connection_age_ms", 3_600_000, 0))
                .filter(|age| !age.is_zero()),
            connection_age_jitter: limits.number("connection_age_jitter_percent", 10, 0..=100),
            last_request: limits.milliseconds("last_request_ms", 5_000),
            header_bytes: limits.number("header_bytes", 16_384, 1_024..=262_144),
            header_count: limits.number("header_count", 100, 1..=1_000),
            body_bytes: match limits.number("body_bytes", 10_485_760, 0..=u64::MAX >> 1) {
                0 => u64::MAX,
                bytes => bytes,
            },
            pace: Pace {
                timeout: limits.milliseconds("body_timeout_ms", 30_000),
                bytes_per_second: limits.number("body_bytes_per_second", 240, 0..=1_000_000_000),
                stream_idle_timeout: limits.milliseconds("stream_idle_timeout_ms", 300_000),
            },
            h2_streams: limits.number("h2_streams", 128, 1..=10_000),
            h2_resets: limits.number("h2_resets", 200, 1..=1_000_000),
        }
    }

    /// How old one connection gets: the age at most, less a part of the jitter.
    pub fn lifetime(&self) -> Option<Duration> {
        self.max_connection_age.map(|age| shortened(age, self.connection_age_jitter))
    }
}
