//! The cryptography that TLS is done with: that of aws-lc, but for the records where ring has better code for the processor.
//!
//! Both descend from BoringSSL. AES-GCM in vectors (VAES) takes half the time of one block at a time, and aws-lc uses it
//! together with AVX-512 only. Some processors have the one without the other, such as AMD's Zen 3: for those there is ring's.

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

#[cfg(target_arch = "x86_64")]
fn cipher_suites() -> Vec<SupportedCipherSuite> {
    use std::arch::is_x86_feature_detected as has;

    let vectors = has!("vaes") && has!("vpclmulqdq") && has!("avx2");
    if vectors && !has!("avx512f") { rings() } else { DEFAULT_CIPHER_SUITES.to_vec() }
}

#[cfg(not(target_arch = "x86_64"))]
fn cipher_suites() -> Vec<SupportedCipherSuite> {
    DEFAULT_CIPHER_SUITES.to_vec()
}

/// The same cipher suites in the same order, done by ring.
#[cfg(target_arch = "x86_64")]
fn rings() -> Vec<SupportedCipherSuite> {
    use rustls::crypto::ring::ALL_CIPHER_SUITES;

    let ring = |own: &SupportedCipherSuite| ALL_CIPHER_SUITES.iter().find(|it| it.suite() == own.suite());
    DEFAULT_CIPHER_SUITES.iter().map(|own| *ring(own).unwrap_or(own)).collect()
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn whoever_does_them_the_cipher_suites_are_the_same() {
        let names = |suites: &[SupportedCipherSuite]| suites.iter().map(|it| it.suite()).collect::<Vec<_>>();
        assert_eq!(names(&rings()), names(DEFAULT_CIPHER_SUITES));
        assert_eq!(names(&provider().cipher_suites), names(DEFAULT_CIPHER_SUITES));
    }
}
