//! The `certs` command line.

#[cfg(feature = "aws")]
mod private_ca;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context, anyhow};
use certs::{AltName, Error, KeyType, Options, Outcome, Overwrite, Pki, Reason, Written};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use comfy_table::{Table, presets};
use time::OffsetDateTime;
use time::macros::format_description;

/// Makes a development PKI: CAs, server and client certificates, and signed CRLs.
#[derive(Parser)]
#[command(version, arg_required_else_help = true, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed (the reason is on standard error), 2 wrong usage.";

#[derive(Subcommand)]
enum Command {
    Dev(Dev),
    Revoke(Revoke),
    /// Make CAs and certificates with AWS Private CA
    #[cfg(feature = "aws")]
    #[command(subcommand)]
    Pca(private_ca::Command),
}

/// Make a whole PKI: three CAs, a server, a private API, six clients, two CRLs
///
/// The clients are one that is accepted and one for each way of being refused: revoked, expired, not-yet-valid,
/// stranger (its CAs have the same names, but other keys) and wrong-eku. Private keys are readable by you alone.
/// Never use these certificates for anything but development.
#[derive(Args)]
#[command(after_help = DEV_EXAMPLES)]
struct Dev {
    /// Directory to write to; created if it does not exist
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Another name of the server, DNS name or IP address; may be repeated. localhost, 127.0.0.1 and ::1 are in
    #[arg(long = "san", value_name = "NAME")]
    server_names: Vec<AltName>,

    /// Type of every key
    #[arg(long, value_name = "TYPE", default_value = KeyType::P256.name(),
          value_parser = PossibleValuesParser::new(KeyType::ALL.map(KeyType::name))
              .try_map(|name| name.parse::<KeyType>()))]
    key_type: KeyType,

    /// Pad the intermediate's CRL with that many random entries, to try a big one
    #[arg(long, value_name = "N", default_value_t = 0)]
    entries: u64,

    /// Which random entries: the same seed gives the same serial numbers
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// Replace files that exist; without it, nothing is written if any does
    #[arg(long)]
    force: bool,
}

const DEV_EXAMPLES: &str = "\
Examples:
  certs dev --out pki
  certs dev --out pki --san proxy.example.com --san 192.0.2.7 --key-type p384
  certs dev --out pki --entries 1000000 --force

  curl --cacert pki/root.pem --cert pki/clients/good.pem \\
      --key pki/clients/good.key https://localhost:8443/
  openssl crl -in pki/crl/intermediate.crl -inform DER \\
      -CAfile pki/intermediate.pem -noout -crlnumber
  certs revoke --dir pki good

Exit codes: 0 done, 1 failed (nothing was written if a file was in the way), 2 wrong usage.";

/// Put a certificate on its CA's CRL
///
/// The CRL is issued anew, as DER and as PEM, with the next CRL number; what was revoked stays revoked. To revoke
/// what is revoked already changes nothing and is no failure.
#[derive(Args)]
#[command(after_help = REVOKE_EXAMPLES)]
struct Revoke {
    /// Directory that `certs dev` wrote
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,

    /// A file in DIR/clients without its ending, or `server`, or `intermediate` (on the root's CRL)
    name: String,

    /// Why, as RFC 5280 names it; `unspecified` puts no reason on the CRL
    #[arg(long, value_name = "REASON", default_value = Reason::Unspecified.name(),
          value_parser = PossibleValuesParser::new(Reason::ALL.map(Reason::name))
              .try_map(|name| name.parse::<Reason>()))]
    reason: Reason,
}

const REVOKE_EXAMPLES: &str = "\
Examples:
  certs revoke --dir pki good
  certs revoke --dir pki good --reason keyCompromise
  certs revoke --dir pki intermediate --reason cACompromise

Exit codes: 0 revoked, now or earlier; 1 failed, the CRL is as it was; 2 wrong usage.";

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Dev(arguments) => dev(arguments),
        Command::Revoke(arguments) => revoke(&arguments),
        #[cfg(feature = "aws")]
        Command::Pca(command) => command.run(now()),
    };
    // Not println: it panics when the reader of a pipe has gone.
    match done.and_then(|said| writeln!(io::stdout(), "{said}").context("cannot say that it is done")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("certs: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dev(arguments: Dev) -> anyhow::Result<String> {
    let Dev { out, server_names, key_type, entries, seed, force } = arguments;
    let overwrite = if force { Overwrite::Replace } else { Overwrite::Refuse };
    let pki = Pki::generate(&Options { now: now(), key_type, server_names, entries, seed })?;
    let written =
        pki.write(&out, overwrite).map_err(|error| match matches!(error, Error::Exists { .. }) {
            true => anyhow!("{error}: nothing was written; --force replaces them"),
            false => error.into(),
        })?;
    let table = table(&out, &written);
    Ok(format!("{table}\n{key_type} keys, in {}. For development only.", out.display()))
}

fn table(out: &Path, written: &[Written]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_BORDERS_ONLY).set_header(["File", "With", "What", "Until"]);
    for Written { files, what, until } in written {
        let [first, second] =
            files.each_ref().map(|path| path.strip_prefix(out).unwrap_or(path).display().to_string());
        table.add_row([&first, &second, what, &until.map(date).unwrap_or_default()]);
    }
    table
}

fn revoke(arguments: &Revoke) -> anyhow::Result<String> {
    let Revoke { dir, name, reason } = arguments;
    let outcome = certs::revoke(dir, name, *reason, now())
        .with_context(|| format!("cannot revoke {name} in {}", dir.display()))?;
    Ok(match outcome {
        Outcome::Revoked { serial, number, next_update, files: [der, pem] } => format!(
            "revoked {name}, serial {}, reason {reason}\nCRL {number}, due for renewal {}: {} and {}",
            hex(&serial),
            next_update.map(date).unwrap_or_default(),
            der.display(),
            pem.display()
        ),
        Outcome::AlreadyRevoked { serial, date: since, reason, number } => format!(
            "{name}, serial {}, was revoked on {}, reason {reason}; CRL {number} is unchanged",
            hex(&serial),
            date(since)
        ),
    })
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
fn now() -> OffsetDateTime {
    SystemTime::now().into()
}

fn date(at: OffsetDateTime) -> String {
    at.format(format_description!("[year]-[month]-[day]")).unwrap_or_default()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
