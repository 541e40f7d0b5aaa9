//! Measuring one process.

use anyhow::{Context, Result, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A peer that takes longer has lost.
const PATIENCE: Duration = Duration::from_secs(600);

/// What a process took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) cpu_ms: f64,
    pub(crate) peak_mib: f64,
}

/// Runs a command and says what it took. A process in between has no other children, so that what the kernel sums up
/// for it is that of the command.
pub(crate) fn command(command: &[String]) -> Result<Sample> {
    let output = Command::new(std::env::current_exe()?).arg("measure").args(command).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let figures: Vec<f64> = text.split_whitespace().filter_map(|figure| figure.parse().ok()).collect();
    let &[cpu_ms, peak_mib] = figures.as_slice() else {
        bail!("{}: {}", command.join(" "), String::from_utf8_lossy(&output.stderr));
    };
    Ok(Sample { cpu_ms, peak_mib })
}

/// The process in between.
#[expect(
    clippy::disallowed_methods,
    reason = "the standard library cannot wait for a process and a deadline at once"
)]
pub(crate) fn child(command: &[&str]) -> Result<()> {
    let [program, arguments @ ..] = command else { bail!("no command") };
    let mut child =
        Command::new(program).args(arguments).stdout(Stdio::null()).spawn().context("starting")?;
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if started.elapsed() > PATIENCE {
            child.kill()?;
        }
        thread::sleep(Duration::from_millis(2));
    };
    if !status.success() {
        bail!("{status}");
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let cpu = usage.user_time() + usage.system_time();
    println!("{} {}", number(cpu.num_microseconds()) / 1e3, number(usage.max_rss()) / 1024.0);
    Ok(())
}

/// CPU time of this process so far, in milliseconds.
pub(crate) fn own_cpu_ms() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    Ok(number((usage.user_time() + usage.system_time()).num_microseconds()) / 1e3)
}

/// The middle one by CPU time, with the largest memory of all.
pub(crate) fn median(mut samples: Vec<Sample>) -> Sample {
    samples.sort_by(|a, b| a.cpu_ms.total_cmp(&b.cpu_ms));
    let peak_mib = samples.iter().map(|sample| sample.peak_mib).fold(0.0, f64::max);
    let middle = samples.get(samples.len() / 2).copied().unwrap_or_default();
    Sample { peak_mib, ..middle }
}

/// Counts of microseconds and kibibytes have far fewer than 53 bits.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "there is no other conversion")]
fn number(count: i64) -> f64 {
    count as f64
}
