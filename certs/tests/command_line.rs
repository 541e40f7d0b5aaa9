//! The `certs` binary as a user meets it, judged by the `openssl` command line.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use certs::{Authority, KeyType, Leaf, Options, Outcome, Overwrite, Pki, Reason, Validity};
use tempfile::TempDir;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

const NOW: OffsetDateTime = datetime!(2026-11-21 12:00:00 UTC);

/// A directory with a development PKI that the binary made.
struct Made(TempDir);

impl Made {
    fn with(arguments: &[&str]) -> Self {
        let made = Self(TempDir::new().unwrap());
        expect(&made.dev(arguments), 0);
        made
    }

    fn dev(&self, arguments: &[&str]) -> Output {
        certs(&[&["dev", "--out", self.0.path().to_str().unwrap()], arguments].concat())
    }

    fn revoke(&self, arguments: &[&str]) -> Output {
        certs(&[&["revoke", "--dir", self.0.path().to_str().unwrap()], arguments].concat())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// The CRL as `openssl crl -text` shows it, after its signature was verified.
    fn crl(&self, ca: &str) -> String {
        let issuer = self.path(&format!("{ca}.pem"));
        let check = |file: &str, form: &str| {
            let file = self.path(file);
            openssl(&["crl", "-in", &file, "-inform", form, "-CAfile", &issuer, "-noout", "-text"])
        };
        let der = check(&format!("crl/{ca}.crl"), "DER");
        let pem = check(&format!("crl/{ca}.crl.pem"), "PEM");
        assert!(text(&der.stderr).contains("verify OK"), "{}", text(&der.stderr));
        assert!(text(&pem.stderr).contains("verify OK"), "{}", text(&pem.stderr));
        assert_eq!(der.stdout, pem.stdout);
        text(&der.stdout)
    }

    /// What `openssl verify` says of a certificate and its chain, revocation included.
    fn verify(&self, certificate: &str, purpose: &str) -> String {
        let (root, certificate) = (self.path("root.pem"), self.path(certificate));
        let crls = ["crl/intermediate.crl.pem", "crl/root.crl.pem"].map(|file| self.path(file));
        let verified = openssl(&[
            "verify",
            "-x509_strict",
            "-purpose",
            purpose,
            "-CAfile",
            &root,
            "-untrusted",
            &certificate,
            "-crl_check_all",
            "-CRLfile",
            &crls[0],
            "-CRLfile",
            &crls[1],
            &certificate,
        ]);
        text(&verified.stdout) + &text(&verified.stderr)
    }
}

fn certs(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_certs")).args(arguments).output().unwrap()
}

fn openssl(arguments: &[&str]) -> Output {
    Command::new("openssl").args(arguments).output().unwrap()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

/// The standard output of a run that ended with that code.
fn expect(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let content = fs::read(&path).unwrap();
            found.insert(path, content);
        }
    }
    found
}

fn count(haystack: &str, needle: &str) -> usize {
    haystack.matches(needle).count()
}

#[test]
fn openssl_accepts_good_and_refuses_each_other_client_for_its_reason() {
    let made = Made::with(&[]);
    for (client, verdict) in [
        ("good", ": OK"),
        ("revoked", "certificate revoked"),
        ("expired", "certificate has expired"),
        ("not-yet-valid", "certificate is not yet valid"),
        // OpenSSL compares key identifiers before it tries a signature.
        ("stranger", "unable to get local issuer certificate"),
        ("wrong-eku", "unsuitable certificate purpose"),
    ] {
        let said = made.verify(&format!("clients/{client}.pem"), "sslclient");
        assert!(said.contains(verdict), "{client}: {said}");
    }
    assert!(made.verify("server.pem", "sslserver").contains(": OK"));
}

#[test]
fn the_upstream_answers_to_execute_api_names_below_its_own_ca() {
    let made = Made::with(&[]);
    let (ca, certificate) = (made.path("upstream-ca.pem"), made.path("upstream.pem"));
    for (kind, name) in [
        ("-verify_hostname", "localhost"),
        ("-verify_hostname", "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"),
        ("-verify_ip", "127.0.0.1"),
        ("-verify_ip", "::1"),
    ] {
        let said = openssl(&[
            "verify",
            "-x509_strict",
            "-purpose",
            "sslserver",
            "-CAfile",
            &ca,
            kind,
            name,
            &certificate,
        ]);
        assert!(text(&said.stdout).contains(": OK"), "{name}: {}", text(&said.stderr));
    }
    assert!(!made.verify("upstream.pem", "sslserver").contains(": OK"));
}

#[test]
fn every_key_type_makes_keys_certificates_and_crls_that_openssl_accepts() {
    for (key_type, algorithm) in [
        ("rsa2048", "sha256WithRSAEncryption"),
        ("p256", "ecdsa-with-SHA256"),
        ("p384", "ecdsa-with-SHA384"),
        ("ed25519", "ED25519"),
    ] {
        let made = Made::with(&["--key-type", key_type]);
        assert!(made.verify("clients/good.pem", "sslclient").contains(": OK"), "{key_type}");
        assert!(
            made.crl("intermediate").contains(&format!("Signature Algorithm: {algorithm}")),
            "{key_type}"
        );

        let certificate =
            text(&openssl(&["x509", "-in", &made.path("clients/good.pem"), "-noout", "-text"]).stdout);
        assert!(certificate.contains(&format!("Signature Algorithm: {algorithm}")), "{certificate}");
        let public = openssl(&["x509", "-in", &made.path("clients/good.pem"), "-noout", "-pubkey"]);
        let own = openssl(&["pkey", "-in", &made.path("clients/good.key"), "-pubout"]);
        assert!(!own.stdout.is_empty(), "{key_type}: {}", text(&own.stderr));
        assert_eq!(public.stdout, own.stdout, "{key_type}");

        expect(&made.revoke(&["good"]), 0);
        assert!(made.crl("intermediate").contains("CRL Number: \n                2"), "{key_type}");
    }
}

#[test]
fn certificates_state_what_they_are_for() {
    let made = Made::with(&["--san", "proxy.example.com", "--san", "192.0.2.7"]);
    let show = |file: &str| text(&openssl(&["x509", "-in", &made.path(file), "-noout", "-text"]).stdout);
    for (file, stated) in [
        ("root.pem", "CA:TRUE, pathlen:1"),
        ("intermediate.pem", "CA:TRUE, pathlen:0"),
        ("intermediate.pem", "Certificate Sign, CRL Sign"),
        ("server.pem", "DNS:proxy.example.com, IP Address:192.0.2.7"),
        ("server.pem", "TLS Web Server Authentication"),
        ("clients/good.pem", "CA:FALSE"),
        ("clients/good.pem", "URI:spiffe://postern.test/client/good"),
        ("clients/good.pem", "email:good@postern.test"),
        ("clients/good.pem", "TLS Web Client Authentication"),
        ("clients/good.pem", "X509v3 Authority Key Identifier"),
        ("clients/good.pem", "X509v3 Subject Key Identifier"),
    ] {
        assert!(show(file).contains(stated), "{file} lacks {stated}: {}", show(file));
    }
}

#[test]
fn the_stranger_has_the_names_of_the_real_cas_but_not_their_keys() {
    let pki = Pki::generate(&Options::at(NOW)).unwrap();
    assert_eq!(pki.stranger.name(), pki.intermediate.name());
    assert_ne!(pki.stranger.certificate_der(), pki.intermediate.certificate_der());
    let stranger = pki.client("stranger").unwrap();
    assert_eq!(stranger.chain_der()[1], pki.stranger.certificate_der());
}

#[test]
fn private_keys_are_readable_by_their_owner_alone() {
    let made = Made::with(&[]);
    let mut keys = 0;
    for path in files(made.0.path()).into_keys() {
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        let is_key = path.extension().is_some_and(|extension| extension == "key");
        keys += usize::from(is_key);
        assert_eq!(mode & 0o077 == 0, is_key, "{} has mode {mode:o}", path.display());
    }
    assert_eq!(keys, 11);
    assert_eq!(Path::new(&made.path("ca")).metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn nothing_is_written_when_a_single_file_is_in_the_way() {
    let out = TempDir::new().unwrap();
    let clients = out.path().join("clients");
    fs::create_dir(&clients).unwrap();
    fs::File::create(clients.join("good.key")).unwrap();
    let before = files(out.path());

    let refused = certs(&["dev", "--out", out.path().to_str().unwrap()]);
    expect(&refused, 1);
    let said = text(&refused.stderr);
    assert!(said.contains("good.key already exists") && said.contains("--force"), "{said}");
    assert_eq!(files(out.path()), before);
}

#[test]
fn force_replaces_everything_and_leaves_no_temporary_files() {
    let made = Made::with(&[]);
    let before = files(made.0.path());
    expect(&made.dev(&[]), 1);
    assert_eq!(files(made.0.path()), before);

    expect(&made.dev(&["--force"]), 0);
    let after = files(made.0.path());
    assert!(before.keys().eq(after.keys()), "{:?}", after.keys());
    for (path, content) in before {
        assert_ne!(after[&path], content, "{}", path.display());
    }
}

#[test]
fn dev_prints_a_line_for_each_client() {
    let said = expect(&certs(&["dev", "--out", TempDir::new().unwrap().path().to_str().unwrap()]), 0);
    for client in ["good", "revoked", "expired", "not-yet-valid", "stranger", "wrong-eku"] {
        assert_eq!(count(&said, &format!("clients/{client}.key")), 1, "{said}");
    }
}

#[test]
fn revoke_raises_the_number_and_keeps_what_was_revoked() {
    let made = Made::with(&[]);
    let first = made.crl("intermediate");
    assert_eq!((count(&first, "Serial Number:"), count(&first, "Key Compromise")), (1, 1));

    expect(&made.revoke(&["good", "--reason", "superseded"]), 0);
    expect(&made.revoke(&["server"]), 0);
    let third = made.crl("intermediate");
    assert!(third.contains("CRL Number: \n                3"), "{third}");
    assert_eq!(count(&third, "Serial Number:"), 3);
    assert_eq!((count(&third, "Key Compromise"), count(&third, "Superseded")), (1, 1));
    assert!(made.verify("clients/good.pem", "sslclient").contains("certificate revoked"));
    assert!(made.verify("server.pem", "sslserver").contains("certificate revoked"));
}

#[test]
fn revoking_the_intermediate_puts_it_on_the_roots_crl() {
    let made = Made::with(&[]);
    expect(&made.revoke(&["intermediate", "--reason", "cACompromise"]), 0);
    assert!(made.crl("root").contains("CA Compromise"));
    assert!(made.verify("clients/good.pem", "sslclient").contains("certificate revoked"));
}

#[test]
fn revoking_again_changes_nothing_and_says_since_when() {
    let made = Made::with(&[]);
    let before = files(made.0.path());
    let said = expect(&made.revoke(&["revoked", "--reason", "superseded"]), 0);
    assert!(said.contains("was revoked on") && said.contains("keyCompromise"), "{said}");
    assert_eq!(files(made.0.path()), before);
}

#[test]
fn unknown_names_and_reasons_are_answered_with_the_known_ones() {
    let made = Made::with(&[]);
    for name in ["godo", "../server", ""] {
        let refused = made.revoke(&[name]);
        expect(&refused, 1);
        let said = text(&refused.stderr);
        assert!(said.contains("expired, good, not-yet-valid, revoked, stranger, wrong-eku"), "{said}");
    }
    let refused = made.revoke(&["good", "--reason", "removeFromCRL"]);
    expect(&refused, 2);
    assert!(text(&refused.stderr).contains("cessationOfOperation"));
}

#[test]
fn a_certificate_of_another_ca_of_the_same_name_cannot_be_revoked() {
    let made = Made::with(&[]);
    let before = files(made.0.path());
    let refused = made.revoke(&["stranger"]);
    expect(&refused, 1);
    assert!(text(&refused.stderr).contains("another key"), "{}", text(&refused.stderr));
    assert_eq!(files(made.0.path()), before);
}

#[test]
fn two_revocations_at_once_are_both_kept() {
    let made = Made::with(&["--entries", "20000"]);
    let dir = made.0.path().to_str().unwrap();
    let started = ["good", "wrong-eku", "server"].map(|name| {
        Command::new(env!("CARGO_BIN_EXE_certs"))
            .args(["revoke", "--dir", dir, name])
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    });
    for mut revoke in started {
        assert!(revoke.wait().unwrap().success());
    }
    let crl = made.crl("intermediate");
    assert!(crl.contains("CRL Number: \n                4"));
    assert_eq!(count(&crl, "Serial Number:"), 20_004);
}

#[test]
fn a_hundred_thousand_entries_survive_a_revocation() {
    let made = Made::with(&["--entries", "100000", "--seed", "5"]);
    let before = made.crl("intermediate");
    assert_eq!(count(&before, "Serial Number:"), 100_001);
    expect(&made.revoke(&["good"]), 0);
    let after = made.crl("intermediate");
    assert_eq!(count(&after, "Serial Number:"), 100_002);
    let list = |crl: &str| crl.split("Revoked Certificates:").nth(1).unwrap().to_owned();
    let entries = list(&before);
    let entries = entries.split("    Signature Algorithm").next().unwrap();
    assert!(list(&after).starts_with(entries));
}

#[test]
fn a_clock_that_went_back_never_gives_an_older_crl() {
    let out = TempDir::new().unwrap();
    Pki::generate(&Options::at(NOW)).unwrap().write(out.path(), Overwrite::Refuse).unwrap();
    let earlier = NOW - Duration::days(2);
    let outcome = certs::revoke(out.path(), "good", Reason::Superseded, earlier).unwrap();
    let Outcome::Revoked { number, next_update, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!((number, next_update), (2, Some(NOW + Duration::days(30))));
}

#[test]
fn a_client_issued_later_can_be_revoked_by_name() {
    let made = Made::with(&[]);
    let read = |file: &str| fs::read_to_string(made.path(file)).unwrap();
    let ca = Authority::from_pem(&read("intermediate.pem"), &read("ca/intermediate.key")).unwrap();
    let late = ca
        .issue(&Leaf::client("late", Validity::days(NOW - Duration::days(365), 36_500)), KeyType::P384)
        .unwrap();
    late.write(&made.0.path().join("clients"), Overwrite::Refuse).unwrap();
    expect(&made.revoke(&["late"]), 0);
    assert!(made.verify("clients/late.pem", "sslclient").contains("certificate revoked"));
}
