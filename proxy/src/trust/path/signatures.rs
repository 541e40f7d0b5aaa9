//! Signatures on certificates, each verified once: whether a signature is right never changes, whatever becomes of the
//! certificate. So a client that comes back, and the CAs above it, cost no second verification. All else about a path, its
//! names, times, constraints and revocation, is looked at every time.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::LazyLock;

use aws_lc_rs::digest::{Context, SHA256};
use rustls_pki_types::{AlgorithmIdentifier, FipsStatus, InvalidSignature, SignatureVerificationAlgorithm};

use crate::cryptography::provider;

/// Signatures in one generation; each thread remembers two of them, in 264 KiB at most (sets of 4,096 places of 33 octets).
const GENERATION: usize = 2_048;

/// aws-lc's algorithms with a memory. Only right signatures are remembered, so that a stranger leaves no trace.
pub(super) static REMEMBERING: LazyLock<Vec<&'static dyn SignatureVerificationAlgorithm>> =
    LazyLock::new(|| ALGORITHMS.iter().map(|it| -> &dyn SignatureVerificationAlgorithm { it }).collect());

static ALGORITHMS: LazyLock<Vec<Remembering>> = LazyLock::new(|| {
    provider().signature_verification_algorithms.all.iter().map(|&it| Remembering(it)).collect()
});

thread_local! {
    static SEEN: RefCell<Seen> = RefCell::default();
}

/// SHA-256 of what was signed with what, in two generations: the older one goes when the younger one is full.
#[derive(Default)]
struct Seen {
    younger: HashSet<[u8; 32]>,
    older: HashSet<[u8; 32]>,
}

impl Seen {
    /// Whether it was here before. If so, it is young again.
    fn has(&mut self, digest: [u8; 32]) -> bool {
        self.younger.contains(&digest) || (self.older.contains(&digest) && self.add(digest))
    }

    fn add(&mut self, digest: [u8; 32]) -> bool {
        if self.younger.len() >= GENERATION {
            self.older = std::mem::take(&mut self.younger);
        }
        self.younger.insert(digest)
    }
}

#[derive(Debug)]
struct Remembering(&'static dyn SignatureVerificationAlgorithm);

impl Remembering {
    fn digest(&self, [public_key, message, signature]: [&[u8]; 3]) -> [u8; 32] {
        let mut digest = Context::new(&SHA256);
        // With the length of each part in front of it, nothing can move from one into the next.
        let algorithm = (self.public_key_alg_id(), self.signature_alg_id());
        for part in [&algorithm.0, &algorithm.1, public_key, message, signature] {
            digest.update(&part.len().to_le_bytes());
            digest.update(part);
        }
        let mut out = [0; 32];
        out.copy_from_slice(digest.finish().as_ref());
        out
    }
}

impl SignatureVerificationAlgorithm for Remembering {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let digest = self.digest([public_key, message, signature]);
        if SEEN.with_borrow_mut(|seen| seen.has(digest)) {
            return Ok(());
        }
        self.0.verify_signature(public_key, message, signature)?;
        SEEN.with_borrow_mut(|seen| seen.add(digest));
        Ok(())
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.0.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.0.signature_alg_id()
    }

    fn fips_status(&self) -> FipsStatus {
        self.0.fips_status()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says yes to one signature, and counts how often it was asked.
    #[derive(Debug)]
    struct Counting;

    thread_local! {
        static ASKED: RefCell<usize> = const { RefCell::new(0) };
    }

    impl SignatureVerificationAlgorithm for Counting {
        fn verify_signature(
            &self,
            _: &[u8],
            message: &[u8],
            signature: &[u8],
        ) -> Result<(), InvalidSignature> {
            ASKED.with_borrow_mut(|asked| *asked += 1);
            if message == signature { Ok(()) } else { Err(InvalidSignature) }
        }

        fn public_key_alg_id(&self) -> AlgorithmIdentifier {
            rustls_pki_types::alg_id::ECDSA_P256
        }

        fn signature_alg_id(&self) -> AlgorithmIdentifier {
            rustls_pki_types::alg_id::ECDSA_SHA256
        }
    }

    fn asked() -> usize {
        ASKED.take()
    }

    #[test]
    fn a_right_signature_is_verified_once_and_a_wrong_one_every_time() {
        let algorithm = Remembering(&Counting);
        for _ in 0..3 {
            assert!(algorithm.verify_signature(b"key", b"right", b"right").is_ok());
        }
        assert_eq!(asked(), 1);
        for _ in 0..3 {
            assert!(algorithm.verify_signature(b"key", b"right", b"wrong").is_err());
        }
        assert_eq!(asked(), 3);
        // The same octets, cut elsewhere, or under another key.
        assert!(algorithm.verify_signature(b"keyr", b"ight", b"right").is_err());
        assert!(algorithm.verify_signature(b"other", b"right", b"right").is_ok());
        assert_eq!(asked(), 2);
    }

    #[test]
    fn what_is_used_is_remembered_and_memory_is_bounded() {
        let mut seen = Seen::default();
        let digest = |number: usize| {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&number.to_le_bytes());
            digest
        };
        seen.add(digest(0));
        for number in 1..5 * GENERATION {
            seen.add(digest(number));
            if number % GENERATION == 0 {
                assert!(seen.has(digest(0)), "{number}");
            }
            assert!(seen.younger.len() + seen.older.len() <= 2 * GENERATION);
        }
        assert!(!seen.has(digest(1)));
    }
}
