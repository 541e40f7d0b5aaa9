//! Functions that are killed, and an S3 that fails.

use postern_tests::Outcome;
use postern_tests::disk::Disk;
use postern_tests::faulty::{ERROR_500, Fault, Faulty};
use postern_tests::lambda::Function;
use postern_tests::process::Signal;

use super::stage::{Stage, uploaded};

#[test]
fn a_function_that_is_killed_leaves_whole_files_that_the_next_one_completes() -> Outcome {
    let stage = Stage::new(2)?;
    let faulty = Faulty::start(&stage.s3)?;
    let environment = faulty.environment(&stage.s3);
    let mut next = Function::start(&stage.s3.environment())?;
    // Where it is killed, and which of the outputs are the new edition's by then.
    let steps = [
        ("before-index", ".crlx", Fault::Silent, 0),
        ("after-index", ".crlx", Fault::HoldAnswer, 1),
        ("before-cache", ".crl.json", Fault::Silent, 1),
        ("after-cache", ".crl.json", Fault::HoldAnswer, 2),
        ("before-last", ".cache.json", Fault::Silent, 2),
    ];
    for (name, suffix, fault, done) in steps {
        let key = format!("{name}.crl");
        stage.certify(&key)?;
        stage.upload(0, &key)?;
        next.invoke(&uploaded(&[&key]))?.done()?;
        stage.upload(1, &key)?;
        let mut function = Function::start(&environment)?;
        faulty.fail("PUT", suffix, fault, 1);
        function.send(&uploaded(&[&key]));
        faulty.failed()?;
        function.process().signal(Signal::KILL)?;
        drop(function);
        for (place, suffix) in [".crlx", ".json", ".cache.json"].into_iter().enumerate() {
            let edition = usize::from(place < done);
            let there = stage.s3.get(&format!("{key}{suffix}"))?;
            assert!(there == stage.made_of(edition, suffix)?, "{name}: {suffix} is of edition {edition}");
        }
        // Lambda tries again.
        next.invoke(&uploaded(&[&key]))?.done()?;
        stage.assert_published(1, &key)?;
    }
    Ok(())
}

#[test]
fn an_older_crl_that_comes_after_a_kill_completes_the_newer_one() -> Outcome {
    let stage = Stage::new(2)?;
    let faulty = Faulty::start(&stage.s3)?;
    stage.certify("ca.crl")?;
    stage.upload(1, "ca.crl")?;
    let mut function = Function::start(&faulty.environment(&stage.s3))?;
    faulty.fail("PUT", ".crl.json", Fault::Silent, 1);
    function.send(&uploaded(&["ca.crl"]));
    faulty.failed()?;
    function.process().signal(Signal::KILL)?;
    drop(function);
    stage.upload(0, "ca.crl")?;
    let reply = Function::start(&stage.s3.environment())?.invoke(&uploaded(&["ca.crl"]))?;
    assert!(reply.error().is_some_and(|error| error.contains("rollback: ")), "{reply:?}");
    stage.assert_published(1, "ca.crl")
}

#[test]
fn failures_of_s3_are_tried_again_or_returned() -> Outcome {
    let stage = Stage::new(2)?;
    let faulty = Faulty::start(&stage.s3)?;
    stage.certify("ca.crl")?;
    stage.upload(0, "ca.crl")?;
    let mut function = Function::start(&faulty.environment(&stage.s3))?;
    function.invoke(&uploaded(&["ca.crl"]))?.done()?;
    stage.upload(1, "ca.crl")?;

    // For good: the SDK gives up after three attempts, and what is there stays.
    for (method, suffix) in [("GET", "ca.crl"), ("PUT", ".crlx")] {
        faulty.fail(method, suffix, ERROR_500, 3);
        let reply = function.invoke(&uploaded(&["ca.crl"]))?;
        assert!(reply.error().is_some_and(|error| error.contains("ca.crl")), "{reply:?}");
        faulty.failed()?;
        stage.assert_published(0, "ca.crl")?;
    }

    // For once, and answers that say that another writer came first.
    faulty.fail("GET", "ca.crl", Fault::Answer("503 Slow Down", "SlowDown"), 1);
    for suffix in [".crlx", ".crl.json"] {
        faulty.fail("PUT", suffix, Fault::Answer("409 Conflict", "ConditionalRequestConflict"), 1);
        faulty.fail("PUT", suffix, Fault::Answer("412 Precondition Failed", "PreconditionFailed"), 1);
    }
    faulty.fail("HEAD", ".cache.json", ERROR_500, 1);
    function.invoke(&uploaded(&["ca.crl"]))?.done()?;
    faulty.failed()?;
    stage.assert_published(1, "ca.crl")
}

#[test]
fn a_full_disk_is_an_error_that_replaces_nothing_and_passes() -> Outcome {
    let (stage, disk) = (Stage::new(2)?, Disk::mount()?);
    stage.certify("ca.crl")?;
    stage.upload(0, "ca.crl")?;
    let mut function = Function::start_on(&disk, &stage.s3.environment())?;
    function.invoke(&uploaded(&["ca.crl"]))?.done()?;
    stage.upload(1, "ca.crl")?;
    disk.fill(function.process())?;
    let reply = function.invoke(&uploaded(&["ca.crl"]))?;
    let words = |error: &str| error.contains("ca.crl") && error.contains("cannot write");
    assert!(reply.error().is_some_and(words), "{reply:?}");
    stage.assert_published(0, "ca.crl")?;
    // Lambda tries again, in the same process.
    disk.free(function.process())?;
    function.invoke(&uploaded(&["ca.crl"]))?.done()?;
    stage.assert_published(1, "ca.crl")?;
    assert!(disk.names()?.is_empty(), "nothing is left of what failed");
    Ok(())
}
