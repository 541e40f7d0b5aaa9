//! One new connection, to whichever address answers first: a dead address does not eat the time of the others.
//! RFC 8305 (Happy Eyeballs), with TLS inside the race, because some addresses accept and then say nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::connector::{Connection, Connector};
use super::endpoints::EndpointId;
use crate::refusal::Refusal;

/// How a race ended.
pub(super) struct Raced {
    /// The winner, or why there is none.
    pub(super) result: Result<(EndpointId, Connection), Refusal>,
    /// Those that refused, or had not answered when the next one was let in.
    pub(super) failed: Vec<EndpointId>,
}

/// Tries `candidates` in their order, each `delay` after the one before it or as soon as that has failed, for `limit` in all.
pub(super) async fn race(
    connector: &Arc<Connector>,
    candidates: Vec<(EndpointId, SocketAddr)>,
    delay: Duration,
    limit: Duration,
) -> Raced {
    let end = Instant::now() + limit;
    let mut left = candidates.into_iter().peekable();
    let mut running: JoinSet<(EndpointId, Result<Connection, Refusal>)> = JoinSet::new();
    let mut late = Vec::new();
    let mut failed = Vec::new();
    let mut why = Refusal::UpstreamUnreachable { detail: "it has no addresses".to_owned() };
    loop {
        let mut next = end;
        if let Some((id, address)) = left.next() {
            let connector = connector.clone();
            running.spawn(async move { (id, connector.connect(address).await) });
            late.push(id);
            if left.peek().is_some() {
                next = end.min(Instant::now() + delay);
            }
        }
        // The one that was just let in is not late yet.
        let newest = late.len().saturating_sub(1);
        let ended = tokio::select! {
            ended = running.join_next() => ended,
            () = sleep_until(next) => {
                if next == end {
                    failed.append(&mut late);
                    return Raced { result: Err(Refusal::UpstreamTimeout { after: limit }), failed };
                }
                continue;
            }
        };
        match ended {
            Some(Ok((id, Ok(connection)))) => {
                failed.extend(late.iter().take(newest).copied().filter(|late| *late != id));
                return Raced { result: Ok((id, connection)), failed };
            }
            Some(Ok((id, Err(refusal)))) => {
                late.retain(|late| *late != id);
                failed.push(id);
                why = refusal;
            }
            Some(Err(panicked)) => why = Refusal::UpstreamUnreachable { detail: panicked.to_string() },
            None => return Raced { result: Err(why), failed },
        }
        if running.is_empty() && left.peek().is_none() {
            return Raced { result: Err(why), failed };
        }
    }
}
