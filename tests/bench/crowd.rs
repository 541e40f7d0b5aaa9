//! `bench crowd`: what the others feel of thousands of idle connections, and of clients that are as slow as they may be.
//!
//! Requests are timed on kept connections and on new ones, first in peace and then beside the crowd: established connections
//! that say nothing, clients that send a request's head byte by byte, and clients that stop in the middle of their handshake.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use postern_tests::pki::Pki;
use postern_tests::postern::{Config, Postern};
use postern_tests::process::Process;
use postern_tests::{Failure, binary, proc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_rustls::client::TlsStream;

use crate::arena::{PROXY_CORE, pinned, upstream};
use crate::client::{Client, Felt, Times, get};
use crate::load::Fault;
use crate::report::{self, table};

/// Connections that are being made at a time.
const AT_ONCE: usize = 64;
/// Descriptors for everything that is no idle connection.
const SPARE_DESCRIPTORS: usize = 2_000;
/// Between two requests of one client, so that it is no load of its own.
const PAUSE: Duration = Duration::from_millis(2);
/// Between two bytes of a slow client.
const DRIP: Duration = Duration::from_millis(250);
const HEAD: &[u8] = b"GET /bytes/1 HTTP/1.1\r\nHost: localhost\r\nX-Slow: as slow as can be\r\n\r\n";

/// How large a crowd, and where to leave the figures.
#[derive(Args, Clone)]
pub(crate) struct Crowd {
    /// Established connections that say nothing; as many as may be open if that is less
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
    /// Clients that send heads byte by byte, and as many that stop in their handshake
    #[arg(long, default_value_t = 200)]
    slow: usize,
    /// Requests of each kind that are timed, in peace and beside the crowd
    #[arg(long, default_value_t = 2_000)]
    requests: usize,
    /// Also write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(crate) fn run(runtime: &Runtime, crowd: &Crowd) -> Result<(), Failure> {
    let pki = Pki::make()?;
    let upstream = upstream(&pki)?;
    let idle = crowd.idle.min(open_files().saturating_sub(SPARE_DESCRIPTORS));
    let config = Config::new(&pki, upstream.address())
        .raw("listen.workers", 1)
        .raw("limits.max_connections", idle + SPARE_DESCRIPTORS)
        .raw("limits.idle_timeout_ms", 600_000);
    let postern = Postern::start_as(
        &config,
        &mut pinned(&binary::path("postern")?, PROXY_CORE),
        Process::spawn_unheard,
    )?;
    let pid = postern.process().id();
    let client = Client::of(&pki, "good", postern.address())?;
    runtime.block_on(async {
        // Fills pools and caches.
        client.felt(crowd.requests / 10 + 1).await?;
        let before = client.felt(crowd.requests).await?;
        let memory = proc::memory_bytes(pid)?;
        let standing = client.gather(idle).await?;
        let memory = proc::memory_bytes(pid)?.saturating_sub(memory);
        let mut attackers = JoinSet::new();
        for _ in 0..crowd.slow {
            attackers.spawn(client.clone().drips());
            attackers.spawn(client.clone().stops_in_the_handshake());
        }
        let beside = client.felt(crowd.requests).await?;
        let attacks = attackers.len();
        attackers.shutdown().await;
        let open = standing.len();
        drop(standing);
        show(&before, &beside);
        let each = memory / u64::try_from(open.max(1)).unwrap_or(1);
        println!("{open} idle connections, {each} bytes of the proxy each; {attacks} slow clients");
        crowd.json.as_ref().map_or(Ok(()), |path| {
            let figures = serde_json::json!({
                "idle": open, "slow": attacks, "bytes_each": each, "before": before, "beside": beside,
                "p99_ratio": beside.over(&before),
            });
            report::write(path, &figures)
        })
    })
}

fn show(before: &Felt, beside: &Felt) {
    let mut rows = table([
        "requests",
        "p50 ms",
        "p99 ms",
        "most ms",
        "beside the crowd: p50",
        "p99",
        "most",
        "p99 ratio",
    ]);
    for (name, before, beside) in
        [("on kept connections", before.kept, beside.kept), ("on new connections", before.new, beside.new)]
    {
        let times = [before.p50, before.p99, before.most, beside.p50, beside.p99, beside.most];
        let times = times.map(|time| format!("{time:.2}"));
        let ratio = format!("{:.2}", beside.p99 / before.p99);
        rows.add_row([&[name.to_owned()][..], &times, &[ratio]].concat());
    }
    println!("{rows}");
}

impl Client {
    /// Times requests, one after the other with a pause between them.
    async fn felt(&self, requests: usize) -> Result<Felt, Failure> {
        let mut kept = Vec::with_capacity(requests);
        let mut open = self.http1().await.map_err(failed)?;
        for _ in 0..requests {
            tokio::time::sleep(PAUSE).await;
            let start = Instant::now();
            get(&mut open).await.map_err(failed)?;
            kept.push(start.elapsed());
        }
        let mut new = Vec::with_capacity(requests);
        for _ in 0..requests {
            tokio::time::sleep(PAUSE).await;
            let start = Instant::now();
            self.once().await.map_err(failed)?;
            new.push(start.elapsed());
        }
        Ok(Felt { kept: Times::of(kept), new: Times::of(new) })
    }

    /// Connections that are established, and say nothing more.
    async fn gather(&self, count: usize) -> Result<Vec<TlsStream<TcpStream>>, Failure> {
        let mut standing = Vec::with_capacity(count);
        let mut coming = JoinSet::new();
        for begun in 0..count {
            if begun >= AT_ONCE
                && let Some(connected) = coming.join_next().await
            {
                standing.push(connected.map_err(std::io::Error::from)??);
            }
            let client = self.clone();
            coming.spawn(async move { client.connect().await });
        }
        while let Some(connected) = coming.join_next().await {
            standing.push(connected.map_err(std::io::Error::from)??);
        }
        Ok(standing)
    }

    /// Sends heads byte by byte, until it is stopped.
    async fn drips(self) {
        loop {
            let Ok(mut stream) = self.connect().await else { continue };
            for byte in HEAD.iter().cycle() {
                tokio::time::sleep(DRIP).await;
                if stream.write_all(&[*byte]).await.is_err() || stream.flush().await.is_err() {
                    break;
                }
            }
        }
    }

    /// Begins handshakes and waits for their end, until it is stopped.
    async fn stops_in_the_handshake(self) {
        loop {
            let Ok(mut stream) = TcpStream::connect(self.address).await else { continue };
            let _ = stream.write_all(&[0x16, 0x03, 0x01]).await;
            let _ = stream.read(&mut [0]).await;
        }
    }
}

fn failed(fault: Fault) -> Failure {
    Failure::Connection(std::io::Error::other(fault))
}

/// How many files this process, and those that it starts, may have open.
fn open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(usize::MAX)
}
