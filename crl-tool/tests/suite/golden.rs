//! The bytes of the format, pinned. A change here is a change of the format and asks for a new version.

use crate::der::{entry, reason};
use crate::forge::{Ca, Crl, index_bytes};
use crate::seal::{fixed_key, signed};
use crl_tool::{Build, Index, Input, Issuer, Lookup, Reason, Serial, Signer};
use std::fs;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn issuers(name: &str) -> Vec<Issuer> {
    Issuer::from_file_content(&fs::read(golden(name)).unwrap()).unwrap()
}

#[test]
fn indexes_have_the_same_bytes_forever() {
    for (name, issuer) in
        [("empty", "ca.pem"), ("small", "ca.pem"), ("overflow", "ca.pem"), ("indirect", "indirect.pem")]
    {
        let file = tempfile::tempfile().unwrap();
        let input = Input::open(&golden(&format!("{name}.crl"))).unwrap();
        let built = Build::new(&issuers(issuer)).write(input, &file).unwrap();
        let mut bytes = vec![0; usize::try_from(built.bytes).unwrap()];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(bytes, fs::read(golden(&format!("{name}.crlx"))).unwrap(), "{name}");
    }
}

/// The signature of a key that is the same in every run.
#[test]
fn signatures_have_the_same_bytes_forever() {
    let plain = fs::read(golden("small.crlx")).unwrap();
    assert_eq!(signed(&plain, &fixed_key()), fs::read(golden("signed.crlx")).unwrap());
    let keys = [fixed_key().public_key().clone()];
    Index::open_signed(&golden("signed.crlx"), &keys).unwrap().check_crl().unwrap();
}

/// Writes the files anew, with another key.
#[test]
#[ignore = "only for a new version of the format"]
fn make_the_golden_files() {
    let ca = Ca::new();
    let write = |name: &str, bytes: &[u8]| fs::File::create(golden(name)).unwrap().write_all(bytes).unwrap();
    let write_both = |name: &str, crl: &[u8]| {
        write(&format!("{name}.crl"), crl);
        write(&format!("{name}.crlx"), &index_bytes(crl, &ca));
    };
    write("ca.pem", ca.pem().as_bytes());
    write_both("empty", &Crl::of(&ca).signed_by(&ca));
    let small =
        [entry(&[0x10, 0x01], &[reason(1)]), entry(&[0x10, 0x02], &[]), entry(&[0x10, 0x03], &[reason(6)])];
    write_both("small", &Crl::of(&ca).entries(&small).signed_by(&ca));
    // A CRL whose last line overflows, so that there is a line that nothing hashes to.
    let overflowing = (0_u32..)
        .map(|attempt| {
            let serials = (0..100_u8).map(|number| [&[0x10], &attempt.to_be_bytes()[..], &[number]].concat());
            let entries: Vec<Vec<u8>> = serials.map(|serial| entry(&serial, &[])).collect();
            Crl::of(&ca).entries(&entries).signed_by(&ca)
        })
        .find(|crl| {
            let bytes = index_bytes(crl, &ca);
            bytes[36..40] != bytes[40..44]
        });
    write_both("overflow", &overflowing.unwrap());
    write("indirect.pem", ca.pem().as_bytes());
    let [one, two] = ["One", "Two"].map(crate::indirect::name);
    let of = crate::indirect::of;
    let indirect = [entry(&[1], &[]), of(1, &one), entry(&[2], &[reason(6)]), of(2, &two), of(3, &one)];
    write_both("indirect", &crate::indirect::crl(&ca, &indirect));
    write("signed.crlx", &signed(&fs::read(golden("small.crlx")).unwrap(), &fixed_key()));
}

#[test]
fn the_pinned_bytes_are_read() {
    let index = Index::open(&golden("small.crlx")).unwrap();
    index.check_crl().unwrap();
    index.verify_by(&issuers("ca.pem")).unwrap();
    assert_eq!(index.metadata().entries, 3);
    let Lookup::Revoked(revocation) = index.lookup(&Serial::from_hex("1001").unwrap()).unwrap() else {
        panic!("not revoked");
    };
    assert_eq!(revocation.reason, Some(Reason::KeyCompromise));
    assert_eq!(index.lookup(&Serial::from_hex("1004").unwrap()).unwrap(), Lookup::NotRevoked);
}
