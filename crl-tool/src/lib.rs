//! Verifies certificate revocation lists and turns them into a read-optimised index.
//!
//! [`Build`] reads a CRL once, proves that its issuer signed it, and publishes an index (`.crlx`, specified in
//! `FORMAT.md`). [`Index`] opens such a file without parsing its entries and answers whether a [`Serial`] is revoked
//! in well under a microsecond. The signed CRL stays inside the index as the source of truth, so that whoever holds the
//! issuer's certificate can prove it ([`Index::verify`]).
//!
//! The command line (feature `cli`) is a thin layer over this library.

mod crl;
mod date;
mod der;
mod index;
mod issuer;
mod key;
mod memory;
mod name;
mod number;
mod point;
mod problem;
mod publish;
mod reason;
mod reasons;
mod serial;
mod signature;
mod source;
mod subject;
mod watch;
mod width;

pub use crl::delta::{DeltaError, MAX_DELTA_BYTES};
pub use crl::input::Input;
pub use crl::scope::{Gap, Kind, Scope};
pub use crl::unproved::Unproved;
pub use index::build::{Build, BuildError, Built, MAX_CRL_BYTES};
pub use index::entries::{EntriesError, Revoked};
pub use index::error::{Fault, LookupError, OpenError};
pub use index::metadata::{DeltaSummary, Metadata};
pub use index::prove::ProofError;
pub use index::seal::SealError;
pub use index::status::status;
pub use index::{Index, Lookup, Revocation};
pub use issuer::{Issuer, IssuerError, IssuerId};
pub use key::{KeyError, PublicKey, SignError, Signer, SigningKey};
pub use name::rfc4514;
pub use number::{CrlNumber, CrlNumberError};
pub use point::GeneralName;
pub use problem::{CrlError, Problem};
pub use publish::Draft;
pub use reason::Reason;
pub use reasons::Reasons;
pub use serial::{MAX_SERIAL_OCTETS, Serial, SerialError};
pub use signature::VerifyError;
pub use source::{
    AWS_ACTIONS, Courier, Download, DownloadFault, Edition, Location, Parcel, Published, Terms, UploadFault,
    Write, kms_key,
};
pub use subject::Subject;
pub use watch::Watch;
