//! `bench swap`: what clients feel, and what memory it takes, when a big index takes the place of another one.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Args;
use postern_tests::pki::Pki;
use postern_tests::{Failure, proc};
use serde::Serialize;
use tokio::runtime::Runtime;
use tokio::task::{JoinSet, LocalSet};

use crate::arena::EVERY_CORE;
use crate::client::{Client, Felt, Ratio, Requests, Times, get};
use crate::contestant::{Contestant, Post, Who};
use crate::lists::{List, Lists};
use crate::load::Fault;
use crate::report::{self, Spread, mebibytes, table};
use crate::rival::Rival;

/// Who is on the second list, and not on the first.
const LEAVER: &str = "leaver";
/// Clients with a connection that is kept, and what each pauses between two requests.
const KEPT: (u32, Duration) = (8, Duration::from_millis(4));
/// Clients with a new connection for each request.
const FRESH: (u32, Duration) = (2, Duration::from_millis(10));
/// What is felt of a swap is felt in this time from its beginning.
const AFTER: Duration = Duration::from_secs(1);
/// Between two looks at whether the new list counts.
const LOOK: Duration = Duration::from_millis(10);
/// A swap that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(30);

/// How large, how often, and where to leave the figures.
#[derive(Args, Clone)]
pub(crate) struct Swap {
    /// Entries of each of the two CRLs
    #[arg(long, default_value_t = 10_000_000)]
    revoked: u64,
    /// Swaps, each in a proxy of its own
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Of load before the swap, which what comes after is compared with
    #[arg(long, default_value_t = 4_000)]
    before_ms: u64,
    /// Also write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// One swap.
#[derive(Serialize)]
struct Round {
    before: Felt,
    /// In the second that began with it.
    after: Felt,
    p99_ratio: Ratio,
    requests: usize,
    /// Requests and connections that failed; and of which the first said what.
    lost: usize,
    first_loss: Option<String>,
    /// From the new index in its place to the first refusal of a client that is only on that one.
    swap_ms: f64,
    /// Resident, in MiB: with a small index, with the old one, at most while both were there, with the new one; and the most over
    /// what the two indexes take.
    memory_small: f64,
    memory_old: f64,
    memory_peak: f64,
    memory_new: f64,
    peak_over_old_and_new: f64,
}

/// What the load has seen so far.
#[derive(Default)]
struct Seen {
    kept: Vec<Timed>,
    new: Vec<Timed>,
    faults: Vec<String>,
    over: bool,
}

/// When a request began, and how long it took.
type Timed = (Instant, Duration);

pub(crate) fn run(runtime: &Runtime, effort: &Swap) -> Result<(), Failure> {
    let pki = Pki::make()?;
    pki.issue(LEAVER, |_params| {})?;
    let upstream = Rival::upstream(&pki)?;
    let mut lists = Lists::of(&pki)?;
    let small = lists.make(10, None)?;
    let [old, new] = [lists.make(effort.revoked, None)?, lists.make(effort.revoked, Some(LEAVER))?];
    let post = |list| Post { pki: &pki, upstream: upstream.address, list, core: EVERY_CORE, will_swap: true };
    let mut rounds = Vec::new();
    for _ in 0..effort.rounds.max(1) {
        let proxy = Who::Postern.start(&post(&small))?;
        let memory_small = LocalSet::new().block_on(runtime, idle_under_load(&pki, &proxy, effort))?;
        drop(proxy);
        let proxy = Who::Postern.start(&post(&old))?;
        let round = LocalSet::new().block_on(runtime, swap(&pki, proxy, &new, memory_small, effort));
        rounds.push(round?);
    }
    print(&rounds, effort);
    effort.json.as_ref().map_or(Ok(()), |path| report::write(path, &serde_json::json!(rounds)))
}

/// Memory of a proxy that has been under the same load for as long as the other one before its swap.
async fn idle_under_load(pki: &Pki, proxy: &Contestant, effort: &Swap) -> Result<f64, Failure> {
    let (load, _seen) = begin(pki, proxy)?;
    tokio::time::sleep(Duration::from_millis(effort.before_ms)).await;
    let memory = proc::memory_bytes(proxy.subject().pid)?;
    drop(load);
    Ok(mebibytes(memory))
}

async fn swap(
    pki: &Pki,
    mut proxy: Contestant,
    new: &List,
    memory_small: f64,
    effort: &Swap,
) -> Result<Round, Failure> {
    let subject = proxy.subject();
    let leaver = Client::of(pki, LEAVER, subject.address)?;
    leaver.once().await.map_err(|fault| Failure::Missing(format!("an answer before the swap ({fault})")))?;
    let (load, seen) = begin(pki, &proxy)?;
    // The first connections are the load's own beginning.
    tokio::time::sleep(LOOK * 10).await;
    let begun = Instant::now();
    tokio::time::sleep(Duration::from_millis(effort.before_ms)).await;
    let memory_old = mebibytes(proc::memory_bytes(subject.pid)?);
    proc::forget_peak_memory(subject.pid)?;
    let start = proxy.swap(pki, new)?;
    while leaver.once().await.is_ok() {
        if start.elapsed() > PATIENCE {
            return Err(Failure::Missing("the refusal of a revoked client".to_owned()));
        }
        tokio::time::sleep(LOOK).await;
    }
    let swapped = start.elapsed();
    tokio::time::sleep(AFTER.saturating_sub(swapped) + LOOK).await;
    let memory_peak = mebibytes(proc::peak_memory_bytes(subject.pid)?);
    let memory_new = mebibytes(proc::memory_bytes(subject.pid)?);
    seen.borrow_mut().over = true;
    load.join_all().await;
    let seen = seen.borrow();
    let felt = |from: Instant, until: Instant| {
        let of = |all: &[Timed]| {
            Times::of(
                all.iter().filter(|(at, _)| (from..until).contains(at)).map(|&(_, took)| took).collect(),
            )
        };
        Felt { kept: of(&seen.kept), new: of(&seen.new) }
    };
    let (before, after) = (felt(begun, start), felt(start, start + AFTER.max(swapped)));
    let [old, new] = [memory_old, memory_new].map(|memory| memory - memory_small);
    Ok(Round {
        p99_ratio: after.over(&before),
        before,
        after,
        requests: seen.kept.len() + seen.new.len(),
        lost: seen.faults.len(),
        first_loss: seen.faults.first().cloned(),
        swap_ms: swapped.as_secs_f64() * 1e3,
        memory_small,
        memory_old,
        memory_peak,
        memory_new,
        peak_over_old_and_new: (memory_peak - memory_small) / (old + new),
    })
}

/// Clients that ask and ask, until it is over or dropped.
fn begin(pki: &Pki, proxy: &Contestant) -> Result<(JoinSet<()>, Rc<RefCell<Seen>>), Failure> {
    let client = Client::of(pki, "good", proxy.subject().address)?;
    let (seen, mut load) = (Rc::<RefCell<Seen>>::default(), JoinSet::new());
    for (count, pause, keep) in [(KEPT.0, KEPT.1, true), (FRESH.0, FRESH.1, false)] {
        for _ in 0..count {
            let (client, seen) = (client.clone(), seen.clone());
            load.spawn_local(ask(client, seen, pause, keep));
        }
    }
    Ok((load, seen))
}

async fn ask(client: Client, seen: Rc<RefCell<Seen>>, pause: Duration, keep: bool) {
    let mut open: Option<Requests> = None;
    while !seen.borrow().over {
        let start = Instant::now();
        let asked = match &mut open {
            Some(requests) => get(requests).await,
            None if keep => match client.http1().await {
                // Its first request is not one on a kept connection.
                Ok(requests) => {
                    open = Some(requests);
                    continue;
                }
                Err(fault) => Err(fault),
            },
            None => client.once().await,
        };
        if asked.is_err() {
            open = None;
        }
        seen.borrow_mut().note(keep, (start, start.elapsed()), asked);
        tokio::time::sleep(pause).await;
    }
}

impl Seen {
    fn note(&mut self, kept: bool, timed: Timed, asked: Result<(), Fault>) {
        match asked {
            Ok(()) if kept => self.kept.push(timed),
            Ok(()) => self.new.push(timed),
            Err(fault) => self.faults.push(fault.to_string()),
        }
    }
}

fn print(rounds: &[Round], effort: &Swap) {
    let of = |figure: fn(&Round) -> f64| Spread::of(rounds.iter().map(figure));
    let mut rows = table(["swap of an index", "figure", "bar"]);
    for (what, spread, decimals, bar) in [
        ("kept connections: p99 before, ms", of(|it| it.before.kept.p99), 2, ""),
        ("kept connections: p99 in the second of the swap, over it", of(|it| it.p99_ratio.kept), 2, "2"),
        ("new connections: p99 before, ms", of(|it| it.before.new.p99), 2, ""),
        ("new connections: p99 in the second of the swap, over it", of(|it| it.p99_ratio.new), 2, "2"),
        ("to the first refusal, ms", of(|it| it.swap_ms), 0, ""),
        ("memory with a small index, MiB", of(|it| it.memory_small), 1, ""),
        ("memory with the old one, MiB", of(|it| it.memory_old), 1, ""),
        ("memory's peak, MiB", of(|it| it.memory_peak), 1, ""),
        ("memory with the new one, MiB", of(|it| it.memory_new), 1, ""),
        ("peak over old and new, both without the rest", of(|it| it.peak_over_old_and_new), 2, "1.3"),
    ] {
        rows.add_row([what.to_owned(), spread.show(decimals), bar.to_owned()]);
    }
    let sum = |figure: fn(&Round) -> usize| rounds.iter().map(figure).sum::<usize>().to_string();
    rows.add_row([format!("lost, of {} requests", sum(|it| it.requests)), sum(|it| it.lost), "0".to_owned()]);
    println!("{rows}\n{} entries each; median (least–most) of {} swaps", effort.revoked, rounds.len());
    if let Some(loss) = rounds.iter().find_map(|round| round.first_loss.as_ref()) {
        println!("the first loss: {loss}");
    }
}
