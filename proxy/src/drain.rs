//! How the process stops. The only states are: serving, draining (finish and say so), and over.
//!
//! ```text
//! SIGTERM ─ readiness fails ─ accept_ms: new connections still served ─ listeners close ─ last connection ends ─ exit 0
//!             └ open connections: GOAWAY / Connection: close                         └ deadline_ms: the rest is cut
//! ```
//!
//! An idle HTTP/1.1 connection has no response to be told in: it is closed after `limits.last_request_ms`, and a request that
//! comes before that is answered.

use tokio::sync::watch;

/// Where the process is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Not on its way.
    Serving,
    /// New connections are served, and told to close.
    Draining,
    /// No new connections.
    Closed,
    /// What is left is cut.
    Cut,
}

/// Tells everybody. The sender is the application.
#[derive(Debug)]
pub struct Drain {
    phase: watch::Sender<Phase>,
}

impl Default for Drain {
    fn default() -> Self {
        Self { phase: watch::channel(Phase::Serving).0 }
    }
}

impl Drain {
    /// Moves on to `phase`; never back.
    pub fn advance(&self, phase: Phase) {
        self.phase.send_if_modified(|current| {
            let later = phase > *current;
            if later {
                *current = phase;
            }
            later
        });
    }

    /// Where the process is now.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Tells of every step.
    pub fn subscribe(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }
}

/// Waits until `drain` has come to `phase`. If nobody is left to say so, it has.
pub async fn reached(drain: &mut watch::Receiver<Phase>, phase: Phase) {
    let _ = drain.wait_for(|current| *current >= phase).await;
}
