//! Names to addresses: `/etc/hosts`, then the name servers of `/etc/resolv.conf` or of the configuration.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;

use super::describe;
use crate::config;

/// Looks names up.
pub(super) struct Resolver {
    inner: Result<TokioResolver, String>,
    settings: config::Resolver,
}

impl Resolver {
    pub(super) fn new(settings: &config::Resolver) -> Self {
        let given: Vec<_> = settings
            .nameservers
            .iter()
            .map(|address| {
                let mut server = NameServerConfig::udp_and_tcp(address.ip());
                for connection in &mut server.connections {
                    connection.port = address.port();
                }
                server
            })
            .collect();
        let (provider, fallback) =
            (TokioRuntimeProvider::default(), ResolverConfig::from_name_servers(given.clone()));
        let mut builder = match TokioResolver::builder(provider.clone()) {
            Ok(builder) if given.is_empty() => builder,
            // Without name servers, the names in /etc/hosts still work.
            Ok(_) | Err(_) => TokioResolver::builder_with_config(fallback, provider),
        };
        let options = builder.options_mut();
        options.timeout = settings.timeout;
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.use_hosts_file = ResolveHosts::Always;
        // Each name is asked for again when its answer is over, and by nobody else.
        options.cache_size = 0;
        let inner = builder.build().map_err(|error| describe(&error));
        Self { inner, settings: settings.clone() }
    }

    /// The addresses of `name`, and how long they are good for.
    pub(super) async fn look_up(&self, name: &str) -> Result<(Vec<IpAddr>, Duration), String> {
        let resolver = self.inner.as_ref().map_err(Clone::clone)?;
        let answer = resolver.lookup_ip(name).await.map_err(|error| describe(&error))?;
        let addresses: Vec<_> = answer.iter().collect();
        if addresses.is_empty() {
            return Err("the name has no addresses".to_owned());
        }
        let good_for = answer.valid_until().saturating_duration_since(Instant::now());
        Ok((addresses, good_for.clamp(self.settings.ttl_least, self.settings.ttl_most)))
    }

    /// How long to wait after that many failures in a row.
    pub(super) fn patience(&self, failures: u32) -> Duration {
        let doubled = 1_u32 << failures.saturating_sub(1).min(10);
        self.settings.ttl_least.saturating_mul(doubled).min(self.settings.ttl_most)
    }
}
