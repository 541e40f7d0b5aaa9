//! Files of a test's own directory.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::Failure;

/// Writes a file, replacing what was there. For test directories only: nothing is synced.
///
/// # Errors
///
/// [`Failure::File`] with the path.
pub fn write(path: &Path, contents: impl AsRef<[u8]>) -> Result<(), Failure> {
    File::create(path)
        .and_then(|mut file| file.write_all(contents.as_ref()))
        .map_err(|source| at(path, source))
}

/// Reads a whole file.
///
/// # Errors
///
/// [`Failure::File`] with the path.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|source| at(path, source))
}

/// Copies a file, replacing what was there.
///
/// # Errors
///
/// [`Failure::File`] with the path copied from.
pub fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::copy(from, to).map(|_| ()).map_err(|source| at(from, source))
}

/// A temporary directory, removed when dropped.
///
/// # Errors
///
/// [`Failure::File`] with the parent directory.
pub fn temporary_directory() -> Result<tempfile::TempDir, Failure> {
    tempfile::Builder::new()
        .prefix("postern-test-")
        .tempdir()
        .map_err(|source| at(&std::env::temp_dir(), source))
}

fn at(path: &Path, source: std::io::Error) -> Failure {
    Failure::File { path: path.to_owned(), source }
}
