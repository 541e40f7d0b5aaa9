//! New connections to the upstream: TCP, TLS verified against its trust bundle, HTTP/1.1.

use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::describe;
use super::pool::Sender;
use crate::config::{File, Invalid, Upstream};
use crate::refusal::Refusal;
use crate::trust::certificates;

/// Connects to the upstream.
#[derive(Clone)]
pub(super) struct Connector {
    address: String,
    server_name: ServerName<'static>,
    tls: TlsConnector,
    limit: Duration,
}

impl Connector {
    pub(super) fn new(upstream: &Upstream, Trusted(tls): Trusted) -> Self {
        Self {
            address: upstream.address.clone(),
            server_name: upstream.server_name.clone(),
            tls: TlsConnector::from(tls),
            limit: upstream.connect_timeout,
        }
    }

    /// A new connection, ready for its first request.
    pub(super) async fn connect(&self) -> Result<Sender, Refusal> {
        match timeout(self.limit, self.connect_unhurried()).await {
            Ok(connected) => connected,
            Err(_) => Err(Refusal::UpstreamTimeout { after: self.limit }),
        }
    }

    async fn connect_unhurried(&self) -> Result<Sender, Refusal> {
        let unreachable = |error: std::io::Error| Refusal::UpstreamUnreachable { detail: error.to_string() };
        let tcp = TcpStream::connect(&self.address).await.map_err(unreachable)?;
        tcp.set_nodelay(true).map_err(unreachable)?;
        let tls = self
            .tls
            .connect(self.server_name.clone(), tcp)
            .await
            .map_err(|error| Refusal::UpstreamTls { detail: describe(&error) })?;
        let (sender, connection) = http1::handshake(TokioIo::new(tls))
            .await
            .map_err(|error| Refusal::UpstreamClosed { detail: describe(&error) })?;
        // What goes wrong on it reaches the request that is on it, and the pool sees that it is closed.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(sender)
    }
}

/// How TLS is done with upstreams that one trust bundle vouches for.
#[derive(Clone)]
pub(super) struct Trusted(Arc<ClientConfig>);

/// The trust bundles of all upstreams, each read once.
#[derive(Default)]
pub(super) struct TrustedBundles {
    read: Vec<(Option<File>, Option<Trusted>)>,
    problems: Vec<Invalid>,
}

impl TrustedBundles {
    /// The bundle in `file`, or the system's; `None` if it cannot be used.
    pub(super) fn get(&mut self, file: Option<&File>) -> Option<Trusted> {
        if let Some((_, known)) = self.read.iter().find(|(known, _)| known.as_ref() == file) {
            return known.clone();
        }
        let trusted = roots(file).and_then(client_config).map_err(|problem| self.problems.push(problem)).ok();
        self.read.push((file.cloned(), trusted.clone()));
        trusted
    }

    /// Everything that could not be used.
    pub(super) fn problems(self) -> Result<(), Vec<Invalid>> {
        if self.problems.is_empty() { Ok(()) } else { Err(self.problems) }
    }
}

fn client_config(roots: RootCertStore) -> Result<Trusted, Invalid> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| Invalid::new("upstream", error.to_string(), "report this as a bug"))?;
    let mut tls = builder.with_root_certificates(roots).with_no_client_auth();
    // API Gateway's private endpoints speak nothing newer.
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Trusted(Arc::new(tls)))
}

fn roots(file: Option<&File>) -> Result<RootCertStore, Invalid> {
    let mut roots = RootCertStore::empty();
    match file {
        Some(file) => {
            for certificate in certificates(file)? {
                roots.add(certificate).map_err(|error| {
                    let problem = format!("{}: {error}", file.path.display());
                    Invalid::new(&file.key, problem, "remove or replace that certificate")
                })?;
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                let hint = "install CA certificates, or name a PEM file in upstream.trust_bundle";
                let problem = "not set, and the system has no trust store";
                return Err(Invalid::new("upstream.trust_bundle", problem, hint));
            }
        }
    }
    Ok(roots)
}
