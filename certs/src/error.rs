//! Everything that can go wrong while making or changing a PKI.

use std::io;
use std::path::{Path, PathBuf};

/// Why a PKI, a certificate or a CRL could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Files are in the way and the caller did not ask to replace them. Nothing was written.
    #[error("{} already exists (files in the way: {count})", first.display())]
    Exists {
        /// The first file in the way.
        first: PathBuf,
        /// How many of the files to be written exist.
        count: usize,
    },
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The file system's answer.
        source: io::Error,
    },
    /// An in-memory or caller-supplied writer refused.
    #[error("cannot write the output")]
    Output(#[from] io::Error),
    /// There is no certificate of that name to revoke.
    #[error("no certificate is named {name:?}; there are: {}", known.join(", "))]
    UnknownName {
        /// The name asked for.
        name: String,
        /// The names that would have worked.
        known: Vec<String>,
    },
    /// The certificate was signed by another key than that of the CA whose CRL would list it.
    #[error(
        "{name} was issued by a CA of the same name but with another key: a CRL of {issuer} cannot revoke it"
    )]
    OtherIssuer {
        /// The certificate's name.
        name: String,
        /// The CA's subject.
        issuer: String,
    },
    /// A name that no certificate can carry.
    #[error("{name:?} is no {expected}")]
    InvalidName {
        /// The name as given.
        name: String,
        /// What it should have been.
        expected: &'static str,
    },
    /// A word that is not in the list of choices.
    #[error("{given:?} is no {what}; one of: {}", choices.join(", "))]
    UnknownChoice {
        /// What was given.
        given: String,
        /// What it should have been.
        what: &'static str,
        /// The words that would have worked.
        choices: Vec<&'static str>,
    },
    /// A certificate or key file does not hold what its name promises.
    #[error("{} holds no {expected}", path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// What it should have held.
        expected: &'static str,
    },
    /// A certificate that cannot be read, or that is no CA's.
    #[error("unusable CA certificate: {0}")]
    UnusableCa(&'static str),
    /// A CRL on disk is not one that this tool wrote.
    #[error("{} is no CRL that can be continued: no {expected} at byte {offset}", path.display())]
    MalformedCrl {
        /// The file.
        path: PathBuf,
        /// What should be there.
        expected: &'static str,
        /// Where.
        offset: u64,
    },
    /// The CRL on disk belongs to another CA.
    #[error("{} was issued by another CA than {issuer}", path.display())]
    ForeignCrl {
        /// The file.
        path: PathBuf,
        /// The CA that was to issue the next one.
        issuer: String,
    },
    /// The certificate library refused.
    #[error("cannot make the certificate or key")]
    Certificate(#[from] rcgen::Error),
    /// The crypto library refused to sign.
    #[error("cannot sign with this {0} key")]
    Signing(crate::KeyType),
    /// A key of an algorithm that this tool does not make.
    #[error("unsupported key algorithm")]
    UnsupportedKey,
    /// AWS refused, or was not reached.
    #[error("AWS: {0}")]
    Aws(String),
    /// The system's random number generator failed.
    #[error("no random numbers from the system")]
    Random,
}

impl Error {
    /// For `map_err`: an [`Error::Io`] that says what was tried on which file.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}
