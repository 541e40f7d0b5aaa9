//! Session tickets of one server: what is written into them, and who may resume with one.
//!
//! A resumed handshake asks nothing of the client but that it knows the session's secret. So a ticket also says which path the
//! client proved, and when, and it is good only as long as a full handshake with that path would be.
//!
//! ```text
//! time of the full handshake (8) | length of the path's memory, 0 of an anonymous client (2) | that memory | the TLS library's state
//! ```

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::UnixTime;

use super::bundle::TrustBundle;
use super::path::{Standing, VerifiedPath};
use super::revocation::Revocations;
use super::ticket_keys::TicketKeys;
use crate::clock::Clock;

/// A client with so many certificates shakes hands in full: a ticket travels in a ClientHello, which not every client sends in parts.
const MOST_BYTES: usize = 12_288;

/// What the tickets of one server are made and judged with, while these parts are in force.
#[derive(Debug)]
pub struct Tickets {
    /// The keys.
    pub(super) keys: Arc<TicketKeys>,
    /// The server's label, which its tickets are bound to.
    pub(super) server: String,
    /// The trust anchors of its clients.
    pub(super) bundle: Option<Arc<TrustBundle>>,
    /// Whether a client may come without a certificate.
    pub(super) anonymous: bool,
    /// The CRLs.
    pub(super) revocations: Arc<Revocations>,
    /// How long after its full handshake a session may be resumed.
    pub(super) lifetime: Duration,
    /// The time of day.
    pub(super) clock: Clock,
}

/// A session of a client that is still good.
#[derive(Debug)]
pub struct Resumable {
    /// Its verified path; `None` if the client is anonymous.
    pub client: Option<(VerifiedPath, Standing)>,
    /// When it last proved to have its key: the time of the full handshake.
    pub proven_at: UnixTime,
}

/// Why a ticket is not taken. A full handshake follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declined {
    /// No key of ours sealed it for this server.
    Unreadable,
    /// Its full handshake was too long ago.
    TooOld,
    /// The client is revoked or expired, its trust anchor is gone, or there is no CRL to say that it is good.
    NotGood,
}

impl Tickets {
    /// A ticket for the client of `path`, anonymous if there is none, whose session is `state`, and how long it will be good.
    /// `None` if it gets none.
    pub fn seal(
        &self,
        path: Option<&VerifiedPath>,
        proven_at: Option<UnixTime>,
        state: &[u8],
    ) -> Option<(Vec<u8>, Duration)> {
        let now = self.clock.now();
        let proven_at = proven_at.unwrap_or(now);
        let memory = match path {
            Some(path) => path.write(self.bundle.as_ref()?, state)?,
            None => Vec::new(),
        };
        let until = proven_at.as_secs().saturating_add(self.lifetime.as_secs());
        let until = path.map_or(until, |path| path.not_after().as_secs().min(until));
        let left = Duration::from_secs(until.checked_sub(now.as_secs()).filter(|left| *left > 0)?);
        let length = u16::try_from(memory.len()).ok()?.to_be_bytes();
        let content = [&proven_at.as_secs().to_be_bytes(), length.as_slice(), &memory, state].concat();
        let content = Some(content).filter(|content| content.len() <= MOST_BYTES)?;
        Some((self.keys.seal(&self.server, content, now)?, left))
    }

    /// The session in `ticket` and the TLS library's state of it, if its client is good now.
    ///
    /// # Errors
    ///
    /// Why it is not taken.
    pub fn open(&self, ticket: &[u8]) -> Result<(Resumable, Vec<u8>), Declined> {
        let opened = self.keys.open(&self.server, ticket).ok_or(Declined::Unreadable)?;
        let (proven_at, rest) = opened.content().split_first_chunk().ok_or(Declined::Unreadable)?;
        let (length, rest) = rest.split_first_chunk().ok_or(Declined::Unreadable)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (memory, state) = rest.split_at_checked(length).ok_or(Declined::Unreadable)?;

        let now = self.clock.now();
        let proven_at = UnixTime::since_unix_epoch(Duration::from_secs(u64::from_be_bytes(*proven_at)));
        if now.as_secs().saturating_sub(proven_at.as_secs()) >= self.lifetime.as_secs() {
            return Err(Declined::TooOld);
        }
        let client = match &self.bundle {
            // What a server is for may change while its tickets are about.
            _ if memory.is_empty() && !self.anonymous => return Err(Declined::NotGood),
            _ if memory.is_empty() => None,
            None => return Err(Declined::NotGood),
            Some(bundle) => {
                let read = VerifiedPath::read(memory, state, bundle, &self.revocations, now);
                Some(read.ok_or(Declined::Unreadable)?.map_err(|_refusal| Declined::NotGood)?)
            }
        };
        Ok((Resumable { client, proven_at }, state.to_vec()))
    }
}
