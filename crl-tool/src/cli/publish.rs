//! `crl-tool publish`

use super::failure::Failure;
use super::issuers::Issuers;
use super::style::Style;
use super::transfer::{self, Transfer};
use crate::pipeline::{Form, Object, Pipeline, Report, Target, word};
use clap::Args;
use crl_tool::{Location, Write};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Do by hand what the Lambda function does with a CRL in S3: prove it, and put its index and caches beside it
///
/// <key>.crlx is the index, and the caches are what Lambda authorizers read. Each is written only in place of what an older
/// CRL was made into, whoever else writes at the same time. What is there already is left alone, so that running this
/// again repairs whatever is missing.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Publish {
    /// The CRL: s3://BUCKET/KEY
    #[arg(value_name = "ADDRESS")]
    crl: PathBuf,

    #[command(flatten)]
    issuers: Issuers,

    /// Where everything goes: the CRL's key after this; by default beside the CRL
    #[arg(long, value_name = "s3://BUCKET/PREFIX", value_parser = Target::parse)]
    to: Option<Target>,

    /// A JSON cache to write, <key>.json, <key>.cache.json or <key>.json.zip; may be repeated
    #[arg(long, value_enum, value_name = "FORM")]
    cache: Vec<Form>,

    /// Sign the index with this key of AWS KMS, given by its id, alias or ARN
    #[arg(long, value_name = "KEY-ID")]
    sign_key_kms: Option<String>,

    /// Take a CRL whose nextUpdate is past, too
    #[arg(long)]
    allow_expired: bool,

    /// Read, prove and compare everything, and say what would be written
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    transfer: Transfer,
}

const EXAMPLES: &str = "\
Without --issuer, the certificate is read from beside the CRL: <key>.crt or <key>.pem.

Examples:
  crl-tool publish s3://crls/ca.crl --issuer ca.pem
  crl-tool publish s3://crls/ca.crl --cache json --cache json.zip --to s3://indexes/eu/
  crl-tool publish s3://crls/crl/63dad2bc.crl --issuer-acm-pca arn:aws:acm-pca:... --dry-run

Exit codes: 0 everything is there, 2 failed (what is there is whole, and of one CRL or a newer one).";

impl Publish {
    pub(crate) fn run(self, style: Style) -> Result<ExitCode, Failure> {
        let shown = transfer::name(&self.crl);
        let location = Location::named_by(&self.crl).map_err(|fault| Failure::download(&shown, &fault))?;
        let crl = location.and_then(Object::of).ok_or_else(|| {
            Failure::new(format!("{shown}: not in S3"), "pass s3://BUCKET/KEY, or use `crl-tool build`")
        })?;
        let pipeline = Pipeline {
            issuers: Some(self.issuers).filter(|issuers| !issuers.is_empty()),
            target: self.to,
            caches: self.cache,
            sign_key_kms: self.sign_key_kms,
            allow_expired: self.allow_expired,
            max_bytes: self.transfer.max_bytes,
            s3_path_style: self.transfer.s3_path_style,
            write: if self.dry_run { Write::DryRun } else { Write::Really },
        };
        let end = Instant::now() + Duration::from_secs(self.transfer.timeout);
        let report = pipeline.run(&crl, now(), end)?;
        style.say(text(&report, self.dry_run), &json(&report, self.dry_run))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn text(report: &Report, dry_run: bool) -> String {
    let metadata = &report.metadata;
    let number = metadata.crl_number.map_or_else(String::new, |number| format!(" number {number}"));
    let mut text = format!("CRL{number} of {}: {} revoked", metadata.issuer, metadata.entries);
    for (object, published) in &report.outputs {
        let would = if dry_run && word(*published) == "written" { "would be " } else { "" };
        text += &format!("\n  {object}: {would}{}", word(*published));
    }
    text
}

fn json(report: &Report, dry_run: bool) -> serde_json::Value {
    let outputs = report.outputs.iter();
    let outputs =
        outputs.map(|(object, published)| json!({ "file": object.to_string(), "done": word(*published) }));
    let metadata = &report.metadata;
    json!({
        "issuer": metadata.issuer,
        "crl_number": metadata.crl_number.map(|number| number.to_string()),
        "entries": metadata.entries,
        "uploaded": report.uploaded.and_then(|at| at.format(&Rfc3339).ok()),
        "dry_run": dry_run,
        "outputs": outputs.collect::<Vec<_>>(),
    })
}

#[expect(clippy::disallowed_methods, reason = "the one place of this command that reads the clock")]
fn now() -> OffsetDateTime {
    SystemTime::now().into()
}
