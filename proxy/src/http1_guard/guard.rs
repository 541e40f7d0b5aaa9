//! What the reader of a connection's heads and the service that answers them tell each other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::refusal::Refusal;

/// The refusal of a connection's head, shared between the reading side and the service.
#[derive(Clone, Default)]
pub struct Guard(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    quiet: AtomicBool,
}

#[derive(Default)]
pub(super) struct State {
    /// What became of the request after whose head reading waits.
    decided: Option<bool>,
    undecided: bool,
    waiting: Option<Waker>,
    /// Heads that the reader let pass and the service has not yet seen.
    pub(super) passed: usize,
    refused: Option<Refusal>,
}

impl Guard {
    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether no head and no body is half read, and all that was written is on its way to the client.
    pub fn is_quiet(&self) -> bool {
        self.0.quiet.load(Ordering::Relaxed)
    }

    pub(super) fn set_quiet(&self, quiet: bool) {
        self.0.quiet.store(quiet, Ordering::Relaxed);
    }

    pub(super) fn pass(&self, undecided: bool) {
        let mut state = self.lock();
        state.passed += 1;
        state.undecided = undecided;
    }

    pub(super) fn refuse(&self, refusal: Refusal) {
        self.lock().refused = Some(refusal);
    }

    /// Says whether the request that asked for another protocol got it. Until then nothing behind its head is read: it may
    /// be the next request, or no HTTP at all.
    pub fn decide(&self, switched: bool) {
        let mut state = self.lock();
        if !std::mem::take(&mut state.undecided) {
            return;
        }
        state.decided = Some(switched);
        if let Some(waiting) = state.waiting.take() {
            waiting.wake();
        }
    }

    pub(super) fn poll_decided(&self, context: &mut Context<'_>) -> Poll<bool> {
        let mut state = self.lock();
        if let Some(switched) = state.decided.take() {
            return Poll::Ready(switched);
        }
        state.waiting = Some(context.waker().clone());
        Poll::Pending
    }

    /// Called once for each request that the parser hands over: the refusal, if this one stands for a refused head.
    pub fn take_refusal(&self) -> Option<Refusal> {
        let mut state = self.lock();
        match state.passed.checked_sub(1) {
            Some(left) => {
                state.passed = left;
                None
            }
            None => state.refused.take(),
        }
    }
}
