//! Key pairs, and signing what is too long to hold in memory.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use aws_lc_rs::digest;
use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, RSA_PKCS1_SHA256,
};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256};

use crate::Error;

/// The kind of key pair, and with it the signature algorithm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// RSA of 2048 bits, signing with PKCS#1 v1.5 and SHA-256.
    Rsa2048,
    /// ECDSA on P-256 with SHA-256.
    #[default]
    P256,
    /// ECDSA on P-384 with SHA-384.
    P384,
    /// Ed25519.
    Ed25519,
}

impl KeyType {
    /// Every key type.
    pub const ALL: [Self; 4] = [Self::Rsa2048, Self::P256, Self::P384, Self::Ed25519];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rsa2048 => "rsa2048",
            Self::P256 => "p256",
            Self::P384 => "p384",
            Self::Ed25519 => "ed25519",
        }
    }

    /// A new key pair.
    pub(crate) fn generate(self) -> Result<KeyPair, Error> {
        if self == Self::Ed25519 {
            // rcgen's own Ed25519 keys carry the public key too (RFC 5958); OpenSSL 3.0 does not read those.
            let pair = Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8v1());
            let pkcs8 = pair.map_err(|_unspecified| Error::Random)?;
            return Ok(KeyPair::try_from(pkcs8.as_ref())?);
        }
        Ok(KeyPair::generate_for(self.algorithm())?)
    }

    /// The type of an existing key pair.
    pub(crate) fn of(key: &KeyPair) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|kind| key.is_compatible(kind.algorithm())).ok_or(Error::UnsupportedKey)
    }

    /// The DER `AlgorithmIdentifier` of the signatures.
    pub(crate) const fn signature_algorithm(self) -> &'static [u8] {
        match self {
            // sha256WithRSAEncryption with NULL parameters, RFC 4055 §5.
            Self::Rsa2048 => b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00",
            // ecdsa-with-SHA256 and ecdsa-with-SHA384 without parameters, RFC 5758 §3.2.
            Self::P256 => b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02",
            Self::P384 => b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03",
            // id-Ed25519 without parameters, RFC 8410 §3.
            Self::Ed25519 => b"\x30\x05\x06\x03\x2b\x65\x70",
        }
    }

    fn algorithm(self) -> &'static rcgen::SignatureAlgorithm {
        match self {
            Self::Rsa2048 => &PKCS_RSA_SHA256,
            Self::P256 => &PKCS_ECDSA_P256_SHA256,
            Self::P384 => &PKCS_ECDSA_P384_SHA384,
            Self::Ed25519 => &PKCS_ED25519,
        }
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KeyType {
    type Err = Error;

    fn from_str(given: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|kind| kind.name() == given).ok_or_else(|| Error::UnknownChoice {
            given: given.to_owned(),
            what: "key type",
            choices: Self::ALL.map(Self::name).to_vec(),
        })
    }
}

/// Signs what is written to it. ECDSA and RSA keep a running digest; Ed25519 hashes the message twice and so has to
/// keep it: a CRL signed with Ed25519 is held in memory while it is made.
pub(crate) struct Signer {
    kind: KeyType,
    key: Key,
}

enum Key {
    Ecdsa(EcdsaKeyPair, digest::Context),
    Rsa(rsa::KeyPair, digest::Context),
    Ed25519(Ed25519KeyPair, Vec<u8>),
}

impl Signer {
    /// A signer for one message.
    pub(crate) fn new(key: &KeyPair) -> Result<Self, Error> {
        let kind = KeyType::of(key)?;
        let pkcs8 = key.serialized_der();
        let ecdsa = |algorithm: &'static EcdsaSigningAlgorithm, digest| {
            let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8)?;
            Ok(Key::Ecdsa(key, digest::Context::new(digest)))
        };
        let key = match kind {
            KeyType::P256 => ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING, &digest::SHA256),
            KeyType::P384 => ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING, &digest::SHA384),
            KeyType::Rsa2048 => rsa::KeyPair::from_pkcs8(pkcs8)
                .map(|key| Key::Rsa(key, digest::Context::new(&digest::SHA256))),
            KeyType::Ed25519 => {
                Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map(|key| Key::Ed25519(key, Vec::new()))
            }
        };
        key.map(|key| Self { kind, key }).map_err(|_rejected: KeyRejected| Error::Signing(kind))
    }

    /// The signature over everything written.
    pub(crate) fn sign(self) -> Result<Vec<u8>, Error> {
        match self.key {
            Key::Ecdsa(key, digest) => key.sign_digest(&digest.finish()).map(|made| made.as_ref().to_vec()),
            Key::Rsa(key, digest) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign_digest(&RSA_PKCS1_SHA256, &digest.finish(), &mut signature).map(|()| signature)
            }
            Key::Ed25519(key, message) => key.try_sign(&message).map(|made| made.as_ref().to_vec()),
        }
        .map_err(|_unspecified| Error::Signing(self.kind))
    }
}

impl Write for Signer {
    fn write(&mut self, message: &[u8]) -> io::Result<usize> {
        match &mut self.key {
            Key::Ecdsa(_, digest) | Key::Rsa(_, digest) => digest.update(message),
            Key::Ed25519(_, kept) => kept.extend_from_slice(message),
        }
        Ok(message.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
