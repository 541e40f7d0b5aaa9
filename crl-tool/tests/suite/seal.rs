//! Signatures of indexes: who signed, over every byte, for this index and no other.

use crate::damage::resum;
use crate::der::{element, entry, extension, integer, reason, sequence};
use crate::forge::{Ca, Crl, index_bytes, pem};
use crate::stage::{BUILD, Stage, code, stderr, stdout};
use crl_tool::{Fault, Index, KeyError, OpenError, PublicKey, SealError, SignError, Signer, SigningKey};
use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;

/// An Ed25519 key that is the same in every run.
pub(crate) fn fixed_key() -> SigningKey {
    SigningKey::from_file_content(fixed_pem().as_bytes()).unwrap()
}

fn fixed_pem() -> String {
    // RFC 8410 §7: version 0, the algorithm, and the seed in an OCTET STRING of its own.
    let algorithm = sequence(&[&element(0x06, &[&[0x2b, 0x65, 0x70]])]);
    let seed = element(0x04, &[&element(0x04, &[&[7; 32]])]);
    pem("PRIVATE KEY", &sequence(&[&integer(&[0]), &algorithm, &seed]))
}

/// `bytes` of an index, signed.
pub(crate) fn signed(bytes: &[u8], signer: &dyn Signer) -> Vec<u8> {
    let mut file = file(bytes);
    Index::sign(&file, Path::new("signed"), signer).unwrap();
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// Opens an index that one of `keys` must have signed, its CRL included.
fn open(bytes: &[u8], keys: &[&PublicKey]) -> Result<Index, OpenError> {
    let keys: Vec<PublicKey> = keys.iter().map(|&key| key.clone()).collect();
    let index = Index::from_signed_file(file(bytes), Path::new("signed"), &keys)?;
    index.check_crl().map(|()| index)
}

fn small(ca: &Ca, last: u8) -> Vec<u8> {
    let entries: Vec<Vec<u8>> = (1..=last).map(|serial| entry(&[serial], &[reason(1)])).collect();
    index_bytes(&Crl::of(ca).entries(&entries).signed_by(ca), ca)
}

fn key(algorithm: &'static rcgen::SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(algorithm).unwrap()
}

#[test]
fn every_kind_of_key_signs_and_checks() {
    let ca = Ca::new();
    let plain = small(&ca, 3);
    for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519] {
        let pair = key(algorithm);
        let signer = SigningKey::from_file_content(pair.serialize_pem().as_bytes()).unwrap();
        let bytes = signed(&plain, &signer);
        let published = PublicKey::from_file_content(pair.public_key_pem().as_bytes()).unwrap();
        assert_eq!(published, [signer.public_key().clone()]);
        let index = open(&bytes, &[&published[0]]).unwrap();
        assert_eq!(index.signed_by(), Some(published[0].sha256()));
        // Whoever does not ask for a signature reads it as well, and can still prove the CRL.
        let index = Index::from_file(file(&bytes), Path::new("signed")).unwrap();
        index.verify(&ca.certificate).unwrap();
    }
}

#[test]
fn a_certificate_stands_for_its_key() {
    let ca = Ca::new();
    let signer = SigningKey::from_file_content(ca.key.serialize_pem().as_bytes()).unwrap();
    for content in [ca.pem().as_bytes(), &ca.certificate] {
        assert_eq!(PublicKey::from_file_content(content).unwrap(), [signer.public_key().clone()]);
    }
}

#[test]
fn keys_of_other_kinds_and_broken_files_are_named() {
    let rsa = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let p521 = key(&rcgen::PKCS_ECDSA_P521_SHA512);
    for other in [&rsa, &p521] {
        let private = SigningKey::from_file_content(other.serialize_pem().as_bytes());
        assert_eq!(private.unwrap_err(), KeyError::Kind);
        let public = PublicKey::from_file_content(other.public_key_pem().as_bytes());
        assert_eq!(public.unwrap_err(), KeyError::Kind);
    }
    let encrypted = pem("ENCRYPTED PRIVATE KEY", b"whatever");
    let refused = |text: &str| SigningKey::from_file_content(text.as_bytes()).unwrap_err();
    assert_eq!(refused(&encrypted), KeyError::Encrypted);
    assert_eq!(refused(&pem("PRIVATE KEY", b"whatever")), KeyError::Kind);
    assert_eq!(refused(&Ca::new().pem()), KeyError::NoPrivateKey);
    for nothing in ["", "hello", &fixed_pem()] {
        assert_eq!(PublicKey::from_file_content(nothing.as_bytes()).unwrap_err(), KeyError::NoPublicKey);
    }
}

#[test]
fn unsigned_and_otherwise_signed_indexes_are_refused_by_name() {
    let ca = Ca::new();
    let (ours, theirs) = (fixed_key(), key(&rcgen::PKCS_ED25519));
    let theirs = SigningKey::from_file_content(theirs.serialize_pem().as_bytes()).unwrap();
    let plain = small(&ca, 3);
    let bytes = signed(&plain, &ours);
    let refused = |bytes: &[u8], keys: &[&PublicKey]| open(bytes, keys).unwrap_err().fault;
    assert!(matches!(refused(&plain, &[ours.public_key()]), Fault::NotSigned));
    assert!(matches!(refused(&bytes, &[theirs.public_key()]), Fault::OtherSigner { .. }));
    assert!(matches!(refused(&bytes, &[]), Fault::OtherSigner { .. }));
    // While keys change, either will do.
    open(&bytes, &[theirs.public_key(), ours.public_key()]).unwrap();
    open(&signed(&bytes, &theirs), &[theirs.public_key(), ours.public_key()]).unwrap();
}

#[test]
fn signing_adds_to_the_file_and_changes_nothing_else() {
    let ca = Ca::new();
    let plain = small(&ca, 3);
    let once = signed(&plain, &fixed_key());
    assert_eq!(once[plain.len()..].len(), 32 + 64);
    assert_eq!(once[256..plain.len()], plain[256..]);
    // Ed25519 has one signature for one message, and an older one is replaced.
    let other = SigningKey::from_file_content(key(&rcgen::PKCS_ECDSA_P384_SHA384).serialize_pem().as_bytes());
    assert_eq!(signed(&signed(&plain, &other.unwrap()), &fixed_key()), once);
}

/// A forger, who can compute checksums, flips each bit of one byte after the other.
#[test]
fn no_byte_changes_under_a_signature() {
    let ca = Ca::new();
    let crl = Crl::of(&ca).serials(&[&[1], &[2], &[3]]).signed_by(&ca);
    let whole = signed(&index_bytes(&crl, &ca), &fixed_key());
    open(&whole, &[fixed_key().public_key()]).unwrap();
    for position in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[position] ^= 1 << bit;
            resum(&mut bytes, &crl);
            // The checksum itself is nobody's word: it was flipped and put right again.
            let harmless = (16..24).contains(&position);
            assert_eq!(bytes == whole, harmless);
            let opened = open(&bytes, &[fixed_key().public_key()]);
            assert_eq!(opened.is_ok(), harmless, "bit {bit} of byte {position}");
        }
    }
}

#[test]
fn a_signature_is_worth_nothing_on_another_index() {
    let ca = Ca::new();
    let (one, two) = (small(&ca, 3), small(&ca, 2));
    let seal = signed(&one, &fixed_key())[one.len()..].to_vec();
    let mut forged = [&two[..], &seal].concat();
    let size = u64::try_from(forged.len()).unwrap();
    forged[24..32].copy_from_slice(&size.to_le_bytes());
    forged[132..136].copy_from_slice(&u32::try_from(seal.len()).unwrap().to_le_bytes());
    let crl_size = u32::from_le_bytes(two[44..48].try_into().unwrap());
    resum(&mut forged, &two[256..256 + usize::try_from(crl_size).unwrap()]);
    // It is a sound index, for whoever asks for no signature.
    Index::from_file(file(&forged), Path::new("forged")).unwrap().verify(&ca.certificate).unwrap();
    let refused = open(&forged, &[fixed_key().public_key()]).unwrap_err().fault;
    assert!(matches!(refused, Fault::WrongSignature), "{refused}");
    // The same file with the signature taken off is unsigned.
    assert!(matches!(open(&two, &[fixed_key().public_key()]).unwrap_err().fault, Fault::NotSigned));
}

/// Signs something else than it was asked to, as a service with a wrong key or algorithm would.
struct Careless(SigningKey);

impl Signer for Careless {
    fn public_key(&self) -> &PublicKey {
        self.0.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        assert!(message.len() < 4096);
        self.0.sign(&message[1..])
    }
}

#[test]
fn a_signer_is_not_believed_unchecked() {
    let file = file(&small(&Ca::new(), 3));
    let refused = Index::sign(&file, Path::new("signed"), &Careless(fixed_key())).unwrap_err();
    assert!(matches!(&refused, SealError::Open(error) if matches!(error.fault, Fault::WrongSignature)));
}

#[test]
fn a_damaged_index_is_not_signed() {
    let mut bytes = small(&Ca::new(), 3);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    assert!(matches!(Index::sign(&file(&bytes), Path::new("signed"), &fixed_key()), Err(SealError::Open(_))));
}

/// A stage with two keys, and the first one's public half.
fn stage() -> Stage {
    let stage = Stage::set();
    stage.write("index.key", fixed_pem().as_bytes());
    let public = pem("PUBLIC KEY", &{
        let algorithm = sequence(&[&element(0x06, &[&[0x2b, 0x65, 0x70]])]);
        let pair = KeyPair::from_pem(&fixed_pem()).unwrap();
        sequence(&[&algorithm, &element(0x03, &[&[0], pair.public_key_raw()])])
    });
    stage.write("index.pub", public.as_bytes());
    let other = key(&rcgen::PKCS_ECDSA_P256_SHA256);
    stage.write("other.key", other.serialize_pem().as_bytes());
    stage.write("other.pub", other.public_key_pem().as_bytes());
    stage
}

const REQUIRED: [&str; 2] = ["--require-signature-by", "index.pub"];

#[test]
fn commands_take_signed_indexes_only_when_told_so() {
    let stage = stage();
    let commands: [(&[&str], i32); 5] = [
        (&["lookup", "ca.crlx", "--serial", "3"], 0),
        (&["verify", "ca.crlx"], 0),
        (&["inspect", "ca.crlx"], 0),
        (&["diff", "ca.crlx", "ca.crlx"], 0),
        (&["convert", "ca.crlx", "--out", "ca.json"], 0),
    ];
    assert_eq!(code(&stage.run(&BUILD)), 0);
    for (arguments, _) in commands {
        let refused = stage.run(&[arguments, &REQUIRED].concat());
        assert_eq!(code(&refused), 2, "{arguments:?}");
        assert!(stderr(&refused).contains("ca.crlx: not signed"), "{}", stderr(&refused));
    }
    let built = stage.run(&[&BUILD[..], &["--sign-key", "index.key"]].concat());
    assert!(stdout(&built).ends_with(", signed\n"), "{}{}", stdout(&built), stderr(&built));
    for (arguments, expected) in commands {
        let output = stage.run(&[arguments, &REQUIRED].concat());
        assert_eq!(code(&output), expected, "{arguments:?}: {}", stderr(&output));
        let refused = stage.run(&[arguments, &["--require-signature-by", "other.pub"]].concat());
        assert_eq!(code(&refused), 2);
        assert!(stderr(&refused).contains("signed with the key "), "{}", stderr(&refused));
        let either = stage.run(&[arguments, &REQUIRED, &["--require-signature-by", "other.pub"]].concat());
        assert_eq!(code(&either), expected, "{}", stderr(&either));
    }
    // A CRL has its issuer's signature and no other.
    let crl = stage.run(&[&["verify", "ca.crl"][..], &REQUIRED].concat());
    assert_eq!(code(&crl), 2);
    // With neither an issuer nor a key, nothing would be verified.
    assert_eq!(code(&stage.run(&["verify", "ca.crlx"])), 2);
}

#[test]
fn sign_proves_the_index_first_and_replaces_a_signature() {
    let stage = stage();
    assert_eq!(code(&stage.run(&BUILD)), 0);
    let plain = stage.read("ca.crlx");
    let sign = |key: &str| stage.run(&["sign", "ca.crlx", "--issuer", "ca.pem", "--sign-key", key]);
    assert_eq!(code(&sign("index.key")), 0);
    let by_build = stage.run(&[&BUILD[..6], &["signed.crlx", "--sign-key", "index.key"]].concat());
    assert_eq!(code(&by_build), 0, "{}", stderr(&by_build));
    assert_eq!(stage.read("ca.crlx"), stage.read("signed.crlx"));
    assert_eq!(code(&sign("other.key")), 0);
    assert_eq!(code(&stage.run(&["verify", "ca.crlx", "--require-signature-by", "other.pub"])), 0);

    // A line that hides a serial, under a right checksum: opens, but is not what the issuer says.
    let crl = stage.read("ca.crl");
    let mut forged = plain;
    forged[256 + crl.len() + 6] ^= 1;
    resum(&mut forged, &crl);
    stage.write("ca.crlx", &forged);
    assert_eq!(code(&stage.run(&["inspect", "ca.crlx"])), 0);
    let refused = sign("index.key");
    assert_eq!(code(&refused), 2);
    assert!(stderr(&refused).contains("forged"), "{}", stderr(&refused));
    assert_eq!(stage.read("ca.crlx"), forged);
}

#[test]
fn merge_signs_and_covers_the_delta() {
    let stage = stage();
    let delta = Crl::of(&stage.ca).serials(&[&[3]]).change(|crl| {
        crl.extensions[1] = extension(20, false, &integer(&[0x10, 0x02]));
        crl.extensions.push(extension(27, true, &integer(&[0x10, 0x01])));
    });
    stage.write("delta.crl", &delta.signed_by(&stage.ca));
    let merged = stage.run(&[
        "merge",
        "--base",
        "ca.crl",
        "--delta",
        "delta.crl",
        "--issuer",
        "ca.pem",
        "--out",
        "m.crlx",
        "--sign-key",
        "index.key",
    ]);
    assert_eq!(code(&merged), 0, "{}", stderr(&merged));
    let lookup = stage.run(&[&["lookup", "m.crlx", "--serial", "3"][..], &REQUIRED].concat());
    assert_eq!(code(&lookup), 1, "{}", stderr(&lookup));
}

#[test]
fn a_key_that_cannot_sign_stops_before_the_work() {
    let stage = stage();
    for (file, expected) in [("absent", "absent: cannot read"), ("index.pub", "no PEM block `PRIVATE KEY`")] {
        let refused = stage.run(&[&BUILD[..], &["--sign-key", file]].concat());
        assert_eq!(code(&refused), 2);
        assert!(stderr(&refused).contains(expected), "{}", stderr(&refused));
        assert!(!stage.path("ca.crlx").exists());
    }
}
