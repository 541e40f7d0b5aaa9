//! `bench peers`: postern beside nginx and haproxy, in turns, with the same certificates, CRLs, headers and upstream.

use clap::ValueEnum as _;
use postern_tests::Failure;
use postern_tests::pki::Pki;
use serde::Serialize;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::Effort;
use crate::arena::{Arena, Sample, Subject, measure};
use crate::load::{Load, Mode};
use crate::report::{self, Row, Spread, table};
use crate::rival::{Rival, Work};

/// The proxies, ours first.
const NAMES: [&str; 5] = ["postern", "nginx", "haproxy", "nginx bare", "haproxy bare"];

/// A full handshake costs so much more than a request that fewer will do.
const HANDSHAKES: u32 = 5;

/// One kind of operation.
#[derive(Serialize)]
struct Compared {
    mode: String,
    /// In the order of [`NAMES`].
    rows: Vec<Row>,
    /// Postern's CPU time over each other's, round by round.
    ratios: Vec<Spread>,
}

pub(crate) fn run(runtime: &Runtime, modes: &[Mode], effort: &Effort) -> Result<(), Failure> {
    let modes = if modes.is_empty() { Mode::value_variants() } else { modes };
    let pki = Pki::make()?;
    let upstream = Rival::upstream(&pki)?;
    let postern = Arena::set_before(&pki, upstream.address, |config| config)?;
    let rivals = |work| {
        let at = upstream.address;
        Ok::<_, Failure>([Rival::nginx(&pki, at, work)?, Rival::haproxy(&pki, at, work)?])
    };
    let [[nginx, haproxy], [bare_nginx, bare_haproxy]] = [rivals(Work::Same)?, rivals(Work::Bare)?];
    let subjects =
        [postern.subject(), nginx.subject(), haproxy.subject(), bare_nginx.subject(), bare_haproxy.subject()];
    let mut compared = Vec::new();
    for &mode in modes {
        let operations = if matches!(mode, Mode::Handshake | Mode::Resumed) {
            effort.operations / HANDSHAKES
        } else {
            effort.operations
        };
        let load = Load { pki: &pki, mode, connections: effort.connections, operations: operations.max(1) };
        compared.push(compare(runtime, &subjects, &load, effort.rounds)?);
    }
    print(&compared);
    effort.json.as_ref().map_or(Ok(()), |path| report::write(path, &json!(compared)))
}

fn compare(
    runtime: &Runtime,
    subjects: &[Subject; NAMES.len()],
    load: &Load<'_>,
    rounds: u32,
) -> Result<Compared, Failure> {
    let mut samples = NAMES.map(|_| Vec::<Sample>::new());
    for round in 0..rounds {
        let mut turns: Vec<_> = samples.iter_mut().zip(subjects).collect();
        // First to last, then last to first: whatever drifts, drifts against all.
        if round % 2 == 1 {
            turns.reverse();
        }
        for (samples, subject) in turns {
            samples.push(measure(runtime, *subject, load)?);
        }
    }
    let [ours, theirs @ ..] = &samples;
    let ratio = |theirs: &Vec<Sample>| {
        Spread::of(ours.iter().zip(theirs).map(|(a, b)| a.cpu.as_secs_f64() / b.cpu.as_secs_f64()))
    };
    Ok(Compared {
        mode: load.mode.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default(),
        rows: NAMES
            .iter()
            .zip(&samples)
            .map(|(name, samples)| Row::new(*name, load.operations, samples))
            .collect(),
        ratios: theirs.iter().map(ratio).collect(),
    })
}

fn print(compared: &[Compared]) {
    let mut table = table([
        "operation",
        "proxy",
        "operations",
        "errors",
        "µs CPU each",
        "postern over it",
        "µs wall each",
    ]);
    for kind in compared {
        for (at, row) in kind.rows.iter().enumerate() {
            let ratio = at.checked_sub(1).and_then(|at| kind.ratios.get(at));
            table.add_row([
                kind.mode.clone(),
                row.name.clone(),
                row.operations.to_string(),
                row.errors.to_string(),
                row.cpu_us_per_operation.show(1),
                ratio.map(|ratio| ratio.show(2)).unwrap_or_default(),
                row.wall_us_per_operation.show(1),
            ]);
        }
    }
    println!("{table}\nmedian (least–most); CPU time is the proxy's, user and system");
    for row in compared.iter().flat_map(|kind| &kind.rows) {
        row.first_error.iter().for_each(|error| println!("first error of {}: {error}", row.name));
    }
}
