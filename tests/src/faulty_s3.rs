//! A way to S3 on which requests fail, or stop where a test wants them to.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Failure;
use crate::http_head::Head;
use crate::wait::{PATIENCE, until};

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is answered with this status and this code of S3's, and S3 never sees it.
    Answer(&'static str, &'static str),
    /// It waits for as long as the client does, and S3 never sees it.
    Hold,
    /// S3 does it, and its answer does not come for as long as the client waits.
    HoldAnswer,
}

/// The way. Dropping it closes it.
pub struct FaultyS3 {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: String,
    rules: Mutex<Vec<Rule>>,
    /// Requests with a fault that is still to happen.
    pending: AtomicU32,
    stopped: AtomicBool,
}

/// The next `times` requests of `method` whose key ends with `suffix` have a fault.
struct Rule {
    method: &'static str,
    suffix: String,
    fault: Fault,
    times: u32,
}

impl FaultyS3 {
    /// Opens a way to the server at `upstream` (host and port).
    ///
    /// # Errors
    ///
    /// When there is no free port.
    pub fn start(upstream: &str) -> Result<Self, Failure> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let upstream = upstream.to_owned();
        let shared = Shared {
            upstream,
            rules: Mutex::default(),
            pending: AtomicU32::new(0),
            stopped: AtomicBool::new(false),
        };
        let shared = Arc::new(shared);
        let served = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if served.stopped.load(Ordering::Relaxed) {
                    break;
                }
                let shared = served.clone();
                std::thread::spawn(move || stream.and_then(|stream| shared.relay(stream)));
            }
        });
        Ok(Self { address, shared })
    }

    /// Its address, for clients.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets the next `times` requests of `method` whose key ends with `suffix` fail.
    pub fn fail(&self, method: &'static str, suffix: &str, fault: Fault, times: u32) {
        self.shared.rules().push(Rule { method, suffix: suffix.to_owned(), fault, times });
    }

    /// Waits until every fault that was ordered has happened.
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
}

impl Drop for FaultyS3 {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes the server up, so that it sees.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn rules(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self, head: &Head) -> Option<Fault> {
        let key = head.target.split('?').next().unwrap_or_default();
        let mut rules = self.rules();
        let applies =
            |rule: &&mut Rule| rule.times > 0 && rule.method == head.method && key.ends_with(&rule.suffix);
        let rule = rules.iter_mut().find(applies)?;
        rule.times -= 1;
        self.pending.fetch_add(u32::from(rule.fault == Fault::HoldAnswer), Ordering::SeqCst);
        Some(rule.fault)
    }

    /// One request a connection, so that each can be told apart.
    fn relay(&self, client: TcpStream) -> io::Result<()> {
        client.set_read_timeout(Some(PATIENCE))?;
        let mut reader = BufReader::new(client.try_clone()?);
        let Some(head) = Head::read(&mut reader)? else { return Ok(()) };
        let fault = self.fault(&head);
        match fault {
            Some(Fault::Answer(status, code)) => return answer(client, &head, status, code),
            Some(Fault::Hold) => return drain(&mut reader),
            Some(Fault::HoldAnswer) | None => {}
        }
        let mut server = TcpStream::connect(&self.upstream)?;
        let lines = head.lines.iter().filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
        let lines: String = lines.flat_map(|line| [line, "\r\n"]).collect();
        server.write_all(format!("{lines}Connection: close\r\n\r\n").as_bytes())?;
        let mut to_server = server.try_clone()?;
        std::thread::spawn(move || io::copy(&mut reader, &mut to_server));
        if fault == Some(Fault::HoldAnswer) {
            // The whole answer, so that S3 has certainly done it.
            io::copy(&mut server, &mut io::sink())?;
            self.pending.fetch_sub(1, Ordering::SeqCst);
            return drain(&mut &client);
        }
        io::copy(&mut server, &mut &client)?;
        client.shutdown(Shutdown::Both)
    }
}

fn answer(mut client: TcpStream, head: &Head, status: &str, code: &str) -> io::Result<()> {
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
