//! `crl-tool merge`

use super::build::{json, summary};
use super::failure::Failure;
use super::file::{self, Either, Output, is_standard};
use super::issuers::Issuers;
use super::progress::Progress;
use super::signer::{self, SignWith};
use super::style::Style;
use super::transfer::{self, Transfer};
use clap::{ArgGroup, Args};
use crl_tool::{Build, Input};
use std::path::PathBuf;
use std::process::ExitCode;

/// Build the index of a complete CRL and a delta CRL
///
/// The delta CRL's changes are applied as RFC 5280 §5.2.4 asks for: same issuer and key, same scope, and the base has at
/// least the number that the delta builds on and less than its own. What the delta removes (removeFromCRL) is not revoked
/// any more. The index has the delta's number and dates, and both signed CRLs in it, so that `crl-tool verify` proves it.
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    group(ArgGroup::new("proof").args(["issuer", "issuer_acm_pca"]).required(true).multiple(true)),
)]
pub(crate) struct Merge {
    /// The complete CRL (DER or PEM), or an index of it; a delta that the index has already is replaced
    #[arg(long, value_name = "FILE")]
    base: PathBuf,

    /// The delta CRL, DER or PEM, of 16 MiB at most
    #[arg(long, value_name = "FILE")]
    delta: PathBuf,

    #[command(flatten)]
    issuers: Issuers,

    /// The index to write; in S3 (s3://BUCKET/KEY), only in place of an older CRL's
    #[arg(long, value_name = "FILE.crlx")]
    out: PathBuf,

    #[command(flatten)]
    transfer: Transfer,

    #[command(flatten)]
    sign: SignWith,
}

const EXAMPLES: &str = "\
Examples:
  crl-tool merge --base ca.crl --delta ca-delta.crl --issuer ca.pem --out ca.crlx
  crl-tool merge --base ca.crlx --delta ca-delta.crl --issuer ca.pem --out ca.crlx

Exit codes: 0 built, 2 failed (nothing was replaced).";

impl Merge {
    pub(crate) fn run(self, style: Style) -> Result<ExitCode, Failure> {
        let inputs = self.issuers.issuer.iter().chain([&self.base, &self.delta]);
        if inputs.filter(|path| is_standard(path)).count() > 1 {
            return Err(Failure::new("`-` twice for one stream", "name files for all but one of them"));
        }
        let signer = self.sign.signer(&self.transfer)?;
        let issuers = self.issuers.read(&self.transfer)?;
        let base = match Either::open(&self.base, &self.transfer, &[])? {
            Either::Crl(input) => input,
            Either::Index(index) => {
                let crl = index.crl().map_err(Failure::io("read", &self.base))?;
                Input::from_reader(&transfer::name(&self.base), crl)
            }
        };
        let delta = file::crl(&self.delta, &self.transfer)?;
        let out = Output::create_index(&self.out, &self.transfer)?;
        let progress = Progress::of_file(&self.base, style);
        Build::new(&issuers)
            .watched(progress.watch())
            .max_bytes(self.transfer.max_bytes)
            .merge(base, delta, out.file())
            .map_err(Failure::building(&self.out))?;
        let index = signer::finish(out.file(), &self.out, signer.as_deref())?;
        out.publish()?;
        drop(progress);
        if !is_standard(&self.out) {
            style.say(summary(&index, &self.out), &json(&index, &self.out))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
