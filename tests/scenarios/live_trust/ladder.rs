//! What becomes of a CRL as it ages, and of certificates without one.

use postern_tests::pki::Pki;
use postern_tests::postern::Postern;
use postern_tests::stage::Stage;
use postern_tests::upstream::Upstream;
use postern_tests::{Outcome, files};
use time::{Duration, OffsetDateTime};

use super::{config, times_said, trust, until_status, with_crl_at};

#[test]
fn a_crl_goes_down_the_ladder_and_a_new_one_takes_it_up_again() -> Outcome {
    let pki = Pki::make()?;
    let upstream = Upstream::start(&pki)?;
    let grace = Duration::hours(1);
    let start = OffsetDateTime::now_utc();
    pki.reissue_crl(start - Duration::days(1), start + Duration::seconds(50), 0)?;
    let config = config(&pki, &upstream)
        .raw("revocation.warn_seconds", 60)
        .raw("revocation.grace_seconds", grace.whole_seconds())
        // The root's is not due for a long time.
        .raw("sources.files_interval_ms", 100);
    let stage = Stage { postern: Postern::start(&config)?, upstream, pki };
    stage.postern.said(&["CRL soon out of date", "\"warn\""])?;
    let state = |state, least| stage.postern.metric_reaches("postern_crl_state", &[("state", state)], least);
    // Each step lasts until the next CRL, however slow the machine is, and ends by the clock.
    let ends = |from_now| {
        let now = OffsetDateTime::now_utc();
        stage.pki.reissue_crl(start - Duration::hours(1), now + from_now, 0)
    };
    state("warn", 1.0)?;
    ends(Duration::seconds(2))?;
    stage.postern.said(&["CRL out of date, and still counts"])?;
    state("grace", 1.0)?;
    assert_eq!(stage.curl("good", "/").call()?.status, 200, "grace");
    ends(Duration::seconds(2) - grace)?;
    until_status(&stage, "good", 0)?;
    state("stale", 1.0)?;
    stage.postern.refused("crl_stale")?;
    // Said by and by: a step that a new CRL ends at once may go unsaid.
    stage.postern.said(&["CRL out of date\""])?;
    let now = OffsetDateTime::now_utc();
    stage.pki.reissue_crl(now, now + Duration::days(7), 0)?;
    until_status(&stage, "good", 200)?;
    stage.postern.said(&["CRL fresh again"])?;
    for step in ["soon out of date", "still counts\"", "CRL out of date\"", "fresh again"] {
        assert_eq!(times_said(&stage.postern, &[step]), 1, "{step}");
    }
    Ok(())
}

#[test]
fn danger_has_a_name_for_each_way_of_having_no_answer() -> Outcome {
    let pki = Pki::make()?;
    let upstream = Upstream::start(&pki)?;
    let absent = pki.path("absent.crlx").display().to_string();
    let config =
        with_crl_at(config(&pki, &upstream), &pki, &absent).raw("revocation.danger_allow_missing_crl", true);
    let stage = Stage { postern: Postern::start(&config)?, upstream, pki };
    assert_eq!(stage.curl("revoked", "/").call()?.status, 200, "nothing is known of it");
    stage.postern.said(&["kept the last good", "absent.crlx"])?;
    // It comes, and counts.
    files::copy(&stage.pki.path("crl/intermediate.crlx"), &stage.pki.path("absent.crlx"))?;
    until_status(&stage, "revoked", 0)?;
    assert_eq!(stage.curl("good", "/").call()?.status, 200);

    let Stage { postern, upstream, pki } = stage;
    drop(postern);
    let now = OffsetDateTime::now_utc();
    pki.reissue_crl(now - Duration::days(8), now - Duration::days(1), 0)?;
    let config = super::config(&pki, &upstream).raw("revocation.danger_allow_stale_crl", true);
    let stage = Stage { postern: Postern::start(&config)?, upstream, pki };
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    assert!(trust(&stage.postern)?["crls"].to_string().contains("\"stale\""), "and it is said");
    Ok(())
}

#[test]
fn a_crl_that_can_no_longer_be_read_refuses_unless_danger_says_otherwise() -> Outcome {
    for danger in [false, true] {
        let pki = Pki::make()?;
        let upstream = Upstream::start(&pki)?;
        let config = config(&pki, &upstream)
            .raw("revocation.danger_allow_unreadable_crl", danger)
            // As long as nobody looks at it again, it stays in force.
            .raw("sources.files_interval_ms", 0);
        let stage = Stage { postern: Postern::start(&config)?, upstream, pki };
        assert_eq!(stage.curl("revoked", "/").call()?.status, 0);
        stage.postern.refused("certificate_revoked")?;
        // Not replaced: cut short where it lies, so that what a fingerprint leads to is not there.
        let index = std::fs::File::options().write(true).open(stage.pki.path("crl/intermediate.crlx"))?;
        index.set_len(64)?;
        let status = if danger { 200 } else { 0 };
        assert_eq!(stage.curl("revoked", "/").call()?.status, status, "danger: {danger}");
        if !danger {
            stage.postern.refused("crl_unreadable")?;
        }
        assert_eq!(stage.curl("good", "/").call()?.status, 200, "no fingerprint of it, nothing to read");
        // What is there now is no index: the one that was opened stays, and no restart takes it.
        stage.postern.reload()?;
        stage.postern.said(&["kept the last good", "intermediate.crlx"])?;
        assert_eq!(stage.curl("good", "/").call()?.status, 200);
    }
    Ok(())
}
