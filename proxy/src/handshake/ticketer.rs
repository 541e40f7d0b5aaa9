//! Session tickets as rustls asks for them. Who gets one, and who may use it, is for [`Tickets`] to say.

use std::time::Duration;

use rustls::server::ProducesTickets;
use rustls_pki_types::UnixTime;

use super::{FINDINGS, Verdict};
use crate::trust::{Declined, Resumable, Tickets, VerifiedPath};

/// A ClientHello may offer hundreds of tickets, each of which costs a decryption. Clients have one or two.
const MOST_OFFERED: usize = 4;

/// What became of the tickets of one handshake.
#[derive(Default)]
pub(super) struct Offered {
    /// How many were looked at.
    count: usize,
    /// The last one. If the handshake resumed a session, it is this one's: rustls takes the first ticket that it can use.
    pub(super) last: Option<Result<Resumable, Declined>>,
    /// How long the ticket is good that was made last.
    good_for: Duration,
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    /// RFC 8446 §4.6.1: of the ticket that was made last, which is asked for right after it.
    fn lifetime(&self) -> u32 {
        let good_for = FINDINGS.try_with(|findings| {
            let offered = findings.tickets.take();
            let good_for = offered.good_for;
            findings.tickets.set(offered);
            good_for
        });
        good_for.ok().and_then(|time| u32::try_from(time.as_secs()).ok()).unwrap_or(0)
    }

    fn encrypt(&self, state: &[u8]) -> Option<Vec<u8>> {
        // Outside of `handshake` nobody knows whose session it is.
        let sealed = FINDINGS.try_with(|findings| {
            let (verdict, mut offered) = (findings.verdict.take(), findings.tickets.take());
            let sealed = whose(verdict.as_ref(), &offered)
                .and_then(|(path, proven_at)| self.seal(path, proven_at, state));
            if let Some((_, good_for)) = &sealed {
                offered.good_for = *good_for;
            }
            findings.verdict.set(verdict);
            findings.tickets.set(offered);
            sealed
        });
        sealed.ok().flatten().map(|(ticket, _)| ticket)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let opened = FINDINGS.try_with(|findings| {
            let mut offered = findings.tickets.take();
            let opened = (offered.count < MOST_OFFERED).then(|| self.open(ticket));
            offered.count += 1;
            let state = opened.and_then(|opened| {
                let (last, state) = match opened {
                    Ok((resumable, state)) => (Ok(resumable), Some(state)),
                    Err(declined) => (Err(declined), None),
                };
                offered.last = Some(last);
                state
            });
            findings.tickets.set(offered);
            state
        });
        opened.ok().flatten()
    }
}

/// Whose session it is that a ticket is made of, and when that was proven, if not now. `None` for nobody's.
///
/// A ticket that was opened and not used must not lend its client to another one's session. `Tickets::seal` sees to that: the
/// client's certificates have to be in the state that rustls made of *this* session.
fn whose<'a>(
    verdict: Option<&'a Verdict>,
    offered: &'a Offered,
) -> Option<(Option<&'a VerifiedPath>, Option<UnixTime>)> {
    match (verdict, &offered.last) {
        (Some(Verdict { result: Ok((path, _)), .. }), _) => Some((Some(path), None)),
        (Some(Verdict { result: Err(_), .. }), _) => None,
        (None, Some(Ok(Resumable { client, proven_at }))) => {
            Some((client.as_ref().map(|(path, _)| path), Some(*proven_at)))
        }
        (None, Some(Err(_)) | None) => Some((None, None)),
    }
}
