//! From `certs revoke` to the refusal, and what happens when a CRL is missing or too old.

use std::sync::Arc;

use postern_tests::Outcome;
use postern_tests::files;
use postern_tests::pki::Pki;
use postern_tests::postern::{Config, Postern};
use postern_tests::raw_tls::{RawTls, Version, client_config};
use postern_tests::stage::Stage;
use postern_tests::upstream::Upstream;
use rustls::client::Resumption;
use time::{Duration, OffsetDateTime};

#[test]
fn a_revoked_client_is_refused_after_a_reload() -> Outcome {
    let stage = Stage::set()?;
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    stage.pki.revoke("good")?;
    assert_eq!(stage.curl("good", "/").call()?.status, 200, "nothing changes before the reload");
    stage.postern.reload()?;
    let answer = stage.curl("good", "/").arg("--http1.1").call()?;
    assert_eq!(answer.exit, 56);
    assert!(answer.error.contains("certificate revoked"), "{}", answer.error);
    let entry = stage.postern.refused("certificate_revoked")?;
    assert!(entry.expect_text("subject")?.contains("good"), "{entry:?}");
    Ok(())
}

#[test]
fn a_resumed_session_is_no_way_around() -> Outcome {
    for version in [Version::Tls12, Version::Tls13] {
        let stage = Stage::set()?;
        let mut config = client_config(&stage.pki, "good", version, b"http/1.1")?;
        config.resumption = Resumption::in_memory_sessions(8);
        let config = Arc::new(config);
        // The response brings whatever tickets there are.
        assert_eq!(RawTls::connect_with(config.clone(), stage.postern.address())?.get("/")?.status, 200);
        stage.pki.revoke("good")?;
        stage.postern.reload()?;
        let again =
            RawTls::connect_with(config, stage.postern.address()).and_then(|mut again| again.get("/after"));
        assert!(again.is_err(), "{version:?}: {again:?}");
        stage.postern.refused("certificate_revoked")?;
    }
    Ok(())
}

#[test]
fn padding_entries_revoke_nobody_else() -> Outcome {
    let pki = Pki::make_with(&["--entries", "20000"])?;
    let upstream = Upstream::start(&pki)?;
    let stage = Stage { postern: Postern::start(&Config::new(&pki, upstream.address()))?, upstream, pki };
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    assert_eq!(stage.curl("revoked", "/").call()?.status, 0);
    Ok(())
}

#[test]
fn a_missing_crl_refuses_its_issuers_clients() -> Outcome {
    // Of the leaf's issuer, then of the intermediate's.
    for covered in ["crl/root.crlx", "crl/intermediate.crlx"] {
        let pki = Pki::make()?;
        let upstream = Upstream::start(&pki)?;
        let only = format!("[{:?}]", pki.path(covered).display());
        let postern = Postern::start(&Config::new(&pki, upstream.address()).raw("revocation.crls", only))?;
        let stage = Stage { postern, upstream, pki };
        let answer = stage.curl("good", "/").arg("--http1.1").call()?;
        assert!(answer.error.contains("unknown ca"), "{covered}: {}", answer.error);
        stage.postern.refused("crl_missing")?;
        stage.postern.metric_reaches("postern_refusals_total", &[("reason", "crl_missing")], 1.0)?;
    }
    Ok(())
}

#[test]
fn depth_leaf_needs_no_crl_of_the_root() -> Outcome {
    let pki = Pki::make()?;
    let upstream = Upstream::start(&pki)?;
    let only = format!("[{:?}]", pki.path("crl/intermediate.crlx").display());
    let config =
        Config::new(&pki, upstream.address()).raw("revocation.crls", only).text("revocation.depth", "leaf");
    let stage = Stage { postern: Postern::start(&config)?, upstream, pki };
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    assert_eq!(stage.curl("revoked", "/").call()?.status, 0);
    Ok(())
}

#[test]
fn depth_off_checks_nothing_and_says_so() -> Outcome {
    let stage =
        Stage::set_with(|config| config.text("revocation.depth", "off").raw("revocation.crls", "[]"))?;
    assert_eq!(stage.curl("revoked", "/").call()?.status, 200);
    stage.postern.said(&["WARN", "revocation"])?;
    Ok(())
}

#[test]
fn a_stale_crl_refuses_its_issuers_clients() -> Outcome {
    let now = OffsetDateTime::now_utc();
    let pki = Pki::make()?;
    pki.reissue_crl(now - Duration::days(8), now - Duration::days(1), 0)?;
    let upstream = Upstream::start(&pki)?;
    let config = Config::new(&pki, upstream.address());
    let stage = Stage { postern: Postern::start(&config)?, upstream, pki };
    let answer = stage.curl("good", "/").arg("--http1.1").call()?;
    assert!(answer.error.contains("unknown ca"), "{}", answer.error);
    stage.postern.refused("crl_stale")?;
    stage.postern.metric_reaches("postern_refusals_total", &[("reason", "crl_stale")], 1.0)?;

    // A fresh one brings them back.
    stage.pki.reissue_crl(now, now + Duration::days(7), 0)?;
    stage.postern.reload()?;
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    Ok(())
}

#[test]
fn a_crl_goes_stale_while_the_proxy_runs() -> Outcome {
    let now = OffsetDateTime::now_utc();
    let pki = Pki::make()?;
    pki.reissue_crl(now - Duration::days(1), now + Duration::seconds(3), 0)?;
    let upstream = Upstream::start(&pki)?;
    let stage = Stage { postern: Postern::start(&Config::new(&pki, upstream.address()))?, upstream, pki };
    let mut connection = stage.connect("good", Version::Tls13)?;
    assert_eq!(connection.get("/")?.status, 200);
    postern_tests::wait::until("the CRL to go stale", || {
        Ok((stage.curl("good", "/").call()?.status == 0).then_some(()))
    })?;
    assert!(connection.until_closed()?.is_empty(), "open connections too");
    Ok(())
}

#[test]
fn grace_keeps_a_stale_crl_in_force() -> Outcome {
    let now = OffsetDateTime::now_utc();
    let pki = Pki::make()?;
    pki.reissue_crl(now - Duration::days(8), now - Duration::minutes(1), 0)?;
    let upstream = Upstream::start(&pki)?;
    let config = Config::new(&pki, upstream.address()).raw("revocation.grace_seconds", 3_600);
    let stage = Stage { postern: Postern::start(&config)?, upstream, pki };
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    Ok(())
}

#[test]
fn a_partition_of_other_certificates_refuses_its_issuers_clients() -> Outcome {
    // The clients of this PKI name no distribution point, so that a partition says nothing about them.
    let pki = Pki::make()?;
    let complete = pki.path("complete.crlx");
    files::copy(&pki.path("crl/intermediate.crlx"), &complete)?;
    pki.reissue_partition("http://crl.example/partition-1.crl")?;
    let upstream = Upstream::start(&pki)?;
    let stage = Stage { postern: Postern::start(&Config::new(&pki, upstream.address()))?, upstream, pki };
    assert_eq!(stage.curl("good", "/").call()?.status, 0);
    let entry = stage.postern.refused("crl_not_covering")?;
    assert!(entry.expect_text("detail")?.contains("distribution point"), "{entry:?}");

    // Beside the complete CRL it changes nothing.
    let indexes = [&stage.pki.indexes()[..], &[complete]].concat();
    let indexes: Vec<String> = indexes.iter().map(|path| format!("{:?}", path.display())).collect();
    let config = Config::new(&stage.pki, stage.upstream.address())
        .raw("revocation.crls", format!("[{}]", indexes.join(", ")));
    let stage = Stage { postern: Postern::start(&config)?, ..stage };
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    let answer = stage.curl("revoked", "/").arg("--http1.1").call()?;
    assert!(answer.error.contains("certificate revoked"), "{}", answer.error);
    Ok(())
}

#[test]
fn a_crl_of_the_future_counts_at_once_and_keeps_older_ones_out() -> Outcome {
    let stage = Stage::set()?;
    let tomorrow = OffsetDateTime::now_utc() + Duration::days(1);
    stage.pki.reissue_crl(tomorrow, tomorrow + Duration::days(1), 10)?;
    stage.postern.reload()?;
    assert_eq!(stage.curl("revoked", "/").call()?.status, 200, "the CRL of the future does not list it");
    stage.pki.reissue_crl(tomorrow - Duration::days(2), tomorrow + Duration::days(2), 10)?;
    stage.postern.reload()?;
    stage.postern.said(&["rollback", &tomorrow.date().to_string()])?;
    Ok(())
}
