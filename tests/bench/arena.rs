//! The processes that are measured, each on its core.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use postern_tests::pki::Pki;
use postern_tests::postern::{Config, Postern};
use postern_tests::process::{Process, mortal, run};
use postern_tests::upstream::Upstream;
use postern_tests::{Failure, binary, proc};
use tokio::runtime::Runtime;

use crate::load::{Load, Tally};

/// The proxy's core.
pub(crate) const PROXY_CORE: &str = "0";
/// For what is not measured in CPU time.
pub(crate) const EVERY_CORE: &str = "0,1";
/// Everybody else's.
pub(crate) const OTHER_CORE: &str = "1";

/// Done before each measurement, to fill pools and caches.
const WARM_UP_OPERATIONS: u32 = 200;
/// What the proxy does after the last response (closing, logging) belongs to the measurement.
pub(crate) const SETTLING: Duration = Duration::from_millis(100);

/// A postern in front of a private API.
pub(crate) struct Arena {
    pub(crate) postern: Postern,
    /// From starting the process until it listened.
    pub(crate) start: Duration,
}

/// One measurement.
pub(crate) struct Sample {
    pub(crate) tally: Tally,
    /// Of the proxy, user and system, for one operation.
    pub(crate) cpu: Duration,
}

impl Arena {
    pub(crate) fn set(pki: &Pki, upstream: &Upstream) -> Result<Self, Failure> {
        Self::set_with(pki, upstream, |config| config)
    }

    pub(crate) fn set_with(
        pki: &Pki,
        upstream: &Upstream,
        change: impl FnOnce(Config) -> Config,
    ) -> Result<Self, Failure> {
        Self::set_before(pki, upstream.address(), change)
    }

    /// In front of an upstream of any make.
    pub(crate) fn set_before(
        pki: &Pki,
        upstream: SocketAddr,
        change: impl FnOnce(Config) -> Config,
    ) -> Result<Self, Failure> {
        let config = change(Config::new(pki, upstream).raw("listen.workers", 1));
        let start = Instant::now();
        // The access log is written, but nobody reads it here.
        let postern = Postern::start_as(
            &config,
            &mut pinned(&binary::path("postern")?, PROXY_CORE),
            Process::spawn_unheard,
        )?;
        Ok(Self { postern, start: start.elapsed() })
    }

    /// It, to be measured.
    pub(crate) fn subject(&self) -> Subject {
        Subject { pid: self.postern.process().id(), address: self.postern.address() }
    }

    pub(crate) fn measure(&self, runtime: &Runtime, load: &Load<'_>) -> Result<Sample, Failure> {
        measure(runtime, self.subject(), load)
    }
}

/// A proxy of any make.
#[derive(Clone, Copy)]
pub(crate) struct Subject {
    pub(crate) pid: u32,
    pub(crate) address: SocketAddr,
}

/// What `load` costs `subject`.
pub(crate) fn measure(runtime: &Runtime, subject: Subject, load: &Load<'_>) -> Result<Sample, Failure> {
    let Subject { pid, address } = subject;
    runtime.block_on(async {
        let warm_up = Load { operations: WARM_UP_OPERATIONS.min(load.operations), ..*load };
        warm_up.run(address).await?;
        tokio::time::sleep(SETTLING).await;
        let before = proc::cpu_time(pid)?;
        let tally = load.run(address).await?;
        tokio::time::sleep(SETTLING).await;
        let cpu = proc::cpu_time(pid)?.saturating_sub(before) / load.operations.max(1);
        Ok(Sample { tally, cpu })
    })
}

/// A private API on the load's core.
pub(crate) fn upstream(pki: &Pki) -> Result<Upstream, Failure> {
    Upstream::start_as(pki, &mut pinned(&binary::path("private-api")?, OTHER_CORE))
}

/// Leaves [`PROXY_CORE`] to the proxy.
pub(crate) fn stay_off_the_proxys_core() -> Result<(), Failure> {
    if cores() > 1 {
        let pid = std::process::id().to_string();
        run("taskset", Command::new("taskset").args(["-cp", OTHER_CORE, &pid]))?.success()?;
    }
    Ok(())
}

/// A command that runs on these cores, and that does not outlive this program.
pub(crate) fn pinned(program: &Path, core: &str) -> Command {
    if cores() == 1 {
        return mortal(program);
    }
    // Each becomes the next, so that the process is the program's own.
    let mut command = mortal(Path::new("taskset"));
    command.args(["-c", core]).arg(program);
    command
}

/// Cores of the machine, wherever this process may run.
pub(crate) fn cores() -> usize {
    let online = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    online.lines().filter(|line| line.starts_with("processor")).count().max(1)
}
