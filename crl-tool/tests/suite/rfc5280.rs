//! RFC 5280 §5: what a CRL must be, one decision a test.

use crate::der::{
    element, entry, extension, generalized_time, integer, reason, sequence, unknown_extension, utc_time,
};
use crate::forge::{Ca, Crl, index, problem};
use crl_tool::{Lookup, Problem, Reason, Revocation, Serial, SerialError};
use time::macros::datetime;

fn lookup(index: &crl_tool::Index, content: &[u8]) -> Lookup {
    index.lookup(&Serial::from_der_content(content).unwrap()).unwrap()
}

/// Refused for the reason that `expected` recognises.
macro_rules! assert_refused {
    ($crl:expr, $ca:expr, $expected:pat) => {
        let (problem, offset) = problem(&$crl.signed_by($ca), $ca);
        assert!(matches!(problem, $expected), "{problem:?} at byte {offset}");
        assert!(!problem.hint().is_empty());
    };
}

#[test]
fn reasons_and_dates_are_kept() {
    let ca = Ca::new();
    let codes = [0, 1, 2, 3, 4, 5, 6, 9, 10];
    let entries: Vec<Vec<u8>> = codes.iter().map(|&code| entry(&[code + 1], &[reason(code)])).collect();
    let entries = [entries, vec![entry(&[0x70], &[])]].concat();
    let index = index(&Crl::of(&ca).entries(&entries).signed_by(&ca), &ca);
    let date = datetime!(2026-01-02 03:04:05 UTC);
    for code in codes {
        let reason = Reason::from_code(code);
        assert_eq!(lookup(&index, &[code + 1]), Lookup::Revoked(Revocation { reason, date }));
    }
    assert_eq!(lookup(&index, &[0x70]), Lookup::Revoked(Revocation { reason: None, date }));
    assert_eq!(lookup(&index, &[0x71]), Lookup::NotRevoked);
}

#[test]
fn metadata_is_the_crls() {
    let ca = Ca::new();
    let crl = Crl::of(&ca).serials(&[&[1]]).signed_by(&ca);
    let index = index(&crl, &ca);
    let metadata = index.metadata();
    assert_eq!(metadata.issuer, "CN=Forge");
    assert_eq!(metadata.crl_number.unwrap().to_string(), "4097");
    assert_eq!(metadata.this_update, datetime!(2026-01-01 0:00 UTC));
    assert_eq!(metadata.next_update, Some(datetime!(2027-01-01 0:00 UTC)));
    assert_eq!((metadata.entries, metadata.listed), (1, 1));
    assert_eq!(metadata.authority_key_id.as_deref(), Some(ca.key_id.as_slice()));
    assert_eq!(metadata.crl_bytes, u64::try_from(crl.len()).unwrap());
}

#[test]
fn reason_codes_outside_of_the_standard_are_refused() {
    let ca = Ca::new();
    for code in [7, 11, 0xff] {
        assert_refused!(
            Crl::of(&ca).entries(&[entry(&[1], &[reason(code)])]),
            &ca,
            Problem::ReasonCode { .. }
        );
    }
    assert_refused!(Crl::of(&ca).entries(&[entry(&[1], &[reason(8)])]), &ca, Problem::RemoveFromCrl);
    let long = extension(21, false, &[0x0a, 0x02, 0x00, 0x01]);
    assert_refused!(Crl::of(&ca).entries(&[entry(&[1], &[long])]), &ca, Problem::Malformed { .. });
    let integer_instead = extension(21, false, &integer(&[1]));
    assert_refused!(
        Crl::of(&ca).entries(&[entry(&[1], &[integer_instead])]),
        &ca,
        Problem::Unexpected { .. }
    );
}

#[test]
fn odd_serials_are_serials() {
    let ca = Ca::new();
    let long = [0x7f; 32];
    let serials: [&[u8]; 6] = [&[0], &[0x80], &[0xff], &[0, 0x80], &[0x7f; 20], &long];
    let index = index(&Crl::of(&ca).serials(&serials).signed_by(&ca), &ca);
    for serial in serials {
        assert!(matches!(lookup(&index, serial), Lookup::Revoked(_)), "{serial:?}");
    }
    for serial in [&[1][..], &[0x7f], &[0x7f; 19], &[0, 0xff]] {
        assert_eq!(lookup(&index, serial), Lookup::NotRevoked, "{serial:?}");
    }
}

#[test]
fn serials_of_no_canonical_form_are_refused() {
    let ca = Ca::new();
    assert_refused!(Crl::of(&ca).serials(&[&[]]), &ca, Problem::Serial(SerialError::Empty));
    assert_refused!(Crl::of(&ca).serials(&[&[0, 1]]), &ca, Problem::Serial(SerialError::NotMinimal));
    assert_refused!(Crl::of(&ca).serials(&[&[0xff, 0x80]]), &ca, Problem::Serial(SerialError::NotMinimal));
    assert_refused!(
        Crl::of(&ca).serials(&[&[1; 33]]),
        &ca,
        Problem::Serial(SerialError::TooLong { octets: 33 })
    );
}

#[test]
fn a_serial_listed_twice_counts_once_as_listed_first() {
    let ca = Ca::new();
    let entries = [entry(&[1], &[reason(1)]), entry(&[2], &[]), entry(&[1], &[reason(6)]), entry(&[1], &[])];
    let index = index(&Crl::of(&ca).entries(&entries).signed_by(&ca), &ca);
    assert_eq!((index.metadata().entries, index.metadata().listed), (2, 4));
    let Lookup::Revoked(revocation) = lookup(&index, &[1]) else { panic!("not revoked") };
    assert_eq!(revocation.reason, Some(Reason::KeyCompromise));
    index.verify(&ca.certificate).unwrap();
    let mut json = Vec::new();
    index.write_json_cache(&mut json).unwrap();
    assert_eq!(json, b"{\"0x1\": \"\", \"0x2\": \"\"}");
}

#[test]
fn no_entries_is_an_absent_list() {
    let ca = Ca::new();
    let index = index(&Crl::of(&ca).signed_by(&ca), &ca);
    assert_eq!(index.metadata().entries, 0);
    assert_eq!(lookup(&index, &[1]), Lookup::NotRevoked);
    let mut json = Vec::new();
    index.write_json_cache(&mut json).unwrap();
    assert_eq!(json, b"{}");
    assert_refused!(Crl::of(&ca).entries(&[]), &ca, Problem::EmptyList);
}

#[test]
fn versions_other_than_two_are_refused() {
    let ca = Ca::new();
    for version in [&[0][..], &[2], &[0, 1]] {
        assert_refused!(Crl::of(&ca).change(|crl| crl.version = integer(version)), &ca, Problem::Version);
    }
}

#[test]
fn a_v1_crl_has_no_extensions() {
    let ca = Ca::new();
    let v1 = |crl: &mut Crl| crl.version.clear();
    let bare = |crl: &mut Crl| crl.extensions.clear();
    assert_refused!(Crl::of(&ca).change(v1), &ca, Problem::ExtensionsInV1);
    let with_reason = Crl::of(&ca).change(v1).change(bare).entries(&[entry(&[1], &[reason(1)])]);
    assert_refused!(with_reason, &ca, Problem::ExtensionsInV1);
    let index = index(&Crl::of(&ca).change(v1).change(bare).serials(&[&[1]]).signed_by(&ca), &ca);
    assert_eq!(index.metadata().crl_number, None);
}

#[test]
fn signed_and_outer_algorithm_are_one() {
    let ca = Ca::new();
    let crl =
        Crl::of(&ca).change(|crl| crl.outer_algorithm = sequence(&[&rustls_pki_types::alg_id::ECDSA_SHA384]));
    assert_refused!(crl, &ca, Problem::AlgorithmsDiffer);
}

#[test]
fn times_are_those_of_the_profile() {
    let ca = Ca::new();
    let this_update = |time: Vec<u8>| Crl::of(&ca).change(|crl| crl.this_update = time);
    for time in [
        utc_time("2601010000Z"),
        utc_time("260101000000+0000"),
        utc_time("260231000000Z"),
        generalized_time("20260101000000Z"),
        generalized_time("20500101000000.5Z"),
    ] {
        assert_refused!(this_update(time), &ca, Problem::Time(_));
    }
    assert_refused!(this_update(integer(&[1])), &ca, Problem::Unexpected { .. });
    let early = Crl::of(&ca).change(|crl| crl.next_update = utc_time("251231235959Z"));
    assert_refused!(early, &ca, Problem::NextBeforeThis);
    let late = Crl::of(&ca).change(|crl| crl.next_update = generalized_time("20500101000000Z"));
    let late = index(&late.signed_by(&ca), &ca);
    assert_eq!(late.metadata().next_update, Some(datetime!(2050-01-01 0:00 UTC)));
    let never = index(&Crl::of(&ca).change(|crl| crl.next_update.clear()).signed_by(&ca), &ca);
    assert_eq!(never.metadata().next_update, None);
    // The CA's clock, or ours: which of them is right is not for a reader to decide.
    let ahead = index(
        &Crl::of(&ca)
            .change(|crl| {
                crl.this_update = generalized_time("20600101000000Z");
                crl.next_update.clear();
            })
            .signed_by(&ca),
        &ca,
    );
    assert_eq!(ahead.metadata().this_update, datetime!(2060-01-01 0:00 UTC));
    let old =
        index(&Crl::of(&ca).change(|crl| crl.this_update = utc_time("500101000000Z")).signed_by(&ca), &ca);
    assert_eq!(old.metadata().this_update, datetime!(1950-01-01 0:00 UTC));
}

#[test]
fn unknown_critical_extensions_are_refused_and_others_ignored() {
    let ca = Ca::new();
    let with = |critical| Crl::of(&ca).change(|crl| crl.extensions.push(unknown_extension(critical)));
    assert_refused!(with(true), &ca, Problem::UnknownCritical { .. });
    index(&with(false).signed_by(&ca), &ca);
    // RFC 5280 §5.3: in whatever entry it is, the CRL must not be used.
    let entries = |critical| [entry(&[1], &[]), entry(&[2], &[reason(1), unknown_extension(critical)])];
    assert_refused!(Crl::of(&ca).entries(&entries(true)), &ca, Problem::UnknownCriticalInEntry { .. });
    let index = index(&Crl::of(&ca).entries(&entries(false)).signed_by(&ca), &ca);
    assert!(matches!(lookup(&index, &[2]), Lookup::Revoked(_)));
}

#[test]
fn extensions_do_not_repeat() {
    let ca = Ca::new();
    let twice = Crl::of(&ca).change(|crl| crl.extensions.push(crl.extensions[1].clone()));
    assert_refused!(twice, &ca, Problem::DuplicateExtension { .. });
    let twice = Crl::of(&ca).entries(&[entry(&[1], &[reason(1), reason(1)])]);
    assert_refused!(twice, &ca, Problem::DuplicateExtension { .. });
    let many: Vec<Vec<u8>> = (60..93).map(|number| extension(number, false, &[5, 0])).collect();
    assert_refused!(Crl::of(&ca).entries(&[entry(&[1], &many)]), &ca, Problem::TooManyExtensions { .. });
}

#[test]
fn extensions_are_well_formed() {
    let ca = Ca::new();
    let oid = element(0x06, &[&[0x2a, 0x03]]);
    let value = element(0x04, &[&[0x05, 0x00]]);
    for (odd, name) in [
        (sequence(&[&oid, &[0x01, 0x01, 0x00], &value]), "critical FALSE spelled out"),
        (sequence(&[&oid, &[0x01, 0x01, 0x01], &value]), "TRUE that is not 0xff"),
        (sequence(&[&oid]), "no value"),
        (sequence(&[&oid, &value, &value]), "two values"),
        (sequence(&[&element(0x06, &[&[]]), &value]), "an empty identifier"),
        (sequence(&[&element(0x06, &[&[0x2a, 0x80, 0x01]]), &value]), "a padded identifier"),
        (sequence(&[&element(0x06, &[&[0x2a, 0x83]]), &value]), "an unfinished identifier"),
        (extension(20, false, &[&integer(&[1])[..], &[0]].concat()), "bytes after a CRL number"),
    ] {
        let crl = Crl::of(&ca).change(|crl| crl.extensions = vec![odd]);
        assert!(crate::forge::build(&crl.signed_by(&ca), &[ca.issuer()]).is_err(), "{name}");
    }
}

#[test]
fn crl_numbers_have_at_most_20_octets() {
    let ca = Ca::new();
    let numbered = |content: &[u8]| {
        Crl::of(&ca).change(|crl| crl.extensions = vec![extension(20, false, &integer(content))])
    };
    for content in [&[0x80][..], &[1; 21], &[0, 1], &[]] {
        assert_refused!(numbered(content), &ca, Problem::CrlNumber);
    }
    let index = index(&numbered(&[0x7f; 20]).signed_by(&ca), &ca);
    assert!(index.metadata().crl_number.is_some());
}

#[test]
fn a_crl_that_does_not_stand_alone_says_so() {
    let ca = Ca::new();
    let with = |extension| Crl::of(&ca).change(|crl| crl.extensions.push(extension));
    assert_refused!(with(extension(27, true, &integer(&[1]))), &ca, Problem::Delta);
    let point = |fields: &[u8]| with(extension(28, true, &sequence(&[fields])));
    // Empty, two kinds, an unknown field, out of order, no reason, reasons nobody knows.
    for fields in [
        &[][..],
        &[0x81, 1, 0xff, 0x82, 1, 0xff],
        &[0x99, 0],
        &[0x82, 1, 0xff, 0x81, 1, 0xff],
        &[0x83, 2, 7, 0x80],
        &[0x83, 3, 6, 0, 0x40],
    ] {
        assert_refused!(point(fields), &ca, Problem::Malformed { .. });
    }
    assert_refused!(point(&[0x81, 1, 0]), &ca, Problem::EncodedDefault { .. });
    assert_refused!(point(&[0xa0, 0]), &ca, Problem::Truncated { .. });
}

#[test]
fn invalidity_dates_are_generalized_times() {
    let ca = Ca::new();
    let with = |value: Vec<u8>| Crl::of(&ca).entries(&[entry(&[1], &[extension(24, false, &value)])]);
    index(&with(generalized_time("20260101000000Z")).signed_by(&ca), &ca);
    assert_refused!(with(generalized_time("20261301000000Z")), &ca, Problem::Time(_));
    assert_refused!(with(utc_time("260101000000Z")), &ca, Problem::Unexpected { .. });
}

#[test]
fn nothing_follows_where_nothing_may() {
    let ca = Ca::new();
    let good = Crl::of(&ca).serials(&[&[1]]).signed_by(&ca);
    let (found, offset) = problem(&[&good[..], &[0]].concat(), &ca);
    assert!(matches!(found, Problem::Trailing { .. }), "{found:?}");
    assert_eq!(offset, u64::try_from(good.len()).unwrap());
    let inside = Crl::of(&ca).change(|crl| crl.after_signature = vec![5, 0]);
    assert_refused!(inside, &ca, Problem::Trailing { .. });
    let bits = Crl::of(&ca).change(|crl| crl.signature_padding = 1);
    assert_refused!(bits, &ca, Problem::Malformed { .. });
    let in_entry = sequence(&[&integer(&[1]), &utc_time("260101000000Z"), &integer(&[1])]);
    assert_refused!(Crl::of(&ca).entries(&[in_entry]), &ca, Problem::Trailing { .. });
}

#[test]
fn ber_is_refused() {
    let ca = Ca::new();
    let good = Crl::of(&ca).serials(&[&[1]]).signed_by(&ca);
    let mut indefinite = good.clone();
    indefinite[1] = 0x80;
    assert!(matches!(problem(&indefinite, &ca).0, Problem::IndefiniteLength));
    let mut long = good;
    // The length takes one octet more than it needs.
    assert_eq!(long[1], 0x81);
    long.splice(1..2, [0x82, 0x00]);
    assert!(matches!(problem(&long, &ca).0, Problem::LongLength));
}

#[test]
fn parts_of_insane_size_are_refused() {
    let ca = Ca::new();
    let large = entry(&[1], &[extension(99, false, &[0; 70_000])]);
    assert_refused!(Crl::of(&ca).entries(&[large]), &ca, Problem::PartTooLarge { part: "an entry", .. });
    let large = Crl::of(&ca).change(|crl| crl.extensions.push(extension(99, false, &[0; 70_000])));
    assert_refused!(large, &ca, Problem::PartTooLarge { part: "a trailer", .. });
    let large = Crl::of(&ca).change(|crl| crl.issuer = sequence(&[&[0; 70_000]]));
    assert_refused!(large, &ca, Problem::PartTooLarge { part: "a header", .. });
}

#[test]
fn large_entries_are_read_back() {
    let ca = Ca::new();
    let large = entry(&[1], &[reason(1), extension(99, false, &[0; 40_000])]);
    let index = index(&Crl::of(&ca).entries(&[large, entry(&[2], &[])]).signed_by(&ca), &ca);
    let Lookup::Revoked(revocation) = lookup(&index, &[1]) else { panic!("not revoked") };
    assert_eq!(revocation.reason, Some(Reason::KeyCompromise));
}
