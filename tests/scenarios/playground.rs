//! `make run` and `make smoke`, as a user meets them.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use postern_tests::pki::Pki;
use postern_tests::process::{Process, Signal, run};
use postern_tests::{Outcome, crl_tool, files, proc};
use time::{Duration, OffsetDateTime};

#[test]
fn the_smoke_test_passes_against_a_playground() -> Outcome {
    let directory = files::temporary_directory()?;
    let pki = directory.path().join("dev");
    let playground = start(&pki, "127.0.0.1:0")?;
    let address = playground.stdout().find("the playground to be ready", |line| {
        line.strip_prefix("postern: https://").map(str::to_owned)
    })?;
    let smoke = Path::new(env!("CARGO_MANIFEST_DIR")).join("smoke.sh");
    let smoke = run("smoke.sh", Command::new(smoke).env("POSTERN", &address).env("PKI", &pki))?;
    assert_eq!(smoke.code(), 0, "{}{}\n{}", smoke.stdout, smoke.stderr, playground.output());

    playground.signal(Signal::TERM)?;
    let finished = playground.finish()?;
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    assert!(finished.stdout.contains("certificate_revoked"), "the log is shown: {}", finished.stdout);
    Ok(())
}

#[test]
fn the_curl_lines_it_prints_do_what_they_say() -> Outcome {
    let directory = files::temporary_directory()?;
    let playground = start(&directory.path().join("dev"), "127.0.0.1:0")?;
    playground.stdout().find("the last hint", |line| line.contains("Ctrl-C").then_some(()))?;
    let lines = playground.stdout().all();
    let curls: Vec<_> =
        lines.iter().map(|line| line.trim()).filter(|line| line.starts_with("curl ")).collect();
    assert_eq!(curls.len(), 4, "{lines:#?}");
    for (curl, answer) in
        curls.iter().zip(["200", "certificate revoked", "certificate required", "unknown ca"])
    {
        let command = format!("{curl} --include");
        let called = run("sh", Command::new("sh").args(["-c", &command]))?;
        assert!(format!("{}{}", called.stdout, called.stderr).contains(answer), "{curl}: {called:?}");
    }
    Ok(())
}

#[test]
fn the_directory_may_be_relative() -> Outcome {
    let directory = files::temporary_directory()?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_playground"));
    command.args(["--address", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--pki", "certs/dev"]);
    stop(Process::spawn("playground", command.current_dir(directory.path()))?)?;
    assert!(directory.path().join("certs/dev/crl/root.crlx").exists());
    Ok(())
}

#[test]
fn a_second_start_uses_the_certificates_that_are_there() -> Outcome {
    let directory = files::temporary_directory()?;
    let pki = directory.path().join("dev");
    let mut roots = Vec::new();
    for signal in [Signal::INT, Signal::TERM] {
        let playground = start(&pki, "127.0.0.1:0")?;
        playground.stdout().find("the last hint", |line| line.contains("Ctrl-C").then_some(()))?;
        roots.push(files::read(&pki.join("root.pem"))?);
        playground.signal(signal)?;
        assert_eq!(playground.finish()?.code(), 0);
    }
    assert_eq!(roots[0], roots[1]);
    Ok(())
}

#[test]
fn certificates_with_stale_crls_are_made_anew() -> Outcome {
    let directory = files::temporary_directory()?;
    let pki = directory.path().join("dev");
    stop(start(&pki, "127.0.0.1:0")?)?;
    let now = OffsetDateTime::now_utc();
    Pki::at(&pki).reissue_crl(now - Duration::days(31), now - Duration::days(1), 0)?;
    stop(start(&pki, "127.0.0.1:0")?)?;
    assert!(crl_tool::next_update(&pki.join("crl/intermediate.crlx"))? > now);
    Ok(())
}

#[test]
fn a_server_that_ends_on_its_own_ends_the_playground() -> Outcome {
    let directory = files::temporary_directory()?;
    let playground = start(&directory.path().join("dev"), "127.0.0.1:0")?;
    playground.stdout().find("the last hint", |line| line.contains("Ctrl-C").then_some(()))?;
    for child in proc::children(playground.id())? {
        run("kill", Command::new("kill").args(["-KILL", &child.to_string()]))?.success()?;
    }
    let finished = playground.finish()?;
    assert_eq!(finished.code(), 1);
    assert!(finished.stderr.contains("ended on its own"), "{}", finished.stderr);
    Ok(())
}

#[test]
fn a_port_that_is_taken_is_named() -> Outcome {
    let directory = files::temporary_directory()?;
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let finished = start(&directory.path().join("dev"), &address)?.finish()?;
    assert_eq!(finished.code(), 1);
    assert!(finished.stderr.contains(&address) && finished.stderr.contains("in use"), "{}", finished.stderr);
    Ok(())
}

/// Waits until it is ready and stops it.
fn stop(playground: Process) -> Outcome {
    playground.stdout().find("the last hint", |line| line.contains("Ctrl-C").then_some(()))?;
    playground.signal(Signal::TERM)?;
    playground.finish()?.success().map(|_| ())
}

fn start(pki: &Path, address: &str) -> Result<Process, postern_tests::Failure> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_playground"));
    command.args(["--address", address, "--admin", "127.0.0.1:0", "--pki"]).arg(pki);
    Process::spawn("playground", &mut command)
}
