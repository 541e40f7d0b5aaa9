//! `certs pca`

use std::path::PathBuf;

use anyhow::Context;
use certs::pca::{CreateCa, CrlSettings, IssueLeaf, Kind, PrivateCa, RevokeLeaf};
use certs::{AltName, KeyType, Leaf, Reason, Usage, Validity};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum, value_parser};
use comfy_table::{Table, presets};
use time::OffsetDateTime;

/// Region, credentials and endpoints are those of the `aws` command; the region in an ARN goes first.
#[derive(Subcommand)]
pub(crate) enum Command {
    Create(Create),
    Issue(Issue),
    Revoke(Revoke),
    Truststore(Truststore),
    Status(Status),
}

/// Make a CA, have its certificate issued, and activate it
///
/// A CA costs money from then on. The same command within five minutes goes on with the same CA.
#[derive(Args)]
#[command(after_help = "\
Examples:
  certs pca create --name 'Example Root' --crl-bucket example-crls --dry-run
  certs pca create --name 'Example Clients' --parent arn:aws:acm-pca:... --crl-bucket example-crls --crl-path clients")]
pub(crate) struct Create {
    /// Its common name
    #[arg(long)]
    name: String,

    /// Its organization
    #[arg(long)]
    organization: Option<String>,

    /// The CA above; without one, it is a root
    #[arg(long, value_name = "ARN")]
    parent: Option<String>,

    /// The most CAs below a subordinate one: 0 signs end-entity certificates only
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = value_parser!(u8).range(0..=3), requires = "parent")]
    path_length: u8,

    #[arg(long, value_name = "TYPE", default_value = KeyType::P256.name(),
          value_parser = PossibleValuesParser::new([KeyType::P256, KeyType::P384, KeyType::Rsa2048].map(KeyType::name))
              .try_map(|name| name.parse::<KeyType>()))]
    key_type: KeyType,

    /// How long its certificate is valid
    #[arg(long, default_value_t = 10, value_parser = value_parser!(i64).range(1..=40))]
    years: i64,

    /// Where its CRLs go. Without it, nothing that it signs can be revoked by CRL
    #[arg(long, value_name = "BUCKET")]
    crl_bucket: Option<String>,

    /// Many CRLs of 1 MB, for over a million certificates, instead of a complete one
    #[arg(long, requires = "crl_bucket")]
    crl_partitioned: bool,

    /// The host name in distribution points, instead of the bucket's
    #[arg(long, value_name = "HOST", requires = "crl_bucket")]
    crl_cname: Option<String>,

    /// What the keys of its CRLs start with, instead of `crl`
    #[arg(long, value_name = "PATH", requires = "crl_bucket")]
    crl_path: Option<String>,

    /// How long a CRL is valid
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = value_parser!(i32).range(1..=5000))]
    crl_days: i32,

    /// Say what would be done
    #[arg(long)]
    dry_run: bool,
}

/// Make a key here, and have its certificate issued
///
/// The key never leaves this machine, and only you can read it. With a key and a CSR that are there already, it goes on
/// with those; a certificate is never replaced.
#[derive(Args)]
pub(crate) struct Issue {
    /// The CA
    #[arg(long, value_name = "ARN")]
    ca: String,

    /// Its common name, and the name of its files
    #[arg(long, value_parser = file_name)]
    name: String,

    /// What it is for
    #[arg(long, value_enum, default_value = "client")]
    usage: For,

    /// A DNS name, IP address or URI of it; may be repeated
    #[arg(long = "san", value_name = "NAME", value_parser = alt_name)]
    alt_names: Vec<AltName>,

    /// How long it is valid
    #[arg(long, default_value_t = 90, value_parser = value_parser!(i64).range(1..=1200))]
    days: i64,

    #[arg(long, value_name = "TYPE", default_value = KeyType::P256.name(),
          value_parser = PossibleValuesParser::new(KeyType::ALL.map(KeyType::name))
              .try_map(|name| name.parse::<KeyType>()))]
    key_type: KeyType,

    /// Where NAME.key, NAME.csr and NAME.pem go
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,

    /// Say what would be done
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum For {
    Client,
    Server,
}

/// Revoke a certificate: it is on the next CRL
#[derive(Args)]
pub(crate) struct Revoke {
    /// The CA that issued it
    #[arg(long, value_name = "ARN")]
    ca: String,

    /// Its serial number, in hex
    #[arg(long, value_name = "HEX", required_unless_present = "cert", conflicts_with = "cert")]
    serial: Option<String>,

    /// The certificate, PEM
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,

    /// Why, as RFC 5280 names it
    #[arg(long, value_name = "REASON", default_value = Reason::Unspecified.name(),
          value_parser = PossibleValuesParser::new(Reason::ALL.map(Reason::name))
              .try_map(|name| name.parse::<Reason>()))]
    reason: Reason,

    /// Say what would be done
    #[arg(long)]
    dry_run: bool,
}

/// Write the certificates of CAs and of those above them, for the proxy's `client_auth.trust_bundle`
#[derive(Args)]
pub(crate) struct Truststore {
    /// A CA; may be repeated
    #[arg(long, value_name = "ARN", required = true)]
    ca: Vec<String>,

    /// Where it goes: a file, or s3://BUCKET/KEY. What is there is replaced
    #[arg(long, value_name = "FILE")]
    out: String,

    /// Say what would be done
    #[arg(long)]
    dry_run: bool,
}

/// Show a CA, or all of this account and region
#[derive(Args)]
pub(crate) struct Status {
    /// The CA
    #[arg(long, value_name = "ARN")]
    ca: Option<String>,
}

impl Command {
    /// Does it. Answers with the last thing to say.
    pub(crate) fn run(self, now: OffsetDateTime) -> anyhow::Result<String> {
        match self {
            Command::Create(create) => create.run(),
            Command::Issue(issue) => issue.run(now),
            Command::Revoke(revoke) => revoke.run(),
            Command::Truststore(truststore) => {
                let aws =
                    PrivateCa::connect(truststore.ca.first().map(String::as_str), truststore.dry_run, say)?;
                aws.truststore(&truststore.ca, &truststore.out)?;
                Ok(last(truststore.dry_run))
            }
            Command::Status(status) => status.run(),
        }
    }
}

impl Create {
    fn run(self) -> anyhow::Result<String> {
        let aws = PrivateCa::connect(self.parent.as_deref(), self.dry_run, say)?;
        let path_length = self.path_length;
        let kind = self.parent.map_or(Kind::Root, |parent| Kind::Subordinate { parent, path_length });
        let (partitioned, cname, path, days) =
            (self.crl_partitioned, self.crl_cname, self.crl_path, self.crl_days);
        let crl = self.crl_bucket.map(|bucket| CrlSettings { bucket, partitioned, cname, path, days });
        let (name, organization, key_type, years) = (self.name, self.organization, self.key_type, self.years);
        let made = aws.create(&CreateCa { kind, name, organization, key_type, years, crl })?;
        Ok(made.unwrap_or_else(|| last(true)))
    }
}

impl Issue {
    fn run(self, now: OffsetDateTime) -> anyhow::Result<String> {
        let aws = PrivateCa::connect(Some(&self.ca), self.dry_run, say)?;
        let usage = match self.usage {
            For::Client => Usage::Client,
            For::Server => Usage::Server,
        };
        let validity = Validity::days(now, self.days);
        let leaf = Leaf { name: self.name, alt_names: self.alt_names, usage, validity };
        let (ca, days, key_type, directory) = (self.ca, self.days, self.key_type, self.out);
        aws.issue(&IssueLeaf { ca, leaf, days, key_type, directory })?;
        Ok(last(self.dry_run))
    }
}

impl Revoke {
    fn run(self) -> anyhow::Result<String> {
        let serial = match (self.serial, self.cert) {
            (Some(serial), _) => serial,
            (None, cert) => {
                let path = cert.unwrap_or_default();
                let shown = || format!("cannot read {}", path.display());
                RevokeLeaf::serial_in(&std::fs::read_to_string(&path).with_context(shown)?)
                    .with_context(shown)?
            }
        };
        let aws = PrivateCa::connect(Some(&self.ca), self.dry_run, say)?;
        aws.revoke(&RevokeLeaf { ca: self.ca, serial, reason: self.reason })?;
        Ok(last(self.dry_run))
    }
}

impl Status {
    fn run(self) -> anyhow::Result<String> {
        let aws = PrivateCa::connect(self.ca.as_deref(), false, say)?;
        let mut table = Table::new();
        table.load_preset(presets::UTF8_BORDERS_ONLY);
        table.set_header(["CA", "What", "Status", "Until", "CRL", "ARN"]);
        for ca in aws.status(self.ca.as_deref())? {
            let until = ca.until.map(super::date).unwrap_or_default();
            table.add_row([ca.name, ca.kind, ca.status, until, ca.crl.unwrap_or_default(), ca.arn]);
        }
        Ok(table.to_string())
    }
}

fn say(step: &str) {
    // What is left to do is not less urgent when nobody reads.
    let _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{step}\n"));
}

fn last(dry_run: bool) -> String {
    if dry_run { "nothing was done: a dry run" } else { "done" }.to_owned()
}

/// A name that is also a file's.
fn file_name(name: &str) -> Result<String, String> {
    if name.is_empty() || name.starts_with('.') || name.contains('/') {
        return Err("a name without `/` that does not start with a dot".to_owned());
    }
    Ok(name.to_owned())
}

/// As `certs dev` reads names, and URIs.
fn alt_name(name: &str) -> Result<AltName, certs::Error> {
    if name.contains("://") { Ok(AltName::Uri(name.to_owned())) } else { name.parse() }
}
