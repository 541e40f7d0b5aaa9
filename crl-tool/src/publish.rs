//! Publishing a file: readers see the old one or the new one, never a part.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A file in the making, beside the one it will replace. Dropping it leaves nothing behind.
#[derive(Debug)]
pub struct Draft {
    file: NamedTempFile,
    target: PathBuf,
}

impl Draft {
    /// Starts a file that will become `target`.
    ///
    /// # Errors
    /// Its directory does not exist or cannot be written to.
    pub fn new(target: &Path) -> io::Result<Draft> {
        let directory = directory(target);
        let name = target.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidFilename))?;
        let mut prefix = std::ffi::OsString::from(".");
        prefix.push(name);
        // Indexes hold nothing secret, and the proxy reads them as another user. The umask still applies.
        let file = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(".partial")
            .permissions(Permissions::from_mode(0o644))
            .tempfile_in(directory)?;
        Ok(Draft { file, target: target.to_owned() })
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

fn directory(target: &Path) -> &Path {
    match target.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}
