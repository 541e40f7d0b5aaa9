//! `revocation.report_only`: what the CRLs would refuse is counted and logged, and nothing else changes.

use postern_tests::pki::Pki;
use postern_tests::postern::{Config, Postern};
use postern_tests::process::run;
use postern_tests::raw_tls::{RawTls, Version, resuming_config};
use postern_tests::stage::Stage;
use postern_tests::upstream::Upstream;
use postern_tests::{Failure, Outcome, binary};

fn stage() -> Result<Stage, Failure> {
    Stage::set_with(|config| config.raw("revocation.report_only", true))
}

/// The lines about clients that would have been refused.
fn reports(stage: &Stage) -> usize {
    stage.postern.access_log().iter().filter(|entry| entry.is("would_refuse")).count()
}

#[test]
fn a_revoked_client_is_let_in_and_reported_once_a_connection() -> Outcome {
    let stage = stage()?;
    stage.postern.said(&["WARN", "revocation.report_only"])?;
    let config = resuming_config(&stage.pki, "revoked", Version::Tls13)?;
    for resumed in [false, true] {
        let mut connection = RawTls::connect_with(config.clone(), stage.postern.address())?;
        assert_eq!(connection.is_resumed(), resumed);
        for _ in 0..3 {
            assert_eq!(connection.get("/")?.status, 200);
        }
    }
    let reported = [("reason", "certificate_revoked")];
    stage.postern.metric_reaches("postern_would_refuse_total", &reported, 2.0)?;
    let entry = stage.postern.logged("a report", |entry| entry.is("would_refuse"))?;
    assert_eq!(entry.text("reason"), Some("certificate_revoked"));
    assert!(entry.expect_text("subject")?.contains("CN=revoked"), "{entry:?}");
    assert_eq!(reports(&stage), 2);
    let metrics = stage.postern.metrics()?;
    assert_eq!(metrics.sum("postern_would_refuse_total", &[]), 2.0);
    assert_eq!(metrics.sum("postern_refusals_total", &[]), 0.0);
    assert_eq!(metrics.value("postern_revocation_report_only", &[])?, 1.0);
    Ok(())
}

#[test]
fn a_client_that_becomes_revoked_keeps_its_connection_and_is_reported() -> Outcome {
    let stage = stage()?;
    let mut connection = stage.connect("good", Version::Tls13)?;
    assert_eq!(connection.get("/")?.status, 200);
    assert_eq!(reports(&stage), 0);
    stage.pki.revoke("good")?;
    for _ in 0..2 {
        stage.postern.reload()?;
        assert_eq!(connection.get("/")?.status, 200);
    }
    stage.postern.metric_reaches("postern_would_refuse_total", &[("reason", "certificate_revoked")], 1.0)?;
    stage.postern.requested("/")?;
    assert_eq!(reports(&stage), 1, "{:?}", stage.postern.access_log());
    Ok(())
}

#[test]
fn every_other_refusal_stays_one() -> Outcome {
    let stage = stage()?;
    for (client, reason) in [
        ("stranger", "unknown_issuer"),
        ("expired", "certificate_expired"),
        ("not-yet-valid", "certificate_not_yet_valid"),
        ("wrong-eku", "wrong_key_usage"),
    ] {
        assert_eq!(stage.curl(client, "/").call()?.status, 0, "{client}");
        stage.postern.refused(reason)?;
    }
    assert_eq!(stage.anonymous_curl("/").call()?.status, 0);
    stage.postern.refused("certificate_required")?;
    assert_eq!(reports(&stage), 0);
    Ok(())
}

#[test]
fn a_missing_crl_is_reported_too_and_explained() -> Outcome {
    let pki = Pki::make()?;
    let chain = pki.path("clients/good.pem");
    let file = pki.path("postern.toml");
    let only = format!("[{:?}]", pki.path("crl/root.crlx").display());
    let upstream = Upstream::start(&pki)?;
    let config = Config::new(&pki, upstream.address());
    let config = config.raw("revocation.crls", only).raw("revocation.report_only", true);
    let stage = Stage { postern: Postern::start(&config)?, upstream, pki };
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    stage.postern.metric_reaches("postern_would_refuse_total", &[("reason", "crl_missing")], 1.0)?;

    config.write(&file)?;
    let mut explain = binary::command("postern")?;
    explain.arg("explain").arg("--config").arg(&file).arg("--chain").arg(&chain);
    let explained = run("postern explain", &mut explain)?;
    assert_eq!(explained.code(), 0, "{explained:?}");
    assert!(explained.stdout.starts_with("accepted"), "{explained:?}");
    assert!(explained.stdout.contains("would be refused for crl_missing"), "{explained:?}");
    Ok(())
}
