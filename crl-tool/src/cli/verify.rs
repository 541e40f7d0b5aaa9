//! `crl-tool verify`

use super::failure::Failure;
use super::file::{self, Either};
use super::inspect;
use super::style::Style;
use super::transfer::Transfer;
use clap::Args;
use crl_tool::Build;
use std::path::PathBuf;
use std::process::ExitCode;

/// Prove a CRL or an index from its issuer's certificate
///
/// For a CRL: it is well-formed, and the issuer signed it. For an index: the CRL in it is, and the index answers for
/// every serial what that CRL says.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Verify {
    /// The CRL (DER or PEM) or the index
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The certificate of the CA that issued the CRL, PEM or DER; may be repeated
    #[arg(long, value_name = "CA.pem", required = true)]
    issuer: Vec<PathBuf>,

    #[command(flatten)]
    transfer: Transfer,
}

const EXAMPLES: &str = "\
Examples:
  crl-tool verify ca.crl --issuer ca.pem
  crl-tool verify ca.crlx --issuer ca.pem

Exit codes: 0 proved, 2 not proved.";

impl Verify {
    pub(crate) fn run(self, style: Style) -> Result<ExitCode, Failure> {
        let issuers = file::issuers(&self.issuer, &self.transfer)?;
        let (what, metadata) = match Either::open(&self.file, &self.transfer)? {
            Either::Crl(input) => {
                ("CRL", Build::new(&issuers).max_bytes(self.transfer.max_bytes).check(input)?)
            }
            Either::Index(index) => {
                index.verify_by(&issuers)?;
                ("index", index.metadata().clone())
            }
        };
        let text = format!("verified: {what} of {}, {} revoked", metadata.issuer, metadata.entries);
        let mut json = inspect::object(&metadata);
        json.insert("verified".to_owned(), what.into());
        style.say(text, &json.into())?;
        Ok(ExitCode::SUCCESS)
    }
}
