//! The CRL indexes in force, and the question they answer: is this path revoked?

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crl_tool::{Index, IssuerId, Lookup};
use rustls_pki_types::UnixTime;
use time::OffsetDateTime;

use super::path::{Link, seconds};
use crate::clock::rfc3339;
use crate::config::{Depth, Invalid, Revocation};
use crate::refusal::Refusal;

const KEY: &str = "revocation.indexes";

/// One issuer's CRL in force.
#[derive(Debug, Clone)]
pub struct Crl {
    /// Where it came from.
    pub path: PathBuf,
    /// The opened index.
    pub index: Arc<Index>,
    /// Its nextUpdate, in seconds since the Unix epoch. A CRL without one is not taken: it could never become stale.
    pub next_update: i64,
}

/// Every CRL in force, by issuer.
#[derive(Debug)]
pub struct Revocations {
    depth: Depth,
    grace: Duration,
    by_issuer: HashMap<IssuerId, Crl>,
}

impl Revocations {
    /// Opens every index. One that cannot be used is reported and, if `last` has one from the same file, stays as it was.
    pub(super) fn load(config: &Revocation, last: Option<&Self>) -> (Self, Vec<Invalid>) {
        let mut by_issuer = HashMap::new();
        let mut problems = Vec::new();
        for path in &config.indexes {
            let before =
                last.and_then(|revocations| revocations.by_issuer.values().find(|crl| crl.path == *path));
            let crl = match open(path, before) {
                Ok(crl) => crl,
                Err(problem) => {
                    problems.push(problem);
                    let Some(before) = before else { continue };
                    before.clone()
                }
            };
            let issuer = crl.index.metadata().issuer.clone();
            if let Some(other) = by_issuer.insert(crl.index.metadata().issuer_id, crl) {
                let problem =
                    format!("{} and {} are both for {issuer}", other.path.display(), path.display());
                problems.push(Invalid::new(KEY, problem, "list one index for each issuer"));
            }
        }
        (Self { depth: config.depth, grace: config.grace, by_issuer }, problems)
    }

    /// Looks up each certificate of a path. Answers until when the CRLs that were asked count; `None` if none was.
    ///
    /// No loaded CRL means that every certificate of that issuer is refused; so does a stale or an unreadable one.
    pub(super) fn check(&self, links: &[Link], now: UnixTime) -> Result<Option<UnixTime>, Refusal> {
        let checked = match self.depth {
            Depth::Chain => links.len(),
            Depth::Leaf => 1,
            Depth::Off => 0,
        };
        let mut good_until: Option<UnixTime> = None;
        for link in links.iter().take(checked) {
            let until = self.check_link(link, now)?;
            good_until = Some(good_until.map_or(until, |earlier| earlier.min(until)));
        }
        Ok(good_until)
    }

    fn check_link(&self, link: &Link, now: UnixTime) -> Result<UnixTime, Refusal> {
        let crl = self
            .by_issuer
            .get(&link.issuer)
            .ok_or_else(|| Refusal::CrlMissing { serial: link.serial.to_string() })?;
        let deadline = self.deadline(crl);
        // RFC 5280 §6.3.3 (a): a CRL past its nextUpdate says nothing about now. Asked before the lookup, so that what a
        // stale CRL says depends on nothing but its age.
        if now > deadline {
            let issuer = crl.index.metadata().issuer.clone();
            return Err(Refusal::CrlStale { issuer, next_update: rfc3339(crl.next_update) });
        }
        match crl.index.lookup(&link.serial) {
            Ok(Lookup::NotRevoked) => Ok(deadline),
            Ok(Lookup::Revoked(revocation)) => Err(Refusal::CertificateRevoked {
                serial: link.serial.to_string(),
                reason: revocation
                    .reason
                    .map_or_else(|| "unspecified".to_owned(), |reason| reason.to_string()),
                date: rfc3339(revocation.date.unix_timestamp()),
            }),
            Err(error) => Err(Refusal::CrlUnreadable {
                issuer: crl.index.metadata().issuer.clone(),
                detail: error.to_string(),
            }),
        }
    }

    fn deadline(&self, crl: &Crl) -> UnixTime {
        let next_update = u64::try_from(crl.next_update).unwrap_or(0);
        UnixTime::since_unix_epoch(Duration::from_secs(next_update).saturating_add(self.grace))
    }

    /// Every CRL, for metrics and the status of the process.
    pub fn crls(&self) -> impl Iterator<Item = &Crl> {
        self.by_issuer.values()
    }

    /// The CRLs that are past nextUpdate and grace at `now`.
    pub fn stale(&self, now: UnixTime) -> impl Iterator<Item = &Crl> {
        self.crls().filter(move |crl| now > self.deadline(crl))
    }
}

fn open(path: &Path, before: Option<&Crl>) -> Result<Crl, Invalid> {
    let unusable =
        |problem: &dyn fmt::Display, hint| Invalid::new(KEY, format!("{}: {problem}", path.display()), hint);
    let index = Index::open(path)
        .and_then(|index| index.check_crl().map(|()| index))
        .map_err(|error| unusable(&error.fault, error.fault.hint()))?;
    let next_update = index.metadata().next_update.map(OffsetDateTime::unix_timestamp).ok_or_else(|| {
        unusable(
            &"the CRL has no nextUpdate",
            "let the CA issue CRLs with one, as RFC 5280 §5.1.2.5 requires",
        )
    })?;
    if let Some(before) = before {
        refuse_rollback(&index, &before.index).map_err(|problem| {
            unusable(
                &problem,
                "publish a CRL with a higher number; to go back on purpose, restart with the older index",
            )
        })?;
    }
    Ok(Crl { path: path.to_owned(), index: Arc::new(index), next_update })
}

/// RFC 5280 §5.2.3: the CRL number only grows. An older CRL is a replay, and would let revoked clients back in.
fn refuse_rollback(new: &Index, old: &Index) -> Result<(), String> {
    let (new, old) = (new.metadata(), old.metadata());
    if new.issuer_id != old.issuer_id {
        return Ok(());
    }
    let number = |number: &Option<_>| number.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
    if new.crl_number < old.crl_number || new.this_update < old.this_update {
        return Err(format!(
            "rollback: CRL number {} of {} is older than {} of {}, which stays in force",
            number(&new.crl_number),
            rfc3339(new.this_update.unix_timestamp()),
            number(&old.crl_number),
            rfc3339(old.this_update.unix_timestamp()),
        ));
    }
    Ok(())
}

/// The age of `crl` in seconds: how long ago its thisUpdate was.
pub fn age(crl: &Crl, now: UnixTime) -> i64 {
    seconds(now) - crl.index.metadata().this_update.unix_timestamp()
}
