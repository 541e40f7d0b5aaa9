//! `crl-tool verify`

use super::failure::Failure;
use super::file::Either;
use super::inspect;
use super::issuers::Issuers;
use super::progress::Progress;
use super::signer::SignedBy;
use super::style::Style;
use super::transfer::Transfer;
use clap::{ArgGroup, Args};
use crl_tool::Build;
use std::path::PathBuf;
use std::process::ExitCode;

/// Prove a CRL or an index from its issuer's certificate
///
/// For a CRL: it is well-formed, and the issuer signed it. For an index: the CRL in it is, and the index answers for
/// every serial what that CRL says. With --require-signature-by alone, an index is as good as the word of that key's
/// holder, and its CRL is not proved again.
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    group(ArgGroup::new("proof").args(["issuer", "issuer_acm_pca", "require_signature_by"]).required(true).multiple(true)),
)]
pub(crate) struct Verify {
    /// The CRL (DER or PEM) or the index
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    issuers: Issuers,

    #[command(flatten)]
    transfer: Transfer,

    #[command(flatten)]
    signed_by: SignedBy,
}

const EXAMPLES: &str = "\
Examples:
  crl-tool verify ca.crl --issuer ca.pem
  crl-tool verify ca.crlx --issuer ca.pem
  crl-tool verify ca.crlx --require-signature-by index.pub

Exit codes: 0 proved, 2 not proved.";

impl Verify {
    pub(crate) fn run(self, style: Style) -> Result<ExitCode, Failure> {
        let keys = self.signed_by.keys(&self.transfer)?;
        let issuers = self.issuers.read(&self.transfer)?;
        let (what, entries, issuer, mut json) = match Either::open(&self.file, &self.transfer, &keys)? {
            Either::Crl(input) => {
                let progress = Progress::of_file(&self.file, style);
                let build = Build::new(&issuers).watched(progress.watch());
                let proved = build.max_bytes(self.transfer.max_bytes).check(input)?;
                ("CRL", proved.entries, proved.issuer.clone(), inspect::json_object(inspect::of_crl(&proved)))
            }
            Either::Index(index) => {
                let progress = Progress::of_indexes(&[&index], style);
                let index = index.watched(progress.watch());
                // Without an issuer there are keys, and the file was checked against them.
                if !issuers.is_empty() {
                    index.verify_by(&issuers)?;
                }
                let metadata = index.metadata();
                ("index", metadata.entries, metadata.issuer.clone(), inspect::object(&index))
            }
        };
        let by = if issuers.is_empty() { "signature" } else { "issuer" };
        let text = format!("verified: {what} of {issuer}, {entries} revoked");
        json.insert("verified".to_owned(), what.into());
        json.insert("verified_by".to_owned(), by.into());
        style.say(text, &json.into())?;
        Ok(ExitCode::SUCCESS)
    }
}
