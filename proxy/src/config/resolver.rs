//! `[resolver]`: who knows the addresses of upstreams.

use std::net::SocketAddr;
use std::time::Duration;

use super::section::Section;

/// `[resolver]`
#[derive(Debug, Clone, PartialEq)]
pub struct Resolver {
    /// Asked instead of those in `/etc/resolv.conf`, if there are any.
    pub nameservers: Vec<SocketAddr>,
    /// For one question to one nameserver.
    pub timeout: Duration,
    /// An answer is good for this long at least, and as long after a failed lookup the name is looked up again.
    pub ttl_least: Duration,
    /// An answer is good for this long at most.
    pub ttl_most: Duration,
}

impl Resolver {
    pub(super) fn read(resolver: &mut Section<'_>) -> Self {
        let given = resolver.strings("nameservers");
        let nameservers: Result<_, std::net::AddrParseError> =
            given.iter().map(|text| text.parse()).collect();
        let nameservers = nameservers.unwrap_or_else(|_unparsed| {
            let hint = "give IP addresses and ports, such as [\"169.254.169.253:53\"]";
            resolver.problem("nameservers", "not a list of socket addresses", hint);
            Vec::new()
        });
        let ttl_least = resolver.milliseconds("ttl_least_ms", 1_000);
        let ttl_most = resolver.milliseconds("ttl_most_ms", 60_000);
        if ttl_least > ttl_most {
            resolver.problem("ttl_least_ms", "more than ttl_most_ms", "make it the smaller one");
        }
        Self { nameservers, timeout: resolver.milliseconds("timeout_ms", 2_000), ttl_least, ttl_most }
    }
}
