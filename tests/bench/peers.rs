//! `bench peers`: postern beside nginx, haproxy and Envoy, in turns, with the same certificates, CRLs and upstream.

mod crl_handshake;
mod idle;
mod life;
mod traffic;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use postern_tests::Failure;
use postern_tests::pki::Pki;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::arena::PROXY_CORE;
use crate::comparison::{self, Comparison, Measured};
use crate::contestant::Post;
use crate::lists::{List, Lists};
use crate::load::Mode;
use crate::report;
use crate::rival::{Make, Rival};

/// What to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Handshake,
    Resumed,
    Http1,
    Http2,
    /// 10 MiB to the client
    Download,
    /// 10 MiB from it
    Upload,
    /// Memory for open connections that say nothing
    Idle,
    /// Full handshakes with big CRLs
    CrlHandshake,
    /// Start, memory and swap with a big CRL
    CrlLife,
}

impl Kind {
    fn mode(self) -> Option<Mode> {
        match self {
            Self::Handshake => Some(Mode::Handshake),
            Self::Resumed => Some(Mode::Resumed),
            Self::Http1 => Some(Mode::Http1),
            Self::Http2 => Some(Mode::Http2),
            Self::Download => Some(Mode::Download),
            Self::Upload => Some(Mode::Upload),
            Self::Idle | Self::CrlHandshake | Self::CrlLife => None,
        }
    }
}

/// How much of it.
#[derive(Args, Clone)]
pub(crate) struct Peers {
    /// What to compare; repeat for more. All of it by default
    #[arg(long = "only", value_enum)]
    kinds: Vec<Kind>,
    /// Requests of one measurement; as many handshakes and bodies as cost about as much
    #[arg(long, default_value_t = 5_000)]
    operations: u32,
    /// Measurements of each proxy; half as many of those that start it anew
    #[arg(long, default_value_t = 10)]
    rounds: u32,
    /// Entries of the big CRL
    #[arg(long, default_value_t = 1_000_000)]
    revoked: u64,
    /// Entries of the biggest CRL, which only postern gets. 0: none
    #[arg(long, default_value_t = 10_000_000)]
    most_revoked: u64,
    /// Connections that are open and idle
    #[arg(long, default_value_t = 1_000)]
    idle: u32,
    /// Also write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What all kinds of comparison need.
struct Ground<'a> {
    runtime: &'a Runtime,
    pki: &'a Pki,
    upstream: &'a Rival,
    effort: &'a Peers,
}

impl<'a> Ground<'a> {
    /// One that is measured on a core of its own, with one list for as long as it runs.
    fn post(&self, list: &'a List) -> Post<'a> {
        let upstream = self.upstream.address;
        Post { pki: self.pki, upstream, list, core: PROXY_CORE, will_swap: false }
    }
}

pub(crate) fn run(runtime: &Runtime, effort: &Peers) -> Result<(), Failure> {
    let kinds = if effort.kinds.is_empty() { Kind::value_variants() } else { &effort.kinds };
    let pki = Pki::make()?;
    let upstream = Rival::upstream(&pki)?;
    let mut lists = Lists::of(&pki)?;
    let ground = Ground { runtime, pki: &pki, upstream: &upstream, effort };
    let versions = Make::ALL.map(|make| Ok((make.name().to_owned(), make.version()?.into())));
    let versions = versions.into_iter().collect::<Result<serde_json::Map<_, _>, Failure>>()?;
    let modes: Vec<Mode> = kinds.iter().filter_map(|kind| kind.mode()).collect();
    let mut compared = traffic::compare(&ground, &mut lists, &modes)?;
    for kind in kinds {
        compared.extend(match kind {
            Kind::Idle => idle::compare(&ground, &mut lists)?,
            Kind::CrlHandshake => crl_handshake::compare(&ground, &mut lists)?,
            Kind::CrlLife => life::compare(&ground, &mut lists)?,
            Kind::Handshake | Kind::Resumed | Kind::Http1 | Kind::Http2 | Kind::Download | Kind::Upload => {
                continue;
            }
        });
        // All of it takes a while: what is there stays, whatever becomes of the rest.
        write(effort, &versions, &compared)?;
    }
    comparison::print(&compared);
    write(effort, &versions, &compared)
}

fn write(
    effort: &Peers,
    versions: &serde_json::Map<String, serde_json::Value>,
    compared: &[Comparison],
) -> Result<(), Failure> {
    let figures = json!({ "peers": versions, "comparisons": compared });
    effort.json.as_ref().map_or(Ok(()), |path| report::write(path, &figures))
}

/// Measures each of `subjects` once a round: first to last, then last to first. Whatever drifts, drifts against all.
fn in_turns<T>(
    rounds: u32,
    subjects: &mut [(String, T)],
    mut measure: impl FnMut(&mut T) -> Result<Measured, Failure>,
) -> Result<Vec<(String, Vec<Measured>)>, Failure> {
    let mut all: Vec<_> = subjects.iter().map(|(name, _)| (name.clone(), Vec::new())).collect();
    for round in 0..rounds {
        eprint!("\rround {} of {rounds}  ", round + 1);
        let mut turns: Vec<_> = all.iter_mut().zip(subjects.iter_mut()).collect();
        if round % 2 == 1 {
            turns.reverse();
        }
        for ((_, measured), (_, subject)) in turns {
            measured.push(measure(subject)?);
        }
    }
    eprint!("\r{:24}\r", "");
    Ok(all)
}
