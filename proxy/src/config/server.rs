//! `[tls]`, `[client_auth]` and `[[server]]`: who the proxy is, and whom it believes as that.

use super::host::HostPattern;
use super::section::Section;
use super::source::{Kind, Source};

/// One server among those that share the listener: a certificate, and its own idea of whom to believe.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Where it is in the configuration: `tls`, or `server[1]`.
    pub key: String,
    /// What it is called in logs and metrics: the first of its names, or `default`.
    pub label: String,
    /// The names (SNI) that it answers to; none for the default server.
    pub names: Vec<HostPattern>,
    /// PEM: the server's leaf certificate, then its intermediates.
    pub certificate: Source,
    /// PEM: the key of that leaf.
    pub private_key: Source,
    /// What is asked of clients.
    pub client_auth: ClientAuth,
}

/// `[client_auth]`, `[server.client_auth]`
#[derive(Debug, Clone, PartialEq)]
pub enum ClientAuth {
    /// Without a certificate that leads to the trust bundle, no handshake.
    Required {
        /// PEM: the trust anchors of client certificates.
        trust_bundle: Source,
    },
    /// Who presents a certificate is judged by it; who presents none is anonymous.
    Optional {
        /// PEM: the trust anchors of client certificates.
        trust_bundle: Source,
    },
    /// No certificate is asked for, and everybody is anonymous.
    Off,
}

/// What becomes of a connection for a name that no server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownNames {
    /// The default server takes it, under its own rules.
    Default,
    /// It is refused, unless the default server's certificate is for that name.
    Refuse,
}

/// The default server, then each `[[server]]`; and what becomes of names that none of them has.
pub(super) fn read(root: &mut Section<'_>) -> (Vec<Server>, UnknownNames) {
    let mut tls = root.section("tls");
    let (certificate, private_key) = key_pair(&mut tls);
    let expected = "\"default\" or \"refuse\"";
    let unknown = tls.parsed("unknown_names", UnknownNames::Default, expected, |text| match text {
        "default" => Some(UnknownNames::Default),
        "refuse" => Some(UnknownNames::Refuse),
        _ => None,
    });
    let client_auth = ClientAuth::read(&mut root.section("client_auth"));
    let (key, label) = ("tls".to_owned(), "default".to_owned());
    let mut servers = vec![Server { key, label, names: Vec::new(), certificate, private_key, client_auth }];
    servers.extend(root.sections("server", Server::read));
    (servers, unknown)
}

impl Server {
    fn read(server: &mut Section<'_>) -> Self {
        let names = HostPattern::read(server, "names");
        if !server.sets("names") {
            server.problem(
                "names",
                "missing",
                "the names that clients ask for, such as [\"api.example.com\"]",
            );
        } else if names.is_empty() {
            server.problem("names", "empty, so that no client reaches it", "such as [\"api.example.com\"]");
        }
        let label = names.first().map(ToString::to_string).unwrap_or_default();
        let (certificate, private_key) = key_pair(server);
        let client_auth = ClientAuth::read(&mut server.section("client_auth"));
        Self { key: server.path().to_owned(), label, names, certificate, private_key, client_auth }
    }
}

impl Server {
    /// Where what is asked of its clients is in the configuration.
    pub fn client_auth_key(&self) -> String {
        if self.key == "tls" { "client_auth".to_owned() } else { format!("{}.client_auth", self.key) }
    }
}

fn key_pair(section: &mut Section<'_>) -> (Source, Source) {
    let hint = "the PEM file of the server's certificate";
    let certificate = section.source("certificate", Kind::Keys, hint);
    (certificate, section.source("private_key", Kind::Keys, "the PEM file of that certificate's key"))
}

impl ClientAuth {
    fn read(client_auth: &mut Section<'_>) -> Self {
        let expected = "\"required\", \"optional\" or \"off\"";
        let mode = client_auth.parsed("mode", Mode::Required, expected, |text| match text {
            "required" => Some(Mode::Required),
            "optional" => Some(Mode::Optional),
            "off" => Some(Mode::Off),
            _ => None,
        });
        if mode == Mode::Off {
            if client_auth.optional_string("trust_bundle").is_some() {
                let hint = "remove it, or let mode be \"required\" or \"optional\"";
                client_auth.problem("trust_bundle", "never used, because mode is \"off\"", hint);
            }
            return Self::Off;
        }
        let hint = "the PEM file of the CAs that clients come from";
        let trust_bundle = client_auth.source("trust_bundle", Kind::Authorities, hint);
        match mode {
            Mode::Optional => Self::Optional { trust_bundle },
            Mode::Required | Mode::Off => Self::Required { trust_bundle },
        }
    }

    /// The trust anchors of client certificates, if any are asked for.
    pub fn trust_bundle(&self) -> Option<&Source> {
        match self {
            Self::Required { trust_bundle } | Self::Optional { trust_bundle } => Some(trust_bundle),
            Self::Off => None,
        }
    }

    /// Whether a client may come without a certificate. What it reaches is up to the routes.
    pub fn allows_anonymous(&self) -> bool {
        match self {
            Self::Required { .. } => false,
            Self::Optional { .. } | Self::Off => true,
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Required,
    Optional,
    Off,
}
