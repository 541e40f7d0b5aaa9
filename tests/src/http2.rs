//! An HTTP/2 connection that stays open between requests.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{TE, TRAILER};
use http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::Failure;
use crate::pki::Pki;
use crate::raw_tls::{Version, client_config, server_name};
use crate::wait::PATIENCE;

/// An open connection, driven in the background.
pub struct Http2 {
    requests: SendRequest<BoxBody<Bytes, Infallible>>,
    driver: JoinHandle<hyper::Result<()>>,
    runtime: Runtime,
}

impl Http2 {
    /// Connects as `client` with TLS 1.3.
    ///
    /// # Errors
    ///
    /// When the handshake fails.
    pub fn connect(pki: &Pki, address: SocketAddr, client: &str) -> Result<Self, Failure> {
        let config = client_config(pki, client, Version::Tls13, b"h2")?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (requests, connection) = runtime.block_on(async {
            let socket = TcpStream::connect(address).await?;
            let tls = TlsConnector::from(Arc::new(config)).connect(server_name(), socket).await?;
            let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tls));
            Ok::<_, Failure>(handshake.await?)
        })?;
        let driver = runtime.spawn(connection);
        Ok(Self { requests, driver, runtime })
    }

    /// GETs `path` and gives the status and the body.
    ///
    /// # Errors
    ///
    /// When the connection is gone.
    pub fn get(&mut self, path: &str) -> Result<(StatusCode, Bytes), Failure> {
        self.get_with(path, &[])
    }

    /// GETs `path` with more header fields, each sent as a field of its own.
    ///
    /// # Errors
    ///
    /// When the connection is gone.
    pub fn get_with(
        &mut self,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(StatusCode, Bytes), Failure> {
        let request = Request::get(format!("https://localhost{path}"));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.send(request, Empty::new().boxed())
    }

    /// GETs `path`, says that trailers are welcome, and gives those of the response.
    ///
    /// # Errors
    ///
    /// When the connection is gone.
    pub fn get_trailers(&mut self, path: &str) -> Result<HeaderMap, Failure> {
        let request = Request::get(format!("https://localhost{path}")).header(TE, "trailers");
        let response = self.ask(request, Empty::new().boxed())?;
        let body = self.runtime.block_on(response.into_body().collect())?;
        Ok(body.trailers().cloned().unwrap_or_default())
    }

    /// POSTs `body` to `path`, and `trailers` behind it, which the header `Trailer` announces.
    ///
    /// # Errors
    ///
    /// When the connection is gone.
    pub fn post_with_trailers(
        &mut self,
        path: &str,
        body: &'static str,
        trailers: HeaderMap,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let announced: Vec<_> = trailers.keys().map(HeaderName::as_str).collect();
        let request = Request::post(format!("https://localhost{path}")).header(TRAILER, announced.join(", "));
        let body = Full::from(body).with_trailers(std::future::ready(Some(Ok(trailers))));
        // Without its size: what has a Content-Length can have no trailers in HTTP/1.1.
        self.send(request, body.map_frame(|frame| frame).boxed())
    }

    fn send(
        &mut self,
        request: http::request::Builder,
        body: BoxBody<Bytes, Infallible>,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let response = self.ask(request, body)?;
        let status = response.status();
        let body = self.runtime.block_on(response.into_body().collect())?;
        Ok((status, body.to_bytes()))
    }

    fn ask(
        &mut self,
        request: http::request::Builder,
        body: BoxBody<Bytes, Infallible>,
    ) -> Result<Response<Incoming>, Failure> {
        let request = request.body(body);
        let request =
            request.map_err(|error| Failure::Missing(format!("a request that can be sent ({error})")))?;
        self.runtime.block_on(async {
            self.requests.ready().await?;
            Ok(self.requests.send_request(request).await?)
        })
    }

    /// Waits until the server has closed the connection.
    ///
    /// # Errors
    ///
    /// [`Failure::Deadline`] when it stays open.
    pub fn until_closed(self) -> Result<(), Failure> {
        let Self { requests, driver, runtime } = self;
        let ended = runtime.block_on(async { tokio::time::timeout(PATIENCE, driver).await });
        drop(requests);
        match ended {
            Ok(_however) => Ok(()),
            Err(_elapsed) => Err(Failure::Deadline {
                awaited: "the server to close the HTTP/2 connection".to_owned(),
                limit: PATIENCE,
                context: String::new(),
            }),
        }
    }
}
