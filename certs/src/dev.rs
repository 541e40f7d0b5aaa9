//! The development PKI: everything needed to try mutual TLS, revocation and each way of being refused.

use time::{Duration, OffsetDateTime};

use crate::{
    AltName, Authority, Crl, Error, Identity, KeyType, Leaf, Padding, Reason, Revoked, Usage, Validity,
};

/// What the development PKI shall be like.
#[derive(Clone, Debug)]
pub struct Options {
    /// The time that every validity is reckoned from.
    pub now: OffsetDateTime,
    /// The type of every key.
    pub key_type: KeyType,
    /// Names of the server beyond `localhost` and the loopback addresses.
    pub server_names: Vec<AltName>,
    /// How many random entries the intermediate's CRL has besides the real ones.
    pub entries: u64,
    /// Which random entries.
    pub seed: u64,
}

impl Options {
    /// The defaults at that time.
    pub fn at(now: OffsetDateTime) -> Self {
        Self { now, key_type: KeyType::default(), server_names: Vec::new(), entries: 0, seed: 0 }
    }
}

/// A client certificate and what a guarded server makes of it.
pub struct Client {
    /// The certificate and key.
    pub identity: Identity,
    /// One sentence: what happens to this client, and why.
    pub outcome: &'static str,
}

/// A whole development PKI, in memory.
pub struct Pki {
    /// When it was made.
    pub now: OffsetDateTime,
    /// The trust anchor of clients and of the server.
    pub root: Authority,
    /// Issues the server's and the clients' certificates.
    pub intermediate: Authority,
    /// An intermediate of the same name, but with other keys up to its root. Its CRLs are signed by the wrong key.
    pub stranger: Authority,
    /// The trust anchor of the upstream.
    pub upstream_ca: Authority,
    /// The server that clients connect to.
    pub server: Identity,
    /// The private API behind it.
    pub upstream: Identity,
    /// The clients.
    pub clients: Vec<Client>,
    padding: Padding,
}

impl Pki {
    /// Makes new keys, certificates and the state that the first CRLs show.
    ///
    /// # Errors
    /// When the crypto library fails, or a server name cannot stand in a certificate.
    pub fn generate(options: &Options) -> Result<Self, Error> {
        let (now, key_type) = (options.now, options.key_type);
        let (root, intermediate) = client_hierarchy(now, key_type)?;
        let (_, stranger) = client_hierarchy(now, key_type)?;
        let upstream_ca =
            Authority::root("Postern Development Upstream CA", key_type, ca_validity(now, TEN_YEARS))?;

        let mut server_names = local_names();
        server_names.push(AltName::Dns("proxy.postern.test".to_owned()));
        server_names.extend(options.server_names.iter().cloned());
        let server = Leaf::server("server", server_names, current(now));

        let mut upstream_names = local_names();
        upstream_names.extend(UPSTREAM_NAMES.map(|name| AltName::Dns(name.to_owned())));
        let upstream = Leaf::server("upstream", upstream_names, current(now));

        let clients = client_leaves(now)
            .into_iter()
            .map(|(leaf, outcome)| {
                let issuer = if leaf.name == STRANGER { &stranger } else { &intermediate };
                Ok(Client { identity: issuer.issue(&leaf, key_type)?, outcome })
            })
            .collect::<Result<_, Error>>()?;

        Ok(Self {
            now,
            server: intermediate.issue(&server, key_type)?,
            upstream: upstream_ca.issue(&upstream, key_type)?,
            root,
            intermediate,
            stranger,
            upstream_ca,
            clients,
            padding: Padding { entries: options.entries, seed: options.seed, until: now },
        })
    }

    /// The client of that name.
    pub fn client(&self, name: &str) -> Option<&Identity> {
        self.clients.iter().map(|client| &client.identity).find(|identity| identity.name() == name)
    }

    /// The intermediate's first CRL: the client `revoked` and the padding.
    pub fn intermediate_crl(&self) -> Crl {
        let mut crl = Crl::new(1, self.now);
        if let Some(revoked) = self.client(REVOKED) {
            let serial = revoked.serial().to_vec();
            crl = crl.with(Revoked { serial, date: self.now, reason: Reason::KeyCompromise });
        }
        crl.with(self.padding)
    }

    /// The root's first CRL: nothing is revoked.
    pub fn root_crl(&self) -> Crl {
        Crl::new(1, self.now)
    }
}

const REVOKED: &str = "revoked";
const STRANGER: &str = "stranger";

const TEN_YEARS: Duration = Duration::days(3652);
const FIVE_YEARS: Duration = Duration::days(1826);

/// What execute-api endpoints are called: publicly, through a VPC endpoint's own names, and here.
const UPSTREAM_NAMES: [&str; 4] = [
    "*.execute-api.eu-west-1.amazonaws.com",
    "*.execute-api.us-east-1.amazonaws.com",
    "*.execute-api.eu-west-1.vpce.amazonaws.com",
    "private-api.postern.test",
];

fn client_hierarchy(now: OffsetDateTime, key_type: KeyType) -> Result<(Authority, Authority), Error> {
    let root = Authority::root("Postern Development Root CA", key_type, ca_validity(now, TEN_YEARS))?;
    let intermediate =
        root.subordinate("Postern Development Issuing CA", key_type, ca_validity(now, FIVE_YEARS))?;
    Ok((root, intermediate))
}

/// Two months back, so that the certificate that expired yesterday had a valid issuer in its day.
fn ca_validity(now: OffsetDateTime, after: Duration) -> Validity {
    Validity::around(now, Duration::days(60), after)
}

/// From an hour ago, for clocks that are slow, for a little over a year.
fn current(now: OffsetDateTime) -> Validity {
    Validity::around(now, Duration::hours(1), Duration::days(397))
}

fn local_names() -> Vec<AltName> {
    let addresses = [std::net::Ipv4Addr::LOCALHOST.into(), std::net::Ipv6Addr::LOCALHOST.into()];
    let mut names = vec![AltName::Dns("localhost".to_owned())];
    names.extend(addresses.map(AltName::Ip));
    names
}

fn client_leaves(now: OffsetDateTime) -> [(Leaf, &'static str); 6] {
    let expired = Validity::around(now, Duration::days(31), Duration::days(-1));
    let not_yet = Validity::around(now, Duration::days(-30), Duration::days(397));
    let wrong_eku = Leaf { usage: Usage::Server, ..Leaf::client("wrong-eku", current(now)) };
    [
        (Leaf::client("good", current(now)), "accepted"),
        (Leaf::client(REVOKED, current(now)), "refused: on the CRL, keyCompromise"),
        (Leaf::client("expired", expired), "refused: expired yesterday"),
        (Leaf::client("not-yet-valid", not_yet), "refused: valid in 30 days"),
        (Leaf::client(STRANGER, current(now)), "refused: CAs of the same names, other keys"),
        (wrong_eku, "refused: serverAuth only"),
    ]
}
