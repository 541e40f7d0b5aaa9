//! PEM files. The one place that uses `rustls-pemfile`, so that replacing it is a change to this file.

use rustls::Error;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::{File, Invalid};

/// Every certificate in a PEM file, in order.
///
/// # Errors
///
/// A file that cannot be read, is not PEM, or holds no certificate.
pub fn certificates(file: &File) -> Result<Vec<CertificateDer<'static>>, Invalid> {
    let File { key, path } = file;
    let text = read(file)?;
    let certificates: Vec<_> =
        rustls_pemfile::certs(&mut text.as_slice()).collect::<Result<_, _>>().map_err(|error| {
            Invalid::new(
                key,
                format!("{}: not PEM: {error}", path.display()),
                "write the certificates as PEM",
            )
        })?;
    if certificates.is_empty() {
        let problem = format!("{}: holds no certificate", path.display());
        return Err(Invalid::new(key, problem, "it needs at least one -----BEGIN CERTIFICATE----- block"));
    }
    Ok(certificates)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "rustls::Error grows; what it adds is an unusable key")]
/// The server's chain and the key that belongs to its leaf.
///
/// # Errors
///
/// A file that cannot be used, or a key that is not the certificate's.
pub(super) fn key_pair(certificate: &File, private: &File) -> Result<CertifiedKey, Invalid> {
    let chain = certificates(certificate)?;
    let key = private_key(private)?;
    let File { key: named, path } = private;
    CertifiedKey::from_der(chain, key, &default_provider()).map_err(|error| match error {
        Error::InconsistentKeys(_) => {
            let problem = format!("{}: is not the key of {}", path.display(), certificate.key);
            Invalid::new(named, problem, "give the key that the certificate was issued for")
        }
        other => {
            let problem = format!("{}: {other}", path.display());
            Invalid::new(named, problem, "use an RSA, P-256, P-384 or Ed25519 key")
        }
    })
}

/// The private key in a PEM file.
///
/// # Errors
///
/// A file that cannot be read, is not PEM, or holds no private key.
pub fn private_key(file: &File) -> Result<PrivateKeyDer<'static>, Invalid> {
    let File { key, path } = file;
    let text = read(file)?;
    match rustls_pemfile::private_key(&mut text.as_slice()) {
        Ok(Some(private)) => Ok(private),
        Ok(None) => {
            let problem = format!("{}: holds no private key", path.display());
            Err(Invalid::new(key, problem, "it needs a -----BEGIN PRIVATE KEY----- block, not encrypted"))
        }
        Err(error) => {
            Err(Invalid::new(key, format!("{}: not PEM: {error}", path.display()), "write the key as PEM"))
        }
    }
}

fn read(File { key, path }: &File) -> Result<Vec<u8>, Invalid> {
    std::fs::read(path).map_err(|error| {
        let hint = "check the name (relative to the configuration file) and the permissions";
        Invalid::new(key, format!("{}: cannot be read: {error}", path.display()), hint)
    })
}
