//! No damage goes unnoticed: every byte flipped, every length cut.

use crate::der::{entry, reason};
use crate::forge::{Ca, Crl, build, index_bytes};
use crl_tool::{Fault, Index, Lookup, LookupError, OpenError, Serial};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;

fn small(ca: &Ca) -> Vec<u8> {
    let entries: Vec<Vec<u8>> = (1..=40).map(|serial| entry(&[serial], &[reason(1)])).collect();
    Crl::of(ca).entries(&entries).signed_by(ca)
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn open(bytes: &[u8]) -> Result<Index, OpenError> {
    Index::from_file(file(bytes), Path::new("damaged"))
}

/// The same serials, of several issuers.
fn indirect(ca: &Ca) -> Vec<u8> {
    let of = |serial: u8, name: &str| crate::indirect::of(serial, &crate::indirect::name(name));
    let entries = [of(1, "One"), entry(&[2], &[]), of(1, "Two"), entry(&[2], &[]), of(3, "One")];
    crate::indirect::crl(ca, &entries)
}

#[test]
fn every_flipped_byte_of_an_index_is_refused() {
    let ca = Ca::new();
    for crl in [small(&ca), indirect(&ca)] {
        refuse_every_flip(&index_bytes(&crl, &ca));
    }
}

fn refuse_every_flip(whole: &[u8]) {
    open(whole).unwrap().check_crl().unwrap();
    for position in 0..whole.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = whole.to_vec();
            bytes[position] ^= flip;
            let refused = open(&bytes).and_then(|index| index.check_crl());
            let error = refused.map_err(|error| error.to_string());
            let named = error.as_ref().is_err_and(|error| error.starts_with("damaged: "));
            assert!(named, "byte {position} ^ {flip:#x}: {error:?}");
        }
    }
}

#[test]
fn every_truncated_or_extended_index_is_refused() {
    let ca = Ca::new();
    let whole = index_bytes(&small(&ca), &ca);
    for length in 0..whole.len() {
        let error = open(&whole[..length]).unwrap_err();
        assert!(matches!(error.fault, Fault::Length { .. } | Fault::NotAnIndex), "{length}: {error}");
    }
    let longer = [&whole[..], &[0]].concat();
    assert!(matches!(open(&longer).unwrap_err().fault, Fault::Length { .. }));
}

#[test]
fn another_version_is_named() {
    let ca = Ca::new();
    let mut bytes = index_bytes(&small(&ca), &ca);
    bytes[8] = 2;
    assert!(matches!(open(&bytes).unwrap_err().fault, Fault::Version { version: 2 }));
}

/// Each field of the header with a value that breaks it, under a checksum that is right.
#[test]
fn wrong_headers_are_refused_under_a_right_checksum() {
    let ca = Ca::new();
    let crl = small(&ca);
    let whole = index_bytes(&crl, &ca);
    // Every 32-bit field after the checksum, set to zero, one more and the largest value.
    for field in (24..64).step_by(4) {
        let value = u32::from_le_bytes(whole[field..field + 4].try_into().unwrap());
        for wrong in [0, value.wrapping_add(1), u32::MAX].into_iter().filter(|&wrong| wrong != value) {
            let mut bytes = whole.clone();
            bytes[field..field + 4].copy_from_slice(&wrong.to_le_bytes());
            resum(&mut bytes, &crl);
            // What opens is not proved: a count of entries that could be right, but is not.
            let proved = open(&bytes).is_ok_and(|index| index.verify(&ca.certificate).is_ok());
            assert!(!proved, "field at {field} = {wrong}");
        }
    }
}

/// Writes the checksum that the bytes should have, as FORMAT.md describes it.
pub(crate) fn resum(bytes: &mut [u8], crl: &[u8]) {
    let number =
        |at: usize| usize::try_from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())).unwrap();
    let (start, end) = (number(48).min(crl.len()), number(52).min(crl.len()));
    let mut sum = xxhash_rust::xxh3::Xxh3::new();
    sum.update(&bytes[256..256 + start]);
    sum.update(&bytes[256 + end..256 + crl.len()]);
    sum.update(&bytes[256 + crl.len()..]);
    sum.update(&bytes[..16]);
    sum.update(&[0; 8]);
    sum.update(&bytes[24..256]);
    let sum = sum.digest();
    bytes[16..24].copy_from_slice(&sum.to_le_bytes());
}

#[test]
fn a_line_that_hides_a_serial_is_not_proved() {
    let ca = Ca::new();
    let crl = small(&ca);
    let mut bytes = index_bytes(&crl, &ca);
    resum(&mut bytes, &crl);
    open(&bytes).unwrap().verify(&ca.certificate).unwrap();
    let lane = 256 + crl.len();
    // The first fingerprint of the first line: lookups of its serial would miss.
    bytes[lane + 6] ^= 1;
    resum(&mut bytes, &crl);
    let index = open(&bytes).unwrap();
    index.check_crl().unwrap();
    let error = index.verify(&ca.certificate).unwrap_err();
    assert!(error.to_string().contains("forged"), "{error}");
}

#[test]
fn offsets_outside_of_the_entries_are_refused_under_a_right_checksum() {
    let ca = Ca::new();
    let crl = small(&ca);
    let mut bytes = index_bytes(&crl, &ca);
    let last = bytes.len() - 4;
    bytes[last..].copy_from_slice(&0_u32.to_le_bytes());
    resum(&mut bytes, &crl);
    assert!(matches!(open(&bytes).unwrap_err().fault, Fault::Offset { offset: 0, .. }));
}

#[test]
fn a_crl_that_changes_under_an_open_index_is_never_not_revoked() {
    let ca = Ca::new();
    let crl = small(&ca);
    let bytes = index_bytes(&crl, &ca);
    let file = file(&bytes);
    let index = Index::from_file(file.try_clone().unwrap(), Path::new("changing")).unwrap();
    for (position, byte) in (0..).zip(&bytes).skip(256).take(crl.len()) {
        file.write_all_at(&[byte ^ 0x21], position).unwrap();
        for serial in 1..=40 {
            let answer = index.lookup(&Serial::from_der_content(&[serial]).unwrap());
            assert!(
                matches!(answer, Ok(Lookup::Revoked(_)) | Err(LookupError::Changed { .. })),
                "{answer:?}"
            );
        }
        file.write_all_at(&[*byte], position).unwrap();
    }
    file.set_len(100).unwrap();
    assert!(matches!(index.lookup(&Serial::from_der_content(&[1]).unwrap()), Err(LookupError::Io(_))));
}

#[test]
fn every_flipped_byte_of_a_crl_is_refused() {
    let ca = Ca::new();
    let whole = small(&ca);
    for position in 0..whole.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[position] ^= flip;
            assert!(build(&bytes, &[ca.issuer()]).is_err(), "byte {position} ^ {flip:#x}");
        }
    }
}

#[test]
fn every_truncated_crl_is_refused() {
    let ca = Ca::new();
    let whole = small(&ca);
    for length in 0..whole.len() {
        let error = build(&whole[..length], &[ca.issuer()]).map(|(built, _)| built).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("early") || text.contains("empty"), "{length}: {text}");
    }
}
