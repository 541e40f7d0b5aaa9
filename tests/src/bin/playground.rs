//! `make run`: the whole path on this machine, until Ctrl-C.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use postern_tests::playground::{Playground, Settings};
use postern_tests::{Failure, Outcome};

/// How often to look whether the servers still run.
const WATCH: Duration = Duration::from_millis(500);

/// Starts a private API and postern in front of it, with development certificates, and prints what to try.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where postern listens; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8443")]
    address: SocketAddr,
    /// Where postern answers operators; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:9090")]
    admin: SocketAddr,
    /// Directory of the development certificates; made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "certs/dev")]
    pki: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("playground: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(Arguments { address, admin, pki }: Arguments) -> Outcome {
    // Listened for from the start, so that Ctrl-C never leaves a server behind.
    let mut interrupt = std::pin::pin!(postern_tests::interrupt());
    let start = tokio::task::spawn_blocking(move || Playground::start(&Settings { address, admin, pki }));
    let mut playground = tokio::select! {
        biased;
        signal = &mut interrupt => return Ok(signal?),
        started = start => started.map_err(std::io::Error::from)??,
    };
    println!("{playground}");
    loop {
        tokio::select! {
            biased;
            signal = &mut interrupt => {
                signal?;
                return playground.stop();
            }
            () = tokio::time::sleep(WATCH) => {}
        }
        if !playground.is_running()? {
            return Err(Failure::ServerEnded);
        }
    }
}
