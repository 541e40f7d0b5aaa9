//! A disk without room: what is in force stays, a CRL that needs no room comes into force nevertheless, and once there is room
//! again, all of it is made up for.

use postern_tests::disk::Disk;
use postern_tests::pki::Pki;
use postern_tests::postern::{Config, Postern, run_to_end};
use postern_tests::process::Process;
use postern_tests::s3::S3;
use postern_tests::stage::Stage;
use postern_tests::upstream::Upstream;
use postern_tests::wait::until;
use postern_tests::{Failure, Outcome, binary, files};

use super::{config, in_s3, replace, start_command, until_status, with_crl_at};

/// A postern whose files have no room when its disk is full.
fn start_on(disk: &Disk, config: &Config, s3: Option<&S3>) -> Result<Postern, Failure> {
    let program = match s3 {
        Some(_) => binary::postern_with_aws()?,
        None => binary::command("postern")?,
    };
    start_command(config, disk.command(&program), s3.map(S3::environment).unwrap_or_default())
}

fn floors(disk: &Disk) -> Result<Vec<u8>, Failure> {
    files::read(&disk.path().join("floors.json"))
}

#[test]
fn a_copy_without_room_is_made_when_there_is_room() -> Outcome {
    const KEY: &str = "ca/intermediate.crlx";
    let (pki, s3, disk) = (Pki::make()?, S3::start()?, Disk::mount()?);
    let upstream = Upstream::start(&pki)?;
    pki.issue("good2", |_| {})?;
    let put = |pki: &Pki| s3.put(KEY, &files::read(&pki.path("crl/intermediate.crlx"))?);
    put(&pki)?;
    let config = with_crl_at(config(&pki, &upstream), &pki, &in_s3(KEY))
        .text("sources.directory", disk.path().display())
        .text("revocation.state_file", disk.path().join("floors.json").display());
    let stage = Stage { postern: start_on(&disk, &config, Some(&s3))?, upstream, pki };
    assert_eq!(stage.curl("good2", "/").call()?.status, 200);
    let (names, before) = (disk.names()?, floors(&disk)?);

    disk.fill(stage.postern.process())?;
    stage.pki.revoke("good2")?;
    put(&stage.pki)?;
    stage.postern.said(&["kept the last good", KEY, "cannot be copied to"])?;
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    assert_eq!(stage.curl("revoked", "/").call()?.status, 0);
    assert_eq!(stage.postern.look("/readyz")?.status, 200);
    assert_eq!(floors(&disk)?, before, "whole, as it was");

    disk.free(stage.postern.process())?;
    until_status(&stage, "good2", 0)?;
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    stage.postern.said(&["\"over\"", KEY])?;
    assert_ne!(floors(&disk)?, before, "before the CRL counts, so does its floor");
    // The name of the copy has changed with its ETag.
    until("the files to be as many as before", || Ok((disk.names()?.len() == names.len()).then_some(())))?;

    drop(s3);
    let Stage { postern, upstream, pki } = stage;
    drop(postern);
    let nobody = vec![("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1".to_owned())];
    let environment = postern_tests::s3::isolated_environment().into_iter().chain(nobody).collect();
    let stage = Stage { postern: super::start(&config, environment)?, upstream, pki };
    assert_eq!(stage.curl("good2", "/").call()?.status, 0, "by the copy");
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    Ok(())
}

#[test]
fn a_floor_without_room_keeps_no_crl_out_and_is_kept_when_there_is_room() -> Outcome {
    let (pki, disk) = (Pki::make()?, Disk::mount()?);
    let upstream = Upstream::start(&pki)?;
    let (index, old) = (pki.path("crl/intermediate.crlx"), pki.path("old.crlx"));
    files::copy(&index, &old)?;
    let config =
        config(&pki, &upstream).text("revocation.state_file", disk.path().join("floors.json").display());
    pki.issue("good2", |_| {})?;
    let stage = Stage { postern: start_on(&disk, &config, None)?, upstream, pki };
    let before = floors(&disk)?;

    disk.fill(stage.postern.process())?;
    stage.pki.revoke("good2")?;
    until_status(&stage, "good2", 0)?;
    stage.postern.said(&["kept the last good", "revocation.state_file", "cannot be written"])?;
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    assert_eq!(floors(&disk)?, before, "whole, as it was");
    assert_eq!(stage.postern.metrics()?.sum("postern_trust_not_taken", &[]), 1.0);
    // What is in force is a floor, also where the file does not say so.
    replace(&old, &index)?;
    stage.postern.said(&["kept the last good", "rollback"])?;

    disk.free(stage.postern.process())?;
    stage.postern.said(&["\"over\"", "revocation.state_file"])?;
    assert_ne!(floors(&disk)?, before);
    assert_eq!(disk.names()?, ["floors.json"], "no drafts");
    let Stage { postern, upstream: _upstream, pki: _pki } = stage;
    drop(postern);
    let refused = run_to_end(&config)?;
    assert!(refused.stderr.contains("rollback"), "{}", refused.stderr);
    Ok(())
}

#[test]
fn a_bare_crl_that_could_not_be_indexed_is_indexed_when_there_is_room() -> Outcome {
    let (pki, disk) = (Pki::make()?, Disk::limited()?);
    let upstream = Upstream::start(&pki)?;
    pki.issue("good2", |_| {})?;
    let config =
        with_crl_at(config(&pki, &upstream), &pki, &pki.path("crl/intermediate.crl").display().to_string())
            .text("sources.directory", disk.path().display());
    let stage = Stage { postern: start_on(&disk, &config, None)?, upstream, pki };
    assert_eq!(stage.curl("good2", "/").call()?.status, 200);
    disk.fill(stage.postern.process())?;
    stage.pki.revoke("good2")?;
    stage.postern.said(&["kept the last good", "cannot be indexed"])?;
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    assert_eq!(stage.curl("revoked", "/").call()?.status, 0);
    disk.free(stage.postern.process())?;
    until_status(&stage, "good2", 0)?;
    stage.postern.said(&["\"over\"", "cannot be indexed"])?;
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    assert!(disk.names()?.is_empty(), "an index in the making has no name");
    Ok(())
}

/// What the disk of a process that is killed keeps, the next one removes.
#[test]
fn what_killed_processes_leave_behind_goes_with_the_next_start() -> Outcome {
    let (pki, temporary) = (Pki::make()?, files::temporary_directory()?);
    let upstream = Upstream::start(&pki)?;
    let config = config(&pki, &upstream);
    let start = || {
        let mut command = binary::command("postern")?;
        Postern::start_as(&config, command.env("TMPDIR", temporary.path()), Process::spawn)
    };
    let count = || Ok::<_, Failure>(std::fs::read_dir(temporary.path())?.count());
    drop(start()?);
    assert_eq!(count()?, 1, "it was killed");
    let (one, other) = (start()?, start()?);
    assert_eq!(count()?, 2, "what is in use stays");
    one.terminate()?;
    other.terminate()?;
    one.finish()?.success()?;
    other.finish()?.success()?;
    assert_eq!(count()?, 0);

    // What was going to be a copy under a name that never comes again.
    let copies = files::temporary_directory()?;
    let draft = copies.path().join(".0123456789abcdef-2234abcdef.partial");
    files::write(&draft, "half of it")?;
    drop(Postern::start(&config.text("sources.directory", copies.path().display()))?);
    assert!(!draft.exists());
    Ok(())
}
