//! crl-tool reads CRLs from S3 and issuers from AWS Private CA.

use std::ffi::OsStr;

use postern_tests::moto::Moto;
use postern_tests::pki::Pki;
use postern_tests::process::{Finished, run};
use postern_tests::s3::{BUCKET, S3};
use postern_tests::{Failure, Outcome, binary, files};

type Environment = Vec<(&'static str, String)>;

/// Runs `crl-tool` with nothing of AWS in its environment but `environment`.
fn crl_tool(arguments: &[impl AsRef<OsStr>], environment: &Environment) -> Result<Finished, Failure> {
    let mut command = binary::crl_tool_with_aws()?;
    let ambient = std::env::vars_os().map(|(name, _)| name);
    for name in ambient.filter(|name| name.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(name);
    }
    run("crl-tool", command.args(arguments).envs(environment.iter().cloned()))
}

#[test]
fn crls_and_indexes_are_read_from_s3() -> Outcome {
    let (pki, s3) = (Pki::make()?, S3::start()?);
    let index = files::read(&pki.path("crl/intermediate.crlx"))?;
    // As AWS Private CA names them, and as nobody should.
    let keys = ["crl/63dad2bc-7cfb-4fa9.crl", "crl/a b+c%20ü.crl"];
    for key in keys {
        // curl does not encode what it uploads to.
        s3.put(&percent_encoded(key), &files::read(&pki.path("crl/intermediate.crl"))?)?;
    }
    s3.put("crl/ca.crlx", &index)?;
    let issuer = pki.path("intermediate.pem").display().to_string();
    let out = pki.path("new.crlx").display().to_string();
    for key in keys {
        let crl = format!("s3://{BUCKET}/{key}");
        let build = ["build", "--crl", &crl, "--issuer", &issuer, "--out", &out];
        crl_tool(&build, &s3.environment())?.success()?;
        assert_eq!(files::read(&pki.path("new.crlx"))?, index, "{key}");
    }
    let there = format!("s3://{BUCKET}/crl/ca.crlx");
    let client = pki.path("clients/revoked.pem").display().to_string();
    let answer = crl_tool(&["lookup", &there, "--cert", &client, "--s3-path-style"], &s3.environment())?;
    assert_eq!(answer.code(), 1, "{}", answer.stderr);
    Ok(())
}

#[test]
fn what_s3_refuses_or_fails_at_is_said_and_replaces_nothing() -> Outcome {
    let (pki, s3) = (Pki::make()?, S3::start()?);
    s3.put("ca.crl", &files::read(&pki.path("crl/intermediate.crl"))?)?;
    s3.put("endless.crl", &vec![b'\n'; 1 << 20])?;
    let issuer = pki.path("intermediate.pem").display().to_string();
    let out = pki.path("new.crlx");
    files::write(&out, b"the last good one")?;
    let (good, mut stranger, mut nobody, mut nowhere) =
        (s3.environment(), s3.environment(), s3.environment(), s3.environment());
    stranger.push(("AWS_SECRET_ACCESS_KEY", "a-guess".to_owned()));
    nobody.retain(|(name, _)| !name.contains("KEY"));
    nowhere.retain(|(name, _)| *name != "AWS_REGION");
    let refused = |key: &str, more: &[&str], environment: &Environment, said: &str| -> Outcome {
        let crl = format!("s3://{BUCKET}/{key}");
        let shown = out.display().to_string();
        let build = ["build", "--crl", &crl, "--issuer", &issuer, "--out", &shown];
        let finished = crl_tool(&[&build[..], more].concat(), environment)?;
        let stderr = &finished.stderr;
        assert_eq!(finished.code(), 2, "{key}: {stderr}");
        assert!(stderr.contains(&crl) && stderr.contains(said), "{said}: {stderr}");
        assert!(stderr.contains("\n  hint: ") && !stderr.contains("a-guess"), "{stderr}");
        assert_eq!(files::read(&out)?, b"the last good one", "{said}");
        Ok(())
    };
    refused("absent.crl", &[], &good, "NoSuchKey: ")?;
    refused("ca.crl", &[], &stranger, "SignatureDoesNotMatch: ")?;
    refused("ca.crl", &[], &nobody, "no credentials found")?;
    refused("ca.crl", &[], &nowhere, "no AWS region is configured")?;
    // The limit holds for what is announced and, as PEM may be larger, for what arrives.
    refused("endless.crl", &["--max-bytes", "1000"], &good, "1048576 bytes, and the limit is 67536")?;
    refused("ca.crl", &["--max-bytes", "100"], &good, "where 100 is the most")?;
    // As it hangs, not as it refuses.
    s3.pause(true)?;
    refused("ca.crl", &["--timeout", "1"], &good, "not finished within 1 s")?;
    s3.pause(false)?;
    let environment = s3.environment();
    drop(s3);
    refused("ca.crl", &[], &environment, "onnection refused")
}

#[test]
fn the_issuer_is_a_ca_of_aws_private_ca() -> Outcome {
    let (pki, moto) = (Pki::make()?, Moto::start()?);
    let arn = moto.private_ca(&pki)?;
    let (crl, out) = (pki.path("crl/intermediate.crl"), pki.path("new.crlx"));
    let crl = crl.display().to_string();
    let shown = out.display().to_string();
    let build = ["build", "--crl", &crl, "--issuer-acm-pca", &arn, "--out", &shown];
    // The ARN says the region.
    let mut environment = moto.environment();
    environment.retain(|(name, _)| *name != "AWS_REGION");
    crl_tool(&build, &environment)?.success()?;
    assert_eq!(files::read(&out)?, files::read(&pki.path("crl/intermediate.crlx"))?);

    // Its chain comes with it, and is not asked: a CRL of the root is the root's.
    let root = pki.path("crl/root.crl").display().to_string();
    let refused = crl_tool(&["verify", &root, "--issuer-acm-pca", &arn], &moto.environment())?;
    assert_eq!(refused.code(), 2);
    assert!(refused.stderr.contains("root.crl: "), "{}", refused.stderr);

    for (arn, said) in [
        (format!("{arn}0"), "ResourceNotFoundException: "),
        ("arn:aws:kms:eu-west-1:123456789012:key/1".to_owned(), "not a complete address"),
    ] {
        let refused = crl_tool(&["verify", &crl, "--issuer-acm-pca", &arn], &moto.environment())?;
        assert_eq!(refused.code(), 2, "{arn}");
        assert!(refused.stderr.contains(&arn) && refused.stderr.contains(said), "{}", refused.stderr);
    }
    Ok(())
}

fn percent_encoded(key: &str) -> String {
    key.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
