//! `bench crl-cost`: the same PKI with a small CRL and with a big one, in turns.

use postern_tests::pki::Pki;
use postern_tests::proc::peak_memory_bytes;
use postern_tests::{Failure, files};
use serde::Serialize;
use serde_json::json;
use time::{Duration, OffsetDateTime};
use tokio::runtime::Runtime;

use crate::Effort;
use crate::arena::{Arena, Sample, upstream};
use crate::load::{Load, Mode};
use crate::report::{self, Row, Spread, mebibytes, table};

/// One CRL, measured.
#[derive(Serialize)]
struct Measured {
    entries: u64,
    handshake: Row,
    start_ms: Spread,
    peak_memory_mib: Spread,
}

/// What the rounds gave for one CRL.
#[derive(Default)]
struct Rounds {
    samples: Vec<Sample>,
    start_ms: Vec<f64>,
    peak_mib: Vec<f64>,
}

pub(crate) fn run(runtime: &Runtime, mode: Mode, entries: [u64; 2], effort: &Effort) -> Result<(), Failure> {
    let pki = Pki::make()?;
    let indexes = entries.map(|entries| index(&pki, entries));
    let upstream = upstream(&pki)?;
    let load = Load { pki: &pki, mode, connections: effort.connections, operations: effort.operations };
    let mut rounds = [Rounds::default(), Rounds::default()];
    let [small_index, big_index] = indexes;
    let indexes = [small_index?, big_index?];
    for round in 0..effort.rounds {
        let mut turns: Vec<_> = rounds.iter_mut().zip(&indexes).collect();
        // A B, then B A: whatever drifts, drifts against both.
        if round % 2 == 1 {
            turns.reverse();
        }
        for (rounds, index) in turns {
            files::write(&pki.path("crl/intermediate.crlx"), index)?;
            let arena = Arena::set(&pki, &upstream)?;
            rounds.samples.push(arena.measure(runtime, &load)?);
            rounds.start_ms.push(arena.start.as_secs_f64() * 1e3);
            rounds.peak_mib.push(mebibytes(peak_memory_bytes(arena.postern.process().id())?));
        }
    }
    let [small, big] = &rounds;
    let ratio = Spread::of(
        small
            .samples
            .iter()
            .zip(&big.samples)
            .map(|(small, big)| big.cpu.as_secs_f64() / small.cpu.as_secs_f64()),
    );
    let measured: Vec<_> = rounds
        .into_iter()
        .zip(entries)
        .map(|(rounds, entries)| Measured {
            entries,
            handshake: Row::new(format!("handshake, {entries} revoked"), effort.operations, &rounds.samples),
            start_ms: Spread::of(rounds.start_ms),
            peak_memory_mib: Spread::of(rounds.peak_mib),
        })
        .collect();
    print(&measured, ratio);
    let figures = json!({ "crls": measured, "cpu_ratio": ratio });
    effort.json.as_ref().map_or(Ok(()), |path| report::write(path, &figures))
}

/// An index with that many revocations of nobody in particular.
fn index(pki: &Pki, entries: u64) -> Result<Vec<u8>, Failure> {
    let now = OffsetDateTime::now_utc();
    pki.reissue_crl(now - Duration::hours(1), now + Duration::days(7), entries)?;
    files::read(&pki.path("crl/intermediate.crlx"))
}

fn print(measured: &[Measured], ratio: Spread) {
    let mut table =
        table(["revoked", "operations", "errors", "µs CPU per handshake", "start, ms", "peak memory, MiB"]);
    for Measured { entries, handshake, start_ms, peak_memory_mib } in measured {
        table.add_row([
            entries.to_string(),
            handshake.operations.to_string(),
            handshake.errors.to_string(),
            handshake.cpu_us_per_operation.show(1),
            start_ms.show(0),
            peak_memory_mib.show(1),
        ]);
    }
    println!(
        "{table}\nCPU time with the big CRL over that with the small one, round by round: {}",
        ratio.show(3)
    );
    println!("median (least–most); each round starts both proxies anew, one after the other");
    for row in measured.iter().filter_map(|it| it.handshake.first_error.as_ref()) {
        println!("first error: {row}");
    }
}
