//! Damaged indexes and CRLs are refused by name, at start and at a reload.

use postern_tests::pki::Pki;
use postern_tests::postern::{self, Config};
use postern_tests::stage::Stage;
use postern_tests::upstream::Upstream;
use postern_tests::{Outcome, crl_tool, files};

#[test]
fn a_truncated_index_is_refused_by_name() -> Outcome {
    let pki = Pki::make()?;
    let index = pki.path("crl/intermediate.crlx");
    let whole = files::read(&index)?;
    for length in [0, 1, 8, 64, 255, 256, 257, whole.len() / 2, whole.len() - 1] {
        files::write(&index, &whole[..length])?;
        assert_refused(&pki, &format!("cut to {length} bytes"))?;
    }
    files::write(&index, [whole.as_slice(), &[0]].concat())?;
    assert_refused(&pki, "with a byte too many")
}

#[test]
fn a_flipped_bit_is_refused_by_name() -> Outcome {
    let pki = Pki::make()?;
    let index = pki.path("crl/intermediate.crlx");
    let whole = files::read(&index)?;
    // The library's own tests flip every bit; these go through the command line.
    let positions = (0..whole.len()).step_by(whole.len() / 24).chain([whole.len() - 1]);
    for position in positions {
        let mut flipped = whole.clone();
        flipped[position] ^= 1 << (position % 8);
        files::write(&index, flipped)?;
        assert_refused(&pki, &format!("bit {} of byte {position} flipped", position % 8))?;
    }
    Ok(())
}

#[test]
fn an_index_that_is_something_else_is_refused_by_name() -> Outcome {
    let pki = Pki::make()?;
    let index = pki.path("crl/intermediate.crlx");
    for other in ["crl/intermediate.crl", "root.pem"] {
        files::copy(&pki.path(other), &index)?;
        assert_refused(&pki, &format!("{other} in its place"))?;
    }
    std::fs::remove_file(&index).unwrap();
    assert_refused(&pki, "without the file")
}

#[test]
fn a_damaged_index_leaves_the_last_good_one_in_force() -> Outcome {
    let stage = Stage::set()?;
    let index = stage.pki.path("crl/intermediate.crlx");
    let mut bytes = files::read(&index)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    files::write(&index, &bytes)?;
    stage.postern.reload()?;
    stage.postern.said(&["intermediate.crlx"])?;
    assert_eq!(stage.postern.metrics()?.sum("postern_reloads_total", &[("result", "kept_last_good")]), 1.0);
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    let answer = stage.curl("revoked", "/").arg("--http1.1").call()?;
    assert!(answer.error.contains("certificate revoked"), "{}", answer.error);
    Ok(())
}

#[test]
fn a_crl_with_a_wrong_signature_gets_no_index() -> Outcome {
    let pki = Pki::make()?;
    let (crl, out) = (pki.path("crl/intermediate.crl"), pki.path("new.crlx"));
    let mut bytes = files::read(&crl)?;
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    files::write(&crl, bytes)?;
    let built = crl_tool::build(&crl, &pki.path("intermediate.pem"), &out)?;
    assert_ne!(built.code(), 0);
    assert!(built.stderr.contains("signature"), "{}", built.stderr);
    assert!(!out.exists(), "nothing is left behind");
    Ok(())
}

#[test]
fn a_crl_of_another_issuer_gets_no_index() -> Outcome {
    let pki = Pki::make()?;
    let other = Pki::make()?;
    let crl = pki.path("crl/intermediate.crl");
    // A CA of another name, and one of the same name with another key.
    for issuer in [pki.path("root.pem"), other.path("intermediate.pem")] {
        let out = pki.path("new.crlx");
        let built = crl_tool::build(&crl, &issuer, &out)?;
        assert_ne!(built.code(), 0, "{}", issuer.display());
        assert!(!out.exists(), "nothing is left behind");
    }
    Ok(())
}

#[test]
fn the_index_of_a_ca_with_the_same_name_covers_nobody_here() -> Outcome {
    // Matched by key as well as by name: the certificates of this PKI have no CRL then.
    let (pki, other) = (Pki::make()?, Pki::make()?);
    for file in ["crl/intermediate.crlx", "crl/root.crlx"] {
        files::copy(&other.path(file), &pki.path(file))?;
    }
    let upstream = Upstream::start(&pki)?;
    let config = Config::new(&pki, upstream.address());
    let stage = Stage { postern: postern::Postern::start(&config)?, upstream, pki };
    assert_eq!(stage.curl("good", "/").call()?.status, 0);
    stage.postern.refused("crl_missing")?;
    Ok(())
}

/// Both `check` and `run` end with 1 and name the file.
fn assert_refused(pki: &Pki, damage: &str) -> Outcome {
    let config = Config::new(pki, ([127, 0, 0, 1], 9).into());
    for finished in [postern::check(&config)?, postern::run_to_end(&config)?] {
        let said = format!("{}{}", finished.stderr, finished.stdout);
        assert_eq!(finished.code(), 1, "{damage}: {said}");
        assert!(said.contains("intermediate.crlx"), "{damage}: {said}");
    }
    Ok(())
}
