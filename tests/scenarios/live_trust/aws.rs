//! Key pairs from AWS Secrets Manager, and trust bundles from AWS Private CA.

use postern_tests::moto::Moto;
use postern_tests::pki::Pki;
use postern_tests::process::run;
use postern_tests::stage::Stage;
use postern_tests::upstream::Upstream;
use postern_tests::{Outcome, files};
use serde_json::{Value, json};

use super::{config, start};

#[test]
fn the_key_pair_is_a_secret_that_rotates_and_the_bundle_a_private_ca() -> Outcome {
    let (pki, moto, copies) = (Pki::make()?, Moto::start()?, files::temporary_directory()?);
    let upstream = Upstream::start(&pki)?;
    let ca = moto.private_ca(&pki)?;
    let pair = |pki: &Pki| -> Result<String, postern_tests::Failure> {
        let both = [files::read(&pki.path("server.pem"))?, files::read(&pki.path("server.key"))?].concat();
        Ok(String::from_utf8_lossy(&both).into_owned())
    };
    let secret = json!({ "Name": "tls", "SecretString": pair(&pki)? });
    let made = moto.call("secretsmanager", "secretsmanager.CreateSecret", &secret)?;
    let arn = made.get("ARN").and_then(Value::as_str).unwrap_or_default();
    // With the CA itself among the anchors, a path ends there, and its own CRL is the only one.
    let config = config(&pki, &upstream)
        .text("client_auth.trust_bundle", &ca)
        .text("tls.certificate", arn)
        .text("tls.private_key", arn)
        .raw("revocation.issuers", "[]")
        .raw("revocation.crls", format!("[{:?}]", pki.path("crl/intermediate.crl").display()))
        .text("sources.directory", copies.path().display());
    let stage = Stage { postern: start(&config, moto.environment())?, upstream, pki };
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    assert_eq!(stage.curl("revoked", "/").call()?.status, 0);
    let mut grep = std::process::Command::new("grep");
    let found = run("grep", grep.args(["-rl", "PRIVATE KEY"]).arg(copies.path()))?;
    assert_eq!(found.stdout, "", "a secret gets to no disk");

    let renewed = Pki::make()?;
    let secret = json!({ "SecretId": "tls", "SecretString": pair(&renewed)? });
    moto.call("secretsmanager", "secretsmanager.PutSecretValue", &secret)?;
    postern_tests::wait::until("the new certificate to be presented", || {
        let call = stage.curl("good", "/").arg("--cacert").arg(renewed.path("root.pem")).call()?;
        Ok((call.status == 200).then_some(()))
    })
}
