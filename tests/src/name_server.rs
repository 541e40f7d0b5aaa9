//! A name server on loopback that says what a test tells it to.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Failure;

/// How long an answer is good for.
const TTL_SECONDS: u32 = 1;

const A: [u8; 2] = [0, 1];
const SERVER_FAILURE: u8 = 2;
const NO_SUCH_NAME: u8 = 3;

/// Answers until the test's process ends.
pub struct NameServer {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
}

#[derive(Default)]
struct Zone {
    names: BTreeMap<String, Vec<Ipv4Addr>>,
    broken: bool,
}

impl NameServer {
    /// Starts one that knows no name.
    ///
    /// # Errors
    ///
    /// When no port is free.
    pub fn start() -> Result<Self, Failure> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let server = Self { address: socket.local_addr()?, zone: Arc::default() };
        let zone = server.zone.clone();
        std::thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut question) {
                let answer = question.get(..length).and_then(|question| answer(question, &lock(&zone)));
                // Whoever asks asks again.
                let _ = socket.send_to(&answer.unwrap_or_default(), client);
            }
        });
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, `name` has these addresses.
    pub fn set(&self, name: &str, addresses: &[Ipv4Addr]) {
        lock(&self.zone).names.insert(name.to_owned(), addresses.to_owned());
    }

    /// From now on, every question ends in SERVFAIL.
    pub fn fail(&self) {
        lock(&self.zone).broken = true;
    }
}

fn lock(zone: &Mutex<Zone>) -> MutexGuard<'_, Zone> {
    zone.lock().unwrap_or_else(PoisonError::into_inner)
}

/// RFC 1035 §4.1: header, the question again, and the answers, whose name is a pointer to the question's.
fn answer(message: &[u8], zone: &Zone) -> Option<Vec<u8>> {
    let (id, rest) = (message.get(..2)?, message.get(12..)?);
    let mut labels = Vec::new();
    let mut at = 0;
    while let length @ 1.. = usize::from(*rest.get(at)?) {
        labels.push(String::from_utf8_lossy(rest.get(at + 1..at + 1 + length)?).to_lowercase());
        at += 1 + length;
    }
    let (question, kind) = (rest.get(..at + 5)?, rest.get(at + 1..at + 3)?);
    let known = zone.names.get(&labels.join("."));
    let addresses = known.filter(|_| kind == A && !zone.broken).map(Vec::as_slice).unwrap_or_default();
    let code = match known {
        _ if zone.broken => SERVER_FAILURE,
        None => NO_SUCH_NAME,
        Some(_) => 0,
    };
    let count = u8::try_from(addresses.len()).ok()?;
    let mut answer = [id, &[0x85, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0], question].concat();
    for address in addresses {
        answer.extend([0xc0, 12, 0, 1, 0, 1]);
        answer.extend(TTL_SECONDS.to_be_bytes());
        answer.extend([0, 4]);
        answer.extend(address.octets());
    }
    Some(answer)
}
