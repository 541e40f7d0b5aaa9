//! `bench bulk`: large bodies through many connections at once, and the proxy's memory meanwhile.
//! `bench slow-body`: what clients that hardly move do to those who do.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::HOST;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use postern_tests::Failure;
use postern_tests::pki::Pki;
use postern_tests::proc::{cpu_time, peak_memory_bytes, proportional_memory_bytes};
use postern_tests::raw_tls::{Version, client_config, server_name};
use rustls::ClientConfig;
use serde::Serialize;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::{Interval, interval};
use tokio_rustls::TlsConnector;

use crate::arena::{Arena, upstream};
use crate::load::Fault;
use crate::report::{self, Spread, mebibytes, table};

/// How often the proxy's memory is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// A body that is made as it is sent.
struct Sent {
    piece: Bytes,
    left: u64,
    /// Between two pieces.
    pause: Option<Interval>,
}

impl hyper::body::Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        if let Some(pause) = &mut self.pause {
            ready!(pause.poll_tick(cx));
        }
        let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(self.piece.len());
        self.left -= u64::try_from(here).unwrap_or(u64::MAX);
        Poll::Ready(Some(Ok(Frame::data(self.piece.slice(..here)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Nothing, or `length` bytes at full speed.
fn body(length: u64) -> Sent {
    Sent { piece: Bytes::from(vec![7; 65_536]), left: length, pause: None }
}

async fn connect(config: Arc<ClientConfig>, address: SocketAddr) -> Result<SendRequest<Sent>, Fault> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let tls = TlsConnector::from(config).connect(server_name(), socket).await?;
    let (requests, connection) = http1::handshake(TokioIo::new(tls)).await?;
    tokio::spawn(connection);
    Ok(requests)
}

fn get(path: &str) -> Result<Request<Sent>, http::Error> {
    Request::get(path).header(HOST, "localhost").body(body(0))
}

/// All of it, counted and dropped.
async fn download(config: Arc<ClientConfig>, address: SocketAddr, length: u64) -> Result<(), Fault> {
    let mut requests = connect(config, address).await?;
    let mut response = requests.send_request(get(&format!("/bytes/{length}"))?).await?;
    let mut came = 0;
    while let Some(frame) = response.frame().await {
        came += frame?.data_ref().map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX));
    }
    if came == length { Ok(()) } else { Err(format!("{came} bytes, not {length}").into()) }
}

async fn upload(config: Arc<ClientConfig>, address: SocketAddr, length: u64) -> Result<(), Fault> {
    let mut requests = connect(config, address).await?;
    let request = Request::post("/upload").header(HOST, "localhost").body(body(length))?;
    let response = requests.send_request(request).await?;
    let status = response.status();
    let echo = String::from_utf8_lossy(&response.collect().await?.to_bytes()).into_owned();
    let whole = status == StatusCode::OK && echo.contains(&format!("\"body\":{{\"bytes\":{length},"));
    if whole { Ok(()) } else { Err(format!("{status}: {echo}").into()) }
}

/// One direction, measured.
#[derive(Serialize)]
struct Measured {
    direction: &'static str,
    memory_before_mib: f64,
    memory_mib: Spread,
    peak_rss_mib: f64,
    cpu_ms_per_gib: f64,
    seconds: f64,
}

pub(crate) fn run(runtime: &Runtime, mib: u64, connections: u32, json: Option<&Path>) -> Result<(), Failure> {
    let pki = Pki::make()?;
    let upstream = upstream(&pki)?;
    let arena = Arena::set_with(&pki, &upstream, |config| config.raw("limits.body_bytes", 0))?;
    let (pid, address) = (arena.postern.process().id(), arena.postern.address());
    let config = Arc::new(client_config(&pki, "good", Version::Tls13, b"http/1.1")?);
    let each = (mib << 20) / u64::from(connections);
    let mut rows = Vec::new();
    for direction in ["download", "upload"] {
        let before = mebibytes(proportional_memory_bytes(pid)?);
        let (cpu, start) = (cpu_time(pid)?, Instant::now());
        let memory = runtime.block_on(async {
            let mut clients = JoinSet::new();
            for _ in 0..connections {
                let config = config.clone();
                clients.spawn(async move {
                    match direction {
                        "download" => download(config, address, each).await,
                        _ => upload(config, address, each).await,
                    }
                });
            }
            let mut memory = Vec::new();
            loop {
                tokio::select! {
                    ended = clients.join_next() => match ended {
                        Some(Ok(Ok(()))) => {}
                        Some(Ok(Err(fault))) => return Err(Failure::Missing(format!("a whole body ({fault})"))),
                        Some(Err(error)) => return Err(Failure::Missing(format!("a client ({error})"))),
                        None => return Ok(memory),
                    },
                    () = tokio::time::sleep(LOOK) => memory.push(mebibytes(proportional_memory_bytes(pid)?)),
                }
            }
        })?;
        let (cpu, seconds) = (cpu_time(pid)?.saturating_sub(cpu), start.elapsed().as_secs_f64());
        rows.push(Measured {
            direction,
            memory_before_mib: before,
            memory_mib: Spread::of(memory),
            peak_rss_mib: mebibytes(peak_memory_bytes(pid)?),
            cpu_ms_per_gib: cpu.as_secs_f64() * 1e3 * 1024.0
                / f64::from(u32::try_from(mib).unwrap_or(u32::MAX).max(1)),
            seconds,
        });
    }
    print(&rows, mib, connections);
    json.map_or(Ok(()), |path| report::write(path, &json!(rows)))
}

fn print(rows: &[Measured], mib: u64, connections: u32) {
    let mut table =
        table(["direction", "PSS before, MiB", "PSS during, MiB", "peak RSS, MiB", "ms CPU per GiB", "s"]);
    for row in rows {
        table.add_row([
            row.direction.to_owned(),
            format!("{:.1}", row.memory_before_mib),
            row.memory_mib.show(1),
            format!("{:.1}", row.peak_rss_mib),
            format!("{:.0}", row.cpu_ms_per_gib),
            format!("{:.1}", row.seconds),
        ]);
    }
    println!(
        "{table}\n{mib} MiB over {connections} connections each way; median (least–most) of looks 100 ms apart"
    );
}

/// What others wait for an answer, without and with attackers.
#[derive(Serialize)]
struct Waits {
    attackers: u32,
    p50_us: f64,
    p99_us: f64,
}

pub(crate) fn slow_body(
    runtime: &Runtime,
    attackers: u32,
    requests: u32,
    json: Option<&Path>,
) -> Result<(), Failure> {
    let pki = Pki::make()?;
    let upstream = upstream(&pki)?;
    let arena = Arena::set_with(&pki, &upstream, |config| config.raw("limits.max_connections", 100_000))?;
    let address = arena.postern.address();
    let config = Arc::new(client_config(&pki, "good", Version::Tls13, b"http/1.1")?);
    let mut rows = Vec::new();
    for attackers in [0, attackers] {
        let waits = runtime.block_on(async {
            let mut slow = JoinSet::new();
            for _ in 0..attackers {
                let mut requests = connect(config.clone(), address).await?;
                // A byte a second of a body that will not end here.
                let mut body = body(100_000);
                (body.piece, body.pause) = (body.piece.slice(..1), Some(interval(Duration::from_secs(1))));
                let request = Request::post("/slow-body").header(HOST, "localhost").body(body)?;
                slow.spawn(async move { requests.send_request(request).await.map(|_| ()) });
            }
            waits(&config, address, requests).await
        });
        let mut waits = waits.map_err(|fault: Fault| Failure::Missing(format!("answers ({fault})")))?;
        waits.sort();
        let at = |percent: usize| {
            waits
                .get(waits.len().saturating_sub(1) * percent / 100)
                .copied()
                .map_or(0.0, report::microseconds)
        };
        rows.push(Waits { attackers, p50_us: at(50), p99_us: at(99) });
    }
    let mut table = table(["slow uploads", "p50, µs", "p99, µs"]);
    for row in &rows {
        table.add_row([
            row.attackers.to_string(),
            format!("{:.0}", row.p50_us),
            format!("{:.0}", row.p99_us),
        ]);
    }
    println!("{table}\n{requests} requests one after the other, each over one of four connections");
    json.map_or(Ok(()), |path| report::write(path, &json!(rows)))
}

/// How long each of `requests` took.
async fn waits(
    config: &Arc<ClientConfig>,
    address: SocketAddr,
    requests: u32,
) -> Result<Vec<Duration>, Fault> {
    let mut connections = Vec::new();
    for _ in 0..4 {
        connections.push(connect(config.clone(), address).await?);
    }
    let mut waits = Vec::new();
    while waits.len() < usize::try_from(requests)? {
        for connection in &mut connections {
            let start = Instant::now();
            connection.ready().await?;
            let response = connection.send_request(get("/bytes/1024")?).await?;
            if response.status() != StatusCode::OK || response.collect().await?.to_bytes().len() != 1024 {
                return Err("not what was asked for".into());
            }
            waits.push(start.elapsed());
        }
    }
    Ok(waits)
}
