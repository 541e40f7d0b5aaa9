//! The CRL indexes in force, and the question they answer: is this path revoked?

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crl_tool::{Gap, Index, IssuerError, IssuerId, PublicKey, Reasons, Subject};
use rustls_pki_types::{CertificateDer, UnixTime};
use time::OffsetDateTime;

use super::crl_signer::CrlSigner;
use super::path::Link;
use crate::clock::{rfc3339, seconds};
use crate::config::{Depth, Invalid, Revocation};
use crate::refusal::Refusal;

const KEY: &str = "revocation.crls";
const SIGNERS: &str = "revocation.require_signature_by";

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
    /// Who signs CRLs about certificates of other keys.
    crl_signers: Vec<CrlSigner>,
    report_only: bool,
}

impl Revocations {
    /// Opens every index. One that cannot be used, or is older than the one in force, is reported; what `last` had in its
    /// place stays, and so does every CRL that no file has any longer.
    pub(super) fn load(config: &Revocation, last: Option<&Self>) -> (Self, Vec<Invalid>) {
        let mut problems = Vec::new();
        let mut crl_signers = Vec::new();
        for file in &config.crl_signers {
            match CrlSigner::load(file) {
                Ok(signer) => crl_signers.push(signer),
                Err(problem) => problems.push(problem),
            }
        }
        // Without one of them, clients that it speaks for would be refused.
        if let Some(last) = last.filter(|_| !problems.is_empty()) {
            crl_signers.clone_from(&last.crl_signers);
        }
        let (depth, grace, report_only) = (config.depth, config.grace, config.report_only);
        let mut revocations = Self { depth, grace, by_issuer: HashMap::new(), crl_signers, report_only };
        let keys = signers(&config.require_signature_by).map_err(|problem| problems.push(problem));
        // Without the keys, nothing new can be believed.
        let (keys, paths) = match &keys {
            Ok(keys) => (keys.as_deref(), config.crls.as_slice()),
            Err(()) => (None, &[][..]),
        };
        for path in paths {
            match open(path, keys).and_then(|crl| revocations.refuse_older(crl, last)) {
                Ok(crl) => revocations.insert(crl),
                Err(problem) => problems.push(problem),
            }
        }
        for crl in last.into_iter().flat_map(Self::crls) {
            if revocations.like(crl).is_some() {
                continue;
            }
            if problems.is_empty() {
                let problem = format!("no file holds the CRL of {} any longer", crl.index.metadata().issuer);
                problems.push(Invalid::new(KEY, problem, "put its index back; to do without it, restart"));
            }
            revocations.insert(crl.clone());
        }
        (revocations, problems)
    }

    fn insert(&mut self, crl: Crl) {
        self.by_issuer.entry(crl.index.metadata().issuer_id).or_default().push(crl);
    }

    /// The CRL here that is of the same issuer and scope as `crl`.
    fn like(&self, crl: &Crl) -> Option<&Crl> {
        let metadata = crl.index.metadata();
        let crls = self.by_issuer.get(&metadata.issuer_id)?;
        crls.iter().find(|other| other.index.metadata().scope == metadata.scope)
    }

    /// Hands `crl` back if it may be taken beside those that are here already, in place of what `last` has.
    fn refuse_older(&self, crl: Crl, last: Option<&Self>) -> Result<Crl, Invalid> {
        if let Some(other) = self.like(&crl) {
            let (one, other) = (other.path.display(), crl.path.display());
            let problem = format!("{one} and {other} are both for {}", crl.index.metadata().issuer);
            return Err(Invalid::new(KEY, problem, "list one index for each issuer, or for each partition"));
        }
        // Whatever file it was in: files can be exchanged.
        if let Some(before) = last.and_then(|last| last.like(&crl)) {
            refuse_rollback(&crl.index, &before.index).map_err(|problem| {
                let hint =
                    "publish a CRL with a higher number; to go back on purpose, restart with the older index";
                Invalid::new(KEY, format!("{}: {problem}", crl.path.display()), hint)
            })?;
        }
        Ok(crl)
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
        self.check_path(links, chain, now, None)
    }

    /// As [`Self::check`]; `of_signer` says whose path it is, if not a client's.
    fn check_path(
        &self,
        links: &[Link],
        chain: &[CertificateDer<'_>],
        now: UnixTime,
        of_signer: Option<&CrlSigner>,
    ) -> Result<Option<UnixTime>, Refusal> {
        let checked = match self.depth {
            Depth::Chain => links.len(),
            Depth::Leaf => 1,
            Depth::Off => 0,
        };
        let mut good_until: Option<UnixTime> = None;
        for (place, certificate) in (0..links.len()).zip(chain).take(checked) {
            let path = links.get(place..).unwrap_or_default();
            let until = self.check_link(path, certificate, now, of_signer)?;
            good_until = Some(good_until.map_or(until, |earlier| earlier.min(until)));
        }
        Ok(good_until)
    }

    /// Asks each CRL that covers the certificate at the start of `path`. They count until the first of them becomes stale.
    fn check_link(
        &self,
        path: &[Link],
        certificate: &CertificateDer<'_>,
        now: UnixTime,
        of_signer: Option<&CrlSigner>,
    ) -> Result<UnixTime, Refusal> {
        let Some(link) = path.first() else {
            return Err(Refusal::BadCertificate { detail: "an empty path".to_owned() });
        };
        let serial = || link.serial.to_string();
        let own = self.by_issuer.get(&link.issuer).into_iter().flatten().map(|crl| (crl, None));
        // A signer's own certificate is covered by its CA's CRLs, never by another signer's: there is no end to who vouches for
        // whom otherwise. By its own only as an indirect CRL, which its certificate has to ask for.
        let signers = of_signer.map_or(self.crl_signers.as_slice(), std::slice::from_ref);
        let may_be =
            |signer: &CrlSigner| of_signer.is_none() || signer.id.name_sha256 != link.issuer.name_sha256;
        let signed_for_it =
            signers.iter().filter(|signer| signer.speaks_for(path) && may_be(signer)).flat_map(|signer| {
                self.by_issuer.get(&signer.id).into_iter().flatten().map(move |crl| (crl, Some(signer)))
            });
        let crls = own.chain(signed_for_it);
        let (mut subject, mut any) = (None, false);
        let (mut until, mut covered, mut gap) = (None, Reasons::NONE, Gap::NoCrl);
        for (crl, signer) in crls {
            any = true;
            // Only a scope, or another issuer, asks for more of the certificate than its serial.
            if subject.is_none() && (signer.is_some() || crl.index.metadata().scope.is_some()) {
                let refused = |error: IssuerError| Refusal::BadCertificate { detail: error.to_string() };
                subject = Some(Subject::from_der(certificate).map_err(refused)?);
            }
            let subject =
                subject.as_ref().filter(|_| signer.is_some() || crl.index.metadata().scope.is_some());
            match subject.map_or(Ok(Reasons::ALL), |subject| crl.index.covers(subject)) {
                Err(why) => gap = why,
                Ok(reasons) => {
                    // Before what it says counts. A signer that is being checked is not checked again.
                    let signer = signer.filter(|_| of_signer.is_none());
                    let signer_until =
                        signer.map(|signer| self.check_signer(crl, signer, now)).transpose()?;
                    let deadline = self.ask(crl, link, subject, now)?;
                    until = [until, signer_until, Some(deadline)].into_iter().flatten().min();
                    covered = covered.union(reasons);
                }
            }
        }
        match until {
            Some(until) if covered.is_all() => Ok(until),
            // RFC 5280 §6.3.3: as long as a reason is in no CRL, the status is undetermined.
            Some(_) => Err(Refusal::CrlNotCovering { serial: serial(), why: Gap::Reasons(covered) }),
            None if !any => Err(Refusal::CrlMissing { serial: serial() }),
            None => Err(Refusal::CrlNotCovering { serial: serial(), why: gap }),
        }
    }

    /// Whether `signer` may sign CRLs at `now`, and until when: its certificates are valid and not revoked themselves.
    fn check_signer(&self, crl: &Crl, signer: &CrlSigner, now: UnixTime) -> Result<UnixTime, Refusal> {
        let checked = signer.check_validity(now).and_then(|until| {
            let crls_until = self.check_path(&signer.links, &signer.chain, now, Some(signer))?;
            Ok(crls_until.map_or(until, |crls_until| crls_until.min(until)))
        });
        checked.map_err(|refusal| Refusal::CrlSignerRefused {
            issuer: crl.index.metadata().issuer.clone(),
            detail: refusal.to_string(),
        })
    }

    /// Whether a CRL that covers the certificate lists it; if not, until when that counts.
    fn ask(
        &self,
        crl: &Crl,
        link: &Link,
        subject: Option<&Subject>,
        now: UnixTime,
    ) -> Result<UnixTime, Refusal> {
        let deadline = self.deadline(crl);
        // RFC 5280 §6.3.3 (a): a CRL past its nextUpdate says nothing about now. Asked before the lookup, so that what a
        // stale CRL says depends on nothing but its age.
        if now > deadline {
            let issuer = crl.index.metadata().issuer.clone();
            return Err(Refusal::CrlStale { issuer, next_update: rfc3339(crl.next_update) });
        }
        let listed =
            subject.map_or_else(|| crl.index.listed(&link.serial), |subject| crl.index.lists(subject));
        match listed {
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

    /// Whether `refusal` is only to be reported. What is not about CRLs never is.
    pub(super) fn only_reports(&self, refusal: &Refusal) -> bool {
        self.report_only && refusal.is_about_revocation()
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

/// The keys of which one must have signed an index; `None` if no signature is asked for.
fn signers(files: &[PathBuf]) -> Result<Option<Vec<PublicKey>>, Invalid> {
    let mut keys = Vec::new();
    for path in files {
        let unusable = |problem: String, hint: &str| {
            Invalid::new(SIGNERS, format!("{}: {problem}", path.display()), hint)
        };
        let content = std::fs::read(path).map_err(|error| {
            let hint = "check the name (relative to the configuration file) and the permissions";
            unusable(format!("cannot be read: {error}"), hint)
        })?;
        let found = PublicKey::from_file_content(&content);
        keys.extend(found.map_err(|error| unusable(error.to_string(), error.hint()))?);
    }
    Ok(if files.is_empty() { None } else { Some(keys) })
}

fn open(path: &Path, signers: Option<&[PublicKey]>) -> Result<Crl, Invalid> {
    let unusable =
        |problem: &dyn fmt::Display, hint| Invalid::new(KEY, format!("{}: {problem}", path.display()), hint);
    let opened = match signers {
        Some(keys) => Index::open_signed(path, keys),
        None => Index::open(path),
    };
    let index = opened
        .and_then(|index| index.check_crl().map(|()| index))
        .map_err(|error| unusable(&error.fault, error.fault.hint()))?;
    let next_update = index.metadata().next_update.map(OffsetDateTime::unix_timestamp).ok_or_else(|| {
        let hint = "let the CA issue CRLs with one, as RFC 5280 §5.1.2.5 requires";
        unusable(&"the CRL has no nextUpdate", hint)
    })?;
    Ok(Crl { path: path.to_owned(), index: Arc::new(index), next_update })
}

/// A CRL never goes backwards.
fn refuse_rollback(new: &Index, old: &Index) -> Result<(), String> {
    let (new, old) = (new.metadata(), old.metadata());
    let number = |number: &Option<_>| number.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
    if new.is_older_than(old) {
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
