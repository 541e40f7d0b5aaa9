//! `make run` and `make smoke`, as a user meets them.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use postern_tests::pki::Pki;
use postern_tests::process::{Finished, Process, Signal, run};
use postern_tests::wait::until;
use postern_tests::{Failure, Outcome, crl_tool, files, proc};
use time::{Duration, OffsetDateTime};

#[test]
fn the_smoke_test_passes_against_a_playground() -> Outcome {
    let home = Home::make()?;
    let playground = home.playground()?;
    let address = playground.ready()?;
    let smoke = Path::new(env!("CARGO_MANIFEST_DIR")).join("smoke.sh");
    let smoke = run("smoke.sh", Command::new(smoke).env("POSTERN", &address).env("PKI", home.pki()))?;
    assert_eq!(smoke.code(), 0, "{}{}\n{}", smoke.stdout, smoke.stderr, playground.process()?.output());

    let finished = playground.stop(Signal::TERM)?;
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    assert!(finished.stdout.contains("certificate_revoked"), "the log is shown: {}", finished.stdout);
    Ok(())
}

#[test]
fn the_curl_lines_it_prints_do_what_they_say() -> Outcome {
    let home = Home::make()?;
    let playground = home.playground()?;
    playground.ready()?;
    let lines = playground.process()?.stdout().all();
    let curls: Vec<_> =
        lines.iter().map(|line| line.trim()).filter(|line| line.starts_with("curl ")).collect();
    assert_eq!(curls.len(), 4, "{lines:#?}");
    for (curl, answer) in
        curls.iter().zip(["200", "certificate revoked", "certificate required", "unknown ca"])
    {
        let command = format!("{curl} --include");
        let called = run("sh", Command::new("sh").args(["-c", &command]).current_dir(home.0.path()))?;
        assert!(format!("{}{}", called.stdout, called.stderr).contains(answer), "{curl}: {called:?}");
    }
    Ok(())
}

#[test]
fn a_second_start_uses_the_certificates_that_are_there() -> Outcome {
    let home = Home::make()?;
    let mut roots = Vec::new();
    for signal in [Signal::INT, Signal::TERM] {
        let playground = home.playground()?;
        playground.ready()?;
        roots.push(files::read(&home.pki().join("root.pem"))?);
        assert_eq!(playground.stop(signal)?.code(), 0);
    }
    assert_eq!(roots[0], roots[1]);
    Ok(())
}

#[test]
fn certificates_with_stale_crls_are_made_anew() -> Outcome {
    let home = Home::make()?;
    let now = OffsetDateTime::now_utc();
    home.playground()?.ready()?;
    Pki::at(&home.pki()).reissue_crl(now - Duration::days(31), now - Duration::days(1), 0)?;
    home.playground()?.ready()?;
    assert!(crl_tool::next_update(&home.pki().join("crl/intermediate.crlx"))? > now);
    Ok(())
}

#[test]
fn a_server_that_ends_on_its_own_ends_the_playground() -> Outcome {
    let home = Home::make()?;
    let mut playground = home.playground()?;
    playground.ready()?;
    for child in proc::children(playground.process()?.id())? {
        run("kill", Command::new("kill").args(["-KILL", &child.to_string()]))?.success()?;
    }
    let finished = playground.finish()?;
    assert_eq!(finished.code(), 1);
    assert!(finished.stderr.contains("ended on its own"), "{}", finished.stderr);
    Ok(())
}

#[test]
fn a_port_that_is_taken_is_named() -> Outcome {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let finished = Home::make()?.playground_at(&address)?.finish()?;
    assert_eq!(finished.code(), 1);
    assert!(finished.stderr.contains(&address) && finished.stderr.contains("in use"), "{}", finished.stderr);
    Ok(())
}

/// The working directory of playgrounds, which have their certificates in it as `make run` has.
struct Home(tempfile::TempDir);

impl Home {
    fn make() -> Result<Self, Failure> {
        files::temporary_directory().map(Self)
    }

    fn pki(&self) -> PathBuf {
        self.0.path().join("certs/dev")
    }

    fn playground(&self) -> Result<Playground, Failure> {
        self.playground_at("127.0.0.1:0")
    }

    fn playground_at(&self, address: &str) -> Result<Playground, Failure> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_playground"));
        command.args(["--address", address, "--admin", "127.0.0.1:0"]).current_dir(self.0.path());
        Process::spawn("playground", &mut command).map(|process| Playground(Some(process)))
    }
}

/// A running playground. Dropping it lets it stop its servers, which killing it would not.
struct Playground(Option<Process>);

impl Playground {
    fn process(&self) -> Result<&Process, Failure> {
        self.0.as_ref().ok_or(Failure::ServerEnded)
    }

    /// Waits until it has said all, and gives the address of its postern.
    fn ready(&self) -> Result<String, Failure> {
        let lines = self.process()?.stdout();
        lines.find("the last hint", |line| line.contains("Ctrl-C").then_some(()))?;
        lines.find("the address", |line| line.strip_prefix("postern: https://").map(str::to_owned))
    }

    fn stop(mut self, signal: Signal) -> Result<Finished, Failure> {
        self.process()?.signal(signal)?;
        self.finish()
    }

    fn finish(&mut self) -> Result<Finished, Failure> {
        self.0.take().ok_or(Failure::ServerEnded)?.finish()
    }
}

impl Drop for Playground {
    fn drop(&mut self) {
        let Some(mut process) = self.0.take() else { return };
        // A test that fails has said why; this is about what it leaves behind.
        let _ = process.signal(Signal::TERM);
        let _ = until("the playground to end", || Ok((!process.is_running()?).then_some(())));
    }
}
