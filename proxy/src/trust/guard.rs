//! What keeps a CRL out that is well-formed and signed, and what became of those that were kept out.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crl_tool::Metadata;

use super::brake::{Held, Recent};
use super::floors::{Behind, Floors, content, shown};
use super::revocation::Crl;
use crate::config::{Brake, Invalid, Revocation};
use crate::sources::Mark;

const KEY: &str = "revocation.crls";

/// Why something was not taken, as the label `reason` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It cannot be read, or is not proved.
    Unusable,
    /// It is older than what was in force.
    Rollback,
    /// It has the number of another one.
    Conflict,
    /// The brake waits for an operator.
    Held,
}

impl Why {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Unusable, Self::Rollback, Self::Conflict, Self::Held];

    /// Its stable name.
    pub fn label(self) -> &'static str {
        match self {
            Self::Unusable => "unusable",
            Self::Rollback => "rollback",
            Self::Conflict => "conflict",
            Self::Held => "held",
        }
    }
}

/// Something that was not taken. The last good stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotTaken {
    /// Why.
    pub why: Why,
    /// In words.
    pub problem: Invalid,
    /// Whether a process that has nothing else does not start.
    pub fatal: bool,
    /// Whether the same may be taken later: something is wrong with this machine, such as a full disk.
    pub again: bool,
    /// The CRL's issuer and content, if it came that far.
    pub crl: Option<Box<(String, [u8; 32])>>,
}

impl NotTaken {
    /// What this machine keeps from being taken.
    pub(super) fn for_now(problem: Invalid) -> Self {
        Self { again: true, ..Self::fatal(Why::Unusable, problem) }
    }

    pub(super) fn fatal(why: Why, problem: Invalid) -> Self {
        Self { why, problem, fatal: true, again: false, crl: None }
    }
}

/// What is remembered from one reload to the next.
#[derive(Debug)]
pub(super) struct Guard {
    pub(super) floors: Floors,
    brake: Brake,
    pub(super) recent: Arc<Recent>,
    approved: HashSet<[u8; 32]>,
    /// So that what was found to be of no use is not read again as long as neither it nor what it was judged by changes.
    refused: HashMap<Mark, (Arc<[Mark]>, NotTaken)>,
    /// Of CRLs in force, by content: another copy that turned out to be the same, so that it is not proved again, either.
    same: HashMap<[u8; 32], (Mark, Arc<[Mark]>)>,
}

impl Guard {
    pub(super) fn new(settings: &Revocation, recent: Arc<Recent>) -> Result<Self, Invalid> {
        let floors = Floors::load(settings.state_file.as_deref())?;
        let brake = settings.brake.clone();
        let (approved, refused, same) = (HashSet::new(), HashMap::new(), HashMap::new());
        Ok(Self { floors, brake, recent, approved, refused, same })
    }

    /// Whether `new` may take the place of `before`.
    pub(super) fn check(&self, new: &Crl, before: Option<&Crl>) -> Result<(), NotTaken> {
        let metadata = new.index.metadata();
        let content = content(metadata);
        let crl = Some(Box::new((metadata.issuer.clone(), content)));
        let refused = |why, problem: String, hint: &str| {
            let problem = Invalid::new(KEY, format!("{}: {problem}", new.origin), hint);
            NotTaken { crl: crl.clone(), ..NotTaken::fatal(why, problem) }
        };
        self.floors.check(metadata, before.map(|before| before.index.metadata())).map_err(|behind| {
            let (why, hint) = match &behind {
                Behind::Rollback { .. } => (
                    Why::Rollback,
                    "publish a CRL with a higher number; to go back on purpose: postern trust clear, or, before a start, \
                     remove its entry in revocation.state_file",
                ),
                Behind::Conflict { .. } => {
                    (Why::Conflict, "find out who signed the other one; publish a CRL with a higher number")
                }
            };
            refused(why, behind.to_string(), hint)
        })?;
        let Some(before) = before.filter(|before| super::floors::content(before.index.metadata()) != content)
        else {
            return Ok(());
        };
        if self.approved.contains(&content) {
            return Ok(());
        }
        let held = |held: Held| {
            let number = shown(metadata.crl_number);
            let problem = format!("CRL number {number} of {} is {held}", metadata.issuer);
            refused(
                Why::Held,
                problem,
                "compare the two (crl-tool diff); if it is right: postern trust approve",
            )
        };
        self.brake.check_dropped(&before.index, &new.index).map_err(held)?;
        self.brake.check_revoked(&self.recent, &before.index, &new.index).map_err(held)
    }

    /// Why a copy was refused, if it was, and would be again.
    pub(super) fn has_refused(&self, mark: Mark, context: &Arc<[Mark]>) -> Option<NotTaken> {
        let (under, not_taken) = self.refused.get(&mark)?;
        (under == context).then(|| not_taken.clone())
    }

    /// Remembers that a copy was refused, if it would be again.
    pub(super) fn remember(&mut self, mark: Mark, context: &Arc<[Mark]>, not_taken: &NotTaken) {
        if !not_taken.again {
            self.refused.insert(mark, (context.clone(), not_taken.clone()));
        }
    }

    /// Whether a copy is `crl`, as far as it was proved under `context`.
    pub(super) fn is_proved(&self, mark: Mark, context: &Arc<[Mark]>, crl: &Crl) -> bool {
        let content = content(crl.index.metadata());
        crl.made_of() == (mark, context)
            || self.same.get(&content).is_some_and(|same| same.0 == mark && same.1 == *context)
    }

    /// Remembers that the copy that `other` was made of is the CRL in force.
    pub(super) fn remember_same(&mut self, other: &Crl) {
        let (mark, context) = other.made_of();
        self.same.insert(content(other.index.metadata()), (mark, context.clone()));
    }

    /// Forgets what is remembered of CRLs that are not in force.
    pub(super) fn forget_same(&mut self, in_force: &[&Metadata]) {
        let in_force: HashSet<_> = in_force.iter().map(|metadata| content(metadata)).collect();
        self.same.retain(|content, _| in_force.contains(content));
    }

    /// The copies that cannot be used, whatever is in force.
    pub(super) fn unusable(&self) -> Vec<Mark> {
        let unusable = self.refused.iter().filter(|(_, (_, refused))| refused.why == Why::Unusable);
        unusable.map(|(mark, _)| *mark).collect()
    }

    /// Forgets what is not refused any longer.
    pub(super) fn forget_others(&mut self, not_taken: &[NotTaken]) {
        self.refused.retain(|_, (_, refused)| not_taken.iter().any(|it| it.problem == refused.problem));
    }

    /// Lets those of `held` in that are by `issuer`, or all. Answers whose they are.
    pub(super) fn approve(&mut self, held: &[NotTaken], issuer: Option<&str>) -> Vec<String> {
        let mut issuers = Vec::new();
        for crl in held.iter().filter(|it| it.why == Why::Held).filter_map(|it| it.crl.as_ref()) {
            let (of, content) = &**crl;
            if issuer.is_none_or(|issuer| issuer == of) {
                self.approved.insert(*content);
                self.refused
                    .retain(|_, (_, refused)| refused.crl.as_ref().is_none_or(|crl| crl.1 != *content));
                issuers.push(of.clone());
            }
        }
        issuers
    }

    /// Forgets the floors of an issuer. Answers how many there were.
    pub(super) fn clear(&mut self, issuer: &str) -> Result<usize, Invalid> {
        self.refused.clear();
        self.floors.clear(issuer)
    }
}
