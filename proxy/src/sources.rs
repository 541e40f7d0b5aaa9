//! What the proxy's trust is made of, wherever it comes from: one copy of each source, and whether it has changed since.
//!
//! A copy has a mark. As long as the mark stays, so does the content, so that a look at a hundred sources that have not
//! changed costs a hundred questions and nothing else. What is in S3 is asked for by its ETag, a file by its identity.

mod at_once;
mod cache;
mod look;
mod places;
mod temporary;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crl_tool::{Courier, DownloadFault, Terms};
use thiserror::Error;
use time::OffsetDateTime;

use self::at_once::at_once;
use self::cache::Cache;
use self::places::{Keep, places};
pub use crate::config::Place;
use crate::config::{self, Config, Invalid, Source};

/// Tells one content of a source from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mark(u64);

/// What a source had when it was last looked at.
#[derive(Debug, Clone)]
pub struct Copy {
    /// Another one for another content.
    pub mark: Mark,
    /// Where it comes from, for people.
    pub origin: Arc<str>,
    /// Whether it came from elsewhere, so that it has to be proved.
    pub remote: bool,
    /// Where the content is now.
    pub content: Content,
    /// Which of the versions that the source keeps, if it keeps any and came from there in this process.
    pub version: Option<Arc<str>>,
    /// When it was put there, if the source says so.
    pub modified: Option<OffsetDateTime>,
    /// When it was here.
    pub fetched: OffsetDateTime,
}

/// Where a copy is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// In a file: the source itself, or a copy on this machine.
    File(PathBuf),
    /// In memory: what is small, and what must not be on any disk.
    Bytes(Arc<[u8]>),
}

/// Why nothing was brought from a source.
#[derive(Debug, Error)]
pub enum SourceFault {
    /// A file of this machine.
    #[error("cannot be read: {0}")]
    File(std::io::Error),
    /// Something of AWS.
    #[error(transparent)]
    Download(#[from] DownloadFault),
    /// The copy.
    #[error("cannot be copied to {}: {error}", .directory.display())]
    Copy {
        /// `sources.directory`
        directory: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
}

impl SourceFault {
    /// How to go on, in one sentence.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::File(_) => "check the name (relative to the configuration file) and the permissions",
            Self::Download(DownloadFault::NotBuilt { .. }) => "use a build of postern with --features aws",
            Self::Download(DownloadFault::TooLarge { .. } | DownloadFault::Announced { .. }) => {
                "raise sources.max_bytes if that is the right object"
            }
            Self::Download(DownloadFault::Late { .. }) => {
                "raise sources.timeout_ms if the network is that slow"
            }
            Self::Download(fault) => fault.hint(),
            Self::Copy { .. } => "check the space and the permissions of sources.directory, or of TMPDIR",
        }
    }
}

/// What came of a look at a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// It has what it had.
    Unchanged,
    /// It has something else, of which there is a copy now.
    Changed,
    /// Nobody knows. The copy stays.
    Failed,
}

/// What is known of a place.
#[derive(Default)]
struct Held {
    /// What it calls its content.
    tag: Option<String>,
    /// SHA-256 of the last copy, if it came to this process.
    digest: Option<[u8; 32]>,
    copies: Vec<Copy>,
    /// How many copies of an earlier process may be needed, until it is known which one is in force.
    recalled: usize,
    doubt: Option<Doubt>,
    /// Of a prefix: the places below it.
    members: Vec<Place>,
    fault: Option<Arc<SourceFault>>,
    /// When it last answered.
    answered: Option<OffsetDateTime>,
}

/// What came cannot be used, and may not be what is there: a name for it, such as an ETag, says nothing then, and it is asked for in
/// full. Not every time: it can be large.
struct Doubt {
    /// When.
    next: Instant,
    pause: Duration,
}

/// Something to look at again and again.
#[derive(Debug, Clone)]
pub struct Watched {
    place: Place,
    keep: Keep,
}

impl Watched {
    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }
}

/// How a source is, for the status page.
#[derive(Debug)]
pub struct SourceStatus {
    /// The key that names it.
    pub key: String,
    /// Where it is.
    pub place: String,
    /// When it last answered.
    pub answered: Option<OffsetDateTime>,
    /// Why it did not the last time.
    pub fault: Option<Arc<SourceFault>>,
}

/// Every source that the configuration names.
pub struct Sources {
    settings: config::Sources,
    courier: Courier,
    cache: Cache,
    places: Vec<(Source, Keep)>,
    held: Mutex<HashMap<Place, Held>>,
    marks: AtomicU64,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sources")
    }
}

impl Sources {
    /// Those of `config`, each looked at once.
    ///
    /// # Errors
    ///
    /// There is no place for copies.
    pub fn open(config: &Config) -> Result<Self, Invalid> {
        let settings = config.sources.clone();
        let terms = Terms {
            max_bytes: settings.max_bytes,
            timeout: settings.timeout,
            authenticated: true,
            s3_path_style: settings.s3_path_style,
        };
        let places = places(config);
        let cache = Cache::open(settings.directory.as_deref()).map_err(|(directory, error)| {
            let problem = format!("{}: cannot be written to: {error}", directory.display());
            Invalid::new("sources.directory", problem, "give a directory that the proxy may write to")
        })?;
        let (courier, held, marks) = (Courier::new(terms), Mutex::default(), AtomicU64::new(1));
        let sources = Self { settings, courier, cache, places, held, marks };
        sources.look_at_all(false);
        Ok(sources)
    }

    /// Looks at every source, and takes every file for changed if it is to be read `again`.
    pub fn look_at_all(&self, again: bool) {
        let is_file = |(source, _): &&(Source, Keep)| matches!(source.place, Place::File(_));
        let (files, others): (Vec<_>, Vec<_>) = self.places.iter().partition(is_file);
        for (source, keep) in files {
            self.look(&source.place, *keep, again);
        }
        // One that does not answer keeps no other waiting.
        at_once(&others, |(source, keep)| {
            self.look(&source.place, *keep, again);
        });
    }

    /// The copy of a source that is one thing.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn copy(&self, source: &Source) -> Result<Copy, Invalid> {
        let held = self.held();
        let known = held.get(&source.place);
        let copy = known.and_then(|known| known.copies.last().cloned());
        copy.ok_or_else(|| absent(source, &source.place, known.and_then(|known| known.fault.as_deref())))
    }

    /// The content of a small source, and its mark.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn read(&self, source: &Source) -> Result<(Mark, Arc<[u8]>), Invalid> {
        let copy = self.copy(source)?;
        match copy.content {
            Content::Bytes(bytes) => Ok((copy.mark, bytes)),
            Content::File(path) => match std::fs::read(path) {
                Ok(bytes) => Ok((copy.mark, bytes.into())),
                Err(error) => Err(absent(source, &source.place, Some(&SourceFault::File(error)))),
            },
        }
    }

    /// The copies of what a source of CRLs has: of each thing its earlier ones, where they are not known to be of no use, and then
    /// the last one.
    pub fn copies(&self, source: &Source) -> Vec<Result<Vec<Copy>, Invalid>> {
        let held = self.held();
        let of = |place: &Place| match held.get(place) {
            Some(known) if !known.copies.is_empty() => Ok(known.copies.clone()),
            known => Err(absent(source, place, known.and_then(|known| known.fault.as_deref()))),
        };
        match held.get(&source.place) {
            Some(prefix) if matches!(source.place, Place::Prefix { .. }) => {
                let mut all: Vec<_> = prefix.members.iter().map(of).collect();
                if all.is_empty() {
                    all.push(Err(absent(source, &source.place, prefix.fault.as_deref())));
                }
                all
            }
            Some(_) | None => vec![of(&source.place)],
        }
    }

    /// What is in force now is what has these marks: earlier copies of the same things are of no use any longer.
    pub fn settle(&self, in_force: &[Mark]) {
        for known in self.held().values_mut() {
            let Some(at) = known.copies.iter().rposition(|copy| in_force.contains(&copy.mark)) else {
                continue;
            };
            known.recalled = 0;
            let stays = known.copies.get(at).map(|copy| copy.content.clone());
            for copy in known.copies.drain(..at).filter(|copy| Some(&copy.content) != stays.as_ref()) {
                self.cache.forget(&copy.content);
            }
        }
    }

    /// That these copies, and what sources of these keys have, cannot be used. Answers whether that is news of any, and may be otherwise
    /// when it is asked for again.
    pub fn doubt(&self, marks: &[Mark], keys: &[&str]) -> bool {
        let mut held = self.held();
        let mut news = false;
        for (source, _) in &self.places {
            let named = keys.contains(&&*source.key) && !matches!(source.place, Place::Prefix { .. });
            let members = held.get(&source.place).map(|known| known.members.clone()).unwrap_or_default();
            for place in std::iter::once(&source.place).chain(&members) {
                let (Some(known), Place::Remote(_)) = (held.get_mut(place), place) else { continue };
                let last = known.copies.last();
                if last.is_none_or(|last| !named && !marks.contains(&last.mark)) {
                    known.doubt = None;
                } else if known.doubt.is_none() {
                    known.doubt = Some(Doubt { next: Instant::now(), pause: self.settings.interval });
                    news = true;
                }
            }
        }
        news
    }

    /// A new file without a name for what is made of a copy.
    ///
    /// # Errors
    ///
    /// There is no room, or no permission.
    pub fn scratch(&self) -> std::io::Result<std::fs::File> {
        self.cache.scratch()
    }

    /// The most bytes of one object.
    pub fn max_bytes(&self) -> u32 {
        u32::try_from(self.settings.max_bytes).unwrap_or(u32::MAX)
    }

    /// What there is to look at again and again.
    pub fn watched(&self) -> Vec<Watched> {
        self.places
            .iter()
            .map(|(source, keep)| Watched { place: source.place.clone(), keep: *keep })
            .collect()
    }

    /// Looks at one of them.
    pub fn look_again(&self, watched: &Watched) -> Look {
        self.look(&watched.place, watched.keep, false)
    }

    /// The sources that have a copy and whose last look failed, in the words of the configuration's problems. Each has a name that
    /// stays the same, however it fails.
    pub fn faults(&self) -> Vec<(String, Invalid)> {
        let held = self.held();
        let mut faults = Vec::new();
        for (source, _) in &self.places {
            let Some(known) = held.get(&source.place) else { continue };
            let below = known.members.iter().filter_map(|place| Some((place, held.get(place)?)));
            for (place, known) in std::iter::once((&source.place, known)).chain(below) {
                // Without anything, whoever wants it says so.
                let has_any = !known.copies.is_empty() || !known.members.is_empty();
                if let Some(fault) = known.fault.as_deref().filter(|_| has_any) {
                    faults.push((format!("{}: {place}", source.key), absent(source, place, Some(fault))));
                }
            }
        }
        faults
    }

    /// How each source is.
    pub fn status(&self) -> Vec<SourceStatus> {
        let held = self.held();
        let status = |(source, _): &(Source, Keep)| {
            let known = held.get(&source.place);
            let of_member =
                |known: &Held| known.members.iter().find_map(|place| held.get(place)?.fault.clone());
            SourceStatus {
                key: source.key.clone(),
                place: source.place.to_string(),
                answered: known.and_then(|known| known.answered),
                fault: known.and_then(|known| known.fault.clone().or_else(|| of_member(known))),
            }
        };
        self.places.iter().map(status).collect()
    }

    fn new_mark(&self) -> Mark {
        Mark(self.marks.fetch_add(1, Ordering::Relaxed))
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Place, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn absent(source: &Source, place: &Place, fault: Option<&SourceFault>) -> Invalid {
    match fault {
        Some(fault) => Invalid::new(&source.key, format!("{place}: {fault}"), fault.hint()),
        None => Invalid::new(
            &source.key,
            format!("{place}: there is nothing"),
            "put something there: a CRL, or an index of one",
        ),
    }
}
