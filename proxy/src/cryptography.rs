//! The cryptography that TLS is done with: that of aws-lc, but for the cipher suites (records and key schedule) where ring has better code
//! for the processor.
//!
//! Both descend from BoringSSL. AES-GCM in vectors (VAES) takes half the time of one block at a time, and aws-lc uses it
//! together with AVX-512 only. Some processors have the one without the other, such as AMD's Zen 3: for those there is ring's.
//!
//! Where both are built in, rustls has no default. Every configuration names its provider.

use std::sync::{Arc, LazyLock};

use rustls::SupportedCipherSuite;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{DEFAULT_CIPHER_SUITES, default_provider};

/// What every handshake is done with, with clients and with upstreams. X25519MLKEM768 comes first in it, against those who record
/// today and decrypt later.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(CryptoProvider { cipher_suites: cipher_suites(), ..default_provider() }));
    PROVIDER.clone()
}

fn cipher_suites() -> Vec<SupportedCipherSuite> {
    #[cfg(target_arch = "x86_64")]
    if are_rings() {
        return rings().collect();
    }
    DEFAULT_CIPHER_SUITES.to_vec()
}

/// Whose the cipher suites are.
pub fn library() -> &'static str {
    if are_rings() { "ring" } else { "aws-lc" }
}

#[cfg(target_arch = "x86_64")]
fn are_rings() -> bool {
    use std::arch::is_x86_feature_detected as has;

    has!("vaes") && has!("vpclmulqdq") && has!("avx2") && !has!("avx512f")
}

#[cfg(not(target_arch = "x86_64"))]
const fn are_rings() -> bool {
    false
}

/// The same cipher suites in the same order, done by ring.
#[cfg(target_arch = "x86_64")]
fn rings() -> impl Iterator<Item = SupportedCipherSuite> {
    use rustls::crypto::ring::ALL_CIPHER_SUITES;

    let ring = |own: &SupportedCipherSuite| ALL_CIPHER_SUITES.iter().find(|it| it.suite() == own.suite());
    DEFAULT_CIPHER_SUITES.iter().filter_map(ring).copied()
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn whoever_does_them_the_cipher_suites_are_the_same() {
        let own: Vec<_> = DEFAULT_CIPHER_SUITES.iter().map(SupportedCipherSuite::suite).collect();
        assert!(rings().map(|it| it.suite()).eq(own.iter().copied()));
        assert!(provider().cipher_suites.iter().map(SupportedCipherSuite::suite).eq(own));
    }
}
