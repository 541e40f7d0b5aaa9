//! What can be wrong with a CRL, each with the way out.

use crate::serial::SerialError;
use crate::source::DownloadFault;
use std::io;

/// A CRL that was refused: which input, where, and why.
#[derive(Debug, thiserror::Error)]
#[error("{input}: byte {offset}: {problem}")]
pub struct CrlError {
    /// The input as the user named it.
    pub input: String,
    /// The byte in the DER where the problem was met. For PEM input it counts decoded bytes.
    pub offset: u64,
    /// What is wrong there.
    #[source]
    pub problem: Problem,
}

/// A problem and its place, before the input's name is known.
#[derive(Debug)]
pub(crate) struct Flaw {
    pub(crate) offset: u64,
    pub(crate) problem: Problem,
}

impl Flaw {
    pub(crate) fn new(offset: u64, problem: Problem) -> Flaw {
        Flaw { offset, problem }
    }

    /// Says why an element runs past the `seen` bytes at hand, when `missing` more belong to what holds it: the input
    /// ended, or `part` is over its limit.
    pub(crate) fn cut_off(self, part: &'static str, seen: usize, limit: usize, missing: u64) -> Flaw {
        let ran_out = matches!(
            self.problem,
            Problem::Overrun { .. } | Problem::Truncated { .. } | Problem::Missing { .. }
        );
        if !ran_out || missing == 0 {
            return self;
        }
        let problem = if seen >= limit {
            Problem::PartTooLarge { part, limit }
        } else {
            Problem::Truncated { missing }
        };
        Flaw::new(self.offset, problem)
    }

    pub(crate) fn in_input(self, input: &str) -> CrlError {
        CrlError { input: input.to_owned(), offset: self.offset, problem: self.problem }
    }
}

/// What is wrong with a CRL.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Reading failed.
    #[error("cannot read: {0}")]
    Io(#[source] io::Error),
    /// The download broke off.
    #[error(transparent)]
    Download(DownloadFault),
    /// The copy of the CRL that goes into the index could not be written.
    #[error("cannot write: {0}")]
    Store(#[source] io::Error),
    /// Nothing to read.
    #[error("the input is empty")]
    Empty,
    /// Neither DER nor PEM.
    #[error("neither a DER SEQUENCE nor a PEM block `X509 CRL`")]
    NotACrl,
    /// The PEM armour is broken.
    #[error("broken PEM: {0}")]
    Pem(&'static str),
    /// The file holds more than one CRL.
    #[error("a second CRL in one file")]
    SecondCrl,
    /// The input ends early.
    #[error("the input ends {missing} bytes early")]
    Truncated {
        /// How many bytes at least are missing.
        missing: u64,
    },
    /// Over the size cap.
    #[error("a CRL of {size} bytes, where {limit} is the most")]
    TooLarge {
        /// The size its outermost length states.
        size: u64,
        /// The cap.
        limit: u32,
    },
    /// One part is larger than any sane CRL's.
    #[error("{part} of over {limit} bytes")]
    PartTooLarge {
        /// Which part.
        part: &'static str,
        /// The most it may have.
        limit: usize,
    },
    /// Bytes where none may follow.
    #[error("bytes after the end of {what}")]
    Trailing {
        /// What had ended.
        what: &'static str,
    },
    /// An element reaches past the end of what holds it.
    #[error("an element of {length} bytes in a space of {available}")]
    Overrun {
        /// Its length.
        length: u64,
        /// What is left in its container.
        available: u64,
    },
    /// BER's indefinite length.
    #[error("an indefinite length, which DER forbids")]
    IndefiniteLength,
    /// A length in more octets than needed.
    #[error("a length that is not encoded minimally")]
    LongLength,
    /// A tag number over 30.
    #[error("a tag in the long form, which no CRL has")]
    LongTag,
    /// Another element than the standard asks for.
    #[error("{wanted} expected, and the element has the tag 0x{tag:02x}")]
    Unexpected {
        /// What the standard asks for.
        wanted: &'static str,
        /// The tag that is there.
        tag: u8,
    },
    /// A required element is absent.
    #[error("{wanted} expected, and nothing is there")]
    Missing {
        /// What the standard asks for.
        wanted: &'static str,
    },
    /// An element whose content breaks its type's rules.
    #[error("malformed {what}")]
    Malformed {
        /// Which element.
        what: &'static str,
    },
    /// A default value spelled out.
    #[error("{what} is encoded although it is the default, which DER forbids")]
    EncodedDefault {
        /// Which value.
        what: &'static str,
    },
    /// Not a serial number.
    #[error(transparent)]
    Serial(#[from] SerialError),
    /// A time that is none.
    #[error("a time that RFC 5280 does not allow: {0}")]
    Time(&'static str),
    /// Another version than v1 and v2.
    #[error("a CRL version other than v1 and v2")]
    Version,
    /// Extensions in a v1 CRL.
    #[error("extensions in a v1 CRL, which only v2 may have")]
    ExtensionsInV1,
    /// The two signature algorithms differ.
    #[error("the signed and the outer signature algorithm differ")]
    AlgorithmsDiffer,
    /// nextUpdate before thisUpdate.
    #[error("nextUpdate lies before thisUpdate")]
    NextBeforeThis,
    /// An empty revokedCertificates.
    #[error("an empty list of revoked certificates, which must be absent instead")]
    EmptyList,
    /// The same extension twice.
    #[error("the extension {oid} twice")]
    DuplicateExtension {
        /// Its object identifier.
        oid: String,
    },
    /// More extensions than anyone needs.
    #[error("over {limit} extensions")]
    TooManyExtensions {
        /// The most there may be.
        limit: usize,
    },
    /// A critical CRL extension nobody here understands.
    #[error("the unknown critical CRL extension {oid}")]
    UnknownCritical {
        /// Its object identifier.
        oid: String,
    },
    /// A critical entry extension nobody here understands.
    #[error("the unknown critical entry extension {oid}")]
    UnknownCriticalInEntry {
        /// Its object identifier.
        oid: String,
    },
    /// A delta CRL.
    #[error("a delta CRL: it lists changes to another CRL, not everything revoked")]
    Delta,
    /// Not a delta CRL where one is asked for.
    #[error("not a delta CRL: it has no delta CRL indicator")]
    NotADelta,
    /// A delta CRL that revokes and removes one serial.
    #[error("a delta CRL that says two things about one serial")]
    Contradiction,
    /// An entry that names a certificate issuer in a CRL that is not indirect.
    #[error("an entry names the issuer of its certificate, and the CRL is not indirect")]
    NotIndirect,
    /// A delta CRL that is indirect.
    #[error("an indirect delta CRL")]
    IndirectDelta,
    /// A reason code of 7 or above 10.
    #[error("the reason code {code}, which the standard does not define")]
    ReasonCode {
        /// The code.
        code: u8,
    },
    /// removeFromCRL in a complete CRL.
    #[error("the reason removeFromCRL in a CRL that is no delta")]
    RemoveFromCrl,
    /// A CRL number that is negative or longer than 20 octets.
    #[error("a CRL number that is negative or longer than 20 octets")]
    CrlNumber,
}

/// A reader in between, such as the PEM decoder, passes its own problem on inside of an [`io::Error`].
impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Problem {
        error.downcast::<Problem>().unwrap_or_else(Problem::Io)
    }
}

impl Problem {
    /// How to go on, in one sentence.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Problem::Io(_) => "check the path, its permissions and the disk",
            Problem::Download(fault) => fault.hint(),
            Problem::Store(_) => "check the space and the permissions where the index goes",
            Problem::Empty | Problem::Truncated { .. } => {
                "fetch the CRL again: the download or the copy was cut off"
            }
            Problem::NotACrl => "pass a CRL as DER or PEM; an HTML error page is a common mistake",
            Problem::Pem(_) => "convert it with `openssl crl -in FILE -outform DER -out FILE.crl`",
            Problem::SecondCrl => "split the file and build one index for each CRL",
            Problem::TooLarge { .. } => {
                "raise --max-bytes if a CRL of this size is expected (4 GiB is the format's limit)"
            }
            Problem::PartTooLarge { .. } | Problem::TooManyExtensions { .. } => {
                "look at it with `openssl asn1parse`: no known CA issues such a CRL"
            }
            Problem::Delta => "pass the complete (base) CRL, and apply the delta with `crl-tool merge`",
            Problem::NotADelta => "pass the delta CRL as --delta and the complete CRL as --base",
            Problem::IndirectDelta => "build the index from the complete CRL alone",
            Problem::UnknownCritical { .. } | Problem::UnknownCriticalInEntry { .. } => {
                "RFC 5280 forbids using this CRL without understanding the extension: ask the CA for one without it"
            }
            Problem::Trailing { .. }
            | Problem::Overrun { .. }
            | Problem::IndefiniteLength
            | Problem::LongLength
            | Problem::LongTag
            | Problem::Unexpected { .. }
            | Problem::Missing { .. }
            | Problem::Malformed { .. }
            | Problem::EncodedDefault { .. } => {
                "the bytes are damaged or not a DER CRL: fetch it again, and compare with `openssl asn1parse`"
            }
            Problem::Serial(_)
            | Problem::Time(_)
            | Problem::Version
            | Problem::ExtensionsInV1
            | Problem::AlgorithmsDiffer
            | Problem::NextBeforeThis
            | Problem::EmptyList
            | Problem::NotIndirect
            | Problem::DuplicateExtension { .. }
            | Problem::ReasonCode { .. }
            | Problem::RemoveFromCrl
            | Problem::Contradiction
            | Problem::CrlNumber => {
                "the CRL breaks RFC 5280: tell its CA, and keep the last good index until then"
            }
        }
    }
}
