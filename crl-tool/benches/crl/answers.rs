//! What opening an index and asking it costs.

use crate::measure;
use anyhow::{Result, bail};
use crl_tool::{EntriesError, Index, Lookup, Serial};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Lookups that are timed together, so that the clock does not count.
const BATCH: usize = 100;
const BATCHES: usize = 2_000;
const OPENS: usize = 9;
/// Bytes that a lookup reads of an entry.
const ENTRY: usize = 128;

/// The figures of an index as a table shows them, measured in a process of their own.
pub(crate) fn ask(index: &Path) -> Result<Vec<String>> {
    let output = Command::new(std::env::current_exe()?).arg("answers").arg(index).output()?;
    if !output.status.success() {
        bail!("{}: {}", index.display(), String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_owned).collect())
}

/// Bytes an entry without the CRL, milliseconds of CPU to open, nanoseconds for a hit, for a miss, and for what a hit takes at least: one
/// read of the CRL.
pub(crate) fn print(path: &Path) -> Result<()> {
    let mut opens = Vec::new();
    for _ in 0..OPENS {
        let before = measure::own_cpu_ms()?;
        drop(Index::open(path)?);
        opens.push(measure::own_cpu_ms()? - before);
    }
    let index = Index::open(path)?;
    let entries = index.metadata().entries;
    let (hits, misses) = serials(&index, entries)?;
    let hit = nanoseconds(&index, &hits, |answer| matches!(answer, Lookup::Revoked(_)))?;
    let miss = nanoseconds(&index, &misses, |answer| matches!(answer, Lookup::NotRevoked))?;
    let beside = Index::crl_beside(path);
    let (crl, embedded) = if beside.exists() { (&*beside, 0) } else { (path, index.metadata().crl_bytes) };
    let read = floor(crl, index.metadata().crl_bytes)?;
    let bytes = std::fs::metadata(path)?.len() - embedded;
    println!("{:.2} {:.1} {hit:.0} {miss:.0} {read:.0}", ratio(bytes, entries), middle(opens));
    Ok(())
}

/// What one read of a random place of a CRL takes, at the median of the batches. An index that has its CRL begins with it.
fn floor(path: &Path, bytes: u64) -> Result<f64> {
    let (file, mut entry) = (File::open(path)?, [0; ENTRY]);
    let last = bytes - u64::try_from(ENTRY)?;
    let (mut state, mut figures) = (1_u64, Vec::new());
    for _ in 0..BATCHES {
        let started = Instant::now();
        for _ in 0..BATCH {
            // Knuth's generator (MMIX).
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            file.read_exact_at(&mut entry, (state >> 16) % last)?;
        }
        figures.push(each(started));
    }
    Ok(middle(figures))
}

/// Nanoseconds that one of a batch has taken.
fn each(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1e9 / 100.0
}

/// Serials that are revoked, and as many that are not but differ from one by a bit, both in a random order.
fn serials(index: &Index, entries: u64) -> Result<(Vec<Serial>, Vec<Serial>)> {
    let wanted = u64::try_from(BATCH * BATCHES)?;
    let step = (entries / wanted).max(1);
    let (mut hits, mut misses, mut number) = (Vec::new(), Vec::new(), 0);
    index.each_entry::<EntriesError>(|revoked| {
        number += 1;
        let mut octets = revoked.serial.as_der_content().to_vec();
        if number % step == 0
            && let Some(last) = octets.last_mut()
        {
            *last ^= 1;
            hits.push(revoked.serial);
            misses.extend(Serial::from_der_content(&octets));
        }
        Ok(())
    })?;
    // Serials are random, so that their order is, too.
    hits.sort_by_key(|serial| serial.as_der_content().iter().rev().copied().collect::<Vec<u8>>());
    misses.sort_by_key(|serial| serial.as_der_content().iter().rev().copied().collect::<Vec<u8>>());
    Ok((hits, misses))
}

/// What one lookup takes, at the median of the batches.
fn nanoseconds(index: &Index, serials: &[Serial], expected: impl Fn(Lookup) -> bool) -> Result<f64> {
    let mut figures = Vec::new();
    for batch in serials.chunks_exact(BATCH).cycle().take(BATCHES) {
        let started = Instant::now();
        for serial in batch {
            if !expected(index.lookup(serial)?) {
                bail!("a wrong answer for {serial}");
            }
        }
        figures.push(each(started));
    }
    Ok(middle(figures))
}

fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

/// Sizes have far fewer than 53 bits.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "there is no other conversion")]
fn ratio(bytes: u64, entries: u64) -> f64 {
    bytes as f64 / entries as f64
}
