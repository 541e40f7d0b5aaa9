//! A web server of the test's own: it serves files as CAs do, or breaks off, lies and goes silent as networks do.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::Failure;
use crate::loopback::Loopback;
use crate::pki::Pki;
use crate::raw_tls::server_config;

/// What one path answers: the bytes of the response, and what follows.
#[derive(Clone)]
pub struct Answer {
    bytes: Vec<u8>,
    then: Then,
}

#[derive(Clone, Copy)]
enum Then {
    Close,
    /// The last byte again and again, until the client has enough.
    Repeat,
    /// Nothing, until the client gives up.
    Hold,
}

impl Answer {
    /// A file.
    #[must_use]
    pub fn file(content: &[u8]) -> Self {
        Self::announced(content.len(), content)
    }

    /// A file whose Content-Length says something else.
    #[must_use]
    pub fn announced(length: usize, content: &[u8]) -> Self {
        Self::new(&format!("200 OK\r\nContent-Length: {length}"), content)
    }

    /// A file without a Content-Length, which ends with the connection.
    #[must_use]
    pub fn unannounced(content: &[u8]) -> Self {
        Self::new("200 OK", content)
    }

    /// A file in chunks. Without the last chunk, the connection ends too early.
    #[must_use]
    pub fn chunked(content: &[u8], whole: bool) -> Self {
        let mut body = Vec::new();
        for chunk in content.chunks(100) {
            body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            body.extend_from_slice(chunk);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(if whole { b"0\r\n\r\n" } else { b"" });
        Self::new("200 OK\r\nTransfer-Encoding: chunked", &body)
    }

    /// Another status, with a page for people.
    #[must_use]
    pub fn status(status: &str) -> Self {
        let page = format!("<html><h1>{status}</h1></html>");
        Self::new(&format!("{status}\r\nContent-Length: {}", page.len()), page.as_bytes())
    }

    /// A redirect.
    #[must_use]
    pub fn redirect(to: &str) -> Self {
        Self::new(&format!("302 Found\r\nContent-Length: 0\r\nLocation: {to}"), b"")
    }

    /// Itself without an end.
    #[must_use]
    pub fn endless(self) -> Self {
        Self { then: Then::Repeat, ..self }
    }

    /// Itself, and then silence on an open connection.
    #[must_use]
    pub fn then_silence(self) -> Self {
        Self { then: Then::Hold, ..self }
    }

    fn new(head: &str, body: &[u8]) -> Self {
        let head = format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n");
        Self { bytes: [head.as_bytes(), body].concat(), then: Then::Close }
    }
}

/// The server. Dropping it ends it.
pub struct Web {
    server: Loopback,
    shared: Arc<Shared>,
}

struct Shared {
    answers: Vec<(String, Answer)>,
    tls: Option<Arc<ServerConfig>>,
    /// The request targets, in order.
    requests: Mutex<Vec<String>>,
    sent: AtomicU64,
}

impl Web {
    /// Serves over http.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub fn start(answers: &[(&str, Answer)]) -> Result<Self, Failure> {
        Self::start_with(answers, None)
    }

    /// Serves over https with the server certificate of `pki`.
    ///
    /// # Errors
    ///
    /// When there is no free port, or the certificate cannot be used.
    pub fn start_tls(answers: &[(&str, Answer)], pki: &Pki) -> Result<Self, Failure> {
        let pem = |file: &str| {
            let path = pki.path(file);
            move |source| Failure::Pem { path, source }
        };
        let chain = CertificateDer::pem_file_iter(pki.path("server.pem")).and_then(Iterator::collect);
        let key = PrivateKeyDer::from_pem_file(pki.path("server.key")).map_err(pem("server.key"))?;
        let tls = server_config()?.with_single_cert(chain.map_err(pem("server.pem"))?, key)?;
        Self::start_with(answers, Some(Arc::new(tls)))
    }

    fn start_with(answers: &[(&str, Answer)], tls: Option<Arc<ServerConfig>>) -> Result<Self, Failure> {
        let shared = Arc::new(Shared {
            answers: answers.iter().map(|(path, answer)| ((*path).to_owned(), answer.clone())).collect(),
            tls,
            requests: Mutex::default(),
            sent: AtomicU64::new(0),
        });
        let served = shared.clone();
        Ok(Self { server: Loopback::start(move |stream| served.meet(stream))?, shared })
    }

    /// The address of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.shared.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.server.address())
    }

    /// The request targets so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Bytes sent so far, to all clients.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn meet(&self, stream: TcpStream) -> io::Result<()> {
        match &self.tls {
            None => self.answer(stream),
            Some(tls) => {
                let connection = ServerConnection::new(tls.clone()).map_err(io::Error::other)?;
                self.answer(StreamOwned::new(connection, stream))
            }
        }
    }

    fn answer(&self, stream: impl Read + Write) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
        while stream.read_line(&mut line)? > 2 {}
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(target.clone());
        let path = target.split('?').next().unwrap_or_default();
        let known = self.answers.iter().find(|(of, _)| of == path).map(|(_, answer)| answer.clone());
        let answer = known.unwrap_or_else(|| Answer::status("404 Not Found"));
        self.send(stream.get_mut(), &answer.bytes)?;
        match answer.then {
            Then::Close => Ok(()),
            Then::Hold => stream.read(&mut [0]).map(|_| ()),
            Then::Repeat => {
                let piece = vec![answer.bytes.last().copied().unwrap_or_default(); 1 << 16];
                loop {
                    self.send(stream.get_mut(), &piece)?;
                }
            }
        }
    }

    fn send(&self, stream: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
        stream.write_all(bytes)?;
        stream.flush()?;
        self.sent.fetch_add(bytes.len().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(())
    }
}
