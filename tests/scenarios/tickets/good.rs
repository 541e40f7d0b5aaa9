//! Clients that are good, and clients of other makes.

use postern_tests::Outcome;
use postern_tests::pki::Pki;
use postern_tests::private_api::Received;
use postern_tests::process::Finished;
use postern_tests::raw_tls::{RawTls, resuming_config};
use postern_tests::s_client::s_client_get;
use postern_tests::stage::Stage;
use time::{Duration, OffsetDateTime};

use super::{VERSIONS, Visit, Visitor, regulars, tickets};

#[test]
fn a_session_is_resumed_with_the_same_identity() -> Outcome {
    let stage = Stage::set()?;
    let mut certificates = Vec::new();
    for version in VERSIONS {
        let config = resuming_config(&stage.pki, "good", version)?;
        for nth in 0..4 {
            // Each resumed session brings the ticket for the next.
            let mut connection = RawTls::connect_with(config.clone(), stage.postern.address())?;
            let response = connection.get("/")?;
            assert_eq!(connection.is_resumed(), nth > 0, "{version:?}, connection {nth}");
            let echo: Received = serde_json::from_slice(&response.body).expect("the private API's echo");
            certificates.extend(echo.headers.into_iter().filter(|(name, _)| name == "client-cert"));
        }
    }
    assert_eq!(certificates.len(), 8);
    assert!(certificates.windows(2).all(|pair| pair[0] == pair[1]), "{certificates:?}");

    assert_eq!(tickets(&stage.postern, "resumed")?, 6.0);
    let resumed = stage.postern.access_log().iter().filter(|entry| entry.is_true("resumed")).count();
    assert_eq!(resumed, 6, "{:?}", stage.postern.access_log());
    let entry = stage.postern.logged("a resumed connection", |entry| entry.is_true("resumed"))?;
    assert!(entry.expect_text("subject")?.contains("CN=good"), "{entry:?}");
    Ok(())
}

#[test]
fn a_new_crl_and_a_new_server_certificate_leave_sessions_alone() -> Outcome {
    let stage = Stage::set()?;
    let visitors = regulars(&stage.pki, "good", &stage.postern)?;
    let now = OffsetDateTime::now_utc();
    stage.pki.reissue_crl(now, now + Duration::days(7), 100)?;
    stage.postern.reload()?;
    for visitor in &visitors {
        assert_eq!(visitor.visit(stage.postern.address())?, Visit::Resumed);
    }
    Ok(())
}

#[test]
fn openssl_resumes() -> Outcome {
    let stage = Stage::set()?;
    for (version, name) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let session = stage.pki.path(&format!("session{version}")).display().to_string();
        let connect = |direction: &str| -> Result<Finished, postern_tests::Failure> {
            s_client_get(&stage.pki, stage.postern.address(), Some("good"), &[version, direction, &session])
        };
        let first = connect("-sess_out")?;
        assert!(first.stdout.contains(&format!("New, {name}")), "{first:?}");
        let second = connect("-sess_in")?;
        assert!(second.stdout.contains(&format!("Reused, {name}")), "{second:?}");
        assert!(second.stdout.contains("HTTP/1.1 200"), "{second:?}");

        stage.pki.issue("bystander", |_| {})?;
        let others = s_client_get(
            &stage.pki,
            stage.postern.address(),
            Some("bystander"),
            &[version, "-sess_in", &session],
        )?;
        assert!(others.stdout.contains(&format!("Reused, {name}")), "the session says who it is: {others:?}");
    }
    let subjects = stage.postern.access_log();
    assert!(subjects.iter().all(|entry| entry.text("subject").is_some_and(|it| it.contains("CN=good"))));
    Ok(())
}

#[test]
fn without_tickets_every_handshake_is_full() -> Outcome {
    let stage = Stage::set_with(|config| config.raw("tickets.enabled", false))?;
    for version in VERSIONS {
        let visitor = Visitor::new(&stage.pki, "good", version)?;
        for _ in 0..2 {
            assert_eq!(visitor.visit(stage.postern.address())?, Visit::Full, "{version:?}");
        }
    }
    Ok(())
}

#[test]
fn a_chain_that_would_make_a_huge_ticket_gets_none() -> Outcome {
    let pki = Pki::make()?;
    pki.issue("verbose", |params| {
        let name =
            |n| rcgen::SanType::DnsName(format!("a{n}.{}.example", "x".repeat(60)).try_into().unwrap());
        params.subject_alt_names = (0..200).map(name).collect();
    })?;
    let stage = Stage::set_on(pki, |config| config.raw("identity_headers.client_cert", false))?;
    for version in VERSIONS {
        let visitor = Visitor::new(&stage.pki, "verbose", version)?;
        for _ in 0..2 {
            assert_eq!(visitor.visit(stage.postern.address())?, Visit::Full, "{version:?}");
        }
    }
    Ok(())
}
