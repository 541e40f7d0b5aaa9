//! `postern health`: a container's health check that needs no shell and no curl. It asks the admin port of the process next to it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use clap::ValueEnum;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Of an answer: the state of some ten thousand CRLs.
const MOST_BYTES: usize = 1 << 23;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Question {
    /// Does it want new connections? Not while it drains
    Ready,
    /// Does it answer at all?
    Live,
}

impl Question {
    fn path(self) -> &'static str {
        match self {
            Self::Ready => "/readyz",
            Self::Live => "/livez",
        }
    }
}

/// Why a process is not healthy.
#[derive(Debug, Error)]
pub enum Unhealthy {
    /// It has no port that could be asked.
    #[error("admin.address is {0}: give it a port, so that it can be asked")]
    NoPort(SocketAddr),
    /// It does not answer in time.
    #[error("http://{address}{path}: no answer after {} ms", after.as_millis())]
    Slow {
        /// Who was asked.
        address: SocketAddr,
        /// For what.
        path: &'static str,
        /// For how long.
        after: Duration,
    },
    /// It does not answer.
    #[error("http://{address}{path}: {error}")]
    Silent {
        /// Who was asked.
        address: SocketAddr,
        /// For what.
        path: &'static str,
        /// Why not.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It says no.
    #[error("http://{address}{path}: {status}: {answer}")]
    No {
        /// Who was asked.
        address: SocketAddr,
        /// For what.
        path: &'static str,
        /// Its answer.
        status: StatusCode,
        /// The rest of its answer.
        answer: String,
    },
}

/// Asks the process whose `admin.address` is `admin`, and waits for at most `patience`.
///
/// # Errors
///
/// Why it is not healthy.
pub async fn ask(admin: SocketAddr, question: Question, patience: Duration) -> Result<(), Unhealthy> {
    let path = question.path();
    match exchange(admin, Method::GET, path, String::new(), patience).await? {
        (StatusCode::OK, _) => Ok(()),
        (status, body) => {
            let address = SocketAddr::new(reachable(admin.ip()), admin.port());
            let answer = String::from_utf8_lossy(&body).trim_end().to_owned();
            Err(Unhealthy::No { address, path, status, answer })
        }
    }
}

/// Whoever listens on every address listens on loopback.
fn reachable(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(v6) if v6.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => address,
    }
}

/// Sends a request to the process whose `admin.address` is `admin`, with JSON if `body` is not empty, and waits for at most `patience`.
///
/// # Errors
///
/// Why there is no answer.
pub async fn exchange(
    admin: SocketAddr,
    method: Method,
    path: &'static str,
    body: String,
    patience: Duration,
) -> Result<(StatusCode, Bytes), Unhealthy> {
    if admin.port() == 0 {
        return Err(Unhealthy::NoPort(admin));
    }
    let address = SocketAddr::new(reachable(admin.ip()), admin.port());
    let answer = timeout(patience, send(address, method, path, body)).await;
    let answer = answer.map_err(|_elapsed| Unhealthy::Slow { address, path, after: patience })?;
    answer.map_err(|error| Unhealthy::Silent { address, path, error })
}

async fn send(
    address: SocketAddr,
    method: Method,
    path: &str,
    body: String,
) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the runtime, or with the answer.
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header(HOST, address.to_string());
    if !body.is_empty() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    let request = request.body(Full::new(Bytes::from(body)))?;
    let response = requests.send_request(request).await?;
    let status = response.status();
    Ok((status, Limited::new(response.into_body(), MOST_BYTES).collect().await?.to_bytes()))
}
