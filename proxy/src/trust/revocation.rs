//! The CRL indexes in force, and the question they answer: is this path revoked?

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crl_tool::{Gap, Index, IssuerError, IssuerId, Metadata, Reasons, Subject};
use rustls_pki_types::{CertificateDer, UnixTime};
use time::OffsetDateTime;

use super::crl_signer::CrlSigner;
use super::path::Link;
use crate::clock::{rfc3339, seconds};
use crate::config::{Depth, Ladder, Revocation};
use crate::refusal::Refusal;
use crate::sources::Mark;

mod load;

/// What is said without a CRL holds until one is there, which is a new generation.
const EVER: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX / 2));

/// How far a CRL is on its way to being of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Freshness {
    /// Nothing to do.
    Fresh,
    /// Less than `revocation.warn_seconds` before its nextUpdate.
    Warn,
    /// After its nextUpdate, for `revocation.grace_seconds`.
    Grace,
    /// After that: its issuer's certificates are refused, unless `danger_allow_stale_crl` says otherwise.
    Stale,
}

impl Freshness {
    /// Every step, the best one first.
    pub const ALL: [Self; 4] = [Self::Fresh, Self::Warn, Self::Grace, Self::Stale];

    /// Its stable name.
    pub fn label(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Warn => "warn",
            Self::Grace => "grace",
            Self::Stale => "stale",
        }
    }
}

/// A CRL in force: an issuer's only one, or one of its partitions.
#[derive(Debug, Clone)]
pub struct Crl {
    /// Where it came from.
    pub origin: Arc<str>,
    /// Of the copy that it was made of.
    mark: Mark,
    /// Of what it was proved with.
    context: Arc<[Mark]>,
    /// The opened index.
    pub index: Arc<Index>,
    /// Its nextUpdate, in seconds since the Unix epoch. A CRL without one is not taken: it could never become stale.
    pub next_update: i64,
    /// Which version it is of what was there, if that is known.
    pub version: Option<Arc<str>>,
    /// When it was put where it came from, if that is known.
    pub modified: Option<OffsetDateTime>,
    /// When it was here.
    pub fetched: OffsetDateTime,
    /// Since when it is in force.
    pub since: OffsetDateTime,
}

impl Crl {
    /// Whose it is, and which partition.
    pub fn name(&self) -> String {
        let metadata = self.index.metadata();
        match &metadata.scope {
            Some(scope) => format!("{} ({scope})", metadata.issuer),
            None => metadata.issuer.clone(),
        }
    }

    /// The copy that it was made of, and what it was proved with.
    pub(super) fn made_of(&self) -> (Mark, &Arc<[Mark]>) {
        (self.mark, &self.context)
    }
}

/// Every CRL in force, by issuer.
#[derive(Debug)]
pub struct Revocations {
    depth: Depth,
    ladder: Ladder,
    by_issuer: HashMap<IssuerId, Vec<Crl>>,
    /// Who signs CRLs about certificates of other keys.
    crl_signers: Vec<CrlSigner>,
    report_only: bool,
}

impl Revocations {
    fn empty(settings: &Revocation, crl_signers: Vec<CrlSigner>) -> Self {
        Self {
            depth: settings.depth,
            ladder: settings.ladder,
            by_issuer: HashMap::new(),
            crl_signers,
            report_only: settings.report_only,
        }
    }

    /// Whether `other` says the same of every certificate: it is made of the same things.
    fn is_same(&self, other: &Self) -> bool {
        let in_both = |crl: &Crl| other.like(crl).is_some_and(|it| Arc::ptr_eq(&it.index, &crl.index));
        self.crls().count() == other.crls().count()
            && self.crls().all(in_both)
            && self.crl_signers == other.crl_signers
    }

    /// Itself without the CRLs of an issuer, by name.
    pub(super) fn without(&self, issuer: &str) -> Self {
        let mut rest = Self { by_issuer: HashMap::new(), crl_signers: self.crl_signers.clone(), ..*self };
        self.crls()
            .filter(|crl| crl.index.metadata().issuer != issuer)
            .for_each(|crl| rest.insert(crl.clone()));
        rest
    }

    /// Puts a CRL in the place of the one of the same issuer and scope.
    fn insert(&mut self, crl: Crl) {
        let (issuer, scope) = (crl.index.metadata().issuer_id, &crl.index.metadata().scope);
        let crls = self.by_issuer.entry(issuer).or_default();
        crls.retain(|other| other.index.metadata().scope != *scope);
        crls.push(crl);
    }

    /// The CRL here that is of the same issuer and scope as `crl`.
    fn like(&self, crl: &Crl) -> Option<&Crl> {
        let metadata = crl.index.metadata();
        let crls = self.by_issuer.get(&metadata.issuer_id)?;
        crls.iter().find(|other| other.index.metadata().scope == metadata.scope)
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
            None if !any && self.ladder.allow_missing => Ok(EVER),
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
            Err(_) if self.ladder.allow_unreadable => Ok(deadline),
            Err(error) => Err(Refusal::CrlUnreadable {
                issuer: crl.index.metadata().issuer.clone(),
                detail: error.to_string(),
            }),
        }
    }

    /// Until when a CRL counts, inclusive.
    fn deadline(&self, crl: &Crl) -> UnixTime {
        if self.ladder.allow_stale {
            return EVER;
        }
        let next_update = u64::try_from(crl.next_update).unwrap_or(0);
        UnixTime::since_unix_epoch(Duration::from_secs(next_update).saturating_add(self.ladder.grace))
    }

    /// On which step of the ladder a CRL is at `now`.
    pub fn freshness(&self, crl: &Crl, now: UnixTime) -> Freshness {
        let (due, now) = (crl.next_update, seconds(now));
        let after = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        if now > due.saturating_add(after(self.ladder.grace)) {
            Freshness::Stale
        } else if now > due {
            Freshness::Grace
        } else if now >= due.saturating_sub(after(self.ladder.warn)) && !self.ladder.warn.is_zero() {
            Freshness::Warn
        } else {
            Freshness::Fresh
        }
    }

    /// Whether `refusal` is only to be reported. What is not about CRLs never is.
    pub(super) fn only_reports(&self, refusal: &Refusal) -> bool {
        self.report_only && refusal.is_about_revocation()
    }

    /// Every CRL, for metrics and the status of the process.
    pub fn crls(&self) -> impl Iterator<Item = &Crl> {
        self.by_issuer.values().flatten()
    }

    /// What each CRL says of itself.
    pub(super) fn metadata(&self) -> Vec<&Metadata> {
        self.crls().map(|crl| crl.index.metadata()).collect()
    }

    /// The CRLs that are past nextUpdate and grace at `now`.
    pub fn stale(&self, now: UnixTime) -> impl Iterator<Item = &Crl> {
        self.crls().filter(move |crl| self.freshness(crl, now) == Freshness::Stale)
    }
}

/// The age of `crl` in seconds: how long ago its thisUpdate was.
pub fn age(crl: &Crl, now: UnixTime) -> i64 {
    seconds(now) - crl.index.metadata().this_update.unix_timestamp()
}
