//! A proxy of any make, ours or another, in front of the same upstream with the same CRLs.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use postern_tests::pki::Pki;
use postern_tests::postern::{Config, Postern};
use postern_tests::process::{Process, Signal};
use postern_tests::{Failure, binary, files, proc};

use crate::arena::{Subject, pinned};
use crate::comparison::BARE;
use crate::lists::List;
use crate::rival::{Make, Rival, Work};

/// Where a proxy stands and what it goes by.
#[derive(Clone, Copy)]
pub(crate) struct Post<'a> {
    pub(crate) pki: &'a Pki,
    pub(crate) upstream: SocketAddr,
    pub(crate) list: &'a List,
    pub(crate) core: &'a str,
    /// Whether it will get another list. Some makes need more processes for that.
    pub(crate) will_swap: bool,
}

/// Who is measured.
#[derive(Clone, Copy)]
pub(crate) enum Who {
    Postern,
    Rival(Make, Work),
}

/// A running one. Dropping it ends it.
pub(crate) enum Contestant {
    Postern(Box<Own>),
    Rival(Box<Rival>),
}

/// A postern with an index of its own.
pub(crate) struct Own {
    postern: Postern,
    index: PathBuf,
    started: Instant,
    _home: tempfile::TempDir,
}

impl Who {
    /// Postern, and all others at the same work and at less.
    pub(crate) fn all() -> Vec<Self> {
        let others = [Work::Same, Work::Bare].map(|work| Make::ALL.map(|make| Self::Rival(make, work)));
        [&[Self::Postern], others.as_flattened()].concat()
    }

    /// Postern, and all others where the work for a request does not count: with none of it.
    pub(crate) fn bare() -> Vec<Self> {
        let others = Make::ALL.map(|make| Self::Rival(make, Work::Bare));
        [&[Self::Postern][..], &others].concat()
    }

    pub(crate) fn name(self) -> String {
        match self {
            Self::Postern => "postern".to_owned(),
            Self::Rival(make, Work::Same) => make.name().to_owned(),
            Self::Rival(make, Work::Bare) => format!("{}{BARE}", make.name()),
        }
    }

    /// Starts it and waits until it listens.
    pub(crate) fn start(self, post: &Post<'_>) -> Result<Contestant, Failure> {
        match self {
            Self::Rival(make, work) => Ok(Contestant::Rival(Box::new(Rival::start(make, work, post)?))),
            Self::Postern => Ok(Contestant::Postern(Box::new(Own::start(post)?))),
        }
    }
}

impl Contestant {
    /// It, to be measured.
    pub(crate) fn subject(&self) -> Subject {
        match self {
            Self::Postern(own) => Subject { pid: own.postern.process().id(), address: own.postern.address() },
            Self::Rival(rival) => rival.subject(),
        }
    }

    /// When its process was.
    pub(crate) fn started(&self) -> Instant {
        match self {
            Self::Postern(own) => own.started,
            Self::Rival(rival) => rival.started,
        }
    }

    /// Proportional memory of all of its processes, of which some makes have more while they change over.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let own = match self {
            Self::Postern(own) => vec![own.postern.process().id()],
            Self::Rival(rival) => rival.processes(),
        };
        let children: Vec<_> = own.iter().flat_map(|&pid| proc::children(pid).unwrap_or_default()).collect();
        // One that has ended has none.
        let all = own
            .into_iter()
            .chain(children)
            .map(|pid| proc::proportional_memory_bytes(pid).unwrap_or_default());
        all.sum()
    }

    /// Puts another list in the place of its own, and tells it; since when.
    pub(crate) fn swap(&mut self, pki: &Pki, list: &List) -> Result<Instant, Failure> {
        match self {
            Self::Postern(own) => own.swap(list),
            Self::Rival(rival) => rival.swap(pki, list),
        }
    }
}

impl Own {
    fn start(post: &Post<'_>) -> Result<Self, Failure> {
        let home = files::temporary_directory()?;
        let index = home.path().join("intermediate.crlx");
        std::fs::hard_link(&post.list.index, &index)?;
        let config = Config::new(post.pki, post.upstream)
            .raw("listen.workers", 1)
            .raw("revocation.crls", List::configured(post.pki, &index));
        let mut command = pinned(&binary::path("postern")?, post.core);
        // The access log is written, but nobody reads it here.
        let started = Instant::now();
        let postern = Postern::start_as(&config, &mut command, Process::spawn_unheard)?;
        Ok(Self { postern, index, started, _home: home })
    }

    fn swap(&self, list: &List) -> Result<Instant, Failure> {
        let new = self.index.with_extension("new");
        // No copy: it would be half a gigabyte, and nothing else could be done meanwhile.
        std::fs::hard_link(&list.index, &new)?;
        let start = Instant::now();
        std::fs::rename(&new, &self.index)?;
        // It looks at its files once a second; the others want to be told, so it is told, too.
        self.postern.process().signal(Signal::HUP)?;
        Ok(start)
    }
}
