//! Whether an issuer signed a CRL.

use crate::crl::head::Head;
use crate::crl::scan::Scanned;
use crate::crl::stored::Stored;
use crate::crl::tail::Tail;
use crate::der;
use crate::issuer::Issuer;
use crate::name;
use crate::width::length_of;

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::signature::{self as algorithms, ParsedPublicKey, VerificationAlgorithm};
use rustls_pki_types::{AlgorithmIdentifier, alg_id};
use std::io;

/// The shortest RSA key whose signatures count.
const MIN_RSA_BITS: usize = 2048;

/// Why a CRL is not proved to be its issuer's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// No certificate was given to verify with.
    #[error("no issuer certificate to verify the CRL with")]
    NoIssuer,
    /// The CRL is another CA's.
    #[error("the CRL is of `{crl}`, the certificate of `{certificate}`")]
    OtherName {
        /// Who issued the CRL.
        crl: String,
        /// Whose certificate was given.
        certificate: String,
    },
    /// The CRL is of a CA of the same name with another key.
    #[error("the CRL names the key {crl} of its issuer, the certificate has {certificate}")]
    OtherKey {
        /// The CRL's authority key identifier.
        crl: String,
        /// The certificate's subject key identifier.
        certificate: String,
    },
    /// The certificate is no CA's and none for signing CRLs.
    #[error("the issuer's certificate is not that of a CA (basic constraints) and has no key usage cRLSign")]
    NotACa,
    /// The CA's key must not sign CRLs.
    #[error("the issuer's certificate does not allow its key to sign CRLs (key usage without cRLSign)")]
    MayNotSign,
    /// Nobody here knows the signature algorithm.
    #[error("the CRL is signed with {algorithm}, which this program cannot verify")]
    UnsupportedAlgorithm {
        /// Its object identifier.
        algorithm: String,
    },
    /// The signature algorithm needs another kind of key.
    #[error("the CRL is signed with {scheme}, for which the issuer's key is of the wrong kind")]
    KeyKind {
        /// What the CRL is signed with.
        scheme: &'static str,
    },
    /// An RSA key too short to trust.
    #[error("an RSA key of {bits} bits, where {MIN_RSA_BITS} is the least")]
    ShortKey {
        /// Its length.
        bits: usize,
    },
    /// The signature does not match.
    #[error("the CRL's signature is wrong: another key signed it, or it was changed")]
    Signature,
    /// The signed message could not be read back.
    #[error("cannot read the CRL: {0}")]
    Io(#[from] io::Error),
}

impl VerifyError {
    /// How to go on, in one sentence.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            VerifyError::NoIssuer | VerifyError::OtherName { .. } => {
                "pass the certificate of the CA that issued the CRL with --issuer"
            }
            VerifyError::OtherKey { .. } => {
                "the CA changed its key: pass its certificate for the key named by the CRL"
            }
            VerifyError::NotACa | VerifyError::MayNotSign => {
                "pass the CA's own certificate; if this is it, the CA must not sign CRLs with this key"
            }
            VerifyError::UnsupportedAlgorithm { .. } => {
                "have the CA sign with RSA (PKCS#1 v1.5 or PSS) or ECDSA over SHA-256, 384 or 512, with Ed25519 or with ML-DSA"
            }
            VerifyError::KeyKind { .. } | VerifyError::Signature => {
                "check that CRL and certificate are of one CA, and fetch the CRL again"
            }
            VerifyError::ShortKey { .. } => "have the CA use a longer key",
            VerifyError::Io(_) => "check the disk",
        }
    }
}

/// A signature algorithm.
#[derive(Debug)]
pub(crate) struct Scheme {
    name: &'static str,
    identifier: AlgorithmIdentifier,
    /// What the signed part is hashed with first; `None` if the algorithm signs the message itself.
    pub(crate) hash: Option<&'static digest::Algorithm>,
    /// The kinds of key it works with, each with its verification.
    keys: &'static [(AlgorithmIdentifier, &'static dyn VerificationAlgorithm)],
}

macro_rules! schemes {
    ($($name:literal $identifier:ident $hash:expr => $($key:ident $verification:ident),+;)+) => {
        &[$(Scheme {
            name: $name,
            identifier: alg_id::$identifier,
            hash: $hash,
            keys: &[$((alg_id::$key, &algorithms::$verification)),+],
        }),+]
    };
}

const SHA256: Option<&digest::Algorithm> = Some(&digest::SHA256);
const SHA384: Option<&digest::Algorithm> = Some(&digest::SHA384);
const SHA512: Option<&digest::Algorithm> = Some(&digest::SHA512);

static SCHEMES: &[Scheme] = schemes! {
    "RSA PKCS#1 v1.5 with SHA-256" RSA_PKCS1_SHA256 SHA256 => RSA_ENCRYPTION RSA_PKCS1_2048_8192_SHA256;
    "RSA PKCS#1 v1.5 with SHA-384" RSA_PKCS1_SHA384 SHA384 => RSA_ENCRYPTION RSA_PKCS1_2048_8192_SHA384;
    "RSA PKCS#1 v1.5 with SHA-512" RSA_PKCS1_SHA512 SHA512 => RSA_ENCRYPTION RSA_PKCS1_2048_8192_SHA512;
    "RSA PSS with SHA-256" RSA_PSS_SHA256 SHA256 => RSA_ENCRYPTION RSA_PSS_2048_8192_SHA256;
    "RSA PSS with SHA-384" RSA_PSS_SHA384 SHA384 => RSA_ENCRYPTION RSA_PSS_2048_8192_SHA384;
    "RSA PSS with SHA-512" RSA_PSS_SHA512 SHA512 => RSA_ENCRYPTION RSA_PSS_2048_8192_SHA512;
    "ECDSA with SHA-256" ECDSA_SHA256 SHA256 => ECDSA_P256 ECDSA_P256_SHA256_ASN1,
        ECDSA_P384 ECDSA_P384_SHA256_ASN1, ECDSA_P521 ECDSA_P521_SHA256_ASN1;
    "ECDSA with SHA-384" ECDSA_SHA384 SHA384 => ECDSA_P256 ECDSA_P256_SHA384_ASN1,
        ECDSA_P384 ECDSA_P384_SHA384_ASN1, ECDSA_P521 ECDSA_P521_SHA384_ASN1;
    "ECDSA with SHA-512" ECDSA_SHA512 SHA512 => ECDSA_P256 ECDSA_P256_SHA512_ASN1,
        ECDSA_P384 ECDSA_P384_SHA512_ASN1, ECDSA_P521 ECDSA_P521_SHA512_ASN1;
    "Ed25519" ED25519 None => ED25519 ED25519;
    "ML-DSA-44" ML_DSA_44 None => ML_DSA_44 ML_DSA_44;
    "ML-DSA-65" ML_DSA_65 None => ML_DSA_65 ML_DSA_65;
    "ML-DSA-87" ML_DSA_87 None => ML_DSA_87 ML_DSA_87;
};

impl Scheme {
    /// The scheme that a DER AlgorithmIdentifier names.
    pub(crate) fn of(algorithm: &[u8]) -> Option<&'static Scheme> {
        let algorithm = der::only(algorithm, der::SEQUENCE, "an algorithm").ok()?;
        SCHEMES.iter().find(|scheme| scheme.is(algorithm.content))
    }

    fn is(&self, algorithm: &[u8]) -> bool {
        let identifier: &[u8] = &self.identifier;
        // RFC 4055 §5: RSA's NULL parameters may also be absent.
        algorithm == identifier || identifier.strip_suffix(&[0x05, 0x00]) == Some(algorithm)
    }

    fn verify(&self, issuer: &Issuer, signed: &Signed, signature: &[u8]) -> Result<(), VerifyError> {
        let kind = self.keys.iter().find(|(key, _)| issuer.key_algorithm == **key);
        let &(_, verification) = kind.ok_or(VerifyError::KeyKind { scheme: self.name })?;
        if let Some(bits) = issuer.rsa_bits.filter(|&bits| bits < MIN_RSA_BITS) {
            return Err(VerifyError::ShortKey { bits });
        }
        let key = ParsedPublicKey::new(verification, &issuer.spki)
            .map_err(|_details| VerifyError::KeyKind { scheme: self.name })?;
        let result = match signed {
            Signed::Digest(digest) => key.verify_digest_sig(digest, signature),
            Signed::Message(message) => key.verify_sig(message, signature),
        };
        result.map_err(|_details| VerifyError::Signature)
    }
}

/// What a signature is over.
enum Signed {
    Digest(Digest),
    Message(Vec<u8>),
}

impl Scanned {
    /// Proves that one of `issuers` issued the CRL: by name, by key, and by its signature. `store` holds the CRL.
    pub(crate) fn verify<'a>(
        &self,
        issuers: &'a [Issuer],
        store: Option<&Stored>,
    ) -> Result<&'a Issuer, VerifyError> {
        verify(&self.head, &self.tail, self.scheme, issuers, |_scheme| self.signed(store))
    }

    fn signed(&self, store: Option<&Stored>) -> io::Result<Signed> {
        if let Some(digest) = self.digest {
            return Ok(Signed::Digest(digest));
        }
        let store = store.ok_or_else(|| io::Error::other("the CRL was not kept"))?;
        let mut message = vec![0; length_of(self.head.signed.end - self.head.signed.start)];
        store.read_exact_at(&mut message, self.head.signed.start)?;
        Ok(Signed::Message(message))
    }
}

/// As [`Scanned::verify`], of a CRL whose signed part `message` is at hand.
pub(crate) fn verify_message<'a>(
    head: &Head,
    tail: &Tail,
    issuers: &'a [Issuer],
    message: &[u8],
) -> Result<&'a Issuer, VerifyError> {
    verify(head, tail, Scheme::of(&head.algorithm), issuers, |scheme| {
        Ok(match scheme.hash {
            Some(hash) => Signed::Digest(digest::digest(hash, message)),
            None => Signed::Message(message.to_vec()),
        })
    })
}

fn verify<'a>(
    head: &Head,
    tail: &Tail,
    scheme: Option<&Scheme>,
    issuers: &'a [Issuer],
    signed: impl FnOnce(&Scheme) -> io::Result<Signed>,
) -> Result<&'a Issuer, VerifyError> {
    let first = issuers.first().ok_or(VerifyError::NoIssuer)?;
    // RFC 5280 §6.3.3 (f): the issuer is the one whose name and key the CRL gives.
    let named: Vec<&Issuer> = issuers.iter().filter(|issuer| issuer.subject == head.issuer).collect();
    let &first = named.first().ok_or_else(|| VerifyError::OtherName {
        crl: name::rfc4514(&head.issuer).unwrap_or_default(),
        certificate: first.name(),
    })?;
    let mut keyed = named.iter().filter(|issuer| names_key_of(tail, issuer)).peekable();
    if keyed.peek().is_none() {
        let shown = |id: Option<&Vec<u8>>| id.map(|id| hexadecimal(id)).unwrap_or_default();
        return Err(VerifyError::OtherKey {
            crl: shown(tail.extensions.authority_key_id.as_ref()),
            certificate: shown(first.key_id.as_ref()),
        });
    }
    let scheme =
        scheme.ok_or_else(|| VerifyError::UnsupportedAlgorithm { algorithm: shown(&head.algorithm) })?;
    let signed = signed(scheme)?;
    let mut result = Err(VerifyError::NoIssuer);
    for issuer in keyed {
        result =
            may_sign(issuer).and_then(|()| scheme.verify(issuer, &signed, &tail.signature)).map(|()| *issuer);
        if result.is_ok() {
            break;
        }
    }
    result
}

/// Whether the CRL's authority key identifier does not contradict the certificate. Either may leave it out; the
/// signature then decides alone.
fn names_key_of(tail: &Tail, issuer: &Issuer) -> bool {
    match (&tail.extensions.authority_key_id, &issuer.key_id) {
        (Some(crl), Some(certificate)) => crl == certificate,
        (None, _) | (_, None) => true,
    }
}

fn may_sign(issuer: &Issuer) -> Result<(), VerifyError> {
    // RFC 5280 §6.3.3 (f): the bit counts if the extension is present. Whoever is no CA needs it: a certificate that says
    // nothing is a client's.
    match issuer.may_sign_crls {
        Some(false) => Err(VerifyError::MayNotSign),
        None if !issuer.is_ca => Err(VerifyError::NotACa),
        Some(true) | None => Ok(()),
    }
}

/// The name of a signature algorithm (a DER AlgorithmIdentifier), or its object identifier.
pub(crate) fn shown(algorithm: &[u8]) -> String {
    let oid = || {
        der::only(algorithm, der::SEQUENCE, "an algorithm")
            .and_then(|algorithm| algorithm.reader().expect(der::OID, "an algorithm's object identifier"))
            .map_or_else(|_flaw| "nothing that has a name".to_owned(), |oid| der::dotted(oid.content))
    };
    Scheme::of(algorithm).map_or_else(oid, |scheme| scheme.name.to_owned())
}

/// Lower-case hexadecimal, as `openssl dgst` prints it.
pub(crate) fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
