//! The configuration: TOML and environment in, one checked [`Config`] out, or everything that is wrong at once.

mod addressing;
mod admin;
mod conflicts;
mod drain;
mod environment;
mod fields;
mod file;
mod host;
mod identity_headers;
mod limits;
mod lines;
mod listen;
mod log;
mod proxy_protocol;
mod resolver;
mod revocation;
mod route;
mod section;
mod server;
mod sigv4;
mod source;
mod sources;
mod spelling;
mod text;
mod tickets;
mod upstream;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use toml::Table;

pub use self::admin::Admin;
pub use self::drain::Drain;
use self::fields::Fields;
pub use self::fields::Invalid;
pub use self::file::File;
pub use self::host::HostPattern;
pub use self::identity_headers::{
    AlbMode, Forwarding, IdentityHeaders, Names, RequestId, SubjectHeader, Trace, XfccElement,
};
pub use self::limits::{Limits, Pace};
pub use self::lines::Lines;
pub use self::listen::Listen;
pub use self::log::{Log, LogFormat};
pub use self::proxy_protocol::{ProxyProtocol, ProxyVersions, Untrusted};
pub use self::resolver::Resolver;
pub use self::revocation::{Brake, Depth, Ladder, Revocation};
pub use self::route::Route;
use self::section::Section;
pub use self::server::{ClientAuth, Server, UnknownNames};
pub use self::sigv4::{ClientSignature, Payload, Sigv4};
pub use self::source::{Place, Source};
pub use self::sources::Sources;
pub use self::tickets::Tickets;
pub use self::upstream::{Breaker, Ejection, Health, Retry, Upstream, Zone};

/// Everything an operator can set, checked. `proxy/config.example.toml` documents each key.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where clients connect.
    pub listen: Listen,
    /// Who the proxy is, and whom it believes as that: the default server, then the others.
    pub servers: Vec<Server>,
    /// What becomes of names that no server has.
    pub unknown_names: UnknownNames,
    /// Who is out.
    pub revocation: Revocation,
    /// Sessions that are resumed.
    pub tickets: Tickets,
    /// How what all that is made of is looked at again.
    pub sources: Sources,
    /// Which requests go where. At least one.
    pub routes: Vec<Route>,
    /// Where requests go, each place once.
    pub upstreams: Vec<Upstream>,
    /// Who knows the addresses of upstreams.
    pub resolver: Resolver,
    /// What the upstream is told about the client.
    pub identity_headers: Arc<IdentityHeaders>,
    /// How much of everything.
    pub limits: Limits,
    /// How to stop.
    pub drain: Drain,
    /// Health, readiness and metrics.
    pub admin: Admin,
    /// What is written.
    pub log: Log,
}

impl Config {
    /// Reads the file at `path` (`env:NAME`: the variable of that name) and the `POSTERN_…` variables among `environment`, which win.
    ///
    /// # Errors
    ///
    /// Every problem there is, not just the first.
    pub fn load(
        path: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Vec<Invalid>> {
        let environment = environment.into_iter().collect::<Vec<_>>();
        let text = text::read(path, &environment).map_err(|problem| vec![problem])?;
        let document = text.parse::<Table>().map_err(|error| {
            let at = error
                .span()
                .map_or(0, |span| text.bytes().take(span.start).filter(|b| *b == b'\n').count() + 1);
            let problem = format!("line {at}: not TOML: {}", error.message());
            vec![Invalid::new(path.display().to_string(), problem, "correct the syntax on that line")]
        })?;
        Self::from_document(document, environment, path.parent().unwrap_or(Path::new("")))
            .map(|(config, _)| config)
    }

    /// What the server of that number is called, where there are several.
    pub fn server_label(&self, number: usize) -> Option<&str> {
        self.servers.get(number).filter(|_| self.servers.len() > 1).map(|server| server.label.as_str())
    }

    /// Checks a document. File names in it are relative to `base`. Also answers which keys exist.
    fn from_document(
        mut document: Table,
        environment: impl IntoIterator<Item = (String, String)>,
        base: &Path,
    ) -> Result<(Self, BTreeSet<String>), Vec<Invalid>> {
        let mut problems = environment::overlay(&mut document, environment);
        let mut fields = Fields::new(document, base);
        let config = Self::read(&mut fields.root());
        let (found, known) = fields.finish();
        problems.extend(found);
        problems.extend(conflicts::find(&config.servers, &config.routes));
        if problems.is_empty() { Ok((config, known)) } else { Err(problems) }
    }

    fn read(root: &mut Section<'_>) -> Self {
        let (servers, unknown_names) = server::read(root);
        let (routes, upstreams) = route::read(root);
        Self {
            listen: Listen::read(&mut root.section("listen")),
            servers,
            unknown_names,
            revocation: Revocation::read(&mut root.section("revocation")),
            tickets: Tickets::read(&mut root.section("tickets")),
            sources: Sources::read(&mut root.section("sources")),
            routes,
            upstreams,
            resolver: Resolver::read(&mut root.section("resolver")),
            identity_headers: Arc::new(IdentityHeaders::read(&mut root.section("identity_headers"))),
            limits: Limits::read(&mut root.section("limits")),
            drain: Drain::read(&mut root.section("drain")),
            admin: Admin::read(&mut root.section("admin")),
            log: Log::read(&mut root.section("log")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../config.example.toml");
    const LEAST: &str = r#"
        [tls]
        certificate = "server.pem"
        private_key = "server.key"
        [client_auth]
        trust_bundle = "root.pem"
        [revocation]
        crls = ["intermediate.crlx", "root.crlx"]
        [upstream]
        address = "vpce-0123456789abcdef0-abcdefgh.execute-api.eu-west-1.vpce.amazonaws.com:443"
        host = "abcde12345.execute-api.eu-west-1.amazonaws.com"
    "#;

    fn load(text: &str) -> Result<(Config, BTreeSet<String>), Vec<Invalid>> {
        Config::from_document(text.parse().unwrap(), [], Path::new("/etc/postern"))
    }

    impl Config {
        /// The least configuration, with these routes.
        pub(crate) fn with_routes(routes: &str) -> Self {
            load(&format!("{LEAST}{routes}")).unwrap().0
        }
    }

    #[test]
    fn the_example_says_what_the_defaults_are() {
        assert_eq!(load(EXAMPLE).unwrap().0, load(LEAST).unwrap().0);
    }

    #[test]
    fn the_example_shows_every_key() {
        // Keys without a default stand there as comments.
        let uncommented: String = EXAMPLE
            .lines()
            .map(|line| line.strip_prefix("#: ").unwrap_or(line))
            .fold(String::new(), |text, line| text + line + "\n");
        let (_, mut known) = load(LEAST).unwrap();
        // What a route's upstream may set is shown once.
        let inherited = known
            .iter()
            .filter_map(|key| Some(format!("route.{key}")).filter(|_| key.starts_with("upstream.")));
        for key in inherited.collect::<Vec<_>>() {
            known.remove(&key);
        }
        let shown: BTreeSet<String> = fields::leaves("", &uncommented.parse().unwrap())
            .iter()
            .map(|key| fields::without_numbers(key))
            .filter(|key| !key.starts_with("route.upstream."))
            .collect();
        assert_eq!(shown, known);
    }

    #[test]
    fn all_problems_come_at_once() {
        let problems =
            load("[tls]\ncertificate = 3\n[limits]\nheader_bytes = 1\nheader_byte = 2").unwrap_err();
        let keys: Vec<_> = problems.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "tls.certificate",
                "tls.private_key",
                "client_auth.trust_bundle",
                "upstream.address",
                "revocation.crls",
                "limits.header_bytes",
                "limits.header_byte"
            ]
        );
    }

    #[test]
    fn the_environment_wins_and_its_slips_are_named() {
        let environment = [
            ("POSTERN_LIMITS__HEADER_COUNT".to_owned(), "7".to_owned()),
            ("POSTERN_LOG__LEVEL".to_owned(), "debug".to_owned()),
        ];
        let (config, _) = Config::from_document(LEAST.parse().unwrap(), environment, Path::new("")).unwrap();
        assert_eq!(config.limits.header_count, 7);
        assert_eq!(config.log.level, tracing::Level::DEBUG);

        let slip = [("POSTERN_LIMITS__HEADER_CONT".to_owned(), "7".to_owned())];
        let problems = Config::from_document(LEAST.parse().unwrap(), slip, Path::new("")).unwrap_err();
        assert_eq!(problems[0].hint, "did you mean limits.header_count?");
    }
}
