//! The custom CRL files of `cryptography-vectors`. Nearly none has its issuer's certificate beside it, so that a CRL which is as
//! it should be gets as far as the question who signed it.

use std::collections::BTreeSet;

use postern_tests::process::run;
use postern_tests::{Outcome, binary, tools};

use self::Expected::{NotApplicable, Refused, WellFormed};

enum Expected {
    /// Read to its end, and found to be of another issuer than the certificate that is there.
    WellFormed,
    /// With these words.
    Refused(&'static str),
    NotApplicable(&'static str),
}

/// What RFC 5280 §5.1.2.6 forbids, in a file that was made to show something else.
const EARLY_TIME: &str = "a GeneralizedTime before 2050";

const CERTIFICATE: &str =
    "a certificate, about distribution points; no CRL of its issuer is among the vectors";

const FILES: &[(&str, Expected)] = &[
    ("cdp_crl_issuer.pem", NotApplicable(CERTIFICATE)),
    ("cdp_fullname_reasons_crl_issuer.pem", NotApplicable(CERTIFICATE)),
    (
        "crl_all_reasons.pem",
        NotApplicable(
            "published as readable to a parser that allows a GeneralizedTime before 2050, which RFC 5280 forbids",
        ),
    ),
    ("crl_almost_10k.pem", WellFormed),
    ("crl_bad_version.pem", Refused("a CRL version other than v1 and v2")),
    ("crl_delta_crl_indicator.pem", Refused("a delta CRL")),
    ("crl_dup_entry_ext.pem", Refused(EARLY_TIME)),
    ("crl_empty.pem", WellFormed),
    ("crl_empty_no_sequence.der", WellFormed),
    ("crl_ian_aia_aki.pem", WellFormed),
    ("crl_idp_fullname_indirect_crl.pem", WellFormed),
    ("crl_idp_fullname_only.pem", WellFormed),
    ("crl_idp_fullname_only_aa.pem", WellFormed),
    ("crl_idp_fullname_only_user.pem", WellFormed),
    ("crl_idp_only_ca.pem", WellFormed),
    ("crl_idp_reasons_only.pem", WellFormed),
    ("crl_idp_relative_user_all_reasons.pem", WellFormed),
    ("crl_idp_relativename_only.pem", WellFormed),
    ("crl_inner_outer_mismatch.der", Refused("the signed and the outer signature algorithm differ")),
    ("crl_inval_cert_issuer_entry_ext.pem", Refused(EARLY_TIME)),
    ("crl_inval_date_fractional_seconds.der", Refused("malformed issuer's name")),
    ("crl_invalid_time.der", Refused("a time that RFC 5280 does not allow")),
    ("crl_issuer_invalid_printable_string.der", WellFormed),
    ("crl_md2_unknown_crit_entry_ext.pem", Refused(EARLY_TIME)),
    ("crl_no_next_update.pem", WellFormed),
    ("crl_unrecognized_extension.der", WellFormed),
    ("crl_unsupported_reason.pem", Refused(EARLY_TIME)),
    ("freshestcrl.pem", NotApplicable(CERTIFICATE)),
    ("invalid_signature_crl.pem", Refused("is not that of a CA")),
    (
        "valid_signature_crl.pem",
        NotApplicable(
            "its issuer's certificate is neither a CA's nor one for signing CRLs, so that it is refused",
        ),
    ),
];

#[test]
fn custom_crl_files_come_out_as_published() -> Outcome {
    let directory = tools::vectors()?.join("custom");
    let found: BTreeSet<String> = std::fs::read_dir(&directory)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.contains("crl"))
        .collect();
    let known = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, known, "every file is decided on");
    let issuer = directory.join("valid_signature_cert.pem");
    let (mut wrong, mut left_out) = (Vec::new(), 0);
    for (name, expected) in FILES {
        let message = match expected {
            WellFormed => "the CRL is of `",
            Refused(message) => message,
            NotApplicable(reason) => {
                println!("not applicable  {name}: {reason}");
                left_out += 1;
                continue;
            }
        };
        let mut command = binary::command("crl-tool")?;
        command.arg("verify").arg(directory.join(name)).arg("--issuer").arg(&issuer);
        let finished = run("crl-tool verify", &mut command)?;
        if finished.code() != 2 || !finished.stderr.contains(message) {
            wrong.push(format!("{name}: {}", finished.stderr));
        }
    }
    let run = FILES.len() - left_out;
    let passed = run - wrong.len();
    println!("custom CRL files: {run} run, {passed} passed, {left_out} not applicable");
    assert!(wrong.is_empty(), "not as expected: {wrong:#?}");
    Ok(())
}
