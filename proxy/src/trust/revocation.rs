//! The CRL indexes in force, and the question they answer: is this path revoked?

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crl_tool::{Gap, Index, IssuerError, IssuerId, Reasons, Subject};
use rustls_pki_types::{CertificateDer, UnixTime};
use time::OffsetDateTime;

use super::path::{Link, seconds};
use crate::clock::rfc3339;
use crate::config::{Depth, Invalid, Revocation};
use crate::refusal::Refusal;

const KEY: &str = "revocation.indexes";

/// A CRL in force: an issuer's only one, or one of its partitions.
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
    by_issuer: HashMap<IssuerId, Vec<Crl>>,
}

impl Revocations {
    /// Opens every index. One that cannot be used is reported and, if `last` has one from the same file, stays as it was.
    pub(super) fn load(config: &Revocation, last: Option<&Self>) -> (Self, Vec<Invalid>) {
        let mut by_issuer: HashMap<IssuerId, Vec<Crl>> = HashMap::new();
        let mut problems = Vec::new();
        for path in &config.indexes {
            let before = last.and_then(|revocations| revocations.crls().find(|crl| crl.path == *path));
            let crl = match open(path, before) {
                Ok(crl) => crl,
                Err(problem) => {
                    problems.push(problem);
                    let Some(before) = before else { continue };
                    before.clone()
                }
            };
            let metadata = crl.index.metadata();
            let crls = by_issuer.entry(metadata.issuer_id).or_default();
            if let Some(other) = crls.iter().find(|other| other.index.metadata().scope == metadata.scope) {
                let (one, other, issuer) = (other.path.display(), path.display(), &metadata.issuer);
                let problem = format!("{one} and {other} are both for {issuer}");
                problems.push(Invalid::new(
                    KEY,
                    problem,
                    "list one index for each issuer, or for each partition",
                ));
            }
            crls.push(crl);
        }
        (Self { depth: config.depth, grace: config.grace, by_issuer }, problems)
    }

    /// Looks up each certificate of a path, whose DER is in `chain`. Answers until when the CRLs that were asked count; `None` if none was.
    ///
    /// No loaded CRL means that every certificate of that issuer is refused; so does a stale or an unreadable one, and
    /// one that is limited in scope to other certificates.
    pub(super) fn check(
        &self,
        links: &[Link],
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Option<UnixTime>, Refusal> {
        let checked = match self.depth {
            Depth::Chain => links.len(),
            Depth::Leaf => 1,
            Depth::Off => 0,
        };
        let mut good_until: Option<UnixTime> = None;
        for (link, certificate) in links.iter().zip(chain).take(checked) {
            let until = self.check_link(link, certificate, now)?;
            good_until = Some(good_until.map_or(until, |earlier| earlier.min(until)));
        }
        Ok(good_until)
    }

    /// Asks each CRL of the issuer that covers the certificate. They count until the first of them becomes stale.
    fn check_link(
        &self,
        link: &Link,
        certificate: &CertificateDer<'_>,
        now: UnixTime,
    ) -> Result<UnixTime, Refusal> {
        let serial = || link.serial.to_string();
        let crls =
            self.by_issuer.get(&link.issuer).ok_or_else(|| Refusal::CrlMissing { serial: serial() })?;
        // Only a scope asks for more of the certificate than its serial.
        let subject = if crls.iter().any(|crl| crl.index.metadata().scope.is_some()) {
            let refused = |error: IssuerError| Refusal::BadCertificate { detail: error.to_string() };
            Some(Subject::from_der(certificate).map_err(refused)?)
        } else {
            None
        };
        let (mut until, mut covered, mut gap) = (None, Reasons::NONE, Gap::NoCrl);
        for crl in crls {
            match subject.as_ref().map_or(Ok(Reasons::ALL), |subject| crl.index.covers(subject)) {
                Err(why) => gap = why,
                Ok(reasons) => {
                    let deadline = self.ask(crl, link, now)?;
                    until = Some(until.map_or(deadline, |earlier: UnixTime| earlier.min(deadline)));
                    covered = covered.union(reasons);
                }
            }
        }
        match until {
            Some(until) if covered.is_all() => Ok(until),
            // RFC 5280 §6.3.3: as long as a reason is in no CRL, the status is undetermined.
            Some(_) => Err(Refusal::CrlNotCovering { serial: serial(), why: Gap::Reasons(covered) }),
            None => Err(Refusal::CrlNotCovering { serial: serial(), why: gap }),
        }
    }

    /// Whether a CRL that covers the certificate lists it; if not, until when that counts.
    fn ask(&self, crl: &Crl, link: &Link, now: UnixTime) -> Result<UnixTime, Refusal> {
        let deadline = self.deadline(crl);
        // RFC 5280 §6.3.3 (a): a CRL past its nextUpdate says nothing about now. Asked before the lookup, so that what a
        // stale CRL says depends on nothing but its age.
        if now > deadline {
            let issuer = crl.index.metadata().issuer.clone();
            return Err(Refusal::CrlStale { issuer, next_update: rfc3339(crl.next_update) });
        }
        match crl.index.listed(&link.serial) {
            Ok(None) => Ok(deadline),
            Ok(Some(revocation)) => Err(Refusal::CertificateRevoked {
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
        self.by_issuer.values().flatten()
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
