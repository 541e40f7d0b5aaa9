//! The one error of the harness: what it could not do, in a sentence.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// What a scenario returns, so that `?` ends it.
pub type Outcome = Result<(), Failure>;

/// Why the harness could not do what a scenario asked for.
#[derive(thiserror::Error)]
pub enum Failure {
    /// A binary under test is not where cargo puts it.
    #[error("`{name}` is not built: run `make test`, or first `cargo build --workspace --bins` (looked for {})", path.display())]
    NotBuilt {
        /// The binary.
        name: &'static str,
        /// Where it should be.
        path: PathBuf,
    },
    /// A program that is not ours is not installed.
    #[error("`{name}` is not installed: run `make test`, or first `tests/tools.sh target`")]
    NoTool {
        /// The program.
        name: &'static str,
    },
    /// A program could not be started, signalled or waited for.
    #[error("cannot {action} {program}: {source}")]
    Process {
        /// `start`, `signal`, …
        action: &'static str,
        /// The program.
        program: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A program ended when it should not have, or with the wrong code.
    #[error("{program} ended with {status}; it said:\n{output}")]
    Exited {
        /// The program.
        program: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// Its standard error and output.
        output: String,
    },
    /// Something awaited did not happen in time.
    #[error("waited {limit:?} in vain for {awaited}{context}")]
    Deadline {
        /// What was awaited.
        awaited: String,
        /// For how long.
        limit: Duration,
        /// What was seen meanwhile.
        context: String,
    },
    /// Another program listens where ours should.
    #[error(
        "cannot listen on {address}: {source} (stop the program that has it, or choose another with {flag})"
    )]
    AddressTaken {
        /// The address.
        address: std::net::SocketAddr,
        /// The argument that changes it.
        flag: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file could not be read or written.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A server of the playground is gone.
    #[error("a server ended on its own; its last words are above")]
    ServerEnded,
    /// A connection to a server under test failed.
    #[error("connection: {0}")]
    Connection(#[from] io::Error),
    /// rustls refused a configuration or a handshake.
    #[error("tls: {0}")]
    Tls(#[from] rustls::Error),
    /// An HTTP exchange of our own client failed.
    #[error("http: {0}")]
    Http(#[from] hyper::Error),
    /// Something that should be JSON was not.
    #[error("{what} is not the JSON expected: {source}\n{text}")]
    Json {
        /// Where it came from.
        what: &'static str,
        /// What is wrong.
        source: serde_json::Error,
        /// The text itself.
        text: String,
    },
    /// An answer lacks something that the scenario needs.
    #[error("{0} is missing")]
    Missing(String),
    /// A PEM file does not hold what its name says.
    #[error("{} is not the PEM expected: {source}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: rustls_pki_types::pem::Error,
    },
    /// A certificate or CRL could not be made.
    #[error("certificates: {0}")]
    Certificates(#[from] rcgen::Error),
}

impl Failure {
    /// Itself, with what a program said if it was awaited in vain.
    #[must_use]
    pub fn with_output(mut self, output: &str) -> Self {
        if let Self::Deadline { context, .. } = &mut self {
            *context += &format!("\n{output}");
        }
        self
    }
}

/// A failed test prints the `Debug` form of its error: a sentence serves better than a structure.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
