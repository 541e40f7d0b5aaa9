//! A CRL never goes back, also not across a restart.

use postern_tests::pki::Pki;
use postern_tests::postern::{Config, Postern, run_to_end};
use postern_tests::stage::Stage;
use postern_tests::upstream::Upstream;
use postern_tests::{Outcome, files};

use super::{config, replace, tell, trust, until_status};

fn with_floors(directory: &tempfile::TempDir, config: Config) -> Config {
    config.text("revocation.state_file", directory.path().join("floors.json").display())
}

#[test]
fn an_older_crl_is_refused_after_a_restart_until_it_is_cleared() -> Outcome {
    let (pki, directory) = (Pki::make()?, files::temporary_directory()?);
    let upstream = Upstream::start(&pki)?;
    let (index, old) = (pki.path("crl/intermediate.crlx"), pki.path("old.crlx"));
    let new = pki.path("new.crlx");
    files::copy(&index, &old)?;
    pki.revoke("good")?;
    files::copy(&index, &new)?;
    let config = with_floors(&directory, config(&pki, &upstream));
    drop(Postern::start(&config)?);
    replace(&old, &index)?;
    let refused = run_to_end(&config)?;
    assert_eq!(refused.code(), 1);
    assert!(
        refused.stderr.contains("rollback") && refused.stderr.contains("state_file"),
        "{}",
        refused.stderr
    );

    replace(&new, &index)?;
    let stage = Stage { postern: Postern::start(&config)?, upstream, pki };
    replace(&old, &index)?;
    stage.postern.said(&["kept the last good", "rollback"])?;
    assert_eq!(stage.curl("good", "/").call()?.status, 0);
    assert_eq!(stage.postern.metrics()?.sum("postern_trust_not_taken", &[("reason", "rollback")]), 1.0);
    let issuer = trust(&stage.postern)?["not_taken"][0]["issuer"].as_str().unwrap_or_default().to_owned();
    let cleared = tell(&stage.postern, "/trust/clear", &format!("{{\"issuer\": {issuer:?}}}"))?;
    assert_eq!(cleared.trim(), "{\"cleared\":true}");
    until_status(&stage, "good", 200)?;
    let floors = String::from_utf8_lossy(&files::read(&directory.path().join("floors.json"))?).into_owned();
    assert!(floors.contains(&issuer), "the older one is the floor now: {floors}");
    Ok(())
}

#[test]
fn two_crls_of_one_number_are_an_alarm() -> Outcome {
    let pki = Pki::make()?;
    let upstream = Upstream::start(&pki)?;
    pki.reissue_crl_numbered(1_000_000, 3)?;
    let stage = Stage { postern: Postern::start(&config(&pki, &upstream))?, upstream, pki };
    stage.pki.reissue_crl_numbered(1_000_000, 4)?;
    stage.postern.said(&["kept the last good", "two different CRLs have the number 1000000"])?;
    assert_eq!(stage.postern.metrics()?.sum("postern_trust_not_taken", &[("reason", "conflict")]), 1.0);
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    stage.pki.reissue_crl_numbered(1_000_001, 4)?;
    stage.postern.said(&["\"over\"", "1000000"])?;
    assert_eq!(stage.postern.metrics()?.sum("postern_trust_not_taken", &[]), 0.0);
    Ok(())
}

#[test]
fn floors_that_cannot_be_read_or_kept_are_no_floors() -> Outcome {
    let (pki, directory) = (Pki::make()?, files::temporary_directory()?);
    let upstream = Upstream::start(&pki)?;
    let config = with_floors(&directory, config(&pki, &upstream));
    files::write(&directory.path().join("floors.json"), "{")?;
    let refused = run_to_end(&config)?;
    assert!(refused.stderr.contains("revocation.state_file"), "{}", refused.stderr);
    let nowhere = config.text("revocation.state_file", "/nonexistent/floors.json");
    let refused = run_to_end(&nowhere)?;
    assert!(refused.stderr.contains("cannot be written"), "{}", refused.stderr);
    Ok(())
}
