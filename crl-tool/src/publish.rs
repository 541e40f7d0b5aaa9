//! Publishing a file: readers see the old one or the new one, never a part.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A file in the making, beside the one it will replace. Dropping it leaves nothing behind. A killed process does leave its
/// draft behind, and the next draft for the same target removes it.
///
/// A draft is locked for as long as somebody writes it. The system takes the lock off a process that ends, however it
/// ends, which tells a draft that was left behind from one in the making.
#[derive(Debug)]
pub struct Draft {
    file: NamedTempFile,
    target: PathBuf,
}

/// How a draft's name ends.
const SUFFIX: &str = ".partial";
/// Random characters in a draft's name.
const RANDOM: usize = 6;
/// Drafts that may be lost to somebody who takes them for left behind, in the moment before they are locked.
const ATTEMPTS: usize = 16;

impl Draft {
    /// Starts a file that will become `target`.
    ///
    /// # Errors
    /// Its directory does not exist or cannot be written to.
    pub fn new(target: &Path) -> io::Result<Draft> {
        let directory = directory(target);
        let name = target.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidFilename))?;
        let mut prefix = OsString::from(".");
        prefix.push(name);
        remove_left_behind(directory, |name| is_draft(name, &prefix));
        for _ in 0..ATTEMPTS {
            // Indexes hold nothing secret, and the proxy reads them as another user. The umask still applies.
            let file = tempfile::Builder::new()
                .prefix(&prefix)
                .rand_bytes(RANDOM)
                .suffix(SUFFIX)
                .permissions(Permissions::from_mode(0o644))
                .tempfile_in(directory)?;
            let ours = match file.as_file().try_lock() {
                Ok(()) => file.as_file().metadata()?.nlink() > 0,
                Err(TryLockError::WouldBlock) => false,
                // Where there are no locks, nobody takes it for left behind.
                Err(TryLockError::Error(_)) => true,
            };
            if ours {
                return Ok(Draft { file, target: target.to_owned() });
            }
        }
        Err(io::Error::other("another process removes what is being written"))
    }

    /// Removes every draft in a directory that a killed process has left behind, whatever it was to become.
    pub fn clean(directory: &Path) {
        remove_left_behind(directory, |name| {
            let (bytes, end) = (name.as_bytes(), RANDOM + SUFFIX.len());
            let start = bytes.len().checked_sub(end).and_then(|length| bytes.get(..length));
            start.is_some_and(|start| start.starts_with(b".") && is_draft(name, OsStr::from_bytes(start)))
        });
    }

    /// The file to write to.
    #[must_use]
    pub fn file(&self) -> &File {
        self.file.as_file()
    }

    /// Makes the file durable and puts it in its place, both for good: a crash at any moment leaves the old file or
    /// the new one.
    ///
    /// # Errors
    /// Nothing was replaced, unless only making the directory durable failed.
    pub fn publish(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist(&self.target).map_err(|error| error.error)?;
        File::open(directory(&self.target))?.sync_all()
    }
}

/// Removes the drafts that nobody writes any longer. What cannot be removed is in nobody's way.
fn remove_left_behind(directory: &Path, is_ours: impl Fn(&OsStr) -> bool) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if !is_file || !is_ours(&entry.file_name()) {
            continue;
        }
        // Locked first: whoever made it in this very moment finds out, and makes another one.
        if let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_draft(name: &OsStr, prefix: &OsStr) -> bool {
    let random =
        name.as_bytes().strip_prefix(prefix.as_bytes()).and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()));
    random.is_some_and(|random| random.len() == RANDOM && random.iter().all(u8::is_ascii_alphanumeric))
}

fn directory(target: &Path) -> &Path {
    match target.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}
