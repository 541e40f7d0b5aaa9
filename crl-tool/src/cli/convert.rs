//! `crl-tool convert`

use super::failure::Failure;
use super::file::{self, Output, is_standard};
use super::progress::Progress;
use super::signer::SignedBy;
use super::style::Style;
use super::transfer::{self, Transfer};
use crate::pipeline::Form;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueEnum};
use crl_tool::Index;
use serde_json::json;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Turn an index back into its CRL, or into the caches of Lambda authorizers
///
/// `der` and `pem` are the CRL as its issuer signed it. `json` is {"0x<serial in lower-case hex>": "", ...}, which
/// authorizers read as <key>.json or <key>.cache.json, and `json-zip` the same compressed with zlib (<key>.json.zip).
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Convert {
    /// The index
    #[arg(value_name = "FILE.crlx")]
    file: PathBuf,

    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// What to write; by default what the name of the file says: .crl or .der, .pem, .json, .json.zip
    #[arg(long, value_enum)]
    to: Option<Kind>,

    /// Of an index with a delta CRL, which of its two CRLs
    #[arg(long, value_enum)]
    part: Option<Part>,

    #[command(flatten)]
    transfer: Transfer,

    #[command(flatten)]
    signed_by: SignedBy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Der,
    Pem,
    Json,
    JsonZip,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Base,
    Delta,
}

const EXAMPLES: &str = "\
Examples:
  crl-tool convert ca.crlx --out ca.pem
  crl-tool convert ca.crlx --out crl/ca.crl.json.zip
  crl-tool convert ca.crlx --to der --out - | openssl crl -inform DER -noout -text

Exit codes: 0 written, 2 failed (nothing was replaced).";

/// Octets of one line of PEM.
const PEM_LINE: usize = 48;

impl Convert {
    pub(crate) fn run(self, style: Style) -> Result<ExitCode, Failure> {
        let kind = self.to.or_else(|| by_name(&self.out)).ok_or_else(|| {
            let message = format!("{}: its name does not say what to write", self.out.display());
            Failure::new(message, "pass --to der, pem, json or json-zip")
        })?;
        let keys = self.signed_by.keys(&self.transfer)?;
        let index = file::index(&self.file, &self.transfer, &keys)?;
        index.check_crl()?;
        let progress = Progress::of_indexes(&[&index], style);
        let index = index.watched(progress.watch());
        let out = Output::create(&self.out)?;
        let mut writer = BufWriter::new(out.file());
        match kind {
            Kind::Der => {
                io::copy(&mut self.crl(&index)?, &mut writer).map_err(Failure::io("write", &self.out))?;
            }
            Kind::Pem => {
                write_pem(self.crl(&index)?, &mut writer).map_err(Failure::io("write", &self.out))?;
            }
            Kind::Json => index.write_json_cache(&mut writer)?,
            Kind::JsonZip => Form::JsonZip.write(&index, &mut writer)?,
        }
        writer.flush().map_err(Failure::io("write", &self.out))?;
        drop(writer);
        out.publish()?;
        drop(progress);
        if !is_standard(&self.out) {
            let path = self.out.display().to_string();
            style.say(format!("{path}: written"), &json!({ "file": path }))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The CRL that was asked for.
    fn crl(&self, index: &Index) -> Result<Box<dyn Read>, Failure> {
        let shown = transfer::name(&self.file);
        match (self.part, index.delta_crl()) {
            (None, Some(_)) => Err(Failure::new(
                format!("{shown}: two CRLs, a complete one and a delta"),
                "pass --part base or --part delta; JSON has both together",
            )),
            (Some(Part::Delta), None) => {
                Err(Failure::new(format!("{shown}: no delta CRL in it"), "leave --part out"))
            }
            (Some(Part::Delta), Some(delta)) => Ok(Box::new(io::Cursor::new(delta.to_vec()))),
            (Some(Part::Base), _) | (None, None) => {
                Ok(Box::new(index.crl().map_err(Failure::io("read", &self.file))?))
            }
        }
    }
}

/// What the name of a file says that is in it.
fn by_name(path: &Path) -> Option<Kind> {
    let name = path.file_name()?.to_str()?;
    [
        (".json.zip", Kind::JsonZip),
        (".json", Kind::Json),
        (".pem", Kind::Pem),
        (".crl", Kind::Der),
        (".der", Kind::Der),
    ]
    .into_iter()
    .find(|(end, _)| name.ends_with(end))
    .map(|(_, kind)| kind)
}

fn write_pem(mut der: impl Read, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "-----BEGIN X509 CRL-----")?;
    loop {
        let mut line = Vec::with_capacity(PEM_LINE);
        (&mut der).take(48).read_to_end(&mut line)?;
        if line.is_empty() {
            return writeln!(out, "-----END X509 CRL-----");
        }
        writeln!(out, "{}", STANDARD.encode(line))?;
    }
}
