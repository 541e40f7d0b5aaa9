//! `crl-tool lookup`

use super::failure::Failure;
use super::file;
use super::inspect::rfc3339;
use super::signer::SignedBy;
use super::style::Style;
use super::transfer::{self, Transfer};
use clap::Args;
use crl_tool::{Gap, Index, Lookup as Answer, Reason, Serial, Subject};
use serde_json::json;
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

    #[command(flatten)]
    transfer: Transfer,

    #[command(flatten)]
    signed_by: SignedBy,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Certificate {
    /// The certificate's serial number in hexadecimal; 0x and colons are allowed. A CRL that is limited in scope
    /// cannot answer `not revoked` to it
    #[arg(long, value_name = "HEX", allow_hyphen_values = true)]
    serial: Option<String>,

    /// A file with one serial number a line; empty lines and those that start with # are skipped
    #[arg(long, value_name = "FILE")]
    serials: Option<PathBuf>,

    /// The certificate, PEM or DER; of several, the first one
    #[arg(long, value_name = "PEM")]
    cert: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  crl-tool lookup ca.crlx --cert client.pem
  crl-tool lookup partition-*.crlx --cert client.pem
  crl-tool lookup ca.crlx --serial 0x1f:a0:22
  crl-tool lookup ca.crlx --serials issued.txt --format json | jq -r '.serial + \" \" + .status'

Exit codes: 0 not revoked, 1 revoked (reason and date are printed), 2 no answer, 3 not covered (no CRL that was passed
speaks for this certificate, so that nobody knows: treat it as revoked). Of several serials: 1 if any is revoked,
otherwise 3 if any is not covered.";

const REVOKED: u8 = 1;
const NOT_COVERED: u8 = 3;

impl Lookup {
    pub(crate) fn run(self, style: Style) -> Result<ExitCode, Failure> {
        let keys = self.signed_by.keys(&self.transfer)?;
        let open = |path| file::index(path, &self.transfer, &keys);
        let indexes = self.files.iter().map(|path| open(path)).collect::<Result<Vec<_>, _>>()?;
        same_issuer(&indexes)?;
        let answers = match &self.certificate {
            Certificate { serial: Some(hex), .. } => {
                let hint = "pass it as `openssl x509 -noout -serial` prints it";
                let serial = Serial::from_hex(hex)
                    .map_err(|error| Failure::new(format!("--serial {hex}: {error}"), hint))?;
                vec![(serial, by_serial(&indexes, &serial)?)]
            }
            Certificate { serials: Some(path), .. } => {
                let ask = |serial| Ok((serial, by_serial(&indexes, &serial)?));
                serials(path)?.into_iter().map(ask).collect::<Result<_, Failure>>()?
            }
            Certificate { cert: Some(path), .. } => {
                let subject = subject(path, &indexes, &self.transfer)?;
                vec![(subject.serial, crl_tool::status(&indexes, &subject)?)]
            }
            Certificate { .. } => {
                return Err(Failure::new("nothing to look up", "pass --serial, --serials or --cert"));
            }
        };
        let mut codes = Vec::new();
        for (serial, answer) in answers {
            codes.push(say(style, &serial, answer)?);
        }
        // Revoked outweighs not covered, which outweighs not revoked.
        let worst = [REVOKED, NOT_COVERED].into_iter().find(|code| codes.contains(code));
        Ok(worst.map_or(ExitCode::SUCCESS, ExitCode::from))
    }
}

/// Prints an answer; returns its exit code.
fn say(style: Style, serial: &Serial, answer: Answer) -> Result<u8, Failure> {
    let shown = serial.to_string();
    match answer {
        Answer::NotRevoked => {
            style
                .say(format!("not revoked: {shown}"), &json!({ "serial": shown, "status": "not_revoked" }))?;
            Ok(0)
        }
        Answer::Revoked(revocation) => {
            let (reason, date) = (revocation.reason.map(Reason::name), rfc3339(revocation.date));
            let text = format!("revoked: {shown}, {}, since {date}", reason.unwrap_or("no reason given"));
            let json = json!({ "serial": shown, "status": "revoked", "reason": reason, "date": date });
            style.say(text, &json)?;
            Ok(REVOKED)
        }
        Answer::NotCovered(gap) => {
            let json = json!({ "serial": shown, "status": "not_covered", "why": gap.to_string() });
            style.say(format!("not covered: {shown}: {gap}"), &json)?;
            Ok(NOT_COVERED)
        }
    }
}

/// The serials in the file at `path`, one a line.
fn serials(path: &Path) -> Result<Vec<Serial>, Failure> {
    let mut serials = Vec::new();
    for (number, line) in (1_u64..).zip(file::lines(path)?) {
        let line = line.map_err(Failure::io("read", path))?;
        let hex = line.trim();
        if !hex.is_empty() && !hex.starts_with('#') {
            let refused = |error| {
                Failure::new(
                    format!("{}: line {number}: {error}", path.display()),
                    "write one serial number in hexadecimal a line; # starts a comment line",
                )
            };
            serials.push(Serial::from_hex(hex).map_err(refused)?);
        }
    }
    Ok(serials)
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
fn subject(path: &Path, indexes: &[Index], transfer: &Transfer) -> Result<Subject, Failure> {
    let content = file::whole(path, transfer)?;
    let refused = |message: String, hint| Failure::new(format!("{}: {message}", transfer::name(path)), hint);
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
