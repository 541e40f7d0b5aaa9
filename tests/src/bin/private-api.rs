//! A private API on loopback: what an execute-api VPC endpoint looks like from inside the network.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use postern_tests::private_api::{PrivateApi, Settings, Verifier};

/// Answers HTTPS like an execute-api endpoint and echoes, as JSON, the requests that arrive.
///
/// Prints one line when it listens: {"address":"127.0.0.1:PORT"}.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Certificate chain of the endpoint (PEM); its names are the Hosts that it answers to.
    #[arg(long)]
    cert: PathBuf,
    /// Private key of the certificate (PEM).
    #[arg(long)]
    key: PathBuf,
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    address: SocketAddr,
    /// API ids deployed here; repeat for more.
    #[arg(long = "api", value_name = "ID", default_values_t = [postern_tests::upstream::API_ID.to_owned()])]
    apis: Vec<String>,
    /// Wants signatures of execute-api in eu-west-1 by this key, as ID:SECRET or ID:SECRET:TOKEN; repeat for more.
    #[arg(long = "sigv4", value_name = "KEY")]
    keys: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("private-api: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(Arguments { cert, key, address, apis, keys }: Arguments) -> anyhow::Result<()> {
    let verifier = (!keys.is_empty()).then(|| Verifier::new("eu-west-1", "execute-api", &keys));
    let api = PrivateApi::bind(Settings { certificate: cert, private_key: key, address, apis, verifier })
        .await
        .context("the private API did not start")?;
    println!("{}", serde_json::json!({ "address": api.address()?.to_string() }));
    tokio::select! {
        () = api.serve() => {}
        signal = postern_tests::interrupt() => signal.context("cannot listen for signals")?,
    }
    Ok(())
}
