//! What each fuzz target does with its input. The fuzzer's targets and an ordinary test, which needs no nightly
//! compiler, both include this file.

use crl_tool::{Build, EntriesError, Index, Input, Issuer, PublicKey, Serial, SigningKey, Subject, Unproved};
use std::io::Cursor;
use std::os::unix::fs::FileExt;
use std::path::Path;
use xxhash_rust::xxh3::Xxh3;

/// The CRL reader, DER and PEM: no input makes it panic, and none is proved, as nobody signed it.
pub(crate) fn crl(bytes: &[u8]) {
    let input = || Input::from_reader("fuzz", Cursor::new(bytes.to_vec()));
    assert!(Build::new(&[]).check(input()).is_err());
    let _ = Unproved::read(input(), u32::MAX);
}

/// The reader of delta CRLs, which has a walk of its own.
pub(crate) fn delta(bytes: &[u8]) {
    let file = tempfile::tempfile().unwrap();
    let base = Input::from_reader("base", Cursor::new(Vec::new()));
    let delta = Input::from_reader("fuzz", Cursor::new(bytes.to_vec()));
    assert!(Build::new(&[]).merge(base, delta, &file).is_err());
}

/// What is read of certificates and of key files.
pub(crate) fn certificate(bytes: &[u8]) {
    let _ = Subject::from_file_content(bytes);
    let _ = Issuer::from_file_content(bytes);
    let _ = PublicKey::from_file_content(bytes);
    let _ = PublicKey::from_spki(bytes);
    let _ = SigningKey::from_file_content(bytes);
}

/// The Ed25519 key that signed `tests/golden/signed.crlx`, as a SubjectPublicKeyInfo.
const TRUSTED: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00\xea\x4a\x6c\x63\xe2\x9c\x52\x0a\xbe\xf5\x50\x7b\x13\x2e\xc5\xf9\x95\x47\x76\xae\xbe\xbe\x7b\x92\x42\x1e\xea\x69\x14\x46\xd2\x2c";

/// The index reader, behind a checksum that is made to fit: no file makes opening, lookups or a proof panic, and none is
/// taken for one that a trusted key signed but the one that it did.
pub(crate) fn index(bytes: &[u8]) {
    let bytes = with_checksum(bytes);
    let file = || {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&bytes, 0).unwrap();
        file
    };
    let signed =
        Index::from_signed_file(file(), Path::new("fuzz"), &[PublicKey::from_spki(TRUSTED).unwrap()]);
    if signed.is_ok_and(|index| index.check_crl().is_ok()) {
        assert_eq!(bytes, include_bytes!("../tests/golden/signed.crlx"), "forged");
    }
    let Ok(index) = Index::from_file(file(), Path::new("fuzz")) else { return };
    for hex in ["0", "1", "1001", "-1", "ffffffffffffffffffffffffffffffff"] {
        let _ = index.lookup(&Serial::from_hex(hex).unwrap());
    }
    let _ = index.check_crl();
    let _ = index.verify_by(&[]);
    let _ = index.each_entry(|revoked| {
        index.listed_of(revoked.issuer, &revoked.serial).map(drop).map_err(EntriesError::from)
    });
}

/// `bytes` with the length and the checksum that FORMAT.md asks for in the header.
pub(crate) fn with_checksum(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let length = u64::try_from(bytes.len()).unwrap();
    if bytes.len() < 256 {
        return bytes;
    }
    bytes[24..32].copy_from_slice(&length.to_le_bytes());
    bytes[16..24].fill(0);
    let field = |at: usize| -> usize {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()).try_into().unwrap()
    };
    let embedded = field(12) != 1;
    let crl = 256 + if embedded { field(44) } else { 0 };
    let mut sum = Xxh3::new();
    if embedded {
        for part in [256..256 + field(48), 256 + field(52)..crl] {
            sum.update(bytes.get(part).unwrap_or_default());
        }
    }
    sum.update(bytes.get(crl..).unwrap_or_default());
    sum.update(&bytes[..256]);
    let sum = sum.digest();
    bytes[16..24].copy_from_slice(&sum.to_le_bytes());
    bytes
}
