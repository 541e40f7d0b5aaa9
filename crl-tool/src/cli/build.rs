//! `crl-tool build`

use super::failure::Failure;
use super::file::{self, Output, is_standard};
use super::inspect;
use super::issuers::Issuers;
use super::progress::Progress;
use super::signer::{self, SignWith};
use super::style::Style;
use super::transfer::{self, Transfer};
use clap::{ArgGroup, Args};
use crl_tool::Index;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Verify a CRL and build its index
///
/// The CRL is read once, as DER or PEM. Its issuer must have signed it: the certificate's name and key, its right to
/// sign CRLs, and the signature are checked. Whatever RFC 5280 forbids is refused, with the byte where it is. The index
/// replaces an older one at once and only as a whole; on a failure, the older one stays.
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    group(ArgGroup::new("proof").args(["issuer", "issuer_acm_pca"]).required(true).multiple(true)),
)]
pub(crate) struct Build {
    /// The CRL, DER or PEM: a file, or the address where the CA publishes it
    #[arg(long, value_name = "FILE")]
    crl: PathBuf,

    #[command(flatten)]
    issuers: Issuers,

    /// The index to write; in S3 (s3://BUCKET/KEY), only in place of an older CRL's
    #[arg(long, value_name = "FILE.crlx")]
    out: PathBuf,

    /// Write the JSON cache of Lambda authorizers, too: {"0x<serial in lower-case hex>": "", ...}
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Leave the CRL out: it is beside the index already, as DER, under the same name with .crl, and has to stay there
    #[arg(long)]
    sidecar: bool,

    #[command(flatten)]
    transfer: Transfer,

    #[command(flatten)]
    sign: SignWith,
}

const EXAMPLES: &str = "\
Examples:
  crl-tool build --crl ca.crl --issuer ca.pem --out ca.crlx
  crl-tool build --crl ca.crl --issuer old.pem --issuer new.pem --out ca.crlx --json ca.json
  crl-tool build --crl ca.crl --issuer ca.pem --out ca.crlx --sign-key index.key
  crl-tool build --crl http://crl.example.com/ca.crl --issuer ca.pem --out ca.crlx

Exit codes: 0 built, 2 failed (nothing was replaced).";

impl Build {
    pub(crate) fn run(self, style: Style) -> Result<ExitCode, Failure> {
        self.refuse_shared_streams()?;
        let signer = self.sign.signer(&self.transfer)?;
        let issuers = self.issuers.read(&self.transfer)?;
        if self.sidecar && !same_file(&self.crl, &Index::crl_beside(&self.out)) {
            let beside = Index::crl_beside(&self.out).display().to_string();
            let message = format!("--sidecar: {} is not {beside}", transfer::name(&self.crl));
            return Err(Failure::new(message, "put the CRL beside the index and pass it from there"));
        }
        let out = Output::create_index(&self.out, &self.transfer)?;
        let cache = self.json.as_deref().map(Output::create).transpose()?;

        let progress = Progress::of_file(&self.crl, style);
        let build =
            crl_tool::Build::new(&issuers).max_bytes(self.transfer.max_bytes).watched(progress.watch());
        if self.sidecar {
            let crl = File::open(&self.crl).map_err(Failure::io("read", &self.crl))?;
            build
                .write_beside(&self.crl.display().to_string(), &crl, out.file())
                .map_err(Failure::building(&self.out))?;
        } else {
            build
                .write(file::crl(&self.crl, &self.transfer)?, out.file())
                .map_err(Failure::building(&self.out))?;
        }
        let index = signer::finish(out.file(), &self.out, signer.as_deref())?;
        if let Some(cache) = &cache {
            index.write_json_cache(BufWriter::new(cache.file()))?;
        }
        out.publish()?;
        cache.map(Output::publish).transpose()?;
        drop(progress);

        if !is_standard(&self.out) && !self.json.as_deref().is_some_and(is_standard) {
            style.say(summary(&index, &self.out), &json(&index, &self.out))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Standard input can be read once, standard output written once.
    fn refuse_shared_streams(&self) -> Result<(), Failure> {
        let inputs = self.issuers.issuer.iter().chain([&self.crl]).filter(|path| is_standard(path)).count();
        let outputs = self.json.iter().chain([&self.out]).filter(|path| is_standard(path)).count();
        if inputs > 1 || outputs > 1 {
            return Err(Failure::new("`-` twice for one stream", "name files for all but one of them"));
        }
        Ok(())
    }
}

fn same_file(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// What was built, for programs.
pub(super) fn json(index: &Index, out: &Path) -> serde_json::Value {
    let mut object = inspect::object(index);
    object.insert("file".to_owned(), out.display().to_string().into());
    object.insert("bytes".to_owned(), index.file_size().into());
    object.into()
}

/// What was built, in one line.
pub(super) fn summary(index: &Index, out: &Path) -> String {
    let (metadata, bytes) = (index.metadata(), index.file_size());
    let signed = if index.signed_by().is_some() { ", signed" } else { "" };
    let number = metadata.crl_number.map_or_else(String::new, |number| format!(" number {number}"));
    let again = match metadata.listed - metadata.entries {
        0 => String::new(),
        repeats => format!(" ({repeats} listed again)"),
    };
    let delta = metadata.delta.as_ref().map_or_else(String::new, |delta| {
        format!(", by its delta CRL {} more and {} released", delta.revoked, delta.removed)
    });
    format!(
        "{}: {} revoked{again}{delta}, CRL{number} of {}, {bytes} bytes{signed}",
        out.display(),
        metadata.entries,
        metadata.issuer,
    )
}
