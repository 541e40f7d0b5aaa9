//! PEM files. The one place that uses `rustls-pemfile`, so that replacing it is a change to this file.

use std::fmt;

use rustls::Error;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::{File, Invalid, Source};
use crate::cryptography::provider;
use crate::sources::{Mark, Sources};

/// Every certificate in a PEM file, in order.
///
/// # Errors
///
/// A file that cannot be read, is not PEM, or holds no certificate.
pub fn certificates(file: &File) -> Result<Vec<CertificateDer<'static>>, Invalid> {
    parse_certificates(&read(file)?, &file.key, &file.path.display())
}

/// Every certificate in what a source has, in order.
///
/// # Errors
///
/// What is not PEM, or holds no certificate.
pub(super) fn certificates_in(text: &[u8], source: &Source) -> Result<Vec<CertificateDer<'static>>, Invalid> {
    parse_certificates(text, &source.key, &source.place)
}

fn parse_certificates(
    mut text: &[u8],
    key: &str,
    place: &dyn fmt::Display,
) -> Result<Vec<CertificateDer<'static>>, Invalid> {
    let certificates: Vec<_> =
        rustls_pemfile::certs(&mut text).collect::<Result<_, _>>().map_err(|error| {
            Invalid::new(key, format!("{place}: not PEM: {error}"), "write the certificates as PEM")
        })?;
    if certificates.is_empty() {
        let problem = format!("{place}: holds no certificate");
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
pub(super) fn key_pair(
    certificate: &Source,
    private: &Source,
    sources: &Sources,
) -> Result<(CertifiedKey, [Mark; 2]), Invalid> {
    let (certificate_mark, chain) = sources.read(certificate)?;
    let (key_mark, key) = sources.read(private)?;
    let chain = certificates_in(&chain, certificate)?;
    let Source { key: named, place } = private;
    let key = parse_private_key(&key, named, place)?;
    let pair = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
        Error::InconsistentKeys(_) => {
            let problem = format!("{place}: is not the key of {}", certificate.key);
            Invalid::new(named, problem, "give the key that the certificate was issued for")
        }
        other => Invalid::new(named, format!("{place}: {other}"), "use an RSA, P-256, P-384 or Ed25519 key"),
    })?;
    Ok((pair, [certificate_mark, key_mark]))
}

/// The private key in a PEM file.
///
/// # Errors
///
/// A file that cannot be read, is not PEM, or holds no private key.
pub fn private_key(file: &File) -> Result<PrivateKeyDer<'static>, Invalid> {
    parse_private_key(&read(file)?, &file.key, &file.path.display())
}

fn parse_private_key(
    mut text: &[u8],
    key: &str,
    place: &dyn fmt::Display,
) -> Result<PrivateKeyDer<'static>, Invalid> {
    match rustls_pemfile::private_key(&mut text) {
        Ok(Some(private)) => Ok(private),
        Ok(None) => {
            let problem = format!("{place}: holds no private key");
            Err(Invalid::new(key, problem, "it needs a -----BEGIN PRIVATE KEY----- block, not encrypted"))
        }
        Err(error) => Err(Invalid::new(key, format!("{place}: not PEM: {error}"), "write the key as PEM")),
    }
}

fn read(File { key, path }: &File) -> Result<Vec<u8>, Invalid> {
    std::fs::read(path).map_err(|error| {
        let hint = "check the name (relative to the configuration file) and the permissions";
        Invalid::new(key, format!("{}: cannot be read: {error}", path.display()), hint)
    })
}
