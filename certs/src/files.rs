//! Writing several files so that no reader ever sees half of one.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::Error;

/// What to do about files that already exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwrite {
    /// Write nothing at all and fail.
    Refuse,
    /// Replace them, each at once.
    Replace,
}

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everyone, as far as the umask allows.
    Public,
    /// The owner alone, from the moment the file exists.
    Private,
}

/// Files written in full under temporary names, to be put in place together.
pub(crate) struct Staging {
    overwrite: Overwrite,
    files: Vec<(NamedTempFile, PathBuf)>,
}

impl Staging {
    /// Starts writing `paths`.
    ///
    /// # Errors
    /// [`Error::Exists`] when one of them is in the way; nothing has been touched then.
    pub(crate) fn new(overwrite: Overwrite, paths: &[&Path]) -> Result<Self, Error> {
        if overwrite == Overwrite::Refuse {
            // A dangling link counts as well: renaming onto it would replace it.
            let mut taken = paths.iter().filter(|path| path.symlink_metadata().is_ok());
            if let Some(first) = taken.next() {
                return Err(Error::Exists { first: first.to_path_buf(), count: 1 + taken.count() });
            }
        }
        Ok(Self { overwrite, files: Vec::new() })
    }

    /// Writes what `path` shall hold, next to it. Returns the temporary file's path.
    ///
    /// # Errors
    /// [`Error::Io`], or those of `content`.
    pub(crate) fn add(
        &mut self,
        path: &Path,
        access: Access,
        content: impl FnOnce(&mut dyn Write) -> Result<(), Error>,
    ) -> Result<PathBuf, Error> {
        let directory = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory).map_err(Error::io("create", directory))?;
        let mode = match access {
            Access::Public => 0o644,
            Access::Private => 0o600,
        };
        let file = tempfile::Builder::new()
            .prefix(".certs-")
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(directory)
            .map_err(Error::io("create a file in", directory))?;
        let mut out = BufWriter::new(file);
        content(&mut out)?;
        let file =
            out.into_inner().map_err(io::IntoInnerError::into_error).map_err(Error::io("write", path))?;
        file.as_file().sync_all().map_err(Error::io("write", path))?;
        let staged = file.path().to_owned();
        self.files.push((file, path.to_owned()));
        Ok(staged)
    }

    /// Puts every file in its place.
    ///
    /// # Errors
    /// [`Error::Io`]; the files before the one named are in place then.
    pub(crate) fn commit(self) -> Result<(), Error> {
        for (file, path) in self.files {
            let placed = match self.overwrite {
                Overwrite::Refuse => file.persist_noclobber(&path),
                Overwrite::Replace => file.persist(&path),
            };
            placed.map_err(|failed| Error::io("write", &path)(failed.error))?;
        }
        Ok(())
    }
}

/// Makes a directory, and those above it, that only the owner may enter.
pub(crate) fn private_directory(path: &Path) -> Result<(), Error> {
    if let Some(above) = path.parent() {
        fs::create_dir_all(above).map_err(Error::io("create", above))?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(taken) if taken.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(Error::io("create", path)),
    }
}
