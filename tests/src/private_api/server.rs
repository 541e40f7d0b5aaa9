//! Listens, speaks TLS, and gives every connection and request its number.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use http::HeaderValue;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::fault::{Faulty, Switch};
use super::route::{Visit, answer};
use super::sigv4::Verifier;
use crate::raw_tls::server_config;

/// Where the private API listens and what it serves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The endpoint's certificate chain; its names are the Hosts it answers to.
    pub certificate: PathBuf,
    /// The certificate's private key.
    pub private_key: PathBuf,
    /// Port 0 takes a free one.
    pub address: SocketAddr,
    /// The API ids deployed behind this endpoint.
    pub apis: Vec<String>,
    /// Who has to have signed a request; none for requests without signatures.
    pub verifier: Option<Verifier>,
}

/// Why the private API could not start.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A PEM file is missing or holds something else.
    #[error("cannot read {}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: rustls_pki_types::pem::Error,
    },
    /// The file holds no certificate.
    #[error("{} holds no certificate", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// rustls refuses the certificate or its key.
    #[error("the endpoint's certificate cannot be used")]
    Certificate(#[source] rustls::Error),
    /// The address is taken or not ours.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
}

/// What every connection shares: the names and APIs that this endpoint answers for.
pub(super) struct Endpoint {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) apis: Vec<String>,
    /// Those of requests that ask to be broken once.
    pub(super) keys: Mutex<BTreeSet<String>>,
    /// Said in each answer, so that a test can tell several endpoints apart.
    address: HeaderValue,
    pub(super) verifier: Option<Verifier>,
}

/// A bound private API; [`PrivateApi::serve`] runs it.
pub struct PrivateApi {
    listener: TcpListener,
    tls: TlsAcceptor,
    endpoint: Arc<Endpoint>,
}

impl PrivateApi {
    /// Reads the certificate and takes the address.
    ///
    /// # Errors
    ///
    /// See [`SetupError`].
    pub async fn bind(settings: Settings) -> Result<Self, SetupError> {
        let chain = read_chain(&settings.certificate)?;
        let certificate = chain
            .first()
            .cloned()
            .ok_or_else(|| SetupError::NoCertificate { path: settings.certificate.clone() })?;
        let key = PrivateKeyDer::from_pem_file(&settings.private_key)
            .map_err(|source| SetupError::Pem { path: settings.private_key.clone(), source })?;
        let mut tls = server_config()
            .and_then(|builder| builder.with_single_cert(chain, key))
            .map_err(SetupError::Certificate)?;
        // API Gateway speaks HTTP/1.1 only on private endpoints.
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let listener = TcpListener::bind(settings.address)
            .await
            .map_err(|source| SetupError::Bind { address: settings.address, source })?;
        let taken =
            listener.local_addr().map_err(|source| SetupError::Bind { address: settings.address, source })?;
        // An address is always a value.
        let address = HeaderValue::from_str(&taken.to_string()).unwrap_or(HeaderValue::from_static(""));
        let endpoint = Endpoint {
            certificate,
            apis: settings.apis,
            keys: Mutex::default(),
            address,
            verifier: settings.verifier,
        };
        Ok(Self { listener, tls: TlsAcceptor::from(Arc::new(tls)), endpoint: Arc::new(endpoint) })
    }

    /// The address taken, with its real port.
    ///
    /// # Errors
    ///
    /// When the operating system does not know it.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until dropped.
    pub async fn serve(self) {
        let mut connections = 0;
        loop {
            // A failed accept concerns one client; the endpoint stays up.
            let Ok((stream, _)) = self.listener.accept().await else { continue };
            connections += 1;
            tokio::spawn(converse(stream, self.tls.clone(), self.endpoint.clone(), connections));
        }
    }
}

/// One connection, from its handshake to its end. Whatever goes wrong is the client's to notice.
async fn converse(stream: TcpStream, tls: TlsAcceptor, endpoint: Arc<Endpoint>, connection: u64) {
    // Small answers must not wait for the peer's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let Ok(stream) = tls.accept(stream).await else { return };
    let switch = Switch::default();
    let requests = AtomicU64::new(0);
    let service = service_fn(|request| {
        let visit = Visit { connection, request: requests.fetch_add(1, Ordering::Relaxed) + 1 };
        let (endpoint, switch) = (endpoint.clone(), switch.clone());
        async move {
            let mut response = answer(request, visit, &endpoint, &switch).await;
            response.headers_mut().insert("x-served-by", endpoint.address.clone());
            Ok::<_, Infallible>(response)
        }
    });
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(Faulty::new(stream, switch.clone())), service)
        .await;
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|source| SetupError::Pem { path: path.to_owned(), source })
}
