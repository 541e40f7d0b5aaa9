//! Finding the binaries under test.

use std::path::PathBuf;
use std::process::Command;

use crate::Failure;

/// Where cargo put a binary of this workspace: beside the running executable, or above it when that is a test in `deps/`.
///
/// # Errors
///
/// [`Failure::NotBuilt`] says how to build it.
pub fn path(name: &'static str) -> Result<PathBuf, Failure> {
    let here = std::env::current_exe()?;
    let mut directory = here.parent().map(PathBuf::from).unwrap_or_default();
    if directory.ends_with("deps") {
        directory.pop();
    }
    let path = directory.join(name);
    if path.is_file() { Ok(path) } else { Err(Failure::NotBuilt { name, path }) }
}

/// A command that runs a binary of this workspace.
///
/// # Errors
///
/// As [`path`].
pub fn command(name: &'static str) -> Result<Command, Failure> {
    path(name).map(Command::new)
}
