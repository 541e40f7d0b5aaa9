//! The signature of an index by whoever built it (FORMAT.md, section 7), so that a reader needs to trust neither the
//! place it comes from nor the way.

use super::Index;
use super::error::{Fault, OpenError};
use super::header::Header;
use crate::issuer::digest_bytes;
use crate::key::{PublicKey, SignError, Signer};
use crate::width::{length, offset, position};
use aws_lc_rs::digest::Digest;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The most bytes of the section; a signature of the longest kind takes a third of it.
pub(crate) const LIMIT: u32 = 512;

/// What no other message that the same key signs starts with.
const CONTEXT: [u8; 32] = *b"crlx index signature version 1\0\0";

/// Why an index was not signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// There is no sound index in the file.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The signer did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The signature could not be written.
    #[error("cannot write the index: {0}")]
    Io(#[from] io::Error),
}

impl SealError {
    /// How to go on, in one sentence.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            SealError::Open(error) => error.fault.hint(),
            SealError::Sign(_) => "check the signing key; nothing was written",
            SealError::Io(_) => "check the space and the permissions where the index goes",
        }
    }
}

/// The section with the signature.
#[derive(Clone, Debug)]
pub(crate) struct Seal {
    /// SHA-256 of the SubjectPublicKeyInfo of who signed.
    pub(crate) key_sha256: [u8; 32],
    signature: Vec<u8>,
}

impl Seal {
    /// Reads the section, if there is one.
    pub(super) fn read(file: &File, header: &Header) -> Result<Option<Seal>, Fault> {
        if header.seal_size == 0 {
            return Ok(None);
        }
        let mut bytes = vec![0; length(header.seal_size)];
        file.read_exact_at(&mut bytes, header.seal())?;
        let cut = bytes.split_first_chunk().ok_or(Fault::Header { field: "signature size" })?;
        Ok(Some(Seal { key_sha256: *cut.0, signature: cut.1.to_vec() }))
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        [self.key_sha256.as_slice(), &self.signature].concat()
    }

    /// Whether one of `keys` signed the index with this header and with `digest` over the rest of it.
    pub(super) fn check(&self, header: &Header, digest: &Digest, keys: &[PublicKey]) -> Result<(), Fault> {
        let key = keys.iter().find(|key| key.sha256() == self.key_sha256);
        let key = key.ok_or(Fault::OtherSigner { key_sha256: self.key_sha256 })?;
        if key.has_signed(&message(header, digest, key), &self.signature) {
            Ok(())
        } else {
            Err(Fault::WrongSignature)
        }
    }
}

/// What is signed: all that the checksum is over, by its SHA-256 and the header, and who signs it. The CRL's entries,
/// which the checksum leaves out, are under the header's digest of the CRL.
fn message(header: &Header, digest: &Digest, key: &PublicKey) -> Vec<u8> {
    let unsigned = Header { seal_size: 0, ..header.clone() };
    let header = unsigned.to_bytes_without_checksum();
    [CONTEXT.as_slice(), &key.sha256(), &header, &digest_bytes(digest)].concat()
}

impl Index {
    /// Who signed the index: SHA-256 of the signer's public key. That it did was checked only by
    /// [`Index::open_signed`].
    #[must_use]
    pub fn signed_by(&self) -> Option<[u8; 32]> {
        self.seal.as_ref().map(|seal| seal.key_sha256)
    }

    /// Signs the index in `file`, in place of a signature that it may have. `path` names it in errors. The file must be
    /// a draft that nobody else reads yet.
    ///
    /// Whoever signs vouches for the index: build it, or [prove](Index::verify) it, first.
    ///
    /// # Errors
    /// The file holds no sound index, or could not be signed; it is of no use then.
    pub fn sign(file: &File, path: &Path, signer: &dyn Signer) -> Result<(), SealError> {
        let refused = |fault| OpenError { path: path.to_owned(), fault };
        let copy = file.try_clone()?;
        let super::open::Opened { index, sections, checksum } =
            super::open::read(copy, path, true).map_err(refused)?;
        index.check_crl()?;
        let digest = sections.ok_or_else(|| SignError("no digest of the index".to_owned()))?;
        let key = signer.public_key();
        let signature = signer.sign(&message(&index.header, &digest, key))?;
        let seal = Seal { key_sha256: key.sha256(), signature };
        let bytes = seal.to_bytes();
        let mut header = Header { seal_size: offset(position(bytes.len())), ..index.header };
        if header.seal_size > LIMIT {
            return Err(SignError(format!("a signature of {} bytes", seal.signature.len())).into());
        }
        // A service may sign with another key or another algorithm than it was asked for.
        seal.check(&header, &digest, std::slice::from_ref(key)).map_err(refused)?;
        header.checksum = checksum.finish(&bytes, &header);
        file.set_len(header.file_size())?;
        file.write_all_at(&bytes, header.seal())?;
        file.write_all_at(&header.to_bytes(), 0)?;
        Ok(())
    }
}
