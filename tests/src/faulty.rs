//! A way to S3 that can be bad: an HTTP proxy in front of it that does as it is told.

use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::Failure;
use crate::http_head::Head;
use crate::s3::S3;
use crate::wait::PATIENCE;

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing bad.
    None,
    /// The connection is closed at once.
    Down,
    /// Nothing is said until the client gives up.
    Silent,
    /// The server has an error.
    Status500,
    /// This, of which the last quarter is missing.
    Truncated(Vec<u8>),
    /// This, with another ETag each time, whatever the client has.
    NewEtags(Vec<u8>),
    /// This, with an ETag of its own, instead of what is there.
    Instead(Vec<u8>),
    /// This, with the ETag of what is there.
    WrongEtag(Vec<u8>),
}

/// The proxy. Dropping it ends it.
pub struct Faulty {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: String,
    fault: Mutex<Fault>,
    requests: AtomicU64,
    stopped: AtomicBool,
}

impl Faulty {
    /// Starts one in front of `s3`.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub fn start(s3: &S3) -> Result<Self, Failure> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream: s3.address().to_owned(),
            fault: Mutex::new(Fault::None),
            requests: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        });
        let of_server = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if of_server.stopped.load(Ordering::Relaxed) {
                    break;
                }
                let shared = of_server.clone();
                // A client that goes away is its own affair.
                std::thread::spawn(move || stream.and_then(|stream| shared.answer(stream)));
            }
        });
        Ok(Self { address, shared })
    }

    /// What becomes of requests from now on.
    pub fn set(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// How many requests there were.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// What a program needs in its environment to go this way to `s3`.
    #[must_use]
    pub fn environment(&self, s3: &S3) -> Vec<(&'static str, String)> {
        s3.environment_by(&format!("http://{}", self.address))
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes it up, so that it sees.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    /// One request for each connection.
    fn answer(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_read_timeout(Some(PATIENCE))?;
        let Some(head) = Head::read(&mut BufReader::new(client.try_clone()?))? else { return Ok(()) };
        let count = self.requests.fetch_add(1, Ordering::Relaxed);
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match fault {
            Fault::None => client.write_all(&self.ask(&head)?),
            Fault::Down => Ok(()),
            Fault::Silent => client.read(&mut [0]).map(drop),
            Fault::Status500 => {
                let answer =
                    "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                client.write_all(answer.as_bytes())
            }
            Fault::Truncated(body) => send(&mut client, &body, body.len() / 4, &tag(&body, count)),
            Fault::NewEtags(body) => send(&mut client, &body, 0, &tag(&body, count)),
            Fault::Instead(body) => send(&mut client, &body, 0, &tag(&body, 0)),
            Fault::WrongEtag(body) => {
                let answer = self.ask(&head)?;
                let right = Head::read(&mut answer.as_slice())?.and_then(|head| head.header("etag"));
                match right.filter(|_| answer.starts_with(b"HTTP/1.1 200")) {
                    Some(tag) => send(&mut client, &body, 0, &tag),
                    None => client.write_all(&answer),
                }
            }
        }
    }

    /// The whole answer of the server behind.
    fn ask(&self, head: &Head) -> io::Result<Vec<u8>> {
        let mut server = TcpStream::connect(&self.upstream)?;
        server.set_read_timeout(Some(PATIENCE))?;
        server.write_all((head.lines.join("\r\n") + "\r\nConnection: close\r\n\r\n").as_bytes())?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer)?;
        Ok(answer)
    }
}

/// An ETag that S3 does not give.
fn tag(body: &[u8], count: u64) -> String {
    format!("\"{}-{count}\"", body.len())
}

/// Sends all of `body` but `missing` bytes.
fn send(client: &mut TcpStream, body: &[u8], missing: usize, tag: &str) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nETag: {tag}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    client.write_all(head.as_bytes())?;
    client.write_all(body.get(..body.len() - missing).unwrap_or_default())
}
