//! What can go wrong on the way from S3: the last good CRL stays in force, each fault is said once, and nothing needs a restart.

use postern_tests::faulty::{ERROR_500, Fault, Faulty};
use postern_tests::pki::Pki;
use postern_tests::s3::S3;
use postern_tests::stage::Stage;
use postern_tests::upstream::Upstream;
use postern_tests::{Outcome, files};

use super::{config, in_s3, start, times_said, until_status, with_crl_at};

const KEY: &str = "ca/intermediate.crlx";

#[test]
fn every_fault_keeps_the_last_good_is_said_once_and_passes() -> Outcome {
    let (pki, s3) = (Pki::make()?, S3::start()?);
    let (upstream, way) = (Upstream::start(&pki)?, Faulty::start(&s3)?);
    pki.issue("good2", |_| {})?;
    let read = || files::read(&pki.path("crl/intermediate.crlx"));
    let old = read()?;
    pki.revoke("good2")?;
    let current = read()?;
    s3.put(KEY, &current)?;
    let mut changed = current.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    let strangers = files::read(&Pki::make()?.path("crl/intermediate.crlx"))?;
    let config = with_crl_at(config(&pki, &upstream), &pki, &in_s3(KEY)).raw("sources.timeout_ms", 1_500);
    let stage = Stage { postern: start(&config, way.environment(&s3))?, upstream, pki };
    let generation = || stage.postern.metrics()?.value("postern_trust_generation", &[]);
    let first = generation()?;
    let faults = [
        ("down", Fault::Down, true),
        ("500", ERROR_500, true),
        ("slow", Fault::Silent, true),
        ("truncated", Fault::Truncated(current.clone()), true),
        ("new ETags for the same content", Fault::NewEtags(current), false),
        ("an older CRL", Fault::Instead(old), true),
        ("garbage", Fault::Instead(b"<html>not found</html>".to_vec()), true),
        ("empty", Fault::Instead(Vec::new()), true),
        ("changed in its middle", Fault::Instead(changed), true),
        ("by a stranger of the same name", Fault::Instead(strangers), true),
    ];
    for (name, fault, is_said) in faults {
        let (kept, over) =
            (times_said(&stage.postern, &["kept the last good"]), times_said(&stage.postern, &["\"over\""]));
        way.set(fault.clone());
        let before = way.requests();
        if is_said {
            let is = |fault: &Fault| matches!(fault, Fault::Instead(_));
            let metric = if is(&fault) { "postern_trust_not_taken" } else { "postern_sources_failing" };
            stage.postern.metric_reaches(metric, &[], 1.0)?;
        }
        // Some more looks, which must find nothing to say.
        postern_tests::wait::until("more looks", || Ok((way.requests() >= before + 3).then_some(())))?;
        assert_eq!(stage.curl("good", "/").call()?.status, 200, "{name}");
        assert_eq!(stage.curl("good2", "/").call()?.status, 0, "{name}: revoked clients stay out");
        assert_eq!(stage.postern.look("/readyz")?.status, 200, "{name}");
        way.set(Fault::None);
        if is_said {
            postern_tests::wait::until(&format!("the end of {name:?} to be said"), || {
                Ok((times_said(&stage.postern, &["\"over\""]) == over + 1).then_some(()))
            })?;
        }
        let said = times_said(&stage.postern, &["kept the last good"]) - kept;
        assert_eq!(said, usize::from(is_said), "{name}: {}", stage.postern.process().output());
    }
    assert_eq!(stage.postern.metrics()?.sum("postern_sources_failing", &[]), 0.0);
    assert_eq!(generation()?, first, "nothing else was ever in force");
    stage.pki.revoke("good")?;
    s3.put(KEY, &files::read(&stage.pki.path("crl/intermediate.crlx"))?)?;
    until_status(&stage, "good", 0)
}

#[test]
fn what_came_under_the_etag_of_something_else_is_asked_for_again() -> Outcome {
    let (pki, s3, copies) = (Pki::make()?, S3::start()?, files::temporary_directory()?);
    let (upstream, way) = (Upstream::start(&pki)?, Faulty::start(&s3)?);
    let put = |pki: &Pki| s3.put(KEY, &files::read(&pki.path("crl/intermediate.crlx"))?);
    let clients = ["good2", "good3"];
    clients.iter().try_for_each(|client| pki.issue(client, |_| {}))?;
    put(&pki)?;
    let config = with_crl_at(config(&pki, &upstream), &pki, &in_s3(KEY))
        .text("sources.directory", copies.path().display());
    let wrong = || way.set(Fault::WrongEtag(b"<html>please log in</html>".to_vec()));
    wrong();
    let refused = start(&config, way.environment(&s3)).err().map(|failure| failure.to_string());
    assert!(refused.is_some_and(|refused| refused.contains(KEY)), "there is nothing else");
    way.set(Fault::None);
    // S3 says that the page, of which there is a copy, is what it still has.
    let mut stage = Stage { postern: start(&config, way.environment(&s3))?, upstream, pki };
    for client in clients {
        assert_eq!(stage.curl(client, "/").call()?.status, 200);
        wrong();
        stage.pki.revoke(client)?;
        put(&stage.pki)?;
        stage.postern.said(&["kept the last good", KEY])?;
        assert_eq!(stage.curl("good", "/").call()?.status, 200);
        assert_eq!(stage.curl("revoked", "/").call()?.status, 0);
        if client == "good2" {
            way.set(Fault::None);
        } else {
            let Stage { postern, upstream, pki } = stage;
            drop(postern);
            way.set(Fault::None);
            stage = Stage { postern: start(&config, way.environment(&s3))?, upstream, pki };
        }
        until_status(&stage, client, 0)?;
    }
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    Ok(())
}
