//! `crl-tool lookup`

use super::failure::Failure;
use super::file;
use super::inspect::rfc3339;
use clap::Args;
use crl_tool::{Index, Serial};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Ask whether a certificate is revoked
///
/// The answer is the CRL's as of its issue. Whether that CRL is still in force is for you to decide: see
/// `crl-tool inspect` for its next update.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Lookup {
    /// The index
    #[arg(value_name = "FILE.crlx")]
    file: PathBuf,

    #[command(flatten)]
    certificate: Certificate,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Certificate {
    /// The certificate's serial number in hexadecimal; 0x and colons are allowed
    #[arg(long, value_name = "HEX", allow_hyphen_values = true)]
    serial: Option<String>,

    /// The certificate, PEM or DER; of several, the first one
    #[arg(long, value_name = "PEM")]
    cert: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  crl-tool lookup ca.crlx --cert client.pem
  crl-tool lookup ca.crlx --serial 0x1f:a0:22

Exit codes: 0 not revoked, 1 revoked (reason and date are printed), 2 no answer.";

const REVOKED: u8 = 1;

impl Lookup {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let index = file::index(&self.file)?;
        let serial = match (&self.certificate.serial, &self.certificate.cert) {
            (Some(hex), _) => {
                let hint = "pass it as `openssl x509 -noout -serial` prints it";
                Serial::from_hex(hex)
                    .map_err(|error| Failure::new(format!("--serial {hex}: {error}"), hint))?
            }
            (None, Some(path)) => serial_of(path, &index)?,
            (None, None) => return Err(Failure::new("nothing to look up", "pass --serial or --cert")),
        };
        let mut out = io::stdout().lock();
        match index.lookup(&serial)? {
            crl_tool::Lookup::NotRevoked => {
                writeln!(out, "not revoked: {serial}")?;
                Ok(ExitCode::SUCCESS)
            }
            crl_tool::Lookup::Revoked(revocation) => {
                let reason = revocation.reason.map_or("no reason given", |reason| reason.name());
                writeln!(out, "revoked: {serial}, {reason}, since {}", rfc3339(revocation.date))?;
                Ok(ExitCode::from(REVOKED))
            }
        }
    }
}

/// The serial of the certificate at `path`, which must be of the index's issuer.
fn serial_of(path: &Path, index: &Index) -> Result<Serial, Failure> {
    let content = file::certificates(path)?;
    let refused = |message: String, hint| Failure::new(format!("{}: {message}", path.display()), hint);
    let subject = crl_tool::Subject::from_file_content(&content)
        .map_err(|error| refused(error.to_string(), "pass a certificate as PEM or DER"))?;
    // A serial number means nothing without its issuer.
    if !index.covers(&subject) {
        let (theirs, ours) = (&subject.issuer, &index.metadata().issuer);
        let message = if theirs == ours {
            format!("a certificate by a CA of the name `{theirs}` with another key than the index's")
        } else {
            format!("a certificate by `{theirs}`, and the index is of `{ours}`")
        };
        return Err(refused(message, "use the index of the certificate's own issuer (name and key)"));
    }
    Ok(subject.serial)
}
