//! Delta CRLs (RFC 5280 §5.2.4), through the binary.

use crate::der::{entry, extension, integer, reason, utc_time};
use crate::forge::{Ca, Crl};
use crate::stage::{BUILD, Stage, code, stderr, stdout};

const MERGE: [&str; 9] =
    ["merge", "--base", "base.crl", "--delta", "delta.crl", "--issuer", "ca.pem", "--out", "merged.crlx"];

fn number(number: u8) -> Vec<u8> {
    extension(20, false, &integer(&[number]))
}

fn indicator(base: u8) -> Vec<u8> {
    extension(27, true, &integer(&[base]))
}

/// A CRL number 10 that revokes 1, holds 2 and 3.
fn base(ca: &Ca) -> Crl {
    Crl::of(ca)
        .entries(&[entry(&[1], &[reason(1)]), entry(&[2], &[reason(6)]), entry(&[3], &[reason(6)])])
        .change(|crl| crl.extensions[1] = number(10))
}

/// Number 12, on 9 and later: releases 2, revokes 3 for good, revokes 4.
fn delta(ca: &Ca) -> Crl {
    Crl::of(ca).entries(&[entry(&[2], &[reason(8)]), entry(&[3], &[reason(5)]), entry(&[4], &[])]).change(
        |crl| {
            crl.extensions[1] = number(12);
            crl.extensions.push(indicator(9));
            crl.this_update = utc_time("260201000000Z");
            crl.next_update = utc_time("260301000000Z");
        },
    )
}

/// A stage with these two CRLs.
fn set() -> Stage {
    let stage = Stage::set();
    stage.write("base.crl", &base(&stage.ca).signed_by(&stage.ca));
    stage.write("delta.crl", &delta(&stage.ca).signed_by(&stage.ca));
    stage
}

fn assert_answers(stage: &Stage, index: &str) {
    for (serial, expected) in [
        ("1", "revoked: 01, keyCompromise"),
        ("2", "not revoked: 02"),
        ("3", "revoked: 03, cessationOfOperation"),
        ("4", "revoked: 04, no reason given"),
        ("5", "not revoked: 05"),
    ] {
        let answer = stage.run(&["lookup", index, "--serial", serial]);
        assert!(stdout(&answer).starts_with(expected), "{expected}: {}", stdout(&answer));
        assert_eq!(code(&answer), i32::from(expected.starts_with("revoked")));
    }
}

#[test]
fn a_delta_revokes_and_releases() {
    let stage = set();
    let merged = stage.run(&MERGE);
    assert_eq!(code(&merged), 0, "{}", stderr(&merged));
    assert!(stdout(&merged).contains("2 more and 1 released"), "{}", stdout(&merged));
    assert_answers(&stage, "merged.crlx");
    let proved = stage.run(&["verify", "merged.crlx", "--issuer", "ca.pem"]);
    assert_eq!(code(&proved), 0, "{}", stderr(&proved));
    let json = stage.run(&["inspect", "merged.crlx", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["crl_number"], &json["delta_of"]), (&"12".into(), &"10".into()));
    assert_eq!(json["next_update"], "2026-03-01T00:00:00Z");
    assert_eq!((&json["delta_revoked"], &json["delta_removed"]), (&2.into(), &1.into()));
    // The same from an index, which keeps its own bytes but for the delta.
    let mut from_index = MERGE;
    from_index[2] = "merged.crlx";
    from_index[8] = "again.crlx";
    assert_eq!(code(&stage.run(&from_index)), 0);
    assert_eq!(stage.read("merged.crlx"), stage.read("again.crlx"));
}

#[test]
fn a_delta_goes_with_its_base_alone() {
    let stage = set();
    let ca = &stage.ca;
    let impostor = Ca::new();
    let scope = extension(28, true, &[0x30, 3, 0x81, 1, 0xff]);
    let based_on = |least: u8, own: u8| {
        delta(ca).change(|crl| {
            crl.extensions[1] = number(own);
            crl.extensions[2] = indicator(least);
        })
    };
    for (crl, signer, expected) in [
        (based_on(11, 12), ca, "changes in between would be missed"),
        (based_on(9, 10), ca, "brings nothing new"),
        (delta(ca).change(|crl| crl.extensions.push(scope)), ca, "another scope"),
        (delta(ca).change(|crl| drop(crl.extensions.remove(1))), ca, "the CRL number of a delta"),
        (delta(ca).entries(&[entry(&[4], &[]), entry(&[4], &[reason(8)])]), ca, "says two things"),
        (base(ca), ca, "not a delta CRL"),
        (delta(ca), &impostor, "signature"),
    ] {
        stage.write("delta.crl", &crl.signed_by(signer));
        let output = stage.run(&MERGE);
        assert_eq!(code(&output), 2, "{expected}");
        assert!(stderr(&output).contains(expected), "{expected}: {}", stderr(&output));
        assert!(!stage.names().contains(&"merged.crlx".to_owned()), "{expected}");
    }
    // The number it builds on may be the base's own.
    stage.write("delta.crl", &based_on(10, 11).signed_by(ca));
    assert_eq!(code(&stage.run(&MERGE)), 0);
    stage.write("base.crl", &base(ca).change(|crl| drop(crl.extensions.remove(1))).signed_by(ca));
    let unnumbered = stage.run(&MERGE);
    assert!(stderr(&unnumbered).contains("no CRL number"), "{}", stderr(&unnumbered));
}

#[test]
fn a_delta_of_another_key_is_refused_even_if_that_key_is_known() {
    let stage = set();
    let other = Ca::new();
    stage.write("other.pem", other.pem().as_bytes());
    stage.write("delta.crl", &delta(&other).signed_by(&other));
    let output = stage.run(&[&MERGE[..], &["--issuer", "other.pem"]].concat());
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("another issuer"), "{}", stderr(&output));
}

#[test]
fn a_delta_is_no_base() {
    let stage = set();
    let delta = delta(&stage.ca).entries(&[entry(&[4], &[])]);
    stage.write("ca.crl", &delta.signed_by(&stage.ca));
    let output = stage.run(&BUILD);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("crl-tool merge"), "{}", stderr(&output));
}

#[test]
fn a_damaged_delta_is_refused_with_the_index() {
    let stage = set();
    assert_eq!(code(&stage.run(&MERGE)), 0);
    let good = stage.read("merged.crlx");
    let delta = stage.read("delta.crl").len();
    for back in 1..=delta {
        let mut bytes = good.clone();
        let at = bytes.len() - back;
        bytes[at] ^= 1;
        stage.write("merged.crlx", &bytes);
        let opened = crl_tool::Index::open(&stage.path("merged.crlx"));
        assert!(opened.is_err(), "byte {at}");
    }
}
