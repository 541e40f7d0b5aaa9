//! A TLS client that writes exactly the bytes it is given: HTTP/1.1 by hand.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::WantsServerCert;
use rustls::{
    ClientConfig, ClientConnection, ConfigBuilder, HandshakeKind, RootCertStore, ServerConfig, StreamOwned,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use crate::Failure;
use crate::pki::Pki;
use crate::wait::PATIENCE;

/// The one TLS version offered.
#[derive(Clone, Copy, Debug)]
pub enum Version {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// A server's rustls configuration that asks for no client certificate, up to the certificate of its own.
///
/// # Errors
///
/// When rustls has no version of TLS in common with itself.
pub fn server_config() -> Result<ConfigBuilder<ServerConfig, WantsServerCert>, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    Ok(builder.with_safe_default_protocol_versions()?.with_no_client_auth())
}

/// A client's rustls configuration: the PKI's root, the client's certificate, no resumption.
///
/// # Errors
///
/// When a PEM file cannot be used.
pub fn client_config(
    pki: &Pki,
    client: &str,
    version: Version,
    alpn: &'static [u8],
) -> Result<ClientConfig, Failure> {
    client_config_of(default_provider(), pki, client, version, alpn)
}

/// As [`client_config`], with the suites and groups of `provider`.
///
/// # Errors
///
/// As [`client_config`].
pub fn client_config_of(
    provider: CryptoProvider,
    pki: &Pki,
    client: &str,
    version: Version,
    alpn: &'static [u8],
) -> Result<ClientConfig, Failure> {
    let version = match version {
        Version::Tls12 => &rustls::version::TLS12,
        Version::Tls13 => &rustls::version::TLS13,
    };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(pki, "root.pem")?);
    let chain = certificates(pki, &format!("clients/{client}.pem"))?;
    let key_path = pki.path(&format!("clients/{client}.key"));
    let key = PrivateKeyDer::from_pem_file(&key_path)
        .map_err(|source| Failure::Pem { path: key_path.clone(), source })?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?;
    config.alpn_protocols = vec![alpn.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// As [`client_config`], for HTTP/1.1 and with the sessions that servers give: each connection made with it resumes one if it can.
///
/// # Errors
///
/// As [`client_config`].
pub fn resuming_config(pki: &Pki, client: &str, version: Version) -> Result<Arc<ClientConfig>, Failure> {
    let mut config = client_config(pki, client, version, b"http/1.1")?;
    config.resumption = Resumption::in_memory_sessions(8);
    Ok(Arc::new(config))
}

/// The name that every client asks for.
#[must_use]
pub fn server_name() -> ServerName<'static> {
    ServerName::IpAddress(std::net::Ipv4Addr::LOCALHOST.into())
}

/// The certificates of a file of the PKI.
///
/// # Errors
///
/// [`Failure::Pem`] with the path.
pub fn certificates(pki: &Pki, file: &str) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let path = pki.path(file);
    CertificateDer::pem_file_iter(&path)
        .and_then(Iterator::collect)
        .map_err(|source| Failure::Pem { path: path.clone(), source })
}

/// An open connection.
pub struct RawTls(StreamOwned<ClientConnection, TcpStream>);

/// A response read from the wire.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// As long as `Content-Length` said.
    pub body: Vec<u8>,
}

impl Response {
    /// The first value of a header. `name` is in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl RawTls {
    /// Connects and finishes the handshake as `client`.
    ///
    /// # Errors
    ///
    /// When the server refuses. With TLS 1.3 its refusal of a certificate comes after the handshake, at the first read.
    pub fn connect(pki: &Pki, address: SocketAddr, client: &str, version: Version) -> Result<Self, Failure> {
        Self::connect_with(Arc::new(client_config(pki, client, version, b"http/1.1")?), address)
    }

    /// Connects and finishes the handshake with a configuration that may have been used before.
    ///
    /// # Errors
    ///
    /// As [`RawTls::connect`].
    pub fn connect_with(config: Arc<ClientConfig>, address: SocketAddr) -> Result<Self, Failure> {
        Self::connect_on(TcpStream::connect(address)?, config)
    }

    /// Finishes the handshake on a connection that may have carried something else before.
    ///
    /// # Errors
    ///
    /// As [`RawTls::connect`].
    pub fn connect_on(mut socket: TcpStream, config: Arc<ClientConfig>) -> Result<Self, Failure> {
        let mut tls = ClientConnection::new(config, server_name())?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_nodelay(true)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut socket)?;
        }
        Ok(Self(StreamOwned::new(tls, socket)))
    }

    /// The key exchange agreed on.
    #[must_use]
    pub fn key_exchange_group(&self) -> Option<rustls::NamedGroup> {
        self.0.conn.negotiated_key_exchange_group().map(|group| group.name())
    }

    /// Whether the handshake resumed a session.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.0.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    ///
    /// When the connection is gone.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), Failure> {
        self.0.write_all(bytes.as_ref())?;
        Ok(self.0.flush()?)
    }

    /// Sends a GET and reads its response.
    ///
    /// # Errors
    ///
    /// When the connection is gone.
    pub fn get(&mut self, path: &str) -> Result<Response, Failure> {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))?;
        self.response()
    }

    /// Reads one response: its head, and a body of `Content-Length`.
    ///
    /// # Errors
    ///
    /// When the connection ends before that, or what comes is not a response.
    pub fn response(&mut self) -> Result<Response, Failure> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte)?;
            head.extend(byte);
        }
        let head = String::from_utf8_lossy(&head);
        let missing = || Failure::Missing(format!("a status in {head:?}"));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(missing)?;
        let headers: Vec<_> = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut response = Response { status, headers, body: Vec::new() };
        let length = response.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        response.body = vec![0; length];
        self.0.read_exact(&mut response.body)?;
        Ok(response)
    }

    /// Reads as many bytes as there is room for.
    ///
    /// # Errors
    ///
    /// When the connection ends before.
    pub fn read_exact(&mut self, bytes: &mut [u8]) -> Result<(), Failure> {
        Ok(self.0.read_exact(bytes)?)
    }

    /// Waits for the first bytes of a response.
    ///
    /// # Errors
    ///
    /// When the connection ends before.
    pub fn first_bytes(&mut self) -> Result<(), Failure> {
        Ok(self.0.read_exact(&mut [0; 100])?)
    }

    /// Reads until the server closes, in whatever way, and gives what came before.
    ///
    /// # Errors
    ///
    /// When it stays open too long.
    pub fn until_closed(&mut self) -> Result<Vec<u8>, Failure> {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => Ok(rest),
            Err(error) if is_timeout(&error) => Err(Failure::Deadline {
                awaited: "the server to close the connection".to_owned(),
                limit: PATIENCE,
                context: format!("; it sent {:?}", String::from_utf8_lossy(&rest)),
            }),
            Err(_) => Ok(rest),
        }
    }

    /// The refusal of a handshake: the alert that the server sends.
    ///
    /// # Errors
    ///
    /// When it sends data or closes without an alert.
    pub fn alert(&mut self) -> Result<rustls::AlertDescription, Failure> {
        let mut byte = [0];
        match self.0.read(&mut byte) {
            Ok(read) => Err(Failure::Missing(format!("an alert ({read} bytes came instead)"))),
            Err(error) => alert_of(&error).ok_or(Failure::Connection(error)),
        }
    }
}

/// Whether it is the patience that ended, not the connection.
#[must_use]
pub fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// The alert inside an I/O error of rustls, if it is one.
#[must_use]
pub fn alert_of(error: &io::Error) -> Option<rustls::AlertDescription> {
    let rustls::Error::AlertReceived(alert) = error.get_ref()?.downcast_ref()? else { return None };
    Some(*alert)
}
