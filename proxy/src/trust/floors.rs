//! How far each issuer's CRLs have come: none goes back, also not across a restart where `revocation.state_file` keeps it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use crl_tool::{CrlNumber, Draft, IssuerId, Metadata};
use serde::{Deserialize, Serialize};

use crate::clock::{parse_rfc3339, rfc3339, seconds};
use crate::config::Invalid;

const KEY: &str = "revocation.state_file";

/// One issuer's CRL, or one of its partitions: name and key of the issuer, and the scope.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Series {
    name_sha256: [u8; 32],
    spki_sha256: [u8; 32],
    scope: String,
}

impl Series {
    /// The series that a CRL belongs to.
    pub(super) fn of(metadata: &Metadata) -> Self {
        let IssuerId { name_sha256, spki_sha256 } = metadata.issuer_id;
        let scope = metadata.scope.as_ref().map(ToString::to_string).unwrap_or_default();
        Self { name_sha256, spki_sha256, scope }
    }
}

/// The newest CRL of a series that has been in force.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Floor {
    issuer: String,
    number: Option<CrlNumber>,
    this_update: i64,
    content: [u8; 32],
}

impl Floor {
    fn of(metadata: &Metadata) -> Self {
        Self {
            issuer: metadata.issuer.clone(),
            number: metadata.crl_number,
            this_update: metadata.this_update.unix_timestamp(),
            content: content(metadata),
        }
    }

    fn check(&self, metadata: &Metadata) -> Result<(), Behind> {
        let this_update = metadata.this_update.unix_timestamp();
        if metadata.crl_number < self.number || this_update < self.this_update {
            return Err(Behind::Rollback {
                new: shown(metadata.crl_number),
                new_update: this_update,
                old: shown(self.number),
                old_update: self.this_update,
            });
        }
        // CRLs of old CAs have no number.
        if metadata.crl_number.is_some()
            && metadata.crl_number == self.number
            && content(metadata) != self.content
        {
            let number = shown(self.number);
            return Err(Behind::Conflict { number, old_update: self.this_update });
        }
        Ok(())
    }
}

/// Why a CRL is behind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Behind {
    /// RFC 5280 §5.2.3: the number only grows. An older CRL is a replay.
    #[error("rollback: CRL number {new} of {} is older than {old} of {}, which was in force", rfc3339(*new_update), rfc3339(*old_update))]
    Rollback { new: String, new_update: i64, old: String, old_update: i64 },
    /// Two CRLs of one number: somebody else has the key, or the CA is broken.
    #[error("conflict: two different CRLs have the number {number}; the one of {} was in force first", rfc3339(*old_update))]
    Conflict { number: String, old_update: i64 },
}

/// The floor of each series.
#[derive(Debug, Default)]
pub(super) struct Floors {
    file: Option<PathBuf>,
    floors: BTreeMap<Series, Floor>,
    /// Whether the file has others.
    unsaved: bool,
}

impl Floors {
    /// Those in a file, which need not be there yet.
    pub(super) fn load(file: Option<&Path>) -> Result<Self, Invalid> {
        let Some(path) = file else { return Ok(Self::default()) };
        let unusable = |problem: String| {
            let hint = "restore it; without it, an older CRL than the last one would be taken";
            Invalid::new(KEY, format!("{}: {problem}", path.display()), hint)
        };
        let mut floors = Self { file: Some(path.to_owned()), ..Self::default() };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            // The first start.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(floors),
            Err(error) => return Err(unusable(format!("cannot be read: {error}"))),
        };
        let state: State = serde_json::from_str(&text).map_err(|error| unusable(error.to_string()))?;
        for record in state.crls {
            let issuer = record.issuer.clone();
            let (series, floor) = record
                .into_floor()
                .ok_or_else(|| unusable(format!("what it says of {issuer} cannot be read")))?;
            floors.floors.insert(series, floor);
        }
        Ok(floors)
    }

    /// Whether a CRL may follow what has been in force, and `before`, which is of the same series.
    pub(super) fn check(&self, metadata: &Metadata, before: Option<&Metadata>) -> Result<(), Behind> {
        let floors = self.floors.get(&Series::of(metadata)).cloned().into_iter();
        floors.chain(before.map(Floor::of)).try_for_each(|floor| floor.check(metadata))
    }

    /// Raises the floors to what is in force, and sees to it that the file has them.
    pub(super) fn raise(&mut self, in_force: &[&Metadata]) -> Result<(), Invalid> {
        for metadata in in_force {
            let floor = Floor::of(metadata);
            self.unsaved |= self.floors.insert(Series::of(metadata), floor.clone()) != Some(floor);
        }
        if self.unsaved {
            self.write()?;
        }
        self.unsaved = false;
        Ok(())
    }

    /// Forgets the floors of an issuer, by name. Answers how many there were.
    pub(super) fn clear(&mut self, issuer: &str) -> Result<usize, Invalid> {
        let mut others = self.floors.clone();
        others.retain(|_, floor| floor.issuer != issuer);
        let before = std::mem::replace(&mut self.floors, others);
        match self.write() {
            Ok(()) => Ok(before.len() - self.floors.len()),
            // What cannot be forgotten in the file counts.
            Err(problem) => {
                self.floors = before;
                Err(problem)
            }
        }
    }

    fn write(&self) -> Result<(), Invalid> {
        let Some(path) = &self.file else { return Ok(()) };
        let crls = self.floors.iter().map(|(series, floor)| Record::new(series, floor)).collect();
        let written = serde_json::to_string_pretty(&State { crls }).map_err(std::io::Error::other);
        let written = written.and_then(|text| {
            let draft = Draft::new(path)?;
            writeln!(draft.file(), "{text}")?;
            draft.publish()
        });
        written.map_err(|error| {
            let hint = "give a file in a directory that the proxy may write to, with space left";
            Invalid::new(KEY, format!("{}: cannot be written: {error}", path.display()), hint)
        })
    }
}

/// What identifies a CRL's content. A delta changes what the CRL below it says.
pub(super) fn content(metadata: &Metadata) -> [u8; 32] {
    let Some(delta) = &metadata.delta else { return metadata.tbs_sha256 };
    let mut both = [0; 32];
    both.copy_from_slice(digest(&SHA256, &[metadata.tbs_sha256, delta.tbs_sha256].concat()).as_ref());
    both
}

pub(super) fn shown(number: Option<CrlNumber>) -> String {
    number.map_or_else(|| "none".to_owned(), |number| number.to_string())
}

/// The file.
#[derive(Serialize, Deserialize)]
struct State {
    crls: Vec<Record>,
}

#[derive(Serialize, Deserialize)]
struct Record {
    issuer: String,
    issuer_sha256: String,
    key_sha256: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    scope: String,
    crl_number: Option<String>,
    this_update: String,
    content_sha256: String,
}

impl Record {
    fn new(series: &Series, floor: &Floor) -> Self {
        Self {
            issuer: floor.issuer.clone(),
            issuer_sha256: hex(&series.name_sha256),
            key_sha256: hex(&series.spki_sha256),
            scope: series.scope.clone(),
            crl_number: floor.number.map(|number| number.to_string()),
            this_update: rfc3339(floor.this_update),
            content_sha256: hex(&floor.content),
        }
    }

    fn into_floor(self) -> Option<(Series, Floor)> {
        let (name_sha256, spki_sha256) = (unhex(&self.issuer_sha256)?, unhex(&self.key_sha256)?);
        let number = match self.crl_number {
            None => None,
            Some(number) => Some(number.parse().ok()?),
        };
        let this_update = seconds(parse_rfc3339(&self.this_update)?);
        let floor = Floor { issuer: self.issuer, number, this_update, content: unhex(&self.content_sha256)? };
        Some((Series { name_sha256, spki_sha256, scope: self.scope }, floor))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}
