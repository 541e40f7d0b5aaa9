//! `crl-tool lookup`

use super::failure::Failure;
use super::file;
use super::inspect::rfc3339;
use clap::Args;
use crl_tool::{Gap, Index, Lookup as Answer, Serial, Subject};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Ask whether a certificate is revoked
///
/// The answer is the CRL's as of its issue. Whether that CRL is still in force is for you to decide: see
/// `crl-tool inspect` for its next update. If the CA splits its CRL into partitions, pass the index of each.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Lookup {
    /// The index, or several of one issuer
    #[arg(value_name = "FILE.crlx", required = true)]
    files: Vec<PathBuf>,

    #[command(flatten)]
    certificate: Certificate,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Certificate {
    /// The certificate's serial number in hexadecimal; 0x and colons are allowed. A CRL that is limited in scope
    /// cannot answer `not revoked` to it
    #[arg(long, value_name = "HEX", allow_hyphen_values = true)]
    serial: Option<String>,

    /// The certificate, PEM or DER; of several, the first one
    #[arg(long, value_name = "PEM")]
    cert: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  crl-tool lookup ca.crlx --cert client.pem
  crl-tool lookup partition-*.crlx --cert client.pem
  crl-tool lookup ca.crlx --serial 0x1f:a0:22

Exit codes: 0 not revoked, 1 revoked (reason and date are printed), 2 no answer, 3 not covered (no CRL that was passed
speaks for this certificate, so that nobody knows: treat it as revoked).";

const REVOKED: u8 = 1;
const NOT_COVERED: u8 = 3;

impl Lookup {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let indexes = self.files.iter().map(|path| file::index(path)).collect::<Result<Vec<_>, _>>()?;
        same_issuer(&indexes)?;
        let (serial, answer) = match (&self.certificate.serial, &self.certificate.cert) {
            (Some(hex), _) => {
                let hint = "pass it as `openssl x509 -noout -serial` prints it";
                let serial = Serial::from_hex(hex)
                    .map_err(|error| Failure::new(format!("--serial {hex}: {error}"), hint))?;
                (serial, by_serial(&indexes, &serial)?)
            }
            (None, Some(path)) => {
                let subject = subject(path, &indexes)?;
                (subject.serial, crl_tool::status(&indexes, &subject)?)
            }
            (None, None) => return Err(Failure::new("nothing to look up", "pass --serial or --cert")),
        };
        let mut out = io::stdout().lock();
        match answer {
            Answer::NotRevoked => {
                writeln!(out, "not revoked: {serial}")?;
                Ok(ExitCode::SUCCESS)
            }
            Answer::Revoked(revocation) => {
                let reason = revocation.reason.map_or("no reason given", |reason| reason.name());
                writeln!(out, "revoked: {serial}, {reason}, since {}", rfc3339(revocation.date))?;
                Ok(ExitCode::from(REVOKED))
            }
            Answer::NotCovered(gap) => {
                writeln!(out, "not covered: {serial}: {gap}")?;
                Ok(ExitCode::from(NOT_COVERED))
            }
        }
    }
}

/// Serials mean something only among certificates of one issuer.
fn same_issuer(indexes: &[Index]) -> Result<(), Failure> {
    let mut issuers = indexes.iter().map(|index| index.metadata());
    let first = issuers.next();
    match issuers.find(|other| first.is_some_and(|first| first.issuer_id != other.issuer_id)) {
        None => Ok(()),
        Some(other) => Err(Failure::new(
            format!("indexes of several issuers: `{}` is another name or key", other.issuer),
            "ask the indexes of each issuer on their own",
        )),
    }
}

/// What the CRLs say about a serial, of whatever certificate it is.
fn by_serial(indexes: &[Index], serial: &Serial) -> Result<Answer, Failure> {
    let mut answer = Answer::NotCovered(Gap::NoCrl);
    for index in indexes {
        match (index.lookup(serial)?, answer) {
            (revoked @ Answer::Revoked(_), _) => return Ok(revoked),
            // One complete CRL speaks for every certificate.
            (_, Answer::NotRevoked) => {}
            (other, _) => answer = other,
        }
    }
    Ok(answer)
}

/// The certificate at `path`, which must be of the indexes' issuer.
fn subject(path: &Path, indexes: &[Index]) -> Result<Subject, Failure> {
    let content = file::certificates(path)?;
    let refused = |message: String, hint| Failure::new(format!("{}: {message}", path.display()), hint);
    let subject = Subject::from_file_content(&content)
        .map_err(|error| refused(error.to_string(), "pass a certificate as PEM or DER"))?;
    // A serial number means nothing without its issuer.
    if let Some(index) = indexes.iter().find(|index| !index.is_by_issuer_of(&subject)) {
        let (theirs, ours) = (&subject.issuer, &index.metadata().issuer);
        let message = if theirs == ours {
            format!("a certificate by a CA of the name `{theirs}` with another key than the index's")
        } else {
            format!("a certificate by `{theirs}`, and the index is of `{ours}`")
        };
        return Err(refused(message, "use the index of the certificate's own issuer (name and key)"));
    }
    Ok(subject)
}
