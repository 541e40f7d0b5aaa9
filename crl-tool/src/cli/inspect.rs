//! `crl-tool inspect`

use super::failure::Failure;
use super::file::Either;
use super::signer::SignedBy;
use super::style::Style;
use super::transfer::Transfer;
use clap::Args;
use crl_tool::{Index, Metadata, Unproved};
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::process::ExitCode;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Show what an index or a CRL says
///
/// An index is checked as when the proxy opens it, and its CRL is compared with the digest it was indexed under. Who
/// signed the CRL was checked when the index was built; `crl-tool verify` proves it again. The signature of a bare CRL is
/// NOT checked: anybody could have written it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Inspect {
    /// The index, or the CRL (DER or PEM)
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    transfer: Transfer,

    #[command(flatten)]
    signed_by: SignedBy,
}

const EXAMPLES: &str = "\
Examples:
  crl-tool inspect ca.crlx
  crl-tool inspect ca.crlx --format json | jq -r .next_update
  crl-tool inspect http://crl.example.com/ca.crl

Exit codes: 0 shown, 2 failed.";

/// A field's name, with blanks that JSON has underscores for, and its value.
type Field = (&'static str, Value);

/// What stands above all that a bare CRL says.
const NOT_CHECKED: &str =
    "signature     NOT CHECKED: anybody could have written this; `crl-tool verify` proves it";

impl Inspect {
    pub(crate) fn run(self, style: Style) -> Result<ExitCode, Failure> {
        let keys = self.signed_by.keys(&self.transfer)?;
        match Either::open(&self.file, &self.transfer, &keys)? {
            Either::Index(index) => {
                index.check_crl()?;
                style.say(text(&fields(&index)), &object(&index).into())?;
            }
            Either::Crl(input) => {
                let fields = unproved(&Unproved::read(input, self.transfer.max_bytes)?);
                let text = format!("{NOT_CHECKED}\n{}", text(&fields));
                let mut json = json_object(fields);
                json.insert("signature_checked".to_owned(), false.into());
                style.say(text, &json.into())?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The fields, one a line.
fn text(fields: &[Field]) -> String {
    let line = |(key, value): &Field| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{key:<13} {}", if value.is_null() { "none" } else { &text })
    };
    fields.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Every field of an index, for programs.
pub(super) fn object(index: &Index) -> Map<String, Value> {
    json_object(fields(index))
}

pub(super) fn json_object(fields: Vec<Field>) -> Map<String, Value> {
    fields.into_iter().map(|(key, value)| (key.replace(' ', "_"), value)).collect()
}

fn fields(index: &Index) -> Vec<Field> {
    let mut fields = of_crl(index.metadata());
    fields.push(("signed by", json!(index.signed_by().map(|key| hexadecimal(&key)))));
    fields
}

/// What a bare CRL says.
fn unproved(crl: &Unproved) -> Vec<Field> {
    vec![
        ("algorithm", json!(crl.algorithm)),
        ("issuer", json!(crl.issuer)),
        ("crl number", json!(crl.crl_number.map(|number| number.to_string()))),
        ("this update", json!(rfc3339(crl.this_update))),
        ("next update", json!(crl.next_update.map(rfc3339))),
        ("scope", json!(crl.scope.as_ref().map(ToString::to_string))),
        ("listed", json!(crl.listed)),
        ("crl bytes", json!(crl.crl_bytes)),
        ("tbs sha256", json!(hexadecimal(&crl.tbs_sha256))),
        ("name sha256", json!(hexadecimal(&crl.name_sha256))),
        ("key id", json!(crl.authority_key_id.as_deref().map(hexadecimal))),
    ]
}

/// What a CRL says that is proved.
pub(super) fn of_crl(metadata: &Metadata) -> Vec<Field> {
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

pub(super) fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
