//! The load: clients with certificates that check every response.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::ValueEnum;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use postern_tests::Failure;
use postern_tests::pki::Pki;
use postern_tests::raw_tls::{Version, client_config_of, server_name};
use rustls::HandshakeKind;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Of each response.
pub(crate) const BODY_BYTES: u16 = 1024;
/// Of each download and upload: what API Gateway takes at most.
pub(crate) const BULK_BYTES: u64 = 10 << 20;
/// Requests at a time on one HTTP/2 connection.
const STREAMS: u32 = 16;

/// What one operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// A connection, a full TLS 1.3 handshake, one HTTP/1.1 request
    Handshake,
    /// A connection, a handshake that resumes a TLS 1.3 session, one HTTP/1.1 request
    Resumed,
    /// A request on an open HTTP/1.1 connection
    Http1,
    /// A request on an open HTTP/2 connection that carries 16 at a time
    Http2,
    /// A response of 10 MiB on an open HTTP/1.1 connection
    Download,
    /// A request of 10 MiB on an open HTTP/1.1 connection
    Upload,
}

impl Mode {
    /// Enough to keep the proxy busy.
    fn connections(self) -> u32 {
        match self {
            Self::Http1 => 64,
            Self::Handshake | Self::Resumed | Self::Http2 | Self::Download | Self::Upload => 8,
        }
    }

    /// Requests that cost about as much as one operation: that many fewer will do.
    pub(crate) fn weight(self) -> u32 {
        match self {
            Self::Http1 | Self::Http2 => 1,
            Self::Handshake | Self::Resumed => 5,
            Self::Download | Self::Upload => 200,
        }
    }

    /// The length of an operation's response.
    fn response_bytes(self) -> u64 {
        if self == Self::Download { BULK_BYTES } else { BODY_BYTES.into() }
    }
}

/// How much of what.
#[derive(Clone, Copy)]
pub(crate) struct Load<'a> {
    pub(crate) pki: &'a Pki,
    pub(crate) mode: Mode,
    pub(crate) operations: u32,
    /// The mode's own number unless it is given.
    pub(crate) connections: Option<u32>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) errors: u32,
    pub(crate) first_error: Option<String>,
    pub(crate) wall: Duration,
}

/// What every client needs.
struct Client {
    address: SocketAddr,
    tls: TlsConnector,
    /// Operations that nobody has begun.
    left: AtomicU32,
    /// What a request brings.
    sent: Bytes,
    /// What its response has to be.
    body: Bytes,
    mode: Mode,
}

type Requests = http1::SendRequest<Full<Bytes>>;

/// Why an operation failed.
pub(crate) type Fault = Box<dyn std::error::Error + Send + Sync>;

impl Load<'_> {
    /// Runs it to the end.
    pub(crate) async fn run(&self, address: SocketAddr) -> Result<Tally, Failure> {
        let client = self.client(address)?;
        let start = Instant::now();
        let mut clients = JoinSet::new();
        for _ in 0..self.connections.unwrap_or(self.mode.connections()) {
            let client = client.clone();
            match self.mode {
                Mode::Handshake => clients.spawn(async move { client.handshakes(false).await }),
                Mode::Resumed => clients.spawn(async move { client.handshakes(true).await }),
                Mode::Http1 | Mode::Download | Mode::Upload => {
                    clients.spawn(async move { client.http1_requests().await })
                }
                Mode::Http2 => clients.spawn(async move { client.http2_requests().await }),
            };
        }
        let mut tally = Tally::default();
        for faults in clients.join_all().await {
            tally.errors += u32::try_from(faults.len()).unwrap_or(u32::MAX);
            tally.first_error = tally.first_error.or_else(|| faults.first().map(ToString::to_string));
        }
        tally.wall = start.elapsed();
        Ok(tally)
    }

    /// Opens a connection for each operation, one after the other, and sends one request on each. They stay open for as long as
    /// what is returned.
    pub(crate) async fn hold(&self, address: SocketAddr) -> Result<Vec<impl Sized + use<>>, Fault> {
        let client = self.client(address)?;
        let mut open = Vec::new();
        while client.take() {
            let mut requests = client.http1().await?;
            client.check(requests.send_request(client.http1_request()?).await?).await?;
            open.push(requests);
        }
        Ok(open)
    }

    fn client(&self, address: SocketAddr) -> Result<Arc<Client>, Failure> {
        let alpn: &[u8] = if self.mode == Mode::Http2 { b"h2" } else { b"http/1.1" };
        let mut config = client_config_of(plain_provider(), self.pki, "good", Version::Tls13, alpn)?;
        if self.mode == Mode::Resumed {
            config.resumption = Resumption::in_memory_sessions(8);
        }
        let (tls, left) = (TlsConnector::from(Arc::new(config)), AtomicU32::new(self.operations));
        let (sent, body) = if self.mode == Mode::Upload {
            (body(BULK_BYTES), BULK_BYTES.to_string().into_bytes())
        } else {
            (Vec::new(), body(self.mode.response_bytes()))
        };
        let (sent, body) = (Bytes::from(sent), Bytes::from(body));
        Ok(Arc::new(Client { address, tls, left, sent, body, mode: self.mode }))
    }
}

impl Client {
    /// Takes one operation, if any is left.
    fn take(&self) -> bool {
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    /// Each client's first handshake is a full one, as nobody can resume what nobody has begun.
    async fn handshakes(&self, resume: bool) -> Vec<Fault> {
        let (mut faults, mut first) = (Vec::new(), true);
        while self.take() {
            let done = async {
                let tls = self.connect().await?;
                if resume && !first && tls.get_ref().1.handshake_kind() != Some(HandshakeKind::Resumed) {
                    return Err("a full handshake: not what was asked for".into());
                }
                let mut requests = Self::http1_on(tls).await?;
                self.check(requests.send_request(self.http1_request()?).await?).await
            };
            faults.extend(done.await.err());
            first = false;
        }
        faults
    }

    async fn http1_requests(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        while self.left.load(Ordering::Relaxed) > 0 {
            // One connection, until it fails or the work is done.
            let done = async {
                let mut requests = self.http1().await?;
                while self.take() {
                    self.check(requests.send_request(self.http1_request()?).await?).await?;
                    requests.ready().await?;
                }
                Ok(())
            };
            if !self.note(&mut faults, done.await) {
                break;
            }
        }
        faults
    }

    async fn http2_requests(self: Arc<Self>) -> Vec<Fault> {
        let connected = async {
            let io = TokioIo::new(self.connect().await?);
            let (requests, connection) = http2::handshake(TokioExecutor::new(), io).await?;
            tokio::spawn(connection);
            Ok::<_, Fault>(requests)
        };
        let requests = match connected.await {
            Ok(requests) => requests,
            Err(fault) => return vec![fault],
        };
        let mut streams = JoinSet::new();
        for _ in 0..STREAMS {
            let (client, mut requests) = (self.clone(), requests.clone());
            streams.spawn(async move {
                let mut faults = Vec::new();
                while client.take() {
                    let done = async {
                        requests.ready().await?;
                        client.check(requests.send_request(http2_request()?).await?).await
                    };
                    if !client.note(&mut faults, done.await) {
                        break;
                    }
                }
                faults
            });
        }
        streams.join_all().await.into_iter().flatten().collect()
    }

    /// Remembers a fault; whether to go on. A connection that fails twice is given up.
    fn note(&self, faults: &mut Vec<Fault>, done: Result<(), Fault>) -> bool {
        faults.extend(done.err());
        faults.len() < 2
    }

    async fn connect(&self) -> Result<TlsStream<TcpStream>, Fault> {
        let socket = TcpStream::connect(self.address).await?;
        socket.set_nodelay(true)?;
        Ok(self.tls.connect(server_name(), socket).await?)
    }

    async fn http1(&self) -> Result<Requests, Fault> {
        Self::http1_on(self.connect().await?).await
    }

    async fn http1_on(tls: TlsStream<TcpStream>) -> Result<Requests, Fault> {
        let (requests, connection) = http1::handshake(TokioIo::new(tls)).await?;
        tokio::spawn(connection);
        Ok(requests)
    }

    fn http1_request(&self) -> Result<Request<Full<Bytes>>, http::Error> {
        let request = if self.mode == Mode::Upload {
            Request::post("/upload")
        } else {
            Request::get(format!("/bytes/{}", self.mode.response_bytes()))
        };
        request.header(http::header::HOST, "localhost").body(Full::new(self.sent.clone()))
    }

    /// The status and every byte of the body.
    async fn check(&self, response: http::Response<hyper::body::Incoming>) -> Result<(), Fault> {
        let (status, mut body) = (response.status(), response.into_body());
        let (mut at, mut as_asked) = (0, status == StatusCode::OK);
        while let Some(frame) = body.frame().await {
            let frame = frame?;
            let data = frame.data_ref().map_or(&[][..], |data| data);
            as_asked &= self.body.get(at..at + data.len()) == Some(data);
            at += data.len();
        }
        if !as_asked || at != self.body.len() {
            return Err(format!("status {status}, {at} bytes: not what was asked for").into());
        }
        Ok(())
    }
}

/// One suite and one group, which every make of proxy knows: all of them do the same arithmetic.
fn plain_provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![cipher_suite::TLS13_AES_128_GCM_SHA256],
        kx_groups: vec![kx_group::X25519],
        ..default_provider()
    }
}

/// What responses of that length are.
pub(crate) fn body(length: u64) -> Vec<u8> {
    let (pattern, length) =
        ((0..=u8::MAX).collect::<Vec<_>>(), usize::try_from(length).unwrap_or(usize::MAX));
    let mut body = pattern.repeat(length.div_ceil(pattern.len()));
    body.truncate(length);
    body
}

fn http2_request() -> Result<Request<Full<Bytes>>, http::Error> {
    Request::get(format!("https://localhost/bytes/{BODY_BYTES}")).body(Full::default())
}
