//! Somebody with a certificate, who asks over HTTP/1.1.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use postern_tests::Failure;
use postern_tests::pki::Pki;
use postern_tests::raw_tls::{Version, client_config, server_name};
use serde::Serialize;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::load::Fault;

#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    tls: TlsConnector,
}

/// An open connection.
pub(crate) type Requests = SendRequest<Empty<Bytes>>;

impl Client {
    /// The client of that name, whose handshakes are full ones.
    pub(crate) fn of(pki: &Pki, name: &str, address: SocketAddr) -> Result<Self, Failure> {
        let config = client_config(pki, name, Version::Tls13, b"http/1.1")?;
        Ok(Self { address, tls: TlsConnector::from(Arc::new(config)) })
    }

    pub(crate) async fn connect(&self) -> std::io::Result<TlsStream<TcpStream>> {
        let socket = TcpStream::connect(self.address).await?;
        socket.set_nodelay(true)?;
        self.tls.connect(server_name(), socket).await
    }

    pub(crate) async fn http1(&self) -> Result<Requests, Fault> {
        let (requests, connection) = http1::handshake(TokioIo::new(self.connect().await?)).await?;
        tokio::spawn(connection);
        Ok(requests)
    }

    /// A request on a connection of its own.
    pub(crate) async fn once(&self) -> Result<(), Fault> {
        get(&mut self.http1().await?).await
    }
}

pub(crate) async fn get(requests: &mut Requests) -> Result<(), Fault> {
    requests.ready().await?;
    let request = Request::get("/bytes/1024").header(header::HOST, "localhost").body(Empty::new())?;
    let response = requests.send_request(request).await?;
    let status = response.status();
    response.into_body().collect().await?;
    if status == StatusCode::OK { Ok(()) } else { Err(format!("status {status}").into()) }
}

/// How long requests took, in milliseconds.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Times {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) most: f64,
}

impl Times {
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let at = |hundredths: usize| {
            let index = (times.len() * hundredths / 100).min(times.len().saturating_sub(1));
            times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        Self { p50: at(50), p99: at(99), most: at(100) }
    }
}

/// What clients felt: on kept connections, and on new ones with their handshake.
#[derive(Serialize)]
pub(crate) struct Felt {
    pub(crate) kept: Times,
    pub(crate) new: Times,
}

/// 99th percentiles over those of another time.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Ratio {
    pub(crate) kept: f64,
    pub(crate) new: f64,
}

impl Felt {
    /// Over what was felt `before`.
    pub(crate) fn over(&self, before: &Self) -> Ratio {
        Ratio { kept: self.kept.p99 / before.kept.p99, new: self.new.p99 / before.new.p99 }
    }
}
