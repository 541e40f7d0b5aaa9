//! `crl-tool diff`

use super::failure::Failure;
use super::file;
use super::inspect::rfc3339;
use super::progress::Progress;
use super::signer::SignedBy;
use super::style::Style;
use super::transfer::Transfer;
use clap::Args;
use crl_tool::{EntriesError, Index, Reason, Revoked, rfc4514};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

/// Show what changed from one index to the next
///
/// Newly revoked: in the new one only. Released: a hold (certificateHold) that the new one no longer lists. Dropped: any
/// other certificate that it no longer lists, as CAs do once it has expired.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Diff {
    /// The older index
    #[arg(value_name = "OLD.crlx")]
    old: PathBuf,

    /// The newer index, of the same issuer and scope
    #[arg(value_name = "NEW.crlx")]
    new: PathBuf,

    /// Show every serial, too
    #[arg(long)]
    list: bool,

    #[command(flatten)]
    transfer: Transfer,

    #[command(flatten)]
    signed_by: SignedBy,
}

const EXAMPLES: &str = "\
Examples:
  crl-tool diff yesterday.crlx today.crlx
  crl-tool diff yesterday.crlx today.crlx --list --format json | jq -r '.newly_revoked[].serial'

Exit codes: 0 compared, whatever the result; 2 failed.";

/// The serials of one kind of change.
struct Changes {
    name: &'static str,
    count: u64,
    /// `None`: only counted.
    list: Option<Vec<Change>>,
}

/// A certificate that one of the two lists.
struct Change {
    /// Its issuer, if not the CRL's own.
    issuer: Option<String>,
    serial: String,
    reason: Option<&'static str>,
    date: String,
}

impl Diff {
    pub(crate) fn run(self, style: Style) -> Result<ExitCode, Failure> {
        let keys = self.signed_by.keys(&self.transfer)?;
        let open = |path| file::index(path, &self.transfer, &keys);
        let (old, new) = (open(&self.old)?, open(&self.new)?);
        comparable(&old, &new)?;
        let progress = Progress::of_indexes(&[&old, &new], style);
        let (old, new) = (old.watched(progress.watch()), new.watched(progress.watch()));
        let changes = |name| Changes { name, count: 0, list: self.list.then(Vec::new) };
        let mut revoked = changes("newly revoked");
        let (mut released, mut dropped) = (changes("released"), changes("dropped"));
        new.each_entry(|entry| {
            if old.listed_of(entry.issuer, &entry.serial)?.is_none() {
                revoked.add(entry);
            }
            Ok::<(), EntriesError>(())
        })?;
        old.each_entry(|entry| {
            if new.listed_of(entry.issuer, &entry.serial)?.is_none() {
                let held = entry.revocation.reason == Some(Reason::CertificateHold);
                if held { &mut released } else { &mut dropped }.add(entry);
            }
            Ok::<(), EntriesError>(())
        })?;
        drop(progress);
        let all = [revoked, released, dropped];
        let text: Vec<String> = all.iter().map(Changes::text).collect();
        let json = all.iter().map(|changes| (changes.name.replace(' ', "_"), changes.json()));
        style.say(text.join("\n"), &Value::Object(json.collect()))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Changes {
    fn add(&mut self, entry: &Revoked<'_>) {
        self.count += 1;
        if let Some(list) = &mut self.list {
            list.push(Change {
                issuer: entry.issuer.and_then(rfc4514),
                serial: entry.serial.to_string(),
                reason: entry.revocation.reason.map(Reason::name),
                date: rfc3339(entry.revocation.date),
            });
        }
    }

    fn text(&self) -> String {
        let mut text = format!("{:<14} {}", self.name, self.count);
        for Change { issuer, serial, reason, date } in self.list.iter().flatten() {
            let issuer = issuer.as_ref().map_or_else(String::new, |name| format!(" of {name}"));
            text += &format!("\n  {serial}{issuer}, {}, since {date}", reason.unwrap_or("no reason given"));
        }
        text
    }

    /// The number of serials, or the serials.
    fn json(&self) -> Value {
        let entry = |Change { issuer, serial, reason, date }: &Change| match issuer {
            None => json!({ "serial": serial, "reason": reason, "date": date }),
            Some(issuer) => json!({ "issuer": issuer, "serial": serial, "reason": reason, "date": date }),
        };
        self.list.as_ref().map_or_else(|| self.count.into(), |list| list.iter().map(entry).collect())
    }
}

/// Absence means something only between CRLs about the same certificates.
fn comparable(old: &Index, new: &Index) -> Result<(), Failure> {
    let (old, new) = (old.metadata(), new.metadata());
    let differs = if old.issuer_id != new.issuer_id {
        "issuers (name or key)"
    } else if old.scope != new.scope {
        "scopes"
    } else {
        return Ok(());
    };
    Err(Failure::new(
        format!("indexes of different {differs}"),
        "compare two CRLs of one CA and one partition",
    ))
}
