//! Indexes without their CRL, which stays beside them.

use crate::der::{entry, reason};
use crate::forge::{Ca, Crl, index_bytes, pem};
use crl_tool::{Build, Fault, Index, Lookup, OpenError, ProofError, Reason, Serial};
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use tempfile::TempDir;

struct Stage {
    directory: TempDir,
    ca: Ca,
}

impl Stage {
    /// A CRL with the index that belongs beside it.
    fn set() -> Stage {
        let stage = Stage { directory: tempfile::tempdir().unwrap(), ca: Ca::new() };
        stage.write("ca.crl", &stage.crl(2));
        stage.build();
        stage
    }

    /// A CRL that revokes 1 for keyCompromise, and another serial.
    fn crl(&self, other: u8) -> Vec<u8> {
        Crl::of(&self.ca).entries(&[entry(&[1], &[reason(1)]), entry(&[other], &[])]).signed_by(&self.ca)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        let partial = self.path("partial");
        File::create(&partial).unwrap().write_all(content).unwrap();
        fs::rename(partial, self.path(name)).unwrap();
    }

    fn build(&self) {
        let out = File::create_new(self.path("ca.crlx")).unwrap();
        let crl = File::open(self.path("ca.crl")).unwrap();
        let built = Build::new(&[self.ca.issuer()]).write_beside("ca.crl", &crl, &out).unwrap();
        assert_eq!(out.metadata().unwrap().len(), built.bytes);
    }

    fn open(&self) -> Result<Index, OpenError> {
        Index::open(&self.path("ca.crlx"))
    }
}

fn serial(hex: &str) -> Serial {
    Serial::from_hex(hex).unwrap()
}

#[test]
fn a_sidecar_answers_and_is_proved_as_the_whole_index() {
    let stage = Stage::set();
    let index = stage.open().unwrap();
    index.check_crl().unwrap();
    index.verify_by(&[stage.ca.issuer()]).unwrap();
    let Lookup::Revoked(revocation) = index.lookup(&serial("1")).unwrap() else { panic!("not revoked") };
    assert_eq!(revocation.reason, Some(Reason::KeyCompromise));
    assert_eq!(index.lookup(&serial("3")).unwrap(), Lookup::NotRevoked);
    let crl = stage.crl(2);
    let size = fs::metadata(stage.path("ca.crlx")).unwrap().len();
    assert_eq!(usize::try_from(size).unwrap() + crl.len(), index_bytes(&crl, &stage.ca).len());
}

#[test]
fn an_index_that_is_proved_as_it_is_opened_is_the_same_one() {
    let stage = Stage::set();
    stage.write("whole.crlx", &index_bytes(&stage.crl(2), &stage.ca));
    let proved = |name: &str, ca: &Ca| {
        let path = stage.path(name);
        Index::from_proved_file(File::open(&path).unwrap(), &path, &[ca.issuer()])
    };
    for name in ["ca.crlx", "whole.crlx"] {
        let index = proved(name, &stage.ca).unwrap();
        assert!(matches!(index.lookup(&serial("2")).unwrap(), Lookup::Revoked(_)), "{name}");
        assert_eq!(index.lookup(&serial("3")).unwrap(), Lookup::NotRevoked, "{name}");
        assert!(matches!(proved(name, &Ca::new()).unwrap_err(), ProofError::Verify { .. }), "{name}");
    }
    stage.write("forged.crlx", &forged(&stage));
    let Err(ProofError::Open(error)) = proved("forged.crlx", &stage.ca) else { panic!("proved") };
    assert!(matches!(error.fault, Fault::NotOfThisCrl), "{error}");
}

/// An index that is whole and has its fingerprints in another order than its CRL gives.
fn forged(stage: &Stage) -> Vec<u8> {
    let crl = stage.crl(2);
    let mut bytes = index_bytes(&crl, &stage.ca);
    let line = 256 + crl.len();
    // FORMAT.md: behind the count of those before, its own and the flags, two fingerprints of two octets.
    bytes[line + 6..line + 10].rotate_left(2);
    crate::damage::resum(&mut bytes, &crl);
    bytes
}

#[test]
fn a_sidecar_without_its_crl_is_refused() {
    let stage = Stage::set();
    fs::remove_file(stage.path("ca.crl")).unwrap();
    assert!(matches!(stage.open().unwrap_err().fault, Fault::NoCrl { .. }));
}

#[test]
fn a_sidecar_with_another_crl_is_refused() {
    let stage = Stage::set();
    let before = stage.open().unwrap();
    let crl = Crl::of(&stage.ca).entries(&[entry(&[3], &[])]).signed_by(&stage.ca);
    stage.write("ca.crl", &crl);
    assert!(matches!(stage.open().unwrap_err().fault, Fault::OtherCrl { .. }));
    // What was opened before goes on with what it opened.
    assert!(matches!(before.lookup(&serial("2")).unwrap(), Lookup::Revoked(_)));

    // Of the same length, frame and signature: that is for `check_crl` and for the lookup.
    let stage = Stage::set();
    let mut changed = fs::read(stage.path("ca.crl")).unwrap();
    let place = changed.windows(4).position(|four| four == [0x02, 0x01, 0x02, 0x17]).unwrap();
    changed[place + 2] = 0x05;
    stage.write("ca.crl", &changed);
    let index = stage.open().unwrap();
    assert!(matches!(index.check_crl().unwrap_err().fault, Fault::CrlDigest));
    assert!(index.lookup(&serial("2")).is_err());
    assert!(index.verify_by(&[stage.ca.issuer()]).is_err());
}

#[test]
fn pem_cannot_stay_beside_an_index() {
    let stage = Stage::set();
    stage.write("ca.crl", pem("X509 CRL", &stage.crl(2)).as_bytes());
    let crl = File::open(stage.path("ca.crl")).unwrap();
    let out = tempfile::tempfile().unwrap();
    assert!(Build::new(&[stage.ca.issuer()]).write_beside("ca.crl", &crl, &out).is_err());
}
