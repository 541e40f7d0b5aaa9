//! A directory that goes with the process: at its end, or, if it is killed, when another one starts.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use tempfile::TempDir;

/// What the names begin with. Random characters follow.
const PREFIX: &str = "postern-copies-";
/// Directories that may be lost to somebody who takes them for left behind, in the moment before they are locked.
const ATTEMPTS: usize = 16;

/// The directory. It is locked as long as its process lives: the system takes the lock off, however that ends.
pub(super) struct Temporary {
    directory: TempDir,
    _lock: File,
}

impl Temporary {
    /// Makes one, and removes those that processes of the same user have left behind.
    pub(super) fn make() -> io::Result<Self> {
        Self::make_in(&std::env::temp_dir())
    }

    fn make_in(parent: &Path) -> io::Result<Self> {
        for _ in 0..ATTEMPTS {
            let directory = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
            let lock = File::open(directory.path())?;
            let ours = match lock.try_lock() {
                Ok(()) => lock.metadata()?.nlink() > 0,
                Err(TryLockError::WouldBlock) => false,
                // Where there are no locks, nobody takes it for left behind.
                Err(TryLockError::Error(_)) => true,
            };
            if ours {
                remove_left_behind(parent, lock.metadata()?.uid());
                return Ok(Self { directory, _lock: lock });
            }
        }
        Err(io::Error::other("another process removes what is being made"))
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// What cannot be removed is in nobody's way.
fn remove_left_behind(parent: &Path, user: u32) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_named = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        // Not what a link leads to: anybody may have put that there.
        let is_ours = || entry.metadata().is_ok_and(|it| it.is_dir() && it.uid() == user);
        if is_named
            && is_ours()
            && let Ok(directory) = File::open(entry.path())
            && directory.try_lock().is_ok()
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_behind_goes_and_what_a_living_one_uses_stays() {
        let parent = tempfile::tempdir().unwrap();
        let living = Temporary::make_in(parent.path()).unwrap();
        let left = parent.path().join(format!("{PREFIX}left"));
        fs::create_dir(&left).unwrap();
        File::create(left.join("a copy")).unwrap();
        let others = parent.path().join("others");
        fs::create_dir(&others).unwrap();
        let next = Temporary::make_in(parent.path()).unwrap();
        assert!(!left.exists() && others.exists());
        assert!(living.path().exists() && next.path().exists());
        let path = next.path().to_owned();
        drop(next);
        assert!(!path.exists());
    }
}
