//! The `crl-tool` binary.

use std::path::Path;

use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

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

/// What `crl-tool inspect --format json` says, as far as it is needed.
#[derive(Deserialize)]
struct Inspected {
    next_update: String,
}

/// When the CRL of an index is due for renewal.
///
/// # Errors
///
/// When the index cannot be used, or says no time.
pub fn next_update(index: &Path) -> Result<OffsetDateTime, Failure> {
    let mut command = binary::command("crl-tool")?;
    let text = run("crl-tool inspect", command.arg("inspect").arg(index).args(["--format", "json"]))?
        .success()?
        .stdout;
    let inspected = serde_json::from_str::<Inspected>(&text);
    let inspected = inspected.map_err(|source| Failure::Json {
        what: "what crl-tool inspect says",
        source,
        text: text.clone(),
    })?;
    OffsetDateTime::parse(&inspected.next_update, &Rfc3339)
        .map_err(|error| Failure::Missing(format!("a time ({error}) in {text}")))
}
