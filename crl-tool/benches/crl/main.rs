//! What CRLs cost, ours beside others, in CPU time and memory by the kernel's own accounting: `make bench-crl`.
//!
//! CRLs of a fixed seed are made in a temporary directory that goes when the run ends. Every figure is that of a process
//! of its own, so that none inherits another's memory; rounds alternate between the contenders, and medians count.
//! CPU time hardly depends on what else the machine does. `BENCH_CRL_ENTRIES=10000,1000000` chooses other sizes.

mod answers;
mod contenders;
mod floor;
mod measure;

use anyhow::{Context, Result, bail};
use certs::{Authority, Crl, KeyType, Padding, Validity};
use comfy_table::{Table, presets};
use contenders::{Contender, Files};
use measure::Sample;
use std::fs::File;
use std::io::Write;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

const SIZES: &str = "10000,1000000,10000000";
const SEED: u64 = 42;
const NOW: OffsetDateTime = datetime!(2026-11-21 12:00:00 UTC);

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["measure", command @ ..] => measure::child(command),
        ["answers", index] => answers::print(index.as_ref()),
        ["sha256", crl] => floor::sha256(crl.as_ref()),
        ["fused", crl] => floor::fused(crl.as_ref()),
        ["webpki", crl] => contenders::webpki(crl.as_ref()),
        ["x509-parser", crl] => contenders::x509_parser(crl.as_ref()),
        // `cargo bench` says so; without it, this is `cargo test --all-targets`.
        words if words.contains(&"--bench") => run(),
        _ => Ok(()),
    }
}

fn run() -> Result<()> {
    let sizes = std::env::var("BENCH_CRL_ENTRIES").unwrap_or_else(|_| SIZES.to_owned());
    let mut costs = table(["revoked", "what", "CPU, ms", "× fused floor", "peak memory, MiB"]);
    let mut answers = table([
        "revoked",
        "index",
        "bytes an entry, CRL apart",
        "open, ms CPU",
        "hit, ns",
        "miss, ns",
        "a read, ns",
    ]);
    for size in sizes.split(',') {
        let entries = size.trim().parse().with_context(|| format!("BENCH_CRL_ENTRIES: `{size}`"))?;
        one_size(entries, &mut costs, &mut answers)?;
    }
    println!(
        "{costs}\nmedians; CPU is user and system of one process. `openssl crl` and the libraries make no index, and the libraries check no signature\n"
    );
    println!(
        "{answers}\nmedians; a hit or miss is the mean of a batch of 100 lookups, in a random order; a read is of 128 bytes at a random place of the CRL, the least that confirms a hit"
    );
    Ok(())
}

fn one_size(entries: u64, costs: &mut Table, answers: &mut Table) -> Result<()> {
    let files = Files::new()?;
    make_crl(entries, &files).context("making the CRL")?;
    let contenders: Vec<Contender> = contenders::all(&files)?;
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); contenders.len()];
    for round in 0..5 {
        for (contender, samples) in contenders.iter().zip(&mut samples) {
            // Peers take seconds and gigabytes for the largest: once is enough there.
            if round == 0 || contender.ours || entries <= 1_000_000 {
                eprint!("\r{entries} revoked, round {}: {:<40}", round + 1, contender.name);
                samples.push(measure::command(&contender.command)?);
            }
        }
    }
    eprint!("\r{:79}\r", "");
    let middles: Vec<Sample> = samples.into_iter().map(measure::median).collect();
    let fused = contenders.iter().zip(&middles).find(|(contender, _)| contender.name == contenders::FUSED);
    let Some((_, floor)) = fused else { bail!("no floor") };
    for (contender, sample) in contenders.iter().zip(&middles) {
        costs.add_row([
            entries.to_string(),
            contender.name.to_owned(),
            format!("{:.1}", sample.cpu_ms),
            format!("{:.2}", sample.cpu_ms / floor.cpu_ms),
            format!("{:.0}", sample.peak_mib),
        ]);
    }
    for (name, path) in files.indexes() {
        let mut row = vec![entries.to_string(), name.to_owned()];
        row.extend(answers::ask(&path)?);
        answers.add_row(row);
    }
    Ok(())
}

fn make_crl(entries: u64, files: &Files) -> Result<()> {
    let issuer = Authority::root("Bench CA", KeyType::P256, Validity::days(NOW, 3650))?;
    File::create(files.issuer())?.write_all(issuer.certificate_pem().as_bytes())?;
    let until = NOW - Duration::days(1);
    let crl = Crl::new(1, NOW).with(Padding { entries, seed: SEED, until });
    Ok(crl.write(&issuer, &mut File::create(files.crl())?)?)
}

fn table<const COLUMNS: usize>(columns: [&str; COLUMNS]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_header(columns);
    table
}
