//! Who signs the indexes that are written, and who must have signed those that are read.

use super::failure::Failure;
use super::file;
use super::transfer::{self, Transfer};
use clap::Args;
use crl_tool::{Index, KeyError, PublicKey, Signer, SigningKey};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Who signs the index.
#[derive(Debug, Args)]
pub(super) struct SignWith {
    /// Sign the index with this private key: P-256, P-384 or Ed25519, as PEM (PKCS#8 or SEC1). An Ed25519 key gives the
    /// same bytes each time
    #[arg(long, value_name = "KEY.pem")]
    sign_key: Option<PathBuf>,

    /// Sign the index with this key of AWS KMS, given by its id, alias or ARN: ECC_NIST_P256, ECC_NIST_P384 or
    /// ECC_NIST_EDWARDS25519
    #[arg(long, value_name = "KEY-ID", conflicts_with = "sign_key")]
    sign_key_kms: Option<String>,
}

impl SignWith {
    /// The signer, if one was asked for. Get it before the work: a key may be missing.
    pub(super) fn signer(&self, transfer: &Transfer) -> Result<Option<Box<dyn Signer>>, Failure> {
        match (&self.sign_key, &self.sign_key_kms) {
            (Some(path), _) => private_key(path).map(Some),
            (None, Some(id)) => transfer.kms_key(id).map(Some),
            (None, None) => Ok(None),
        }
    }
}

/// The private key at `path`.
fn private_key(path: &Path) -> Result<Box<dyn Signer>, Failure> {
    // A private key that is elsewhere is none: there is no way to fetch it that keeps it private.
    let content = std::fs::read(path).map_err(Failure::io("read", path))?;
    let key = SigningKey::from_file_content(&content).map_err(refused(path))?;
    Ok(Box::new(key))
}

/// Signs the index in the draft `file` if there is a signer, and opens it as the proxy will.
pub(crate) fn finish(file: &File, path: &Path, signer: Option<&dyn Signer>) -> Result<Index, Failure> {
    let copy = || file.try_clone().map_err(Failure::io("read", path));
    let Some(signer) = signer else { return Ok(Index::from_file(copy()?, path)?) };
    Index::sign(file, path, signer)?;
    Ok(Index::from_signed_file(copy()?, path, std::slice::from_ref(signer.public_key()))?)
}

/// Who must have signed an index.
#[derive(Debug, Args)]
pub(super) struct SignedBy {
    /// Refuse an index that this key has not signed: a public key or a certificate, as PEM. Repeat it while keys change
    #[arg(long, value_name = "KEY.pem")]
    require_signature_by: Vec<PathBuf>,
}

impl SignedBy {
    /// The keys of which one must have signed; none if no signature is asked for.
    pub(super) fn keys(&self, transfer: &Transfer) -> Result<Vec<PublicKey>, Failure> {
        let mut keys = Vec::new();
        for path in &self.require_signature_by {
            keys.extend(PublicKey::from_file_content(&file::whole(path, transfer)?).map_err(refused(path))?);
        }
        Ok(keys)
    }
}

fn refused(path: &Path) -> impl Fn(KeyError) -> Failure {
    let shown = transfer::name(path);
    move |error| Failure::new(format!("{shown}: {error}"), error.hint())
}
