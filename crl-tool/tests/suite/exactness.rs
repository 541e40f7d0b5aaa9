//! A lookup says what the CRL says, for any CRL, for every serial; and the CRL can be had back.

use crate::der::{entry, reason};
use crate::forge::{Ca, Crl, index, index_bytes, pem};
use crl_tool::{Index, Lookup, Serial};
use proptest::prelude::*;
use std::collections::HashSet;
use std::io::Read as _;
use std::sync::LazyLock;

static CA: LazyLock<Ca> = LazyLock::new(Ca::new);

fn is_revoked(index: &Index, serial: &Serial) -> bool {
    matches!(index.lookup(serial).unwrap(), Lookup::Revoked(_))
}

/// Serials close to each other, of all lengths.
fn serial() -> impl Strategy<Value = Serial> {
    prop::collection::vec(prop_oneof![Just(0_u8), Just(0xff), any::<u8>()], 1..=32)
        .prop_filter_map("not minimal", |octets| Serial::from_der_content(&octets).ok())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn lookup_equals_a_hash_set(
        listed in prop::collection::vec(serial(), 1..300),
        asked in prop::collection::vec(serial(), 0..300),
    ) {
        let contents: Vec<&[u8]> = listed.iter().map(Serial::as_der_content).collect();
        let crl = Crl::of(&CA).serials(&contents).signed_by(&CA);
        let index = index(&crl, &CA);
        let set: HashSet<&Serial> = listed.iter().collect();
        prop_assert_eq!(index.metadata().entries, u64::try_from(set.len()).unwrap());
        for serial in listed.iter().chain(&asked) {
            prop_assert_eq!(is_revoked(&index, serial), set.contains(serial));
        }
        index.verify(&CA.certificate).unwrap();
        let mut given_back = Vec::new();
        index.crl().unwrap().read_to_end(&mut given_back).unwrap();
        prop_assert_eq!(given_back, crl);
    }

    #[test]
    fn hexadecimal_reads_back(serial in serial()) {
        prop_assert_eq!(Serial::from_hex(&serial.to_string()), Ok(serial));
    }
}

/// Enough entries that the window slides, lines overflow and lines spill past the last home.
#[test]
fn many_entries_are_all_found() {
    const COUNT: u32 = 60_000;
    let content = |number: u32| [&[0x40], &number.wrapping_mul(0x9e37_79b1).to_be_bytes()[..]].concat();
    let entries: Vec<Vec<u8>> = (0..COUNT)
        .map(|number| entry(&content(number), &if number % 2 == 0 { vec![reason(4)] } else { vec![] }))
        .collect();
    let crl = Crl::of(&CA).entries(&entries).signed_by(&CA);
    let index = index(&crl, &CA);
    index.verify(&CA.certificate).unwrap();
    for number in 0..2 * COUNT {
        let serial = Serial::from_der_content(&content(number)).unwrap();
        assert_eq!(is_revoked(&index, &serial), number < COUNT, "{serial}");
    }
    // At most 8.5 bytes an entry beside the CRL.
    let beside = index_bytes(&crl, &CA).len() - crl.len();
    assert!(beside * 2 <= entries.len() * 17, "{beside}");
    let mut json = Vec::new();
    index.write_json_cache(&mut json).unwrap();
    let json: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&json).unwrap();
    assert_eq!(json.len(), entries.len());
}

#[test]
fn pem_and_der_give_the_same_bytes() {
    let entries: Vec<Vec<u8>> =
        (0..20_000_u32).map(|number| entry(&[&[1], &number.to_be_bytes()[..]].concat(), &[])).collect();
    let der = Crl::of(&CA).entries(&entries).signed_by(&CA);
    let expected = index_bytes(&der, &CA);
    let body = pem("X509 CRL", &der);
    for (text, name) in [
        (body.clone(), "plain"),
        (pem("CRL", &der), "old label"),
        (format!("\u{feff}{body}"), "byte-order mark"),
        (body.replace('\n', "\r\n"), "CRLF"),
        (format!("notes\n{}{body}\n\nmore notes\n", CA.pem()), "other blocks and text"),
        (format!("-----BEGIN X509 CRL-----\n{}\n-----END X509 CRL-----", one_line(&body)), "one long line"),
    ] {
        assert_eq!(index_bytes(text.as_bytes(), &CA), expected, "{name}");
    }
}

fn one_line(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with('-')).collect()
}

#[test]
fn broken_pem_is_refused() {
    let good = pem("X509 CRL", &Crl::of(&CA).serials(&[&[1]]).signed_by(&CA));
    for (text, expected) in [
        (good.replace("END X509 CRL", "END CRL"), "own label"),
        (good.replace("-----END X509 CRL-----\n", ""), "no end"),
        (good.replacen('M', "!", 1), "not base64"),
        (good.replace("\n-----END", "\n=AAA\n-----END"), "not base64"),
        (format!("{good}{good}"), "second CRL"),
        (CA.pem(), "neither"),
        ("<html>not found</html>".to_owned(), "neither"),
        ("-----BEGIN X509 CRL-----\n-----END X509 CRL-----\n".to_owned(), "empty"),
        (String::new(), "empty"),
    ] {
        let error = crate::forge::build(text.as_bytes(), &[CA.issuer()]).map(|(built, _)| built).unwrap_err();
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    }
}

#[test]
fn the_size_cap_comes_before_everything() {
    let der = Crl::of(&CA).serials(&[&[1]]).signed_by(&CA);
    let size = u32::try_from(der.len()).unwrap();
    // Only the first bytes are there: the cap needs no more.
    for (cap, bytes) in [(size - 1, &der[..200]), (size - 1, &der[..])] {
        let input = crl_tool::Input::from_reader("capped", std::io::Cursor::new(bytes.to_vec()));
        let issuers = [CA.issuer()];
        let error = crl_tool::Build::new(&issuers).max_bytes(cap).check(input).unwrap_err();
        assert!(error.to_string().contains("where") && error.hint().contains("--max-bytes"), "{error}");
    }
    let issuers = [CA.issuer()];
    let input = crl_tool::Input::from_reader("fits", std::io::Cursor::new(der));
    crl_tool::Build::new(&issuers).max_bytes(size).check(input).unwrap();
}
