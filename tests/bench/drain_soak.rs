//! `bench drain-soak`: SIGTERM under load, again and again. No request that the proxy accepted stays without its whole answer.
//!
//! Half of the clients are a few milliseconds away, so that requests are on their way when the proxy ends a connection.
//! Clients of three kinds go on until nobody listens any more: kept HTTP/1.1 connections, HTTP/2 connections with several
//! streams, and connections for one request each. What a client sent in vain is looked up in the proxy's access log: if it is
//! there, it was accepted, and is lost. If it is not, it never reached the proxy and is the client's to send again.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use postern_tests::pki::Pki;
use postern_tests::postern::{Config, Postern};
use postern_tests::process::Process;
use postern_tests::raw_tls::{Version, client_config, server_name};
use postern_tests::{Failure, binary};
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::arena::{EVERY_CORE, pinned, upstream};
use crate::report::{self, Spread, table};
use crate::{Rounds, relay};

/// One way.
const DELAY: Duration = Duration::from_millis(3);
const KEPT: u32 = 4;
const HTTP2: u32 = 1;
const STREAMS: u32 = 4;
const FRESH: u32 = 1;

/// A round that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// One round's clients, and what became of their requests.
struct Clients {
    proxy: SocketAddr,
    /// The proxy, at a distance.
    relay: SocketAddr,
    http1: TlsConnector,
    http2: TlsConnector,
    ids: AtomicU64,
    signalled: AtomicBool,
    answered: AtomicU64,
    answered_after_the_signal: AtomicU64,
    /// Connections that ended as agreed: `Connection: close`, GOAWAY, or between two requests.
    told: AtomicU64,
    /// Connections that did not come about, once the signal was sent.
    turned_away: AtomicU64,
    unanswered: Mutex<Vec<(u64, String)>>,
    faults: Mutex<Vec<String>>,
}

/// All rounds together.
#[derive(Default, Serialize)]
struct Total {
    rounds: u32,
    answered: u64,
    answered_after_the_signal: u64,
    connections_told_to_close: u64,
    connections_turned_away: u64,
    /// Sent in vain, and not in the access log.
    never_reached_the_proxy: u64,
    /// Sent in vain, and accepted.
    lost: u64,
    faults: Vec<String>,
    #[serde(skip)]
    drains: Vec<Duration>,
}

type Fault = Box<dyn std::error::Error + Send + Sync>;
type Body = Full<Bytes>;

pub(crate) fn run(runtime: &Runtime, effort: &Rounds) -> Result<(), Failure> {
    let pki = Pki::make()?;
    let upstream = upstream(&pki)?;
    let mut total = Total::default();
    for round in 0..effort.rounds {
        // Some new connections come after the signal, as a load balancer sends them.
        let config =
            Config::new(&pki, upstream.address()).raw("listen.workers", 2).raw("drain.accept_ms", 50);
        let postern =
            Postern::start_as(&config, &mut pinned(&binary::path("postern")?, EVERY_CORE), Process::spawn)?;
        total.add(runtime, &pki, postern, round)?;
    }
    let drains = Spread::of(total.drains.iter().map(|drain| drain.as_secs_f64() * 1e3));
    let mut rows = table([
        "rounds",
        "answered",
        "of them after SIGTERM",
        "told to close",
        "turned away",
        "never arrived",
        "lost",
    ]);
    rows.add_row([
        u64::from(total.rounds),
        total.answered,
        total.answered_after_the_signal,
        total.connections_told_to_close,
        total.connections_turned_away,
        total.never_reached_the_proxy,
        total.lost,
    ]);
    println!("{rows}\nSIGTERM to exit, ms: {}", drains.show(0));
    for fault in &total.faults {
        println!("fault: {fault}");
    }
    if let Some(path) = &effort.json {
        report::write(path, &serde_json::json!({ "total": total, "drain_ms": drains }))?;
    }
    Ok(())
}

impl Total {
    /// One round: load, SIGTERM in the middle of it, and what became of every request.
    fn add(&mut self, runtime: &Runtime, pki: &Pki, postern: Postern, round: u32) -> Result<(), Failure> {
        let connector = |alpn| {
            Ok::<_, Failure>(TlsConnector::from(Arc::new(client_config(pki, "good", Version::Tls13, alpn)?)))
        };
        let clients = Arc::new(Clients {
            proxy: postern.address(),
            relay: runtime.block_on(relay::start(postern.address(), DELAY))?,
            http1: connector(b"http/1.1")?,
            http2: connector(b"h2")?,
            ids: AtomicU64::new(0),
            signalled: AtomicBool::new(false),
            answered: AtomicU64::new(0),
            answered_after_the_signal: AtomicU64::new(0),
            told: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
            unanswered: Mutex::default(),
            faults: Mutex::default(),
        });
        // Another moment in each round.
        let enough = 60 + u64::from(round % 16) * 5;
        let (signalled, in_time) = runtime.block_on(async {
            let mut running = clients.start();
            while clients.answered.load(Ordering::Relaxed) < enough && !running.is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            clients.signalled.store(true, Ordering::Relaxed);
            let signalled = Instant::now();
            postern.terminate()?;
            let ended = async { while running.join_next().await.is_some() {} };
            Ok::<_, Failure>((signalled, tokio::time::timeout(PATIENCE, ended).await.is_ok()))
        })?;
        if !in_time {
            self.faults.push(format!("round {round}: clients still wait after {PATIENCE:?}"));
        }
        // Connections that are not driven are not closed.
        let finished = runtime.block_on(async { tokio::task::spawn_blocking(|| postern.finish()).await });
        let finished = finished.map_err(std::io::Error::from)??;
        self.drains.push(signalled.elapsed());
        if finished.code() != 0 {
            self.faults.push(format!("round {round}: exit {}: {}", finished.code(), finished.stderr));
        }
        let clients = &*clients;
        let accepted = |id: u64| {
            let wanted = format!("id={id}\"");
            finished.stdout.lines().find(|line| line.contains(&wanted))
        };
        for (id, error) in clients.unanswered.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            match accepted(*id) {
                Some(line) => {
                    self.lost += 1;
                    self.faults.push(format!("round {round}: lost: {error}: {line}"));
                }
                None => self.never_reached_the_proxy += 1,
            }
        }
        let logged = finished.stdout.lines().filter(|line| line.contains("\"status\":200")).count();
        let answered = clients.answered.load(Ordering::Relaxed);
        if u64::try_from(logged).is_ok_and(|logged| logged < answered) {
            self.faults.push(format!("round {round}: {answered} answered, {logged} logged"));
        }
        self.faults.append(&mut clients.faults.lock().unwrap_or_else(PoisonError::into_inner));
        self.rounds += 1;
        self.answered += answered;
        self.answered_after_the_signal += clients.answered_after_the_signal.load(Ordering::Relaxed);
        self.connections_told_to_close += clients.told.load(Ordering::Relaxed);
        self.connections_turned_away += clients.turned_away.load(Ordering::Relaxed);
        Ok(())
    }
}

impl Clients {
    fn start(self: &Arc<Self>) -> JoinSet<()> {
        let mut running = JoinSet::new();
        for address in [self.proxy, self.relay] {
            for _ in 0..KEPT {
                running.spawn(self.clone().http1(address, u32::MAX));
            }
            for _ in 0..FRESH {
                running.spawn(self.clone().http1(address, 1));
            }
            for _ in 0..HTTP2 {
                running.spawn(self.clone().http2(address));
            }
        }
        running
    }

    /// HTTP/1.1, `most` requests on a connection, one connection after the other.
    async fn http1(self: Arc<Self>, address: SocketAddr, most: u32) {
        while let Some(stream) = self.connect(address, &self.http1).await {
            let (mut requests, connection) = match http1::handshake::<_, Body>(TokioIo::new(stream)).await {
                Ok(open) => open,
                Err(error) => return self.fault(&error.into()),
            };
            tokio::spawn(connection);
            for _ in 0..most {
                if requests.ready().await.is_err() {
                    self.told.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                let (id, request) = self.request("");
                match requests.try_send_request(request).await {
                    Ok(response) => {
                        let close =
                            response.headers().get(header::CONNECTION).is_some_and(|it| it == "close");
                        self.answer(id, response).await;
                        if close {
                            self.told.fetch_add(1, Ordering::Relaxed);
                            break;
                        }
                    }
                    Err(mut error) => {
                        if error.take_message().is_none() {
                            self.unanswered(id, error.error().to_string());
                        }
                        break;
                    }
                }
            }
        }
    }

    /// HTTP/2, one connection after the other.
    async fn http2(self: Arc<Self>, address: SocketAddr) {
        while let Some(stream) = self.connect(address, &self.http2).await {
            let open = http2::handshake::<_, _, Body>(TokioExecutor::new(), TokioIo::new(stream)).await;
            let (requests, connection) = match open {
                Ok(open) => open,
                Err(error) => return self.fault(&error.into()),
            };
            tokio::spawn(connection);
            let mut streams = JoinSet::new();
            for _ in 0..STREAMS {
                streams.spawn(self.clone().stream(requests.clone()));
            }
            streams.join_all().await;
            self.told.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn stream(self: Arc<Self>, mut requests: http2::SendRequest<Body>) {
        while requests.ready().await.is_ok() {
            let (id, request) = self.request("https://localhost");
            match requests.try_send_request(request).await {
                Ok(response) => self.answer(id, response).await,
                Err(mut error) => {
                    if error.take_message().is_none() {
                        self.unanswered(id, format!("{:?}", error.error()));
                    }
                    return;
                }
            }
        }
    }

    /// A TLS connection; none when nobody listens any more.
    async fn connect(&self, address: SocketAddr, tls: &TlsConnector) -> Option<TlsStream<TcpStream>> {
        loop {
            let connected = async {
                let socket = TcpStream::connect(address).await?;
                socket.set_nodelay(true)?;
                tls.connect(server_name(), socket).await
            };
            match connected.await {
                Ok(stream) => return Some(stream),
                Err(error) if !self.signalled.load(Ordering::Relaxed) => {
                    self.fault(&error.into());
                    return None;
                }
                Err(_) => {
                    self.turned_away.fetch_add(1, Ordering::Relaxed);
                    // Of a relay only the proxy knows.
                    TcpStream::connect(self.proxy).await.ok()?;
                }
            }
        }
    }

    /// Mostly quick ones; some are slow, some bring a body.
    fn request(&self, origin: &str) -> (u64, Request<Body>) {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let (method, path, body) = match id % 8 {
            0 => ("GET", "/slow?ms=30&", Bytes::new()),
            1 => ("POST", "/?", Bytes::from_static(&[b'x'; 4096])),
            _ => ("GET", "/bytes/1024?", Bytes::new()),
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method.parse().unwrap_or_default();
        *request.uri_mut() = format!("{origin}{path}id={id}").parse().unwrap_or_default();
        if origin.is_empty() {
            request.headers_mut().insert(header::HOST, header::HeaderValue::from_static("localhost"));
        }
        (id, request)
    }

    /// Takes the whole response.
    async fn answer(&self, id: u64, response: Response<Incoming>) {
        let status = response.status();
        match response.into_body().collect().await {
            Ok(_whole) if status == StatusCode::OK => {
                self.answered.fetch_add(1, Ordering::Relaxed);
                if self.signalled.load(Ordering::Relaxed) {
                    self.answered_after_the_signal.fetch_add(1, Ordering::Relaxed);
                }
            }
            Ok(_whole) => self.unanswered(id, status.to_string()),
            Err(error) => self.unanswered(id, format!("half an answer: {error}")),
        }
    }

    fn unanswered(&self, id: u64, error: String) {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner).push((id, error));
    }

    fn fault(&self, error: &Fault) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(error.to_string());
    }
}
