//! NIST's PKITS and the CRL files of `cryptography-vectors`, through the real binaries, with the published result for each.
//!
//! A case's CRLs are indexed by `crl-tool build` and `merge`, proved by `crl-tool verify`, and the path is decided on by
//! `postern explain`. What came out is printed: `cargo nextest run -E 'test(/pkits::/)' --success-output final`.

mod cases;
mod custom;
mod run;
mod vectors;

use postern_tests::Outcome;

use self::cases::{BASIC_REVOCATION, DELTA_CRLS, DISTRIBUTION_POINTS, SELF_ISSUED};
use self::run::Section;

#[test]
fn basic_certificate_revocation_comes_out_as_published() -> Outcome {
    Section::run("PKITS 4.4, basic certificate revocation", BASIC_REVOCATION, 21)
}

#[test]
fn self_issued_certificates_come_out_as_published() -> Outcome {
    Section::run("PKITS 4.5, verifying paths with self-issued certificates", SELF_ISSUED, 8)
}

#[test]
fn distribution_points_come_out_as_published() -> Outcome {
    Section::run("PKITS 4.14, distribution points", DISTRIBUTION_POINTS, 35)
}

#[test]
fn delta_crls_come_out_as_published() -> Outcome {
    Section::run("PKITS 4.15, delta CRLs", DELTA_CRLS, 10)
}
