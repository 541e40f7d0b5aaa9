//! `certs pca` against moto: the wiring. moto does not honour algorithms, validity or extensions, and writes no CRL.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use postern_tests::moto::Moto;
use postern_tests::process::{Finished, run};
use postern_tests::s3::{BUCKET, S3};
use postern_tests::{Failure, Outcome, binary, files};
use serde_json::json;

type Environment = Vec<(&'static str, String)>;

/// `certs pca` with nothing of AWS in its environment but `environment`.
fn pca(arguments: &[&str], environment: &Environment) -> Result<Finished, Failure> {
    let mut command = binary::certs_with_aws()?;
    let ambient = std::env::vars_os().map(|(name, _)| name);
    for name in ambient.filter(|name| name.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(name);
    }
    run("certs pca", command.arg("pca").args(arguments).envs(environment.iter().cloned()))
}

/// The ARN that `create` says last.
fn arn(finished: Finished) -> Result<String, Failure> {
    let finished = finished.success()?;
    let last = finished.stdout.lines().last().unwrap_or_default().to_owned();
    assert!(last.starts_with("arn:aws:acm-pca:"), "{}", finished.stdout);
    Ok(last)
}

fn text(path: &Path) -> Result<String, Failure> {
    files::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn certificates(pem: &str) -> usize {
    pem.matches("-----BEGIN CERTIFICATE-----").count()
}

/// The subject, as openssl prints it.
fn subject(certificate: &Path) -> Result<String, Failure> {
    let mut openssl = std::process::Command::new("openssl");
    openssl.args(["x509", "-noout", "-subject", "-in"]).arg(certificate);
    Ok(run("openssl", &mut openssl)?.success()?.stdout)
}

#[test]
fn a_pki_is_made_and_used_with_private_ca() -> Outcome {
    let (moto, s3, directory) = (Moto::start()?, S3::start()?, files::temporary_directory()?);
    let environment = moto.environment();
    let root = ["create", "--name", "Example Root", "--crl-bucket", BUCKET];
    // A dry run says it all and makes nothing.
    let dry = pca(&[&root[..], &["--dry-run"]].concat(), &environment)?.success()?.stdout;
    assert!(
        dry.contains("would create the root CA CN=Example Root") && dry.contains("RootCACertificate"),
        "{dry}"
    );
    let listed = || moto.call("acm-pca", "ACMPrivateCA.ListCertificateAuthorities", &json!({}));
    assert_eq!(listed()?["CertificateAuthorities"], json!([]));

    let root = arn(pca(&root, &environment)?)?;
    let below = ["create", "--name", "Example Clients", "--parent", &root, "--crl-bucket", BUCKET];
    let below =
        [&below[..], &["--crl-partitioned", "--crl-path", "clients", "--crl-cname", "crl.example.com"]]
            .concat();
    let ca = arn(pca(&below, &environment)?)?;
    let made = moto.call(
        "acm-pca",
        "ACMPrivateCA.DescribeCertificateAuthority",
        &json!({ "CertificateAuthorityArn": ca }),
    )?;
    let made = &made["CertificateAuthority"];
    assert_eq!((&made["Status"], &made["Type"]), (&json!("ACTIVE"), &json!("SUBORDINATE")), "{made}");
    let crl = &made["RevocationConfiguration"]["CrlConfiguration"];
    assert_eq!(
        (&crl["S3BucketName"], &crl["CustomCname"]),
        (&json!(BUCKET), &json!("crl.example.com")),
        "{made}"
    );

    let status = pca(&["status"], &environment)?.success()?.stdout;
    for shown in [&root, &ca, "Example Clients", "ACTIVE", BUCKET] {
        assert!(status.contains(shown), "{shown}: {status}");
    }

    // The key is made here, and nobody else can read it.
    let out = directory.path().display().to_string();
    let issue =
        ["issue", "--ca", &ca, "--name", "partner-a", "--san", "partner-a.example.com", "--out", &out];
    let dry = pca(&[&issue[..], &["--dry-run"]].concat(), &environment)?.success()?.stdout;
    assert!(dry.contains("would have CN=partner-a issued"), "{dry}");
    let file = |name: &str| directory.path().join(name);
    assert!(!file("partner-a.key").exists());
    pca(&issue, &environment)?.success()?;
    let mode = std::fs::metadata(file("partner-a.key"))?.permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert!(subject(&file("partner-a.pem"))?.contains("partner-a"));
    let chain = text(&file("partner-a.pem"))?;
    assert!(certificates(&chain) >= 1, "{chain}");
    let again = pca(&issue, &environment)?;
    assert!(again.code() == 1 && again.stderr.contains("already exists"), "{}", again.stderr);
    assert_eq!(text(&file("partner-a.pem"))?, chain);
    // Cut off before the certificate came: the key that is there is used.
    let key = text(&file("partner-a.key"))?;
    std::fs::remove_file(file("partner-a.pem"))?;
    pca(&issue, &environment)?.success()?;
    assert_eq!(text(&file("partner-a.key"))?, key);

    let certificate = file("partner-a.pem").display().to_string();
    let revoke = ["revoke", "--ca", &ca, "--cert", &certificate, "--reason", "keyCompromise"];
    let dry = pca(&[&revoke[..], &["--dry-run"]].concat(), &environment)?.success()?.stdout;
    assert!(dry.contains("would revoke serial"), "{dry}");
    let revoked = pca(&revoke, &environment)?.success()?.stdout;
    assert!(revoked.contains("revoked serial") && revoked.contains("keyCompromise"), "{revoked}");
    let odd = pca(&["revoke", "--ca", &ca, "--serial", "abc"], &environment)?;
    assert!(odd.code() == 1 && odd.stderr.contains("pairs of hexadecimal digits"), "{}", odd.stderr);
    let held = pca(&["revoke", "--ca", &ca, "--serial", "01", "--reason", "certificateHold"], &environment)?;
    assert!(held.code() == 1 && held.stderr.contains("for good"), "{}", held.stderr);

    // To a file and to S3: the same, root included, each once.
    let bundle = file("bundle.pem").display().to_string();
    pca(&["truststore", "--ca", &ca, "--ca", &root, "--out", &bundle], &environment)?.success()?;
    let written = text(&file("bundle.pem"))?;
    assert!(certificates(&written) >= 2, "{written}");
    let mut both = s3.environment();
    both.extend(environment.iter().filter(|(name, _)| *name == "AWS_ENDPOINT_URL").cloned());
    let address = format!("s3://{BUCKET}/bundle.pem");
    pca(&["truststore", "--ca", &ca, "--ca", &root, "--out", &address], &both)?.success()?;
    assert_eq!(s3.get("bundle.pem")?, written.as_bytes());
    Ok(())
}

#[test]
fn what_private_ca_refuses_is_said_and_leaves_no_certificate() -> Outcome {
    let (moto, directory) = (Moto::start()?, files::temporary_directory()?);
    let environment = moto.environment();
    let out = directory.path().display().to_string();
    let unknown = "arn:aws:acm-pca:eu-west-1:123456789012:certificate-authority/none";
    let refused = pca(&["issue", "--ca", unknown, "--name", "a", "--out", &out], &environment)?;
    assert_eq!(refused.code(), 1);
    assert!(refused.stderr.contains("ResourceNotFoundException"), "{}", refused.stderr);
    assert!(!directory.path().join("a.pem").exists());
    let escaping = pca(&["issue", "--ca", unknown, "--name", "../a", "--out", &out], &environment)?;
    assert_eq!(escaping.code(), 2, "{}", escaping.stderr);
    let mut nowhere = environment;
    nowhere.retain(|(name, _)| *name != "AWS_REGION");
    let refused = pca(&["status"], &nowhere)?;
    assert!(refused.code() == 1 && refused.stderr.contains("AWS_REGION"), "{}", refused.stderr);
    Ok(())
}
