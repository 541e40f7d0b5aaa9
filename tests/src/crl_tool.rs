//! The `crl-tool` binary.

use std::path::Path;

use crate::process::{Finished, run};
use crate::{Failure, binary};

/// Runs `crl-tool build`.
///
/// # Errors
///
/// When it cannot be run; any exit code is fine.
pub fn build(crl: &Path, issuer: &Path, out: &Path) -> Result<Finished, Failure> {
    let mut command = binary::command("crl-tool")?;
    command.arg("build").arg("--crl").arg(crl).arg("--issuer").arg(issuer).arg("--out").arg(out);
    run("crl-tool build", &mut command)
}
