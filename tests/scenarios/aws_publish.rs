//! crl-tool puts indexes into S3, where the newer CRL stays, and signs them with keys of KMS.

use std::path::{Path, PathBuf};

use postern_tests::moto::Moto;
use postern_tests::pki::Pki;
use postern_tests::process::{Finished, Process, run};
use postern_tests::s3::{BUCKET, S3};
use postern_tests::{Failure, Outcome, binary, files};
use serde_json::{Value, json};

/// `crl-tool build`, with nothing of AWS in its environment but `environment`.
fn build(
    pki: &Pki,
    crl: &Path,
    more: &[&str],
    environment: &[(&'static str, String)],
) -> Result<Process, Failure> {
    let mut command = binary::crl_tool_with_aws()?;
    let ambient = std::env::vars_os().map(|(name, _)| name);
    for name in ambient.filter(|name| name.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.arg("build").arg("--crl").arg(crl).arg("--issuer").arg(pki.path("intermediate.pem"));
    Process::spawn("crl-tool", command.args(more).envs(environment.iter().cloned()))
}

/// A PKI with three CRLs, each newer than the one before, and a real S3.
struct Publisher {
    pki: Pki,
    s3: S3,
    /// Where the three are, oldest first.
    editions: [PathBuf; 3],
}

impl Publisher {
    fn new() -> Result<Self, Failure> {
        let pki = Pki::make()?;
        let editions = ["1", "2", "3"].map(|edition| pki.path(edition));
        for (edition, client) in editions.iter().zip(["good", "expired", "wrong-eku"]) {
            files::copy(&pki.path("crl/intermediate.crl"), edition)?;
            pki.revoke(client)?;
        }
        Ok(Self { pki, s3: S3::start()?, editions })
    }

    fn publish(&self, crl: &Path, key: &str) -> Result<Finished, Failure> {
        let out = format!("s3://{BUCKET}/{key}");
        build(&self.pki, crl, &["--out", &out], &self.s3.environment())?.finish()
    }

    /// The index of a CRL, as a file would have it.
    fn index(&self, crl: &Path) -> Result<Vec<u8>, Failure> {
        let out = self.pki.path("expected.crlx");
        let more = ["--out", &out.display().to_string()];
        build(&self.pki, crl, &more, &[])?.finish()?.success()?;
        files::read(&out)
    }
}

#[test]
fn the_newer_crl_stays_in_s3() -> Outcome {
    let publisher = Publisher::new()?;
    let key = "crl/ca.crlx";
    let [first, second, third] = &publisher.editions;
    let newer = publisher.index(second)?;
    for crl in [first, second, second] {
        publisher.publish(crl, key)?.success()?;
        assert_eq!(publisher.s3.get(key)?, publisher.index(crl)?, "{}", crl.display());
    }
    let older = publisher.publish(first, key)?;
    assert_eq!(older.code(), 2, "{}", older.stderr);
    assert!(
        older.stderr.contains("rollback: ") && older.stderr.contains("higher number"),
        "{}",
        older.stderr
    );
    assert_eq!(publisher.s3.get(key)?, newer);

    // What is not an index of the same CRL is not crl-tool's to replace.
    publisher.s3.put("notes.txt", b"not an index")?;
    let other = Pki::make()?;
    publisher.s3.put("other.crlx", &files::read(&other.path("crl/intermediate.crlx"))?)?;
    for (key, said) in [("notes.txt", "not an index"), ("other.crlx", "the index of another CRL is there")] {
        let before = publisher.s3.get(key)?;
        let refused = publisher.publish(third, key)?;
        assert_eq!(refused.code(), 2, "{key}");
        assert!(refused.stderr.contains(said), "{key}: {}", refused.stderr);
        assert_eq!(publisher.s3.get(key)?, before, "{key}");
    }
    Ok(())
}

#[test]
fn the_newest_crl_wins_a_race_to_s3() -> Outcome {
    let publisher = Publisher::new()?;
    let (pki, environment) = (&publisher.pki, publisher.s3.environment());
    for round in 0..3 {
        let out = format!("s3://{BUCKET}/race-{round}.crlx");
        // All at once, and the oldest at either end.
        let racers: Vec<Process> = [0, 2, 1, 0, 1, 0]
            .into_iter()
            .map(|edition| build(pki, &publisher.editions[edition], &["--out", &out], &environment))
            .collect::<Result<_, _>>()?;
        for racer in racers {
            let finished = racer.finish()?;
            let fine = finished.code() == 0 || finished.stderr.contains("rollback: ");
            assert!(fine, "{}", finished.stderr);
        }
        assert_eq!(
            publisher.s3.get(&format!("race-{round}.crlx"))?,
            publisher.index(&publisher.editions[2])?
        );
    }
    Ok(())
}

#[test]
fn a_key_of_kms_signs_indexes() -> Outcome {
    let (pki, moto) = (Pki::make()?, Moto::start()?);
    let (crl, out) = (pki.path("crl/intermediate.crl"), pki.path("new.crlx"));
    let shown = out.display().to_string();
    for (spec, signs) in [("ECC_NIST_P256", true), ("ECC_NIST_P384", true), ("RSA_2048", false)] {
        let key = json!({ "KeySpec": spec, "KeyUsage": "SIGN_VERIFY" });
        let made = moto.call("kms", "TrentService.CreateKey", &key)?;
        let id = made.pointer("/KeyMetadata/Arn").and_then(Value::as_str).unwrap_or_default();
        let finished =
            build(&pki, &crl, &["--out", &shown, "--sign-key-kms", id], &moto.environment())?.finish()?;
        assert_eq!(finished.code(), if signs { 0 } else { 2 }, "{spec}: {}", finished.stderr);
        if !signs {
            assert!(finished.stderr.contains("a KMS key that cannot sign indexes"), "{}", finished.stderr);
            continue;
        }
        // Whoever has the public half can check it, without AWS.
        let public = moto.call("kms", "TrentService.GetPublicKey", &json!({ "KeyId": id }))?;
        let spki = public.get("PublicKey").and_then(Value::as_str).unwrap_or_default();
        let pem = pki.path("index.pub");
        files::write(&pem, format!("-----BEGIN PUBLIC KEY-----\n{spki}\n-----END PUBLIC KEY-----\n"))?;
        let mut verify = binary::command("crl-tool")?;
        verify.arg("verify").arg(&out).arg("--require-signature-by").arg(&pem);
        run("crl-tool verify", &mut verify)?.success()?;
    }
    Ok(())
}
