//! A ticket is worth no more than its client is now. Whoever is not good any longer gets the alert of a full handshake.

use postern_tests::pki::Pki;
use postern_tests::postern::{Config, Postern};
use postern_tests::raw_tls::Version;
use postern_tests::s_client::s_client_get;
use postern_tests::stage::Stage;
use postern_tests::upstream::Upstream;
use postern_tests::wait::until;
use postern_tests::{Outcome, files};
use rustls::AlertDescription;
use time::{Duration, OffsetDateTime};

use super::{Visit, Visitor, regulars, tickets};

#[test]
fn a_revoked_client_resumes_nothing() -> Outcome {
    let stage = Stage::set()?;
    let visitors = regulars(&stage.pki, "good", &stage.postern)?;
    stage.pki.revoke("good")?;
    stage.postern.reload()?;
    for visitor in &visitors {
        let visit = visitor.visit(stage.postern.address())?;
        assert_eq!(visit, Visit::Refused(AlertDescription::CertificateRevoked));
    }
    assert_eq!(tickets(&stage.postern, "not_good")?, 2.0);
    let entry = stage.postern.refused("certificate_revoked")?;
    assert!(entry.expect_text("subject")?.contains("CN=good"), "{entry:?}");
    Ok(())
}

#[test]
fn openssl_is_told_the_same() -> Outcome {
    let stage = Stage::set()?;
    let session = |version: &str| stage.pki.path(&format!("session{version}")).display().to_string();
    let connect = |version: &str, direction: &str| {
        let arguments = [version, direction, &session(version)];
        s_client_get(&stage.pki, stage.postern.address(), Some("good"), &arguments)
    };
    for version in ["-tls1_2", "-tls1_3"] {
        assert!(connect(version, "-sess_out")?.stdout.contains("HTTP/1.1 200"));
        assert!(connect(version, "-sess_in")?.stdout.contains("Reused, "));
    }
    stage.pki.revoke("good")?;
    stage.postern.reload()?;
    for version in ["-tls1_2", "-tls1_3"] {
        let refused = connect(version, "-sess_in")?;
        assert!(!refused.stdout.contains("Reused, "), "{refused:?}");
        assert!(refused.stderr.contains("alert certificate revoked"), "{refused:?}");
    }
    Ok(())
}

#[test]
fn another_process_with_the_same_keys_refuses_the_revoked_one_too() -> Outcome {
    let pki = Pki::make()?;
    let upstream = Upstream::start(&pki)?;
    files::write(&pki.path("ticket.keys"), super::keys::key(1))?;
    let config =
        Config::new(&pki, upstream.address()).text("tickets.keys", pki.path("ticket.keys").display());
    let (first, second) = (Postern::start(&config)?, Postern::start(&config)?);
    let visitors = regulars(&pki, "good", &first)?;
    for visitor in &visitors {
        assert_eq!(visitor.visit(second.address())?, Visit::Resumed);
    }
    // Back to the first, so that what follows is a ticket of the other one.
    pki.revoke("good")?;
    first.reload()?;
    for visitor in &visitors {
        let visit = visitor.visit(first.address())?;
        assert_eq!(visit, Visit::Refused(AlertDescription::CertificateRevoked));
    }
    Ok(())
}

#[test]
fn a_certificate_that_expires_takes_its_session_along() -> Outcome {
    let stage = Stage::set()?;
    stage.pki.issue("brief", |params| {
        params.not_after = OffsetDateTime::now_utc() + Duration::seconds(4);
    })?;
    let visitors = regulars(&stage.pki, "brief", &stage.postern)?;
    for visitor in visitors {
        until("the certificate to expire", || {
            let visit = visitor.visit(stage.postern.address())?;
            let refused = visit == Visit::Refused(AlertDescription::CertificateExpired);
            assert!(refused || visit == Visit::Resumed, "{visit:?}");
            Ok(refused.then_some(()))
        })?;
    }
    Ok(())
}

#[test]
fn a_crl_that_goes_stale_ends_its_issuers_sessions() -> Outcome {
    let now = OffsetDateTime::now_utc();
    let pki = Pki::make()?;
    pki.reissue_crl(now - Duration::days(1), now + Duration::seconds(4), 0)?;
    let stage = Stage::set_on(pki, |config| config)?;
    let visitors = regulars(&stage.pki, "good", &stage.postern)?;
    for visitor in &visitors {
        until("the CRL to go stale", || {
            let visit = visitor.visit(stage.postern.address())?;
            let refused = visit == Visit::Refused(AlertDescription::UnknownCA);
            assert!(refused || visit == Visit::Resumed, "{visit:?}");
            Ok(refused.then_some(()))
        })?;
    }
    Ok(())
}

#[test]
fn sessions_under_an_anchor_end_with_it_and_others_go_on() -> Outcome {
    let (pki, other) = (Pki::make()?, Pki::make()?);
    let upstream = Upstream::start(&pki)?;
    let bundle = pki.path("bundle.pem");
    let [ours, theirs] = [&pki, &other].map(|pki| files::read(&pki.path("root.pem")));
    let (ours, theirs) = (ours?, theirs?);
    files::write(&bundle, [ours, theirs.clone()].concat())?;
    let indexes = [pki.indexes(), other.indexes()].concat();
    let config = Config::new(&pki, upstream.address())
        .text("client_auth.trust_bundle", bundle.display())
        .raw("revocation.crls", format!("{indexes:?}"));
    let postern = Postern::start(&config)?;
    // The other PKI's client checks the server by our root.
    files::copy(&pki.path("root.pem"), &other.path("root.pem"))?;
    let out = regulars(&pki, "good", &postern)?;
    let still_in = regulars(&other, "good", &postern)?;

    files::write(&bundle, theirs)?;
    postern.reload()?;
    for visitor in out {
        assert_eq!(visitor.visit(postern.address())?, Visit::Refused(AlertDescription::UnknownCA));
    }
    for visitor in still_in {
        assert_eq!(visitor.visit(postern.address())?, Visit::Resumed, "their anchor is still there");
    }
    Ok(())
}

#[test]
fn a_session_does_not_outlive_its_lifetime_however_often_it_is_resumed() -> Outcome {
    let stage = Stage::set_with(|config| config.raw("tickets.lifetime_seconds", 3))?;
    let visitor = Visitor::new(&stage.pki, "good", Version::Tls12)?;
    assert_eq!(visitor.visit(stage.postern.address())?, Visit::Full);
    let mut resumed = 0;
    until("a full handshake", || {
        let visit = visitor.visit(stage.postern.address())?;
        resumed += i32::from(visit == Visit::Resumed);
        Ok((visit == Visit::Full).then_some(()))
    })?;
    assert!(resumed > 3, "{resumed}");
    Ok(())
}
