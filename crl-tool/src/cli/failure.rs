//! How a command fails: one sentence, and one that says how to go on.

use super::style::Style;
use super::transfer;
use crl_tool::{
    BuildError, CrlError, DownloadFault, EntriesError, LookupError, OpenError, Problem, ProofError, SealError,
};
use std::io;
use std::path::Path;

/// The exit code of every failure. 1 is a lookup's answer.
pub(crate) const CODE: u8 = 2;

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: &'static str,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>, hint: &'static str) -> Failure {
        Failure { message: message.into(), hint }
    }

    /// What went wrong.
    #[cfg(feature = "lambda")]
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// How to go on.
    #[cfg(feature = "lambda")]
    pub(crate) fn hint(&self) -> &'static str {
        self.hint
    }

    /// For `map_err`: `verb` a file failed.
    pub(crate) fn io(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Failure {
        let shown = transfer::name(path);
        move |error: io::Error| {
            if let Some(Problem::Download(fault)) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
                return Failure::download(&shown, fault);
            }
            Failure::new(format!("{shown}: cannot {verb}: {error}"), "check the path and its permissions")
        }
    }

    /// A download failed.
    pub(crate) fn download(shown: &str, fault: &DownloadFault) -> Failure {
        Failure::new(format!("{shown}: {fault}"), fault.hint())
    }

    /// Prints it to standard error.
    pub(crate) fn report(&self, style: Style) {
        if style.is_json() {
            eprintln!("{}", serde_json::json!({ "error": self.message, "hint": self.hint }));
            return;
        }
        eprintln!("crl-tool: {}\n  hint: {}", self.message, self.hint);
    }
}

impl Failure {
    /// For `map_err`: no index was built at `out`.
    pub(crate) fn building(out: &Path) -> impl FnOnce(BuildError) -> Failure {
        move |error| {
            if let BuildError::Io(error) = error { Failure::io("write", out)(error) } else { error.into() }
        }
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Failure {
        Failure::new(error.to_string(), error.hint())
    }
}

impl From<CrlError> for Failure {
    fn from(error: CrlError) -> Failure {
        Failure::new(error.to_string(), error.problem.hint())
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Failure {
        Failure::new(error.to_string(), error.fault.hint())
    }
}

impl From<ProofError> for Failure {
    fn from(error: ProofError) -> Failure {
        Failure::new(error.to_string(), error.hint())
    }
}

impl From<SealError> for Failure {
    fn from(error: SealError) -> Failure {
        Failure::new(error.to_string(), error.hint())
    }
}

impl From<LookupError> for Failure {
    fn from(error: LookupError) -> Failure {
        Failure::new(error.to_string(), "treat the certificate as revoked, and build the index again")
    }
}

impl From<EntriesError> for Failure {
    fn from(error: EntriesError) -> Failure {
        Failure::new(error.to_string(), error.hint())
    }
}

/// Writing to standard output failed.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::new(format!("standard output: cannot write: {error}"), "check where it goes to")
    }
}
