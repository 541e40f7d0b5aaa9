//! `postern explain`: decisions without a proxy that runs.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::process::run;
use crate::{Failure, binary, files};

/// The files that a decision rests on, and the moment it is about.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// `client_auth.trust_bundle`
    pub trust_bundle: &'a Path,
    /// The client's chain, PEM.
    pub chain: &'a Path,
    /// `revocation.crls`
    pub indexes: &'a [PathBuf],
    /// `revocation.crl_signers`
    pub crl_signers: &'a [PathBuf],
    /// RFC 3339; now if there is none.
    pub at: Option<&'a str>,
}

/// What `postern explain --format json` says, as far as it is needed.
#[derive(Deserialize)]
struct Explained {
    verdict: String,
    reason: Option<String>,
    detail: Option<String>,
}

impl Question<'_> {
    /// `accepted`, the refusal's name with its sentence, or what is wrong with the files.
    ///
    /// # Errors
    ///
    /// When `postern` cannot be run.
    pub fn ask(&self) -> Result<String, Failure> {
        let Self { trust_bundle, indexes, crl_signers, .. } = self;
        let config = format!(
            "[tls]\ncertificate = 'none'\nprivate_key = 'none'\n[client_auth]\ntrust_bundle = {trust_bundle:?}\n\
             [revocation]\ncrls = {indexes:?}\ncrl_signers = {crl_signers:?}\n[upstream]\naddress = 'none:443'\n"
        );
        let directory = files::temporary_directory()?;
        let path = directory.path().join("postern.toml");
        files::write(&path, config)?;
        let mut command = binary::command("postern")?;
        command.arg("explain").arg("--config").arg(path).arg("--chain").arg(self.chain);
        command.args(["--format", "json"]);
        if let Some(at) = self.at {
            command.args(["--at", at]);
        }
        let finished = run("postern explain", &mut command)?;
        let Ok(Explained { verdict, reason, detail }) = serde_json::from_str(&finished.stdout) else {
            return Ok(finished.stderr);
        };
        Ok(match (reason, detail) {
            (Some(reason), Some(detail)) => format!("{reason}: {detail}"),
            _ => verdict,
        })
    }
}
