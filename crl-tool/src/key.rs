//! The keys that indexes are signed with, and those that the signatures are checked with.

use crate::issuer::{Issuer, key_algorithm, sha256};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self as algorithms, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, ParsedPublicKey,
    VerificationAlgorithm,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{AlgorithmIdentifier, PrivateKeyDer, SubjectPublicKeyInfoDer, alg_id};

/// What a key of each kind signs with. The kind of key decides alone, so that no signature can ask for another algorithm.
static ALGORITHMS: [(AlgorithmIdentifier, &dyn VerificationAlgorithm); 3] = [
    (alg_id::ECDSA_P256, &algorithms::ECDSA_P256_SHA256_ASN1),
    (alg_id::ECDSA_P384, &algorithms::ECDSA_P384_SHA384_ASN1),
    (alg_id::ED25519, &algorithms::ED25519),
];

/// Why a file holds no key that indexes can be signed or checked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No private key in a file.
    #[error("no PEM block `PRIVATE KEY` or `EC PRIVATE KEY`")]
    NoPrivateKey,
    /// A private key under a password.
    #[error("the private key is encrypted")]
    Encrypted,
    /// No public key in a file.
    #[error("no PEM block `PUBLIC KEY` or `CERTIFICATE`")]
    NoPublicKey,
    /// A key of another kind.
    #[error("a key other than P-256, P-384 and Ed25519")]
    Kind,
}

impl KeyError {
    /// How to go on, in one sentence.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            KeyError::NoPrivateKey | KeyError::Kind => {
                "make one with `openssl genpkey -algorithm ED25519 -out index.key`"
            }
            KeyError::Encrypted => "decrypt it with `openssl pkey -in FILE -out FILE`, readable to you alone",
            KeyError::NoPublicKey => "write it with `openssl pkey -in index.key -pubout -out index.pub`",
        }
    }
}

/// A signer that did not sign.
#[derive(Debug, thiserror::Error)]
#[error("cannot sign the index: {0}")]
pub struct SignError(pub String);

/// What signs indexes: a private key, or a service that holds one.
pub trait Signer {
    /// The key that its signatures are checked with.
    fn public_key(&self) -> &PublicKey;

    /// Signs `message` itself, not a digest of it: ECDSA with SHA-256 for P-256 and with SHA-384 for P-384, as a DER
    /// `ECDSA-Sig-Value`; or Ed25519. A message has less than 4,096 bytes.
    ///
    /// # Errors
    /// There is no signature.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// A key that signatures of indexes are checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// The `SubjectPublicKeyInfo`, as DER.
    spki: Vec<u8>,
    sha256: [u8; 32],
}

impl PublicKey {
    /// Reads a DER `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// It is none, or its key is of a kind that does not sign indexes.
    pub fn from_spki(spki: &[u8]) -> Result<PublicKey, KeyError> {
        let key = PublicKey { spki: spki.to_vec(), sha256: sha256(spki) };
        key.parsed().map(|_parsed| key)
    }

    /// Reads the public keys of a PEM file: `PUBLIC KEY` blocks, or those of its certificates.
    ///
    /// A certificate counts for its key alone; its dates and its issuer do not.
    ///
    /// # Errors
    /// There is none, or one of a kind that does not sign indexes.
    pub fn from_file_content(content: &[u8]) -> Result<Vec<PublicKey>, KeyError> {
        let keys = SubjectPublicKeyInfoDer::pem_slice_iter(content);
        let keys: Vec<_> = keys.collect::<Result<_, _>>().map_err(|_details| KeyError::NoPublicKey)?;
        if !keys.is_empty() {
            return keys.iter().map(|key| PublicKey::from_spki(key)).collect();
        }
        let certificates = Issuer::from_file_content(content).map_err(|_details| KeyError::NoPublicKey)?;
        certificates.iter().map(|certificate| PublicKey::from_spki(&certificate.spki)).collect()
    }

    /// SHA-256 of the `SubjectPublicKeyInfo`, tag and length included: how an index names the key that signed it.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256
    }

    /// Whether `signature` is this key's over `message`.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.parsed().is_ok_and(|key| key.verify_sig(message, signature).is_ok())
    }

    fn parsed(&self) -> Result<ParsedPublicKey, KeyError> {
        let kind = key_algorithm(&self.spki).ok_or(KeyError::Kind)?;
        let algorithm = ALGORITHMS.iter().find(|(identifier, _)| kind == **identifier);
        let &(_, algorithm) = algorithm.ok_or(KeyError::Kind)?;
        ParsedPublicKey::new(algorithm, &self.spki).map_err(|_details| KeyError::Kind)
    }
}

/// A private key from a file.
#[derive(Debug)]
pub struct SigningKey {
    pair: Pair,
    public: PublicKey,
}

#[derive(Debug)]
enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// Reads the first private key of a PEM file, as PKCS#8 or SEC1.
    ///
    /// # Errors
    /// There is none, it is encrypted, or of a kind that does not sign indexes.
    pub fn from_file_content(content: &[u8]) -> Result<SigningKey, KeyError> {
        let encrypted = content.windows(9).any(|window| window == b"ENCRYPTED");
        let absent = if encrypted { KeyError::Encrypted } else { KeyError::NoPrivateKey };
        let key = PrivateKeyDer::from_pem_slice(content).map_err(|_details| absent)?;
        let ecdsa: [&'static EcdsaSigningAlgorithm; 2] =
            [&algorithms::ECDSA_P256_SHA256_ASN1_SIGNING, &algorithms::ECDSA_P384_SHA384_ASN1_SIGNING];
        let ecdsa = ecdsa
            .into_iter()
            .find_map(|algorithm| EcdsaKeyPair::from_private_key_der(algorithm, key.secret_der()).ok())
            .map(Pair::Ecdsa);
        let ed25519 = || Ed25519KeyPair::from_pkcs8(key.secret_der()).ok().map(Pair::Ed25519);
        let pair = ecdsa.or_else(ed25519).ok_or(if encrypted { absent } else { KeyError::Kind })?;
        let spki: Result<PublicKeyX509Der<'_>, _> = match &pair {
            Pair::Ecdsa(pair) => pair.public_key().as_der(),
            Pair::Ed25519(pair) => pair.public_key().as_der(),
        };
        let spki = spki.map_err(|_details| KeyError::Kind)?;
        Ok(SigningKey { public: PublicKey::from_spki(spki.as_ref())?, pair })
    }
}

impl Signer for SigningKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let signature = match &self.pair {
            Pair::Ecdsa(pair) => pair.sign(&SystemRandom::new(), message),
            Pair::Ed25519(pair) => pair.try_sign(message),
        };
        let signature = signature.map_err(|_details| SignError("the private key failed".to_owned()))?;
        Ok(signature.as_ref().to_vec())
    }
}
