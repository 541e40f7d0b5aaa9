//! A connection that is being made, and its place in the pool.

use std::sync::Arc;

use super::super::connector::Connection;
use super::super::endpoints::EndpointId;
use super::Pool;
use crate::refusal::Refusal;

/// Counted among the open connections. Dropping it frees the place: a panic must not leak it.
pub(super) struct Making {
    pub(super) pool: Arc<Pool>,
    /// Which endpoint it was begun for.
    first: EndpointId,
    over: bool,
}

impl Making {
    pub(super) fn new(pool: Arc<Pool>, first: EndpointId) -> Self {
        Self { pool, first, over: false }
    }

    pub(super) fn succeeded(mut self, endpoint: EndpointId, connection: Connection) {
        self.over = true;
        self.pool.made(self.first, endpoint, connection);
    }

    pub(super) fn failed(mut self, refusal: Refusal) {
        self.over = true;
        self.pool.not_made(self.first, refusal);
        self.pool.make_for_waiting();
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        if !self.over {
            let detail = "connecting was broken off".to_owned();
            self.pool.not_made(self.first, Refusal::UpstreamUnreachable { detail });
        }
    }
}
