//! `make run`: the whole path on this machine, until Ctrl-C.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Parser;
use postern_tests::playground::{Playground, Settings};

/// How often to look whether the servers still run.
const WATCH: Duration = Duration::from_millis(500);
/// Ctrl-C reaches the servers too: their end and the signal may be seen in either order.
const GRACE: Duration = Duration::from_millis(200);

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
async fn main() -> anyhow::Result<()> {
    let Arguments { address, admin, pki } = Arguments::parse();
    // Listened for from the start, so that Ctrl-C never leaves a server behind.
    let mut interrupt = std::pin::pin!(postern_tests::interrupt());
    let start = tokio::task::spawn_blocking(move || Playground::start(&Settings { address, admin, pki }));
    let mut playground = tokio::select! {
        biased;
        signal = &mut interrupt => return signal.context("cannot listen for signals"),
        started = start => started??,
    };
    println!("{playground}");
    loop {
        tokio::select! {
            biased;
            signal = &mut interrupt => {
                signal.context("cannot listen for signals")?;
                return Ok(playground.stop()?);
            }
            () = tokio::time::sleep(WATCH) => {}
        }
        if !playground.is_running()? {
            match tokio::time::timeout(GRACE, &mut interrupt).await {
                Ok(signal) => return signal.context("cannot listen for signals"),
                Err(_elapsed) => bail!("a server ended on its own; its last words are above"),
            }
        }
    }
}
