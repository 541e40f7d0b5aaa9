//! An upstream that opens WebSockets (RFC 6455 §4), and says back through them what it hears.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use rustls::{ServerConnection, StreamOwned};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;

use crate::pki::Pki;
use crate::raw_tls::{RawTls, certificates, server_config};
use crate::{Failure, Outcome};

/// What a client asks with, and what the answer to it is: the example of RFC 6455 §1.3.
pub const ASK: &str = "GET /chat HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Serves connections until the test ends.
///
/// # Errors
///
/// When a PEM file cannot be used.
pub fn serve(pki: &Pki) -> Result<SocketAddr, Failure> {
    let path = pki.path("upstream.key");
    let key = PrivateKeyDer::from_pem_file(&path).map_err(|source| Failure::Pem { path, source })?;
    let config = server_config()?.with_single_cert(certificates(pki, "upstream.pem")?, key)?;
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0")?);
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let config = config.clone();
            thread::spawn(move || -> Outcome {
                let mut stream = BufReader::new(StreamOwned::new(ServerConnection::new(config)?, socket));
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head)? > 0 {}
                let asked = head.to_ascii_lowercase();
                for line in [
                    "upgrade: websocket",
                    "connection: upgrade",
                    "sec-websocket-version: 13",
                    "sec-websocket-key: dghlihnhbxbszsbub25jzq==",
                ] {
                    assert!(asked.contains(&format!("\r\n{line}\r\n")), "{line}");
                }
                let switch = format!(
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
                );
                stream.get_mut().write_all(switch.as_bytes())?;
                let mut heard = [0; 1000];
                loop {
                    let count = stream.read(&mut heard)?;
                    if count == 0 {
                        return Ok(());
                    }
                    stream.get_mut().write_all(heard.get(..count).unwrap_or_default())?;
                }
            });
        }
    });
    Ok(address)
}

/// Turns a fresh connection into an upgraded one.
///
/// # Errors
///
/// When nobody switches.
pub fn upgrade(connection: &mut RawTls) -> Outcome {
    connection.send(ASK)?;
    let response = connection.response()?;
    assert_eq!(response.status, 101);
    let [upgrade, connection, accept] =
        ["upgrade", "connection", "sec-websocket-accept"].map(|name| response.header(name));
    assert_eq!((upgrade, connection, accept), (Some("websocket"), Some("upgrade"), Some(ACCEPT)));
    Ok(())
}

/// Says something over an upgraded connection, and hears it.
///
/// # Errors
///
/// When the connection is gone.
pub fn says(connection: &mut RawTls, what: &str) -> Outcome {
    connection.send(what)?;
    let mut heard = vec![0; what.len()];
    connection.read_exact(&mut heard)?;
    assert_eq!(String::from_utf8_lossy(&heard), what);
    Ok(())
}
