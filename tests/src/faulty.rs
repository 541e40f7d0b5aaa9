//! A way to S3 that can be bad: an HTTP proxy in front of it that does as it is told.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Failure;
use crate::http_head::Head;
use crate::loopback::Loopback;
use crate::s3::S3;
use crate::wait::until;

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing bad.
    None,
    /// The connection is closed at once.
    Down,
    /// Nothing is said until the client gives up, and S3 never sees it.
    Silent,
    /// S3 does it, and its answer does not come until the client gives up.
    HoldAnswer,
    /// It is answered with this status and this code of S3's, and S3 never sees it.
    Answer(&'static str, &'static str),
    /// This, of which the last quarter is missing.
    Truncated(Vec<u8>),
    /// This, with another ETag each time, whatever the client has.
    NewEtags(Vec<u8>),
    /// This, with an ETag of its own, instead of what is there.
    Instead(Vec<u8>),
    /// This, with the ETag of what is there.
    WrongEtag(Vec<u8>),
}

/// An error of the server.
pub const ERROR_500: Fault = Fault::Answer("500 Internal Server Error", "InternalError");

/// The proxy. Dropping it ends it.
pub struct Faulty {
    server: Loopback,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: String,
    /// Of every request that no rule is about.
    fault: Mutex<Fault>,
    rules: Mutex<Vec<Rule>>,
    /// Requests with a fault that is still to happen.
    pending: AtomicU32,
    requests: AtomicU64,
}

/// The next `times` requests of `method` whose key ends with `suffix` have a fault.
struct Rule {
    method: &'static str,
    suffix: String,
    fault: Fault,
    times: u32,
}

impl Faulty {
    /// Starts one in front of `s3`.
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub fn start(s3: &S3) -> Result<Self, Failure> {
        let shared = Arc::new(Shared {
            upstream: s3.address().to_owned(),
            fault: Mutex::new(Fault::None),
            rules: Mutex::default(),
            pending: AtomicU32::new(0),
            requests: AtomicU64::new(0),
        });
        let served = shared.clone();
        Ok(Self { server: Loopback::start(move |client| served.answer(client))?, shared })
    }

    /// What becomes of requests from now on.
    pub fn set(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// What becomes of the next `times` requests of `method` whose key ends with `suffix`.
    pub fn fail(&self, method: &'static str, suffix: &str, fault: Fault, times: u32) {
        self.shared.rules().push(Rule { method, suffix: suffix.to_owned(), fault, times });
    }

    /// Waits until every fault that [`Faulty::fail`] ordered has happened.
    ///
    /// # Errors
    ///
    /// When they do not.
    pub fn failed(&self) -> Result<(), Failure> {
        until("the faults", || {
            let taken = self.shared.rules().iter().all(|rule| rule.times == 0);
            Ok((taken && self.shared.pending.load(Ordering::SeqCst) == 0).then_some(()))
        })
    }

    /// How many requests there were.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// What a program needs in its environment to go this way to `s3`.
    #[must_use]
    pub fn environment(&self, s3: &S3) -> Vec<(&'static str, String)> {
        s3.environment_by(&format!("http://{}", self.server.address()))
    }
}

impl Shared {
    fn rules(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self, head: &Head) -> Fault {
        let key = head.target.split('?').next().unwrap_or_default();
        let mut rules = self.rules();
        let applies =
            |rule: &&mut Rule| rule.times > 0 && rule.method == head.method && key.ends_with(&rule.suffix);
        let Some(rule) = rules.iter_mut().find(applies) else {
            return self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone();
        };
        rule.times -= 1;
        self.pending.fetch_add(u32::from(rule.fault == Fault::HoldAnswer), Ordering::SeqCst);
        rule.fault.clone()
    }

    /// One request for each connection, so that each can be told apart.
    fn answer(&self, mut client: TcpStream) -> io::Result<()> {
        let mut body = BufReader::new(client.try_clone()?);
        let Some(head) = Head::read(&mut body)? else { return Ok(()) };
        let count = self.requests.fetch_add(1, Ordering::Relaxed);
        match self.fault(&head) {
            Fault::None => {
                io::copy(&mut self.ask(&head, body)?, &mut client)?;
                client.shutdown(Shutdown::Both)
            }
            Fault::Down => Ok(()),
            Fault::Silent => drain(&mut body),
            Fault::HoldAnswer => {
                // The whole answer, so that S3 has certainly done it.
                io::copy(&mut self.ask(&head, body)?, &mut io::sink())?;
                self.pending.fetch_sub(1, Ordering::SeqCst);
                drain(&mut client)
            }
            Fault::Answer(status, code) => refuse(client, &head, status, code),
            Fault::Truncated(body) => send(&mut client, &body, body.len() / 4, &tag(&body, count)),
            Fault::NewEtags(body) => send(&mut client, &body, 0, &tag(&body, count)),
            Fault::Instead(body) => send(&mut client, &body, 0, &tag(&body, 0)),
            Fault::WrongEtag(wrong) => {
                let mut answer = Vec::new();
                self.ask(&head, body)?.read_to_end(&mut answer)?;
                let right = Head::read(&mut answer.as_slice())?.and_then(|head| head.header("etag"));
                match right.filter(|_| answer.starts_with(b"HTTP/1.1 200")) {
                    Some(tag) => send(&mut client, &wrong, 0, &tag),
                    None => client.write_all(&answer),
                }
            }
        }
    }

    /// Passes a request on. What is read is the answer of the server behind.
    fn ask(&self, head: &Head, mut body: BufReader<TcpStream>) -> io::Result<TcpStream> {
        let mut server = TcpStream::connect(&self.upstream)?;
        let lines = head.lines.iter().filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
        let lines: String = lines.flat_map(|line| [line, "\r\n"]).collect();
        server.write_all(format!("{lines}Connection: close\r\n\r\n").as_bytes())?;
        let mut to_server = server.try_clone()?;
        std::thread::spawn(move || io::copy(&mut body, &mut to_server));
        Ok(server)
    }
}

fn refuse(mut client: TcpStream, head: &Head, status: &str, code: &str) -> io::Result<()> {
    let body = format!("<Error><Code>{code}</Code><Message>a fault of the test</Message></Error>");
    let body = if head.method == "HEAD" { "" } else { &body };
    let length = body.len();
    let answer = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
    client.write_all(answer.as_bytes())?;
    client.shutdown(Shutdown::Write)?;
    // Closing with unread bytes would reset the connection, and the answer with it.
    drain(&mut client)
}

fn drain(stream: &mut impl Read) -> io::Result<()> {
    io::copy(stream, &mut io::sink()).map(|_| ())
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
