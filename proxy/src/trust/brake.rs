//! The brake: a CRL that is signed and newer, and that changes more than an operator expects, waits for one.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use crl_tool::{EntriesError, Index, IssuerId, LookupError, OpenError};

use super::path::VerifiedPath;
use crate::config::Brake;

/// Why a CRL is held.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Held {
    #[error(
        "held: it drops {dropped} or more of the {of} entries of the one in force, which is over revocation.brake.max_dropped_percent"
    )]
    Drops { dropped: u64, of: u64 },
    #[error(
        "held: it revokes {revoked} of the {of} clients seen last, which is over revocation.brake.max_revoked_clients_percent"
    )]
    Revokes { revoked: usize, of: usize },
    #[error("held: it cannot be compared with the one in force: {0}")]
    Incomparable(String),
}

impl Brake {
    /// Whether `new` drops too much of `old`.
    pub(super) fn check_dropped(&self, old: &Index, new: &Index) -> Result<(), Held> {
        if self.max_dropped_percent >= 100 {
            return Ok(());
        }
        let of = old.metadata().entries;
        let share = of.saturating_mul(u64::from(self.max_dropped_percent)) / 100;
        let most = share.max(self.least_dropped.saturating_sub(1));
        let mut dropped = 0;
        let counted = old.each_entry(|entry| {
            if new.listed_of(entry.issuer, &entry.serial)?.is_none() {
                dropped += 1;
            }
            // The rest does not matter.
            if dropped > most { Err(Stop::Enough) } else { Ok(()) }
        });
        match counted {
            Ok(()) => Ok(()),
            Err(Stop::Enough) => Err(Held::Drops { dropped, of }),
            Err(Stop::Failed(error)) => Err(Held::Incomparable(error.to_string())),
        }
    }

    /// Whether `new` revokes too many of the clients that `old` lets in.
    pub(super) fn check_revoked(&self, recent: &Recent, old: &Index, new: &Index) -> Result<(), Held> {
        if self.max_revoked_clients_percent >= 100 {
            return Ok(());
        }
        let clients = recent.all();
        let revoked = clients.iter().filter(|path| path.is_listed_in(new) && !path.is_listed_in(old)).count();
        let of = clients.len();
        let over = revoked * 100 > of * usize::from(self.max_revoked_clients_percent);
        if over && revoked >= self.least_revoked_clients {
            Err(Held::Revokes { revoked, of })
        } else {
            Ok(())
        }
    }
}

/// Why the entries are not all gone through.
enum Stop {
    Enough,
    Failed(EntriesError),
}

impl From<OpenError> for Stop {
    fn from(error: OpenError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<LookupError> for Stop {
    fn from(error: LookupError) -> Self {
        Self::Failed(error.into())
    }
}

/// The clients that were let in last, each once, as far as the brake wants to know.
#[derive(Debug)]
pub(super) struct Recent {
    most: usize,
    clients: Mutex<Clients>,
}

type Name = (IssuerId, Vec<u8>);

#[derive(Debug, Default)]
struct Clients {
    paths: HashMap<Name, Arc<VerifiedPath>>,
    /// The first one goes first.
    order: VecDeque<Name>,
}

impl Recent {
    /// As many as `brake` looks at.
    pub(super) fn new(brake: &Brake) -> Self {
        let most = if brake.max_revoked_clients_percent >= 100 { 0 } else { brake.recent_clients };
        Self { most, clients: Mutex::default() }
    }

    /// Notes that a client was let in. Costs a comparison if nobody wants to know.
    pub(super) fn saw(&self, path: &VerifiedPath) {
        if self.most == 0 {
            return;
        }
        let Some(name) = path.name() else { return };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.paths.contains_key(&name) {
            return;
        }
        if clients.order.len() >= self.most
            && let Some(first) = clients.order.pop_front()
        {
            clients.paths.remove(&first);
        }
        clients.order.push_back(name.clone());
        clients.paths.insert(name, Arc::new(path.clone()));
    }

    fn all(&self) -> Vec<Arc<VerifiedPath>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).paths.values().cloned().collect()
    }
}
