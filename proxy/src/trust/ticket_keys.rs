//! The keys that session tickets are sealed with: a process's own, which it replaces as time goes by, or a fleet's, which a file or a secret has.
//!
//! A ticket is `id (16) | salt (32) | AES-256-GCM`. Each has a key of its own, which HKDF makes of the ticket key, the salt and the
//! server, so that the nonce may be constant however many tickets a fleet seals.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::UnixTime;

use crate::config::{Invalid, Source, Tickets};
use crate::sources::Sources;

/// Of a key as it is given.
const LEAST_BYTES: usize = 32;
const MOST_BYTES: usize = 64;
/// Each rotation has two at a time.
const MOST_KEYS: usize = 16;
const ID: usize = 16;
const SALT: usize = 32;
/// Each key seals one ticket.
const NONCE: [u8; 12] = [0; 12];

/// Says what the keys are for. To be changed with the layout of tickets: those of another version then cannot be opened.
const PURPOSE: &[u8] = b"postern session tickets 1";

/// What tickets are sealed and opened with.
pub(super) struct TicketKeys {
    ring: ArcSwap<Ring>,
    /// How long a key of our own seals; a fleet's are replaced where they come from.
    period: Option<u64>,
}

/// The keys at one moment: the first one seals, all open.
struct Ring {
    keys: Vec<Key>,
    /// When the first key has sealed long enough.
    until: u64,
}

#[derive(Clone)]
struct Key {
    /// Written on each ticket.
    id: [u8; ID],
    secret: Prk,
}

/// What was in a ticket that one of our keys sealed for this server. Only [`TicketKeys::open`] makes one.
pub(super) struct Opened(Vec<u8>);

impl TicketKeys {
    /// The fleet's keys, or else our own: those of `last`, if they are the same.
    pub(super) fn load(
        config: &Tickets,
        sources: &Sources,
        last: Option<&Arc<Self>>,
        now: UnixTime,
    ) -> Result<Arc<Self>, Invalid> {
        let Some(source) = &config.keys else { return Self::own(config.lifetime, last, now) };
        let ring = Ring::read(source, sources)?;
        // The same keys stay the same object: nothing has changed then.
        let same = last.filter(|last| last.ring.load().is_same(&ring)).cloned();
        Ok(same.unwrap_or_else(|| Arc::new(Self::of_fleet(ring))))
    }

    fn own(lifetime: Duration, last: Option<&Arc<Self>>, now: UnixTime) -> Result<Arc<Self>, Invalid> {
        if let Some(last) = last {
            return Ok(last.clone());
        }
        let period = lifetime.as_secs();
        let key = Key::random().ok_or_else(|| {
            Invalid::new("tickets.enabled", "there are no random numbers", "see what the system says")
        })?;
        let ring = Ring { keys: vec![key], until: now.as_secs().saturating_add(period) };
        Ok(Arc::new(Self { ring: ArcSwap::from_pointee(ring), period: Some(period) }))
    }

    fn of_fleet(ring: Ring) -> Self {
        Self { ring: ArcSwap::from_pointee(ring), period: None }
    }

    /// A ticket of `server` that holds `content`. `None` without random numbers.
    pub(super) fn seal(&self, server: &str, mut content: Vec<u8>, now: UnixTime) -> Option<Vec<u8>> {
        self.replace_old(now);
        let ring = self.ring.load();
        let key = ring.keys.first()?;
        let mut ticket = [0; ID + SALT];
        let (id, salt) = ticket.split_at_mut(ID);
        id.copy_from_slice(&key.id);
        rand::fill(salt).ok()?;
        let sealing = key.of_ticket(server, salt)?;
        let nonce = Nonce::assume_unique_for_key(NONCE);
        sealing.seal_in_place_append_tag(nonce, Aad::from(ticket), &mut content).ok()?;
        Some([ticket.as_slice(), &content].concat())
    }

    /// What is in `ticket`; `None` if none of our keys sealed it for `server`, or not like that.
    pub(super) fn open(&self, server: &str, ticket: &[u8]) -> Option<Opened> {
        let (head, sealed) = ticket.split_first_chunk::<{ ID + SALT }>()?;
        let (id, salt) = head.split_first_chunk::<ID>()?;
        let ring = self.ring.load();
        let key = ring.keys.iter().find(|key| key.id == *id)?;
        let mut content = sealed.to_vec();
        let opening = key.of_ticket(server, salt)?;
        let nonce = Nonce::assume_unique_for_key(NONCE);
        let length = opening.open_in_place(nonce, Aad::from(*head), &mut content).ok()?.len();
        content.truncate(length);
        Some(Opened(content))
    }

    /// Puts a new key of our own in the place of one that has sealed for long enough. The key before it goes: what that sealed
    /// is past its time.
    fn replace_old(&self, now: UnixTime) {
        let (Some(period), ring) = (self.period, self.ring.load()) else { return };
        if now.as_secs() < ring.until {
            return;
        }
        // Without random numbers nothing is sealed, either.
        let Some(key) = Key::random() else { return };
        let keys = [key].into_iter().chain(ring.keys.first().cloned()).collect();
        let next = Ring { keys, until: now.as_secs().saturating_add(period) };
        // Another worker may have been quicker: then its key it is.
        self.ring.compare_and_swap(&*ring, Arc::new(next));
    }
}

impl fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ticket keys", self.ring.load().keys.len())
    }
}

impl Opened {
    pub(super) fn content(&self) -> &[u8] {
        &self.0
    }
}

impl Ring {
    fn is_same(&self, other: &Self) -> bool {
        self.keys.iter().map(|key| key.id).eq(other.keys.iter().map(|key| key.id))
    }

    fn read(source: &Source, sources: &Sources) -> Result<Self, Invalid> {
        let (_, content) = sources.read(source)?;
        // What is no text is no base64, either.
        Self::parse(source, &String::from_utf8_lossy(&content))
    }

    /// Each line is a key in base64; empty lines and those that begin with `#` are nothing.
    fn parse(source: &Source, text: &str) -> Result<Self, Invalid> {
        let invalid = |problem: String, hint: &str| {
            Invalid::new(&source.key, format!("{}: {problem}", source.place), hint)
        };
        let mut keys: Vec<Key> = Vec::new();
        // The lines themselves are never shown.
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let hint = "write each key on a line of its own, as `openssl rand -base64 32` does";
            let secret = STANDARD
                .decode(line)
                .map_err(|_detail_that_quotes| invalid(format!("line {number}: not base64"), hint))?;
            if !(LEAST_BYTES..=MOST_BYTES).contains(&secret.len()) {
                let problem =
                    format!("line {number}: {} bytes, not {LEAST_BYTES} to {MOST_BYTES}", secret.len());
                return Err(invalid(problem, hint));
            }
            let key = Key::new(&secret)
                .ok_or_else(|| invalid(format!("line {number}: cannot be used"), "report this as a bug"))?;
            if keys.iter().any(|other| other.id == key.id) {
                return Err(invalid(format!("line {number}: the same key again"), "remove one of the two"));
            }
            keys.push(key);
        }
        match keys.len() {
            0 => Err(invalid("holds no key".to_owned(), "make one with `openssl rand -base64 32`")),
            1..=MOST_KEYS => Ok(Self { keys, until: u64::MAX }),
            many => {
                let problem = format!("{many} keys, where {MOST_KEYS} are the most");
                Err(invalid(problem, "remove keys whose tickets are past tickets.lifetime_seconds"))
            }
        }
    }
}

/// As long as HKDF is asked for.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl Key {
    fn random() -> Option<Self> {
        let mut secret = [0; LEAST_BYTES];
        rand::fill(&mut secret).ok()?;
        Self::new(&secret)
    }

    fn new(secret: &[u8]) -> Option<Self> {
        let secret = Salt::new(HKDF_SHA256, PURPOSE).extract(secret);
        let mut id = [0; ID];
        secret.expand(&[b"id"], Length(ID)).ok()?.fill(&mut id).ok()?;
        Some(Self { id, secret })
    }

    /// The key of one ticket. It is another one for another server.
    fn of_ticket(&self, server: &str, salt: &[u8]) -> Option<LessSafeKey> {
        let info = [b"ticket", salt, server.as_bytes()];
        let key = self.secret.expand(&info, &AES_256_GCM).ok()?;
        Some(LessSafeKey::new(UnboundKey::from(key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: u64 = 100;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    fn own(last: Option<&Arc<TicketKeys>>, now: u64) -> Arc<TicketKeys> {
        TicketKeys::own(Duration::from_secs(LIFETIME), last, at(now)).unwrap()
    }

    fn read(text: &str) -> Result<TicketKeys, Invalid> {
        let place = crate::config::Place::File("keys".into());
        Ring::parse(&Source { key: "tickets.keys".to_owned(), place }, text).map(TicketKeys::of_fleet)
    }

    fn key(byte: u8) -> String {
        STANDARD.encode([byte; 32])
    }

    fn seal(keys: &TicketKeys, now: u64) -> Vec<u8> {
        keys.seal("default", b"who it was".to_vec(), at(now)).unwrap()
    }

    fn opens(keys: &TicketKeys, ticket: &[u8]) -> bool {
        keys.open("default", ticket).is_some_and(|opened| opened.content() == b"who it was")
    }

    #[test]
    fn only_the_whole_ticket_of_that_server_and_key_opens() {
        let keys = read(&key(1)).unwrap();
        let ticket = seal(&keys, 0);
        assert!(opens(&keys, &ticket));
        assert!(keys.open("api.example.com", &ticket).is_none(), "another server");
        assert!(!opens(&read(&key(2)).unwrap(), &ticket), "another key");
        assert_ne!(seal(&keys, 0), ticket, "a salt of its own");
        for at in 0..ticket.len() {
            let mut forged = ticket.clone();
            forged[at] ^= 1;
            assert!(!opens(&keys, &forged), "byte {at}");
            assert!(!opens(&keys, &ticket[..at]), "cut at {at}");
        }
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let before = read(&key(1)).unwrap();
        let both = read(&format!("# new\n{}\n\n  {}\r\n", key(2), key(1))).unwrap();
        let after = read(&key(2)).unwrap();
        assert!(opens(&both, &seal(&before, 0)));
        assert!(opens(&after, &seal(&both, 0)));
        assert!(!opens(&before, &seal(&both, 0)));
    }

    #[test]
    fn our_own_keys_outlive_their_tickets_and_no_more() {
        let keys = own(None, 0);
        let first = seal(&keys, LIFETIME - 1);
        let second = seal(&keys, LIFETIME);
        assert_ne!(first[..ID], second[..ID], "a new key");
        assert!(opens(&keys, &first) && opens(&keys, &second));
        seal(&keys, 2 * LIFETIME);
        assert!(!opens(&keys, &first), "its key is gone");
        assert!(opens(&keys, &second));
    }

    #[test]
    fn a_reload_keeps_our_own_keys() {
        let keys = own(None, 0);
        let ticket = seal(&keys, 0);
        let again = own(Some(&keys), 1);
        assert!(opens(&again, &ticket));
    }

    #[test]
    fn a_bad_file_is_refused_without_showing_it() {
        let good = key(7);
        let many: String = (0..=MOST_KEYS).map(|n| key(u8::try_from(n).unwrap()) + "\n").collect();
        let short = STANDARD.encode([9; 31]);
        for (text, problem) in [
            ("", "holds no key"),
            ("# nothing\n\n", "holds no key"),
            ("secret!", "line 1: not base64"),
            (&format!("{good}\n{short}"), "line 2: 31 bytes"),
            (&STANDARD.encode([9; 65]), "line 1: 65 bytes"),
            (&format!("{good}\n{good}"), "line 2: the same key again"),
            (&many, "17 keys"),
        ] {
            let invalid = read(text).unwrap_err();
            assert!(invalid.problem.contains(problem), "{invalid:?}");
            assert!(!format!("{invalid:?}").contains(text.trim()) || text.trim().is_empty(), "{invalid:?}");
        }
        assert!(!format!("{:?}", read(&good).unwrap()).contains("07"));
    }
}
