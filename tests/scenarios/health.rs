//! `postern health`, as a container's health check calls it.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use postern_tests::pki::Pki;
use postern_tests::postern::Config;
use postern_tests::process::{Finished, run};
use postern_tests::stage::Stage;
use postern_tests::wait::until;
use postern_tests::{Failure, Outcome, binary, files};

#[test]
fn a_process_is_well_until_it_drains_and_lives_until_it_ends() -> Outcome {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let draining = |config: Config| {
        config
            .text("admin.address", format!("0.0.0.0:{port}"))
            .raw("drain.accept_ms", 10_000)
            .raw("drain.deadline_ms", 15_000)
    };
    let stage = Stage::set_with(draining)?;
    let ask = |question: &str| health(&draining(Config::new(&stage.pki, stage.upstream.address())), question);
    for question in ["ready", "live"] {
        let well = ask(question)?;
        assert_eq!((well.code(), well.stderr.as_str()), (0, ""), "{question}");
    }
    stage.postern.terminate()?;
    until("readiness to fail", || Ok((ask("ready")?.code() == 1).then_some(())))?;
    let ill = ask("ready")?;
    assert!(ill.stderr.contains("/readyz: 503 ") && ill.stderr.contains("draining"), "{}", ill.stderr);
    assert_eq!(ask("live")?.code(), 0);
    drop(stage.postern);

    let dead = health(&draining(Config::new(&stage.pki, stage.upstream.address())), "live")?;
    assert_eq!(dead.code(), 1);
    assert!(dead.stderr.contains("Connection refused"), "{}", dead.stderr);
    Ok(())
}

#[test]
fn who_does_not_answer_is_not_well() -> Outcome {
    let pki = Pki::make()?;
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let config = Config::new(&pki, ([127, 0, 0, 1], 1).into());
    let start = Instant::now();
    let asked = health(&config.clone().text("admin.address", silent.local_addr()?), "live")?;
    assert_eq!(asked.code(), 1);
    assert!(asked.stderr.contains("no answer after 300 ms"), "{}", asked.stderr);
    assert!(start.elapsed() < Duration::from_secs(5));

    let unknown = health(&config, "ready")?;
    assert!(unknown.code() == 1 && unknown.stderr.contains("admin.address"), "{}", unknown.stderr);
    Ok(())
}

fn health(config: &Config, question: &str) -> Result<Finished, Failure> {
    let directory = files::temporary_directory()?;
    let path = directory.path().join("postern.toml");
    config.write(&path)?;
    let mut command = binary::command("postern")?;
    command.args(["health", "--timeout-ms", "300", "--ask", question, "--config"]).arg(&path);
    run("postern health", &mut command)
}
