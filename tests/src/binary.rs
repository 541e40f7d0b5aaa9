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
    built(name, directory()?.join(name))
}

/// `crl-tool` with the AWS SDK in it. `make test` builds it first, and puts it into a directory of its own.
///
/// # Errors
///
/// As [`path`].
pub fn crl_tool_with_aws() -> Result<Command, Failure> {
    built("crl-tool", directory()?.join("../aws/crl-tool")).map(Command::new)
}

/// `certs` with the AWS SDK in it.
///
/// # Errors
///
/// As [`crl_tool_with_aws`].
pub fn certs_with_aws() -> Result<Command, Failure> {
    built("certs", directory()?.join("../aws/certs")).map(Command::new)
}

/// `postern` with the AWS SDK in it.
///
/// # Errors
///
/// As [`crl_tool_with_aws`].
pub fn postern_with_aws() -> Result<Command, Failure> {
    built("postern", directory()?.join("../aws/postern")).map(Command::new)
}

fn directory() -> Result<PathBuf, Failure> {
    let here = std::env::current_exe()?;
    let mut directory = here.parent().map(PathBuf::from).unwrap_or_default();
    if directory.ends_with("deps") {
        directory.pop();
    }
    Ok(directory)
}

fn built(name: &'static str, path: PathBuf) -> Result<PathBuf, Failure> {
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
