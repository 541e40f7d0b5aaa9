//! Who signed it: name, key, right to sign, signature.

use crate::der::{element, sequence};
use crate::forge::{Ca, Crl, build, index, unproved};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, RsaEncoding, RsaKeyPair};
use crl_tool::{Issuer, IssuerError, IssuerId, ProofError, VerifyError};
use rcgen::{IsCa, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256, RsaKeySize};
use rustls_pki_types::{AlgorithmIdentifier, alg_id};

fn assert_proved(crl: &[u8], ca: &Ca) {
    let index = index(crl, ca);
    index.verify(&ca.certificate).unwrap();
    index.check_crl().unwrap();
    assert_eq!(index.metadata().issuer_id, IssuerId::of_certificate(&ca.certificate).unwrap());
}

#[test]
fn every_algorithm_is_verified() {
    for (key, algorithm) in [
        (&rcgen::PKCS_ECDSA_P256_SHA256, alg_id::ECDSA_SHA256),
        (&rcgen::PKCS_ECDSA_P384_SHA384, alg_id::ECDSA_SHA384),
        (&rcgen::PKCS_ECDSA_P521_SHA256, alg_id::ECDSA_SHA256),
        (&rcgen::PKCS_ECDSA_P521_SHA384, alg_id::ECDSA_SHA384),
        (&rcgen::PKCS_ECDSA_P521_SHA512, alg_id::ECDSA_SHA512),
        (&rcgen::PKCS_ED25519, alg_id::ED25519),
        (&rcgen::PKCS_ML_DSA_44, alg_id::ML_DSA_44),
        (&rcgen::PKCS_ML_DSA_65, alg_id::ML_DSA_65),
        (&rcgen::PKCS_ML_DSA_87, alg_id::ML_DSA_87),
    ] {
        let ca = Ca::with_key(KeyPair::generate_for(key).unwrap(), algorithm);
        let mut crl = Crl::of(&ca).serials(&[&[1], &[2]]).signed_by(&ca);
        assert_proved(&crl, &ca);
        let last = crl.len() - 1;
        crl[last] ^= 1;
        assert!(matches!(unproved(&crl, &[ca.issuer()]), VerifyError::Signature), "{algorithm:?}");
    }
}

fn rsa_signed(crl: &Crl, ca: &Ca, encoding: &'static dyn RsaEncoding) -> Vec<u8> {
    crl.signed(|message| {
        let key = RsaKeyPair::from_pkcs8(&ca.key.serialize_der()).unwrap();
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    })
}

#[test]
fn every_rsa_encoding_is_verified() {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let mut ca = Ca::with_key(key, alg_id::RSA_PKCS1_SHA256);
    let encodings: [(AlgorithmIdentifier, &'static dyn RsaEncoding); 6] = [
        (alg_id::RSA_PKCS1_SHA256, &signature::RSA_PKCS1_SHA256),
        (alg_id::RSA_PKCS1_SHA384, &signature::RSA_PKCS1_SHA384),
        (alg_id::RSA_PKCS1_SHA512, &signature::RSA_PKCS1_SHA512),
        (alg_id::RSA_PSS_SHA256, &signature::RSA_PSS_SHA256),
        (alg_id::RSA_PSS_SHA384, &signature::RSA_PSS_SHA384),
        (alg_id::RSA_PSS_SHA512, &signature::RSA_PSS_SHA512),
    ];
    for (algorithm, encoding) in encodings {
        ca.algorithm = algorithm;
        let mut crl = rsa_signed(&Crl::of(&ca).serials(&[&[1]]), &ca, encoding);
        assert_proved(&crl, &ca);
        let last = crl.len() - 1;
        crl[last] ^= 1;
        assert!(matches!(unproved(&crl, &[ca.issuer()]), VerifyError::Signature), "{algorithm:?}");
    }
    // RFC 4055 §5: the NULL may be absent.
    let absent = sequence(&[alg_id::RSA_PKCS1_SHA256.strip_suffix(&[5, 0]).unwrap()]);
    let crl = Crl::of(&ca).change(|crl| {
        crl.algorithm.clone_from(&absent);
        crl.outer_algorithm = absent;
    });
    assert_proved(&rsa_signed(&crl, &ca, &signature::RSA_PKCS1_SHA256), &ca);
}

#[test]
fn an_algorithm_nobody_knows_is_named() {
    let ca = Ca::new();
    // ecdsa-with-SHA1
    let sha1 = sequence(&[&element(0x06, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01]])]);
    let crl = Crl::of(&ca).change(|crl| {
        crl.algorithm.clone_from(&sha1);
        crl.outer_algorithm = sha1;
    });
    let refusal = unproved(&crl.signed_by(&ca), &[ca.issuer()]);
    assert!(refusal.to_string().contains("1.2.840.10045.4.1"), "{refusal}");
}

#[test]
fn an_algorithm_for_another_kind_of_key_is_refused() {
    let ca = Ca::new();
    let ed25519 = sequence(&[&alg_id::ED25519]);
    let crl = Crl::of(&ca).change(|crl| {
        crl.algorithm.clone_from(&ed25519);
        crl.outer_algorithm = ed25519;
    });
    assert!(matches!(unproved(&crl.signed_by(&ca), &[ca.issuer()]), VerifyError::KeyKind { .. }));
}

#[test]
fn a_ca_of_the_same_name_with_another_key_is_refused() {
    let (ca, impostor) = (Ca::new(), Ca::new());
    let crl = Crl::of(&ca).signed_by(&ca);
    assert!(matches!(unproved(&crl, &[impostor.issuer()]), VerifyError::OtherKey { .. }));
    // Without key identifiers, the signature tells.
    let anonymous = Crl::of(&ca).change(|crl| crl.extensions.truncate(0)).signed_by(&ca);
    assert!(matches!(unproved(&anonymous, &[impostor.issuer()]), VerifyError::Signature));
    let index = index(&crl, &ca);
    assert!(matches!(index.verify(&impostor.certificate), Err(ProofError::Verify { .. })));
}

#[test]
fn the_right_one_of_several_issuers_is_found() {
    let (old, new) = (Ca::new(), Ca::new());
    let issuers = [old.issuer(), new.issuer()];
    for ca in [&old, &new] {
        for crl in [Crl::of(ca), Crl::of(ca).change(|crl| crl.extensions.truncate(0))] {
            let (built, _) = build(&crl.signed_by(ca), &issuers).unwrap();
            assert_eq!(built.metadata.issuer_id, ca.issuer().id());
        }
    }
    assert!(matches!(unproved(&Crl::of(&old).signed_by(&old), &[]), VerifyError::NoIssuer));
}

#[test]
fn a_ca_of_another_name_is_refused() {
    let ca = Ca::new();
    let other = Ca::with_params(KeyPair::generate().unwrap(), alg_id::ECDSA_SHA256, |params| {
        params.distinguished_name.push(rcgen::DnType::CommonName, "Another");
    });
    let refusal = unproved(&Crl::of(&ca).signed_by(&ca), &[other.issuer()]);
    assert!(
        refusal.to_string().contains("CN=Forge") && refusal.to_string().contains("CN=Another"),
        "{refusal}"
    );
}

#[test]
fn a_certificate_that_may_not_sign_crls_is_refused() {
    let make = |change: fn(&mut rcgen::CertificateParams)| {
        Ca::with_params(KeyPair::generate().unwrap(), alg_id::ECDSA_SHA256, change)
    };
    let ca = make(|params| params.key_usages = vec![KeyUsagePurpose::KeyCertSign]);
    assert!(matches!(unproved(&Crl::of(&ca).signed_by(&ca), &[ca.issuer()]), VerifyError::MayNotSign));
    let ca = make(|params| {
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![];
    });
    assert!(matches!(unproved(&Crl::of(&ca).signed_by(&ca), &[ca.issuer()]), VerifyError::NotACa));
    // A certificate for signing CRLs and nothing else.
    let ca = make(|params| {
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::CrlSign];
    });
    assert_proved(&Crl::of(&ca).signed_by(&ca), &ca);
    // RFC 5280 §6.3.3 (f): without a key usage extension, the key may sign anything.
    let ca = make(|params| params.key_usages = vec![]);
    assert_proved(&Crl::of(&ca).signed_by(&ca), &ca);
}

#[test]
fn what_is_no_certificate_is_no_issuer() {
    assert_eq!(Issuer::from_file_content(b"hello").unwrap_err(), IssuerError::NoCertificate);
    assert_eq!(Issuer::from_file_content(b"").unwrap_err(), IssuerError::NoCertificate);
    assert_eq!(Issuer::from_file_content(&[0x30, 0x00]).unwrap_err(), IssuerError::NotACertificate);
    let ca = Ca::new();
    let trailing = [&ca.certificate[..], &[0]].concat();
    assert_eq!(Issuer::from_der(&trailing).unwrap_err(), IssuerError::NotACertificate);
}
