//! Indirect CRLs (RFC 5280 §5.2.5, §5.3.3): whose certificate an entry means.

use crate::der::{element, entry, extension, reason, sequence, utc_time};
use crate::forge::{Ca, Crl, index, problem};
use crate::scope::{named, point, uri};
use crate::stage::{BUILD, Stage, code, stderr, stdout};
use crl_tool::{EntriesError, Index, OpenError, Problem, Serial, Subject};
use proptest::prelude::*;
use rcgen::{BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, KeyPair, SerialNumber};
use std::collections::HashSet;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::LazyLock;

static CA: LazyLock<Ca> = LazyLock::new(Ca::new);

const INDIRECT: &[u8] = &[0x84, 1, 0xff];

/// The DER `Name` of a common name.
pub(crate) fn name(common: &str) -> Vec<u8> {
    let attribute = sequence(&[&element(0x06, &[&[0x55, 4, 3]]), &element(0x0c, &[common.as_bytes()])]);
    sequence(&[&element(0x31, &[&attribute])])
}

/// The extension that names the issuer of an entry's certificate.
fn issuer(names: &[&[u8]]) -> Vec<u8> {
    extension(29, true, &sequence(&[&names.concat()]))
}

fn directory(name: &[u8]) -> Vec<u8> {
    element(0xa4, &[name])
}

/// An entry that names its certificate's issuer.
pub(crate) fn of(serial: u8, name: &[u8]) -> Vec<u8> {
    entry(&[serial], &[reason(1), issuer(&[&directory(name)])])
}

/// An indirect CRL of these entries.
pub(crate) fn crl(ca: &Ca, entries: &[Vec<u8>]) -> Vec<u8> {
    scoped(ca, entries, &[INDIRECT])
}

fn scoped(ca: &Ca, entries: &[Vec<u8>], scope: &[&[u8]]) -> Vec<u8> {
    let point = extension(28, true, &sequence(scope));
    Crl::of(ca).entries(entries).change(|crl| crl.extensions.push(point)).signed_by(ca)
}

fn lists(index: &Index, issuer: Option<&[u8]>, serial: u8) -> bool {
    index.listed_of(issuer, &Serial::from_der_content(&[serial]).unwrap()).unwrap().is_some()
}

#[test]
fn the_issuer_that_an_entry_names_is_that_of_the_entries_after_it() {
    let (one, two, own) = (name("One"), name("Two"), name("Forge"));
    let bare = |serial| entry(&[serial], &[]);
    let entries = [bare(1), of(2, &one), bare(3), of(2, &two), bare(4), of(5, &own), bare(6), of(7, &one)];
    let index = index(&crl(&CA, &entries), &CA);
    index.check_crl().unwrap();
    index.verify(&CA.certificate).unwrap();
    for (issuer, serials) in
        [(None, &[1, 5, 6][..]), (Some(&one), &[2, 3, 7]), (Some(&two), &[2, 4]), (Some(&name("Three")), &[])]
    {
        for serial in 1..=8 {
            let expected = serials.contains(&serial);
            assert_eq!(lists(&index, issuer.map(Vec::as_slice), serial), expected, "{issuer:02x?} {serial}");
        }
    }
    // The CRL's own issuer by its name.
    assert!(lists(&index, Some(&own), 6) && !lists(&index, Some(&own), 7));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn lookup_equals_a_hash_set_of_issuers_and_serials(
        listed in prop::collection::vec((0_u8..4, any::<bool>(), 0_u8..40), 1..200),
    ) {
        let names = [name("Forge"), name("One"), name("Two"), name("Three")];
        let (mut current, mut set, mut entries) = (0_usize, HashSet::new(), Vec::new());
        for (which, says, serial) in listed {
            if says {
                current = usize::from(which);
                entries.push(of(serial, &names[current]));
            } else {
                entries.push(entry(&[serial], &[]));
            }
            set.insert((current, serial));
        }
        let index = index(&crl(&CA, &entries), &CA);
        prop_assert_eq!(index.metadata().entries, u64::try_from(set.len()).unwrap());
        prop_assert_eq!(index.metadata().listed, u64::try_from(entries.len()).unwrap());
        for (number, name) in names.iter().enumerate() {
            for serial in 0..41 {
                prop_assert_eq!(lists(&index, Some(name), serial), set.contains(&(number, serial)));
            }
        }
        let mut visited = HashSet::new();
        index.each_entry(|revoked| {
            let number = revoked.issuer.map_or(0, |issuer| names.iter().position(|it| it == issuer).unwrap());
            assert!(visited.insert((number, revoked.serial.as_der_content()[0])), "visited twice");
            Ok::<(), EntriesError>(())
        }).unwrap();
        prop_assert_eq!(visited, set);
        index.verify(&CA.certificate).unwrap();
    }
}

/// One serial of each of very many issuers, which would all fall into one line by the serial alone.
#[test]
fn one_serial_of_many_issuers_is_found_as_fast_as_any() {
    const COUNT: u32 = 20_000;
    let entries: Vec<Vec<u8>> = (0..COUNT).map(|number| of(1, &name(&number.to_string()))).collect();
    let index = index(&crl(&CA, &entries), &CA);
    assert_eq!(index.metadata().entries, u64::from(COUNT));
    for number in 0..2 * COUNT {
        assert_eq!(lists(&index, Some(&name(&number.to_string())), 1), number < COUNT, "{number}");
    }
}

#[test]
fn an_issuer_in_a_crl_that_is_not_indirect_is_refused() {
    let ca = Ca::new();
    for extensions in [None, Some(extension(28, true, &sequence(&[&[0x81, 1, 0xff]])))] {
        let crl = Crl::of(&ca)
            .entries(&[entry(&[1], &[]), of(2, &name("One"))])
            .change(|crl| crl.extensions.extend(extensions));
        let (found, offset) = problem(&crl.signed_by(&ca), &ca);
        assert!(matches!(found, Problem::NotIndirect), "{found:?}");
        assert!(offset > 0 && !found.hint().is_empty());
    }
}

#[test]
fn an_issuer_is_one_distinguished_name() {
    let (one, two) = (directory(&name("One")), directory(&name("Two")));
    let dns = element(0x82, &[b"one.example"]);
    let (empty, broken) = (directory(&sequence(&[])), directory(&[0x30, 1]));
    let refused: [&[&[u8]]; 5] = [&[], &[&dns], &[&one, &two], &[&empty], &[&broken]];
    for names in refused {
        let (found, _) = problem(&crl(&CA, &[entry(&[1], &[issuer(names)])]), &CA);
        assert!(matches!(found, Problem::Malformed { .. }), "{found:?}");
    }
    // Other names beside it are of the same issuer.
    let index = index(&crl(&CA, &[entry(&[1], &[issuer(&[&dns, &one])])]), &CA);
    assert!(lists(&index, Some(&name("One")), 1));
}

#[test]
fn a_crl_that_changes_under_an_open_index_never_loses_a_certificate() {
    let one = name("One");
    let crl = crl(&CA, &[entry(&[1], &[]), of(2, &one), entry(&[3], &[]), of(4, &name("Forge"))]);
    let (_, file) = crate::forge::build(&crl, &[CA.issuer()]).unwrap();
    let index = Index::from_file(file.try_clone().unwrap(), Path::new("changing")).unwrap();
    for (position, byte) in (256..).zip(&crl) {
        file.write_all_at(&[byte ^ 0x21], position).unwrap();
        for (issuer, serial) in [(None, 1), (Some(one.as_slice()), 2), (Some(&one), 3), (None, 4)] {
            let answer = index.listed_of(issuer, &Serial::from_der_content(&[serial]).unwrap());
            assert!(!matches!(answer, Ok(None)), "byte {position}, serial {serial}");
        }
        file.write_all_at(&[*byte], position).unwrap();
    }
}

#[test]
fn a_change_of_the_issuer_that_is_left_out_is_not_proved() {
    let crl = crl(&CA, &[entry(&[1], &[]), of(2, &name("One"))]);
    let good = crate::forge::index_bytes(&crl, &CA);
    let open = |bytes: &[u8]| -> Result<Index, OpenError> {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(bytes, 0).unwrap();
        Index::from_file(file, Path::new("forged"))
    };
    let with = |change: fn(u32) -> u32| {
        let mut bytes = good.clone();
        let last = bytes.len() - 4;
        let value = u32::from_le_bytes(bytes[last..].try_into().unwrap());
        bytes[last..].copy_from_slice(&change(value).to_le_bytes());
        crate::damage::resum(&mut bytes, &crl);
        open(&bytes)
    };
    with(|change| change).unwrap().verify(&CA.certificate).unwrap();
    for outside in [|_| 0, |_| u32::MAX] {
        assert!(with(outside).is_err());
    }
    let moved = with(|change| change - 1).unwrap();
    assert!(moved.verify(&CA.certificate).is_err());
    assert!(moved.listed_of(Some(&name("One")), &Serial::from_hex("2").unwrap()).is_err());
    // Left out altogether, with the header to match.
    let mut bytes = good[..good.len() - 4].to_vec();
    bytes[128] = 0;
    let length = u64::try_from(bytes.len()).unwrap();
    bytes[24..32].copy_from_slice(&length.to_le_bytes());
    crate::damage::resum(&mut bytes, &crl);
    assert!(open(&bytes).unwrap().verify(&CA.certificate).is_err());
}

/// A certificate by a CA of the name `issuer`, with these distribution points.
fn certificate(issuer: &str, serial: u64, points: &[Vec<u8>]) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, issuer);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let ca = rcgen::Issuer::new(params, key);
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from(serial));
    if !points.is_empty() {
        let points = sequence(&[&points.concat()]);
        params.custom_extensions.push(CustomExtension::from_oid_content(&[2, 5, 29, 31], points));
    }
    params.signed_by(&KeyPair::generate().unwrap(), &ca).unwrap().der().to_vec()
}

fn crl_issuer(common: &str) -> Vec<u8> {
    element(0xa2, &[&directory(&name(common))])
}

#[test]
fn an_indirect_crl_covers_the_certificates_that_name_its_issuer() {
    const HERE: &str = "http://crl.example/indirect.crl";
    let rdn = sequence(&[&element(0x06, &[&[0x55, 4, 3]]), &element(0x0c, &[b"part"])]);
    let relative = element(0xa0, &[&element(0xa1, &[&rdn])]);
    let full = sequence(&[&name("Forge")[2..], &element(0x31, &[&rdn])]);
    let here = named(&uri(HERE));
    let elsewhere = named(&uri("http://crl.example/other.crl"));
    let entries = [of(1, &name("One"))];
    let all = index(&crl(&CA, &entries), &CA);
    let limited = index(&scoped(&CA, &entries, &[&here, INDIRECT]), &CA);
    let in_part = index(&scoped(&CA, &entries, &[&named(&directory(&full)), INDIRECT]), &CA);
    let direct = index(&scoped(&CA, &[entry(&[1], &[])], &[&here]), &CA);
    let complete = index(&Crl::of(&CA).entries(&[entry(&[1], &[])]).signed_by(&CA), &CA);
    let forge = crl_issuer("Forge");
    for (what, points, covered) in [
        ("no point", vec![], [false; 5]),
        ("a point of its own issuer", vec![point(&[&here])], [false; 5]),
        ("another CRL issuer", vec![point(&[&here, &crl_issuer("Forge 2")])], [false; 5]),
        ("the CRL issuer alone", vec![point(&[&forge])], [true, false, false, false, false]),
        ("the CRL issuer there", vec![point(&[&here, &forge])], [true, true, false, false, false]),
        ("the CRL issuer elsewhere", vec![point(&[&elsewhere, &forge])], [true, false, false, false, false]),
        ("relative to the CRL issuer", vec![point(&[&relative, &forge])], [true, false, true, false, false]),
        (
            "two points",
            vec![point(&[&elsewhere]), point(&[&here, &forge])],
            [true, true, false, false, false],
        ),
    ] {
        let subject = Subject::from_der(&certificate("One", 1, &points)).unwrap();
        let answers = [&all, &limited, &in_part, &direct, &complete].map(|it| it.covers(&subject).is_ok());
        assert_eq!(answers, covered, "{what}");
        assert!(all.lists(&subject).unwrap().is_some() && direct.lists(&subject).unwrap().is_none());
    }
    // One serial of two issuers.
    let other = Subject::from_der(&certificate("Two", 1, &[point(&[&forge])])).unwrap();
    assert!(all.covers(&other).is_ok() && all.lists(&other).unwrap().is_none());
}

#[test]
fn the_commands_know_whose_certificates_are_listed() {
    let stage = Stage::set();
    let pem = |file: &str, issuer: &str, points: &[Vec<u8>]| {
        let der = certificate(issuer, 2, points);
        stage.write(file, crate::forge::pem("CERTIFICATE", &der).as_bytes());
    };
    pem("one.pem", "One", &[point(&[&crl_issuer("Forge")])]);
    pem("two.pem", "Two", &[point(&[&crl_issuer("Forge")])]);
    pem("stranger.pem", "One", &[]);
    stage.write("ca.crl", &crl(&stage.ca, &[entry(&[1], &[]), of(2, &name("One"))]));
    let built = stage.run(&BUILD);
    assert_eq!(code(&built), 0, "{}", stderr(&built));
    assert_eq!(code(&stage.run(&["verify", "ca.crlx", "--issuer", "ca.pem"])), 0);
    assert!(stdout(&stage.run(&["inspect", "ca.crlx"])).contains("scope         indirect\n"));
    for (certificate, expected) in [("one.pem", 1), ("two.pem", 0), ("stranger.pem", 2)] {
        assert_eq!(
            code(&stage.run(&["lookup", "ca.crlx", "--cert", certificate])),
            expected,
            "{certificate}"
        );
    }
    // A serial by itself is one of the CRL's own issuer.
    for (serial, expected) in [("1", 1), ("2", 3)] {
        assert_eq!(code(&stage.run(&["lookup", "ca.crlx", "--serial", serial])), expected, "{serial}");
    }
    let json = stage.run(&["convert", "ca.crlx", "--out", "ca.json"]);
    assert_eq!(code(&json), 2);
    assert!(stderr(&json).contains("serial numbers alone do not tell"), "{}", stderr(&json));
    stage.write("ca.crl", &crl(&stage.ca, &[entry(&[1], &[]), of(2, &name("Two"))]));
    let mut newer = BUILD;
    newer[6] = "newer.crlx";
    assert_eq!(code(&stage.run(&newer)), 0);
    let diff = stdout(&stage.run(&["diff", "ca.crlx", "newer.crlx", "--list"]));
    assert!(diff.contains("newly revoked  1\n  02 of CN=Two, keyCompromise"), "{diff}");
    assert!(diff.contains("dropped        1\n  02 of CN=One, keyCompromise"), "{diff}");
}

#[test]
fn an_indirect_delta_is_refused() {
    let stage = Stage::set();
    let delta = |scope: &[&[u8]], entries: &[Vec<u8>]| {
        let extensions = [
            extension(20, false, &[2, 1, 9]),
            extension(27, true, &[2, 1, 1]),
            extension(28, true, &sequence(scope)),
        ];
        let crl = Crl::of(&stage.ca).entries(entries).change(|crl| {
            crl.extensions.truncate(1);
            crl.extensions.extend(extensions);
            crl.this_update = utc_time("260201000000Z");
        });
        stage.write("delta.crl", &crl.signed_by(&stage.ca));
        stage.run(&["merge", "--base", "ca.crl", "--delta", "delta.crl", "--issuer", "ca.pem", "--out", "x"])
    };
    let refused = delta(&[INDIRECT], &[entry(&[1], &[])]);
    assert!(stderr(&refused).contains("an indirect delta CRL"), "{}", stderr(&refused));
    let refused = delta(&[&[0x81, 1, 0xff]], &[of(1, &name("One"))]);
    assert!(stderr(&refused).contains("the CRL is not indirect"), "{}", stderr(&refused));
}
