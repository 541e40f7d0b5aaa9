//! `revocation.require_signature_by`: an index counts only if one of the listed keys signed it.

use std::path::PathBuf;

use postern_tests::pki::Pki;
use postern_tests::postern::{self, Config, Postern};
use postern_tests::process::run;
use postern_tests::stage::Stage;
use postern_tests::upstream::Upstream;
use postern_tests::{Failure, Outcome, binary, files};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};

/// The indexes of a PKI, and two keys, each as `NAME.key` and `NAME.pub`.
pub(crate) fn pki() -> Result<Pki, Failure> {
    let pki = Pki::make()?;
    for (name, algorithm) in [("old", &PKCS_ED25519), ("new", &PKCS_ECDSA_P256_SHA256)] {
        let key = KeyPair::generate_for(algorithm)?;
        files::write(&pki.path(&format!("{name}.key")), key.serialize_pem())?;
        files::write(&pki.path(&format!("{name}.pub")), key.public_key_pem())?;
    }
    Ok(pki)
}

pub(crate) fn sign(pki: &Pki, key: &str) -> Outcome {
    for (index, issuer) in pki.indexes().iter().zip(["intermediate.pem", "root.pem"]) {
        let (issuer, key) = (pki.path(issuer), pki.path(key));
        let mut command = binary::command("crl-tool")?;
        command.arg("sign").arg(index).arg("--issuer").arg(issuer).arg("--sign-key").arg(key);
        run("crl-tool sign", &mut command)?.success()?;
    }
    Ok(())
}

pub(crate) fn requiring(config: Config, pki: &Pki, keys: &[&str]) -> Config {
    let keys: Vec<PathBuf> = keys.iter().map(|key| pki.path(key)).collect();
    config.raw("revocation.require_signature_by", format!("{keys:?}"))
}

#[test]
fn an_index_that_none_of_the_keys_signed_is_refused_by_name() -> Outcome {
    let pki = pki()?;
    let config = Config::new(&pki, ([127, 0, 0, 1], 9).into());
    let refused = |keys: &[&str], expected: &str| {
        let config = requiring(config.clone(), &pki, keys);
        for finished in [postern::check(&config)?, postern::run_to_end(&config)?] {
            let said = format!("{}{}", finished.stderr, finished.stdout);
            assert_eq!(finished.code(), 1, "{said}");
            assert!(said.contains(expected), "{said}");
        }
        Ok::<(), Failure>(())
    };
    refused(&["old.pub"], "intermediate.crlx: not signed")?;
    sign(&pki, "old.key")?;
    refused(&["new.pub"], "intermediate.crlx: signed with the key ")?;
    refused(&["server.key"], "server.key: no PEM block `PUBLIC KEY`")?;
    refused(&["absent.pub"], "absent.pub: cannot be read")?;
    for keys in [&["old.pub"][..], &["new.pub", "old.pub"], &[]] {
        assert_eq!(postern::check(&requiring(config.clone(), &pki, keys))?.code(), 0, "{keys:?}");
    }
    Ok(())
}

#[test]
fn an_unsigned_index_leaves_the_last_good_one_in_force_and_keys_roll() -> Outcome {
    let pki = pki()?;
    sign(&pki, "old.key")?;
    let upstream = Upstream::start(&pki)?;
    let config = requiring(Config::new(&pki, upstream.address()), &pki, &["old.pub", "new.pub"]);
    let stage = Stage { postern: Postern::start(&config)?, upstream, pki };
    let kept = || {
        let metrics = stage.postern.metrics()?;
        Ok::<_, Failure>(metrics.sum("postern_reloads_total", &[("result", "kept_last_good")]))
    };
    assert_eq!(stage.curl("good", "/").call()?.status, 200);

    // As good a CRL as any, from whoever can write the file: the client stays in.
    stage.pki.revoke("good")?;
    stage.postern.reload()?;
    stage.postern.said(&["intermediate.crlx", "not signed"])?;
    assert_eq!(kept()?, 1.0);
    assert_eq!(stage.curl("good", "/").call()?.status, 200);

    // Signed with the other key, it counts.
    sign(&stage.pki, "new.key")?;
    stage.postern.reload()?;
    assert_eq!(kept()?, 1.0);
    let answer = stage.curl("good", "/").arg("--http1.1").call()?;
    assert!(answer.error.contains("certificate revoked"), "{}", answer.error);

    // Keys that cannot be read are no reason to believe anything new, or to forget what was good.
    std::fs::remove_file(stage.pki.path("old.pub")).unwrap();
    stage.postern.reload()?;
    stage.postern.said(&["old.pub"])?;
    assert_eq!(kept()?, 2.0);
    assert_eq!(stage.curl("revoked", "/").call()?.status, 0);
    Ok(())
}
