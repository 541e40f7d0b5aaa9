//! What `tests/tools.sh` installed: programs of other makes.

use std::path::PathBuf;
use std::process::Command;

use crate::Failure;
use crate::process::mortal;

/// A program of the Python environment, or of the system.
///
/// # Errors
///
/// [`Failure::NoTool`] says how to install it.
pub fn path(name: &'static str) -> Result<PathBuf, Failure> {
    let target = std::env::current_exe()?;
    let environments = target.ancestors().map(|above| above.join("venv/bin"));
    let search = std::env::var_os("PATH").unwrap_or_default();
    // Debian keeps servers where only root looks.
    let system = std::env::split_paths(&search).chain([PathBuf::from("/usr/sbin")]);
    let mut candidates = environments.chain(system).map(|directory| directory.join(name));
    candidates.find(|candidate| candidate.is_file()).ok_or(Failure::NoTool { name })
}

/// A command that runs it, and whose process ends with the thread that starts it.
///
/// # Errors
///
/// As [`path`].
pub fn command(name: &'static str) -> Result<Command, Failure> {
    path(name).map(|program| mortal(&program))
}

/// Where the X.509 files of `cryptography-vectors` are.
///
/// # Errors
///
/// [`Failure::NoTool`] says how to install them.
pub fn vectors() -> Result<PathBuf, Failure> {
    let target = std::env::current_exe()?;
    let versions = target.ancestors().filter_map(|above| above.join("venv/lib").read_dir().ok());
    let directories = versions.flatten().flatten().map(|version| version.path());
    directories
        .map(|version| version.join("site-packages/cryptography_vectors/x509"))
        .find(|vectors| vectors.is_dir())
        .ok_or(Failure::NoTool { name: "cryptography-vectors" })
}
