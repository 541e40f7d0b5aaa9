//! What an operation costs the proxy, in CPU time by the kernel's own accounting.
//!
//! Everything runs from the directory of this binary, so build it in release: `make bench`. The proxy has one core
//! to itself where there are two, the private API and the load have the other. CPU time hardly depends on what else
//! the machine does; wall time does, and is shown only to tell whether the load was bound by something else.

mod arena;
mod bulk;
mod client;
mod comparison;
mod contestant;
mod crl_cost;
mod crowd;
mod drain_soak;
mod instructions;
mod lists;
mod load;
mod peers;
mod plot;
mod relay;
mod report;
mod rival;
mod run;
mod swap;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use postern_tests::Outcome;

use crate::load::Mode;

/// Measures the CPU time that postern, and other proxies beside it, take for an operation. Every response is checked.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Full and resumed handshakes, keep-alive HTTP/1.1 requests, HTTP/2 requests, and large bodies
    Run {
        /// What to measure; repeat for more. All of them by default
        #[arg(long = "mode", value_enum)]
        modes: Vec<Mode>,
        #[command(flatten)]
        effort: Effort,
    },
    /// Postern, nginx, haproxy and Envoy in turns, with the same upstream: operations, bodies, memory, big CRLs, as ratios
    Peers(peers::Peers),
    /// Instructions of an operation, beside those that are recorded: fails when they are more
    Instructions(instructions::Instructions),
    /// A big index in the place of another one, under load: what clients feel of it, and memory meanwhile
    Swap(swap::Swap),
    /// Draws what `peers` wrote
    Plot {
        /// What `peers --json` wrote
        json: PathBuf,
        /// The picture
        svg: PathBuf,
    },
    /// What a big CRL costs at start and in every handshake, against a small one
    CrlCost {
        /// Full handshakes, or those that resume
        #[arg(long, value_enum, default_value = "handshake")]
        mode: Mode,
        /// Entries of the small CRL
        #[arg(long, default_value_t = 10)]
        small: u64,
        /// Entries of the big CRL
        #[arg(long, default_value_t = 1_000_000)]
        big: u64,
        #[command(flatten)]
        effort: Effort,
    },
    /// SIGTERM under load, again and again: which requests are lost
    DrainSoak(Rounds),
    /// What other clients feel of thousands of idle connections and hundreds of slow ones
    Crowd(crowd::Crowd),
    /// Large bodies through many connections at once, and the proxy's memory meanwhile
    Bulk {
        /// All bodies of one direction together
        #[arg(long, default_value_t = 2_048)]
        mib: u64,
        /// Connections at a time
        #[arg(long, default_value_t = 64)]
        connections: u32,
        /// Also write the figures to this file, as JSON
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// What clients wait for while others send their bodies a byte a second
    SlowBody {
        /// Connections that do so
        #[arg(long, default_value_t = 1_000)]
        attackers: u32,
        /// Requests that are timed
        #[arg(long, default_value_t = 4_000)]
        requests: u32,
        /// Also write the figures to this file, as JSON
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
}

/// How often, and where to leave the figures.
#[derive(Args, Clone)]
pub(crate) struct Rounds {
    /// How often the proxy is started, loaded and stopped
    #[arg(long, default_value_t = 200)]
    pub(crate) rounds: u32,
    /// Also write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// How much to measure, and where to leave it.
#[derive(Args, Clone)]
pub(crate) struct Effort {
    /// Operations of one measurement; fewer of those that cost more, in `run`
    #[arg(long, default_value_t = 5_000)]
    pub(crate) operations: u32,
    /// Measurements of each kind
    #[arg(long, default_value_t = 10)]
    pub(crate) rounds: u32,
    /// Connections at a time; by default 64 for keep-alive HTTP/1.1, and 8 otherwise
    #[arg(long)]
    pub(crate) connections: Option<u32>,
    /// Also write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

fn main() -> ExitCode {
    match measure(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: Arguments) -> Outcome {
    // Before the runtime has threads: they inherit it.
    arena::stay_off_the_proxys_core()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match arguments.command {
        Command::Run { modes, effort } => run::run(&runtime, &modes, &effort),
        Command::Peers(effort) => peers::run(&runtime, &effort),
        Command::Instructions(effort) => instructions::run(&runtime, &effort),
        Command::Swap(effort) => swap::run(&runtime, &effort),
        Command::Plot { json, svg } => plot::run(&json, &svg),
        Command::Crowd(crowd) => crowd::run(&runtime, &crowd),
        Command::DrainSoak(effort) => drain_soak::run(&runtime, &effort),
        Command::CrlCost { mode, small, big, effort } => crl_cost::run(&runtime, mode, [small, big], &effort),
        Command::Bulk { mib, connections, json } => bulk::run(&runtime, mib, connections, json.as_deref()),
        Command::SlowBody { attackers, requests, json } => {
            bulk::slow_body(&runtime, attackers, requests, json.as_deref())
        }
    }
}
