//! The configuration: TOML and environment in, one checked [`Config`] out, or everything that is wrong at once.

mod environment;
mod fields;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::HeaderValue;
use rustls_pki_types::ServerName;
use toml::Table;

use self::fields::Fields;
pub use self::fields::Invalid;

/// Everything an operator can set, checked. `proxy/config.example.toml` documents each key.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where clients connect.
    pub listen: Listen,
    /// Who the proxy is.
    pub tls: Tls,
    /// Whom the proxy believes.
    pub client_auth: ClientAuth,
    /// Who is out.
    pub revocation: Revocation,
    /// Where requests go.
    pub upstream: Upstream,
    /// What the upstream is told about the client.
    pub identity_headers: IdentityHeaders,
    /// How much of everything.
    pub limits: Limits,
    /// How to stop.
    pub drain: Drain,
    /// Health, readiness and metrics.
    pub admin: Admin,
    /// What is written.
    pub log: Log,
}

/// `[listen]`
#[derive(Debug, Clone, PartialEq)]
pub struct Listen {
    /// The address of the TLS listener.
    pub address: SocketAddr,
    /// Worker threads; 0 means one for each core.
    pub workers: usize,
}

/// `[tls]`
#[derive(Debug, Clone, PartialEq)]
pub struct Tls {
    /// PEM: the server's leaf certificate, then its intermediates.
    pub certificate: PathBuf,
    /// PEM: the key of that leaf.
    pub private_key: PathBuf,
}

/// `[client_auth]`
#[derive(Debug, Clone, PartialEq)]
pub struct ClientAuth {
    /// PEM: the trust anchors of client certificates.
    pub trust_bundle: PathBuf,
}

/// Which certificates of a verified path are looked up in a CRL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The leaf and every intermediate.
    Chain,
    /// The leaf alone.
    Leaf,
    /// None: no revocation checking at all.
    Off,
}

/// `[revocation]`
#[derive(Debug, Clone, PartialEq)]
pub struct Revocation {
    /// Which certificates are checked.
    pub depth: Depth,
    /// The CRL indexes that `crl-tool build` made, one an issuer.
    pub indexes: Vec<PathBuf>,
    /// How long after its nextUpdate a CRL still counts.
    pub grace: Duration,
}

/// `[upstream]`
#[derive(Debug, Clone, PartialEq)]
pub struct Upstream {
    /// Where to connect: `host:port`.
    pub address: String,
    /// The name asked for in SNI and checked in the upstream's certificate.
    pub server_name: ServerName<'static>,
    /// The `Host` that the upstream sees.
    pub host: HeaderValue,
    /// PEM: the trust anchors of the upstream's certificate; the system's own when not set.
    pub trust_bundle: Option<PathBuf>,
    /// To connect and finish the TLS handshake.
    pub connect_timeout: Duration,
    /// From the last byte of request sent to the response's head.
    pub response_timeout: Duration,
    /// How long an unused connection is kept.
    pub pool_idle_timeout: Duration,
    /// Unused connections kept by each worker.
    pub max_idle_connections: usize,
    /// All request headers together, as API Gateway counts them.
    pub header_limit: usize,
}

/// How `X-Client-Cert-Sub` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectHeader {
    /// As RFC 4514 text.
    Plain,
    /// As base64 of that text.
    Base64,
    /// Not at all.
    Off,
}

/// `[identity_headers]`
#[derive(Debug, Clone, PartialEq)]
pub struct IdentityHeaders {
    /// RFC 9440 `Client-Cert`.
    pub client_cert: bool,
    /// RFC 9440 `Client-Cert-Chain`.
    pub client_cert_chain: bool,
    /// `X-Client-Cert-Sub`.
    pub client_cert_sub: SubjectHeader,
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Open client connections, all workers together.
    pub max_connections: usize,
    /// From the accepted connection to the finished handshake.
    pub handshake_timeout: Duration,
    /// From the first byte of a request's head to its last.
    pub header_timeout: Duration,
    /// How long a connection may be open without a request.
    pub idle_timeout: Duration,
    /// Bytes of a request's head.
    pub header_bytes: usize,
    /// Header fields of a request.
    pub header_count: usize,
    /// Streams that an HTTP/2 client may have open on one connection.
    pub h2_streams: u32,
}

/// `[drain]`
#[derive(Debug, Clone, PartialEq)]
pub struct Drain {
    /// How long new connections are still accepted after SIGTERM.
    pub accept: Duration,
    /// When what is still open is cut, counted from SIGTERM.
    pub deadline: Duration,
}

/// `[admin]`
#[derive(Debug, Clone, PartialEq)]
pub struct Admin {
    /// The address of the admin listener.
    pub address: SocketAddr,
}

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
    pub level: tracing::Level,
}

impl Config {
    /// Reads the file at `path` and the `POSTERN_…` variables among `environment`, which win.
    ///
    /// # Errors
    ///
    /// Every problem there is, not just the first.
    pub fn load(
        path: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Vec<Invalid>> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let hint = "give a readable TOML file; config.example.toml is one to start from";
            vec![Invalid::new(path.display().to_string(), format!("cannot be read: {error}"), hint)]
        })?;
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

    /// Checks a document. File names in it are relative to `base`. Also answers which keys exist.
    fn from_document(
        mut document: Table,
        environment: impl IntoIterator<Item = (String, String)>,
        base: &Path,
    ) -> Result<(Self, BTreeSet<String>), Vec<Invalid>> {
        let mut problems = environment::overlay(&mut document, environment);
        let mut fields = Fields::new(document);
        let config = read(&mut fields, base);
        let (found, known) = fields.finish();
        problems.extend(found);
        if problems.is_empty() { Ok((config, known)) } else { Err(problems) }
    }
}

fn read(fields: &mut Fields, base: &Path) -> Config {
    Config {
        listen: Listen {
            address: address(fields, "listen.address", SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8443))),
            workers: fields.number("listen.workers", 0, 0..=1024),
        },
        tls: Tls {
            certificate: base
                .join(fields.string("tls.certificate", "the PEM file of the server's certificate")),
            private_key: base
                .join(fields.string("tls.private_key", "the PEM file of that certificate's key")),
        },
        client_auth: ClientAuth {
            trust_bundle: base.join(
                fields.string("client_auth.trust_bundle", "the PEM file of the CAs that clients come from"),
            ),
        },
        revocation: revocation(fields, base),
        upstream: upstream(fields, base),
        identity_headers: IdentityHeaders {
            client_cert: fields.boolean("identity_headers.client_cert", true),
            client_cert_chain: fields.boolean("identity_headers.client_cert_chain", false),
            client_cert_sub: fields.parsed(
                "identity_headers.client_cert_sub",
                SubjectHeader::Plain,
                "\"plain\", \"base64\" or \"off\"",
                |text| match text {
                    "plain" => Some(SubjectHeader::Plain),
                    "base64" => Some(SubjectHeader::Base64),
                    "off" => Some(SubjectHeader::Off),
                    _ => None,
                },
            ),
        },
        limits: Limits {
            max_connections: fields.number("limits.max_connections", 10_000, 1..=10_000_000),
            handshake_timeout: milliseconds(fields, "limits.handshake_timeout_ms", 10_000),
            header_timeout: milliseconds(fields, "limits.header_timeout_ms", 10_000),
            idle_timeout: milliseconds(fields, "limits.idle_timeout_ms", 120_000),
            header_bytes: fields.number("limits.header_bytes", 16_384, 1_024..=262_144),
            header_count: fields.number("limits.header_count", 100, 1..=1_000),
            h2_streams: fields.number("limits.h2_streams", 128, 1..=10_000),
        },
        drain: drain(fields),
        admin: Admin {
            address: address(fields, "admin.address", SocketAddr::from((Ipv4Addr::LOCALHOST, 9090))),
        },
        log: Log {
            format: fields.parsed("log.format", LogFormat::Json, "\"json\" or \"text\"", log_format),
            level: fields.parsed(
                "log.level",
                tracing::Level::INFO,
                "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"",
                |text| text.parse().ok(),
            ),
        },
    }
}

fn revocation(fields: &mut Fields, base: &Path) -> Revocation {
    let depth =
        fields.parsed(
            "revocation.depth",
            Depth::Chain,
            "\"chain\", \"leaf\" or \"off\"",
            |text| match text {
                "chain" => Some(Depth::Chain),
                "leaf" => Some(Depth::Leaf),
                "off" => Some(Depth::Off),
                _ => None,
            },
        );
    let indexes: Vec<_> = fields.strings("revocation.indexes").iter().map(|file| base.join(file)).collect();
    if indexes.is_empty() && depth != Depth::Off {
        fields.problem(
            "revocation.indexes",
            "empty, so every client would be refused",
            "list the .crlx file of each issuer, or set revocation.depth = \"off\"",
        );
    }
    let grace = Duration::from_secs(fields.number("revocation.grace_seconds", 0, 0..=31_536_000));
    Revocation { depth, indexes, grace }
}

fn upstream(fields: &mut Fields, base: &Path) -> Upstream {
    let address = fields.string("upstream.address", "host:port of the VPC endpoint");
    let (name, port) = address.rsplit_once(':').unwrap_or((&address, ""));
    if !address.is_empty() && (name.is_empty() || port.parse::<u16>().is_err()) {
        fields.problem(
            "upstream.address",
            "not host:port",
            "such as \"vpce-0123.execute-api.eu-west-1.vpce.amazonaws.com:443\"",
        );
    }
    let host = fields.optional_string("upstream.host").unwrap_or_else(|| match port {
        "443" => name.to_owned(),
        _ => address.clone(),
    });
    let host_name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
    let server_name = fields.optional_string("upstream.server_name").unwrap_or_else(|| host_name.to_owned());
    let bare = server_name.trim_start_matches('[').trim_end_matches(']').to_owned();
    let server_name = ServerName::try_from(bare).unwrap_or_else(|error| {
        if !address.is_empty() {
            fields.problem("upstream.server_name", error.to_string(), "a DNS name or an IP address");
        }
        ServerName::IpAddress(Ipv4Addr::UNSPECIFIED.into())
    });
    let host = HeaderValue::from_str(&host).unwrap_or_else(|error| {
        fields.problem("upstream.host", error.to_string(), "a name, and a port if not 443");
        HeaderValue::from_static("")
    });
    Upstream {
        address,
        server_name,
        host,
        trust_bundle: fields.optional_string("upstream.trust_bundle").map(|file| base.join(file)),
        connect_timeout: milliseconds(fields, "upstream.connect_timeout_ms", 5_000),
        response_timeout: milliseconds(fields, "upstream.response_timeout_ms", 35_000),
        pool_idle_timeout: milliseconds(fields, "upstream.pool_idle_timeout_ms", 60_000),
        max_idle_connections: fields.number("upstream.max_idle_connections", 256, 0..=100_000),
        header_limit: fields.number("upstream.header_limit_bytes", 8_000, 256..=1_048_576),
    }
}

fn drain(fields: &mut Fields) -> Drain {
    let accept = milliseconds_from(fields, "drain.accept_ms", 0, 0);
    let deadline = milliseconds(fields, "drain.deadline_ms", 25_000);
    if accept >= deadline {
        fields.problem(
            "drain.accept_ms",
            "not before drain.deadline_ms, so the last connections would be cut as they come",
            "leave requests some seconds between the two",
        );
    }
    Drain { accept, deadline }
}

fn address(fields: &mut Fields, key: &str, default: SocketAddr) -> SocketAddr {
    fields.parsed(key, default, "an IP address and a port, such as \"127.0.0.1:8443\"", |text| {
        text.parse().ok()
    })
}

fn milliseconds(fields: &mut Fields, key: &str, default: u64) -> Duration {
    milliseconds_from(fields, key, default, 1)
}

fn milliseconds_from(fields: &mut Fields, key: &str, default: u64, least: u64) -> Duration {
    Duration::from_millis(fields.number(key, default, least..=86_400_000))
}

/// `json` or `text`.
fn log_format(text: &str) -> Option<LogFormat> {
    match text {
        "json" => Some(LogFormat::Json),
        "text" => Some(LogFormat::Text),
        _ => None,
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
        indexes = ["intermediate.crlx", "root.crlx"]
        [upstream]
        address = "vpce-0123456789abcdef0-abcdefgh.execute-api.eu-west-1.vpce.amazonaws.com:443"
        host = "abcde12345.execute-api.eu-west-1.amazonaws.com"
    "#;

    fn load(text: &str) -> Result<(Config, BTreeSet<String>), Vec<Invalid>> {
        Config::from_document(text.parse().unwrap(), [], Path::new("/etc/postern"))
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
        let (_, known) = load(LEAST).unwrap();
        let shown: BTreeSet<String> = fields::leaves("", &uncommented.parse().unwrap()).into_iter().collect();
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
                "revocation.indexes",
                "upstream.address",
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

    #[test]
    fn host_and_server_name_follow_from_the_address() {
        let text = LEAST.replace("host = \"abcde12345.execute-api.eu-west-1.amazonaws.com\"", "");
        let config = load(&text).unwrap().0;
        assert!(config.upstream.host.to_str().unwrap().starts_with("vpce-0123"));
        assert_eq!(config.upstream.server_name.to_str(), config.upstream.host.to_str().unwrap());

        let config = load(&text.replace(":443", ":8443")).unwrap().0;
        assert!(config.upstream.host.to_str().unwrap().ends_with(":8443"));
    }
}
