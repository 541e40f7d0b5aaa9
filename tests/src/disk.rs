//! A disk that is full when a test wants it to be.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::process::{Process, run};
use crate::{Failure, files};

/// What is left of each file that a process writes while its disk counts as full.
const LEFT: u64 = 100;

/// A directory on a disk of its own. Where none may be mounted, the processes that write there get a limit on the size of files
/// instead, which fails their writes halfway, too.
pub struct Disk {
    directory: tempfile::TempDir,
    mounted: bool,
}

impl Disk {
    /// A file system of one mebibyte in memory, if this user may mount one.
    ///
    /// # Errors
    ///
    /// When there is no place for a directory.
    pub fn mount() -> Result<Self, Failure> {
        let directory = files::temporary_directory()?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "postern-test"]).arg(directory.path());
        let mounted = run("mount", &mut mount).is_ok_and(|mount| mount.status.success());
        println!("{}: {}", directory.path().display(), if mounted { "mounted" } else { "limited" });
        Ok(Self { directory, mounted })
    }

    /// One that is never mounted.
    ///
    /// # Errors
    ///
    /// When there is no place for a directory.
    pub fn limited() -> Result<Self, Failure> {
        Ok(Self { directory: files::temporary_directory()?, mounted: false })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A program that is to write there. It lives through the signal that goes with the limit, as through a full disk.
    #[must_use]
    pub fn command(&self, program: &Command) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(program.get_program());
        command
    }

    /// From now on, there is no room for what `process` writes.
    ///
    /// # Errors
    ///
    /// When the process has ended.
    pub fn fill(&self, process: &Process) -> Result<(), Failure> {
        if !self.mounted {
            return limit(process, Some(LEFT));
        }
        let mut filler = File::create(self.filler())?;
        while filler.write_all(&[0; 4096]).is_ok() {}
        Ok(())
    }

    /// There is room again.
    ///
    /// # Errors
    ///
    /// As [`Disk::fill`].
    pub fn free(&self, process: &Process) -> Result<(), Failure> {
        if self.mounted { Ok(fs::remove_file(self.filler())?) } else { limit(process, None) }
    }

    /// The names of the files that are there, hidden ones included, in order.
    ///
    /// # Errors
    ///
    /// When the directory is gone.
    pub fn names(&self) -> Result<Vec<String>, Failure> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.path())? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.retain(|name| name != FILLER);
        names.sort();
        Ok(names)
    }

    fn filler(&self) -> PathBuf {
        self.path().join(FILLER)
    }
}

const FILLER: &str = "filler";

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted {
            // A disk that stays mounted for want of this is a mebibyte.
            let _ = run("umount", Command::new("umount").arg("--lazy").arg(self.path()));
        }
    }
}

fn limit(process: &Process, bytes: Option<u64>) -> Result<(), Failure> {
    let id = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
    let new = Rlimit { current: bytes, maximum: getrlimit(Resource::Fsize).maximum };
    prlimit(id, Resource::Fsize, new).map_err(std::io::Error::from)?;
    Ok(())
}
