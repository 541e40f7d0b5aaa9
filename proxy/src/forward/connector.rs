//! New connections to an upstream: TCP, TLS verified against its trust bundle, HTTP/1.1.

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use prometheus::IntGauge;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::describe;
use super::flow::{Flow, Sender};
use super::tls::Trusted;
use crate::config::Upstream;
use crate::refusal::Refusal;

/// Connects to the addresses of one upstream.
pub(super) struct Connector {
    server_name: ServerName<'static>,
    tls: ArcSwap<ClientConfig>,
    open: IntGauge,
}

/// A connection, ready for its first request.
pub(super) struct Connection {
    pub(super) sender: Sender,
    pub(super) flow: Arc<Flow>,
}

impl Connector {
    /// `open` counts the connections that there are.
    pub(super) fn new(upstream: &Upstream, Trusted(tls): Trusted, open: IntGauge) -> Self {
        Self { server_name: upstream.server_name.clone(), tls: ArcSwap::new(tls), open }
    }

    /// For all new connections. Those that are open stay as they are.
    pub(super) fn trust(&self, Trusted(tls): Trusted) {
        self.tls.store(tls);
    }

    /// A new connection, however long it takes.
    pub(super) async fn connect(&self, address: SocketAddr) -> Result<Connection, Refusal> {
        let unreachable =
            |error: std::io::Error| Refusal::UpstreamUnreachable { detail: format!("{address}: {error}") };
        let tcp = TcpStream::connect(address).await.map_err(unreachable)?;
        tcp.set_nodelay(true).map_err(unreachable)?;
        let tls = TlsConnector::from(self.tls.load_full())
            .connect(self.server_name.clone(), tcp)
            .await
            .map_err(|error| Refusal::UpstreamTls { detail: format!("{address}: {}", describe(&error)) })?;
        let (sender, connection) = http1::handshake(TokioIo::new(tls)).await.map_err(|error| {
            Refusal::UpstreamClosed { detail: format!("{address}: {}", describe(&error)) }
        })?;
        // What goes wrong on it reaches the request that is on it, and the pool sees that it is closed.
        let driver = tokio::spawn(async move {
            let _ = connection.with_upgrades().await;
        });
        Ok(Connection { sender, flow: Arc::new(Flow::new(driver.abort_handle(), self.open.clone())) })
    }
}
