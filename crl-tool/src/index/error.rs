//! Why an index cannot be used.

use crate::crl::delta::DeltaError;
use crate::problem::{Flaw, Problem};
use crate::signature::hexadecimal;
use std::io;
use std::path::PathBuf;

/// An index that was refused.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", path.display())]
pub struct OpenError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub fault: Fault,
}

/// What is wrong with an index.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Reading failed.
    #[error("cannot read: {0}")]
    Io(#[from] io::Error),
    /// Another kind of file.
    #[error("not an index: it does not start as a .crlx file does")]
    NotAnIndex,
    /// An index of a later (or earlier) format.
    #[error("an index of format version {version}, where this program reads version 1")]
    Version {
        /// The version in its header.
        version: u32,
    },
    /// Cut off, or with bytes added.
    #[error("a file of {actual} bytes, where its header asks for {expected}")]
    Length {
        /// As the header says.
        expected: u64,
        /// As it is.
        actual: u64,
    },
    /// A header field with a value no builder writes.
    #[error("damaged: the header's {field} cannot be")]
    Header {
        /// Which field.
        field: &'static str,
    },
    /// A line of fingerprints that no builder writes.
    #[error("damaged: line {line}: {what}")]
    Line {
        /// Counted from zero.
        line: u32,
        /// What is wrong with it.
        what: &'static str,
    },
    /// An offset outside of the CRL's entries.
    #[error("damaged: entry {entry} points at byte {offset}, outside of the CRL's entries")]
    Offset {
        /// Counted from zero, in the order of the lines.
        entry: u32,
        /// Where it points.
        offset: u32,
    },
    /// The embedded CRL's header or trailer is malformed.
    #[error("damaged: the CRL in it: byte {offset}: {problem}")]
    Crl {
        /// The byte in the CRL.
        offset: u64,
        /// What is wrong there.
        problem: Problem,
    },
    /// The delta CRL does not go with the CRL.
    #[error("damaged: {0}")]
    Delta(#[from] DeltaError),
    /// Header, lines, offsets or the frame of the CRL changed since they were written.
    #[error("damaged: its checksum does not match")]
    Checksum,
    /// An index without its CRL, and no CRL beside it.
    #[error("cannot read its CRL, {}: {error}", path.display())]
    NoCrl {
        /// Where the CRL should be.
        path: PathBuf,
        /// Why it could not be opened.
        #[source]
        error: io::Error,
    },
    /// The file beside the index is not the CRL that was indexed.
    #[error("{} is another CRL than the one that was indexed", path.display())]
    OtherCrl {
        /// The file.
        path: PathBuf,
    },
    /// An unsigned index where a signature is required.
    #[error("not signed, and a signature is required")]
    NotSigned,
    /// An index signed with another key than those that are trusted.
    #[error("signed with the key {}, which is none of those required", hexadecimal(key_sha256))]
    OtherSigner {
        /// SHA-256 of its SubjectPublicKeyInfo.
        key_sha256: [u8; 32],
    },
    /// A signature that is not the key's.
    #[error("its signature is wrong: it was changed, or forged")]
    WrongSignature,
    /// The entries of the CRL changed since they were indexed.
    #[error("damaged: the CRL in it is not the one that was indexed")]
    CrlDigest,
    /// The lines or offsets are not those of the CRL.
    #[error("forged or damaged: its lines are not those of the CRL in it")]
    NotOfThisCrl,
}

impl Fault {
    /// How to go on, in one sentence.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Fault::Io(_) => "check the path and its permissions",
            Fault::NoCrl { .. } | Fault::OtherCrl { .. } => {
                "keep the CRL as DER beside the index, and build the index again after replacing the CRL"
            }
            Fault::NotAnIndex => "make one from the CRL with `crl-tool build`",
            Fault::NotSigned => "sign it: `crl-tool build` or `crl-tool sign` with --sign-key",
            Fault::OtherSigner { .. } => {
                "pass the public key of who signed it, if you trust it; while keys change, pass both"
            }
            Fault::WrongSignature => "do not use it, and find out who wrote it",
            Fault::Version { .. } => "build it again with this version of crl-tool",
            Fault::Length { .. }
            | Fault::Header { .. }
            | Fault::Line { .. }
            | Fault::Offset { .. }
            | Fault::Crl { .. }
            | Fault::Delta(_)
            | Fault::Checksum
            | Fault::CrlDigest
            | Fault::NotOfThisCrl => {
                "copy it again or build it again, and check the disk if that happens twice"
            }
        }
    }
}

impl From<Flaw> for Fault {
    fn from(flaw: Flaw) -> Fault {
        Fault::Crl { offset: flaw.offset, problem: flaw.problem }
    }
}

/// A lookup without an answer. The certificate must be treated as revoked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// Reading failed.
    #[error("cannot read the index: {0}")]
    Io(#[from] io::Error),
    /// The file changed since it was opened.
    #[error("the index changed since it was opened: no entry at byte {offset} of the CRL")]
    Changed {
        /// Where an entry was expected.
        offset: u32,
    },
}
