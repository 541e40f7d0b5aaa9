//! `crl-tool inspect`

use super::failure::Failure;
use super::file;
use super::style::Style;
use super::transfer::Transfer;
use clap::Args;
use crl_tool::Metadata;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Show what an index says about its CRL
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Inspect {
    /// The index
    #[arg(value_name = "FILE.crlx")]
    file: PathBuf,

    #[command(flatten)]
    transfer: Transfer,
}

const EXAMPLES: &str = "\
Examples:
  crl-tool inspect ca.crlx
  crl-tool inspect ca.crlx --format json | jq -r .next_update

The index is checked as when the proxy opens it, and its CRL is compared with the digest it was indexed under. Who
signed the CRL is checked by `crl-tool verify`.

Exit codes: 0 shown, 2 failed.";

impl Inspect {
    pub(crate) fn run(self, style: Style) -> Result<ExitCode, Failure> {
        let index = file::index(&self.file, &self.transfer)?;
        index.check_crl()?;
        let lines: Vec<String> = fields(index.metadata())
            .into_iter()
            .map(|(key, value)| {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let text = if value.is_null() { "none" } else { &text };
                format!("{key:<13} {text}")
            })
            .collect();
        style.say(lines.join("\n"), &object(index.metadata()).into())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Every field, for programs.
pub(super) fn object(metadata: &Metadata) -> serde_json::Map<String, serde_json::Value> {
    fields(metadata).into_iter().map(|(key, value)| (key.replace(' ', "_"), value)).collect()
}

/// Every field, named for text; underscores take the place of blanks in JSON.
fn fields(metadata: &Metadata) -> Vec<(&'static str, serde_json::Value)> {
    let delta = metadata.delta.as_ref();
    vec![
        ("issuer", json!(metadata.issuer)),
        ("crl number", json!(metadata.crl_number.map(|number| number.to_string()))),
        ("this update", json!(rfc3339(metadata.this_update))),
        ("next update", json!(metadata.next_update.map(rfc3339))),
        ("scope", json!(metadata.scope.as_ref().map(ToString::to_string))),
        ("delta of", json!(delta.map(|delta| delta.base.map(|number| number.to_string())))),
        ("delta revoked", json!(delta.map(|delta| delta.revoked))),
        ("delta removed", json!(delta.map(|delta| delta.removed))),
        ("entries", json!(metadata.entries)),
        ("listed", json!(metadata.listed)),
        ("crl bytes", json!(metadata.crl_bytes)),
        ("tbs sha256", json!(hexadecimal(&metadata.tbs_sha256))),
        ("name sha256", json!(hexadecimal(&metadata.issuer_id.name_sha256))),
        ("key sha256", json!(hexadecimal(&metadata.issuer_id.spki_sha256))),
        ("key id", json!(metadata.authority_key_id.as_deref().map(hexadecimal))),
    ]
}

/// A time as logs and JSON write it.
pub(crate) fn rfc3339(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_else(|_error| time.to_string())
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
