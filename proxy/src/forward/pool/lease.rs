//! A connection in the hands of one request. It goes back to its pool, or its place does, whatever becomes of the request.

use std::sync::Arc;

use super::super::connector::Connection;
use super::super::endpoints::EndpointId;
use super::super::flow::{Flow, Sender};
use super::Pool;

/// Dropping it closes the connection, unless it was not used or is [given back](Lease::give_back).
pub(in super::super) struct Lease {
    pool: Arc<Pool>,
    /// There until it is dropped.
    connection: Option<Connection>,
    /// Where the connection leads.
    pub(in super::super) endpoint: EndpointId,
    /// No request was on it before this one.
    pub(in super::super) fresh: bool,
    used: bool,
    answered: bool,
}

impl Lease {
    pub(super) fn new(pool: Arc<Pool>, connection: Connection, endpoint: EndpointId, fresh: bool) -> Self {
        Self { pool, connection: Some(connection), endpoint, fresh, used: false, answered: false }
    }

    /// To send the request with.
    pub(in super::super) fn sender(&mut self) -> Option<&mut Sender> {
        self.used = true;
        self.connection.as_mut().map(|connection| &mut connection.sender)
    }

    /// How its response comes along.
    pub(in super::super) fn flow(&self) -> Option<&Flow> {
        self.connection.as_ref().map(|connection| connection.flow.as_ref())
    }

    /// The head of a response came.
    pub(in super::super) fn answered(&mut self) {
        self.answered = true;
    }

    /// The response is whole: the next request may have the connection.
    pub(in super::super) fn give_back(mut self) {
        self.used = false;
    }

    pub(super) fn take_back(mut self) -> Option<Connection> {
        self.connection.take()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        match self.connection.take() {
            Some(connection) if !self.used => self.pool.give_back(connection, self.endpoint, self.answered),
            Some(connection) => {
                drop(connection);
                self.pool.lost(self.endpoint, self.answered);
            }
            None => {}
        }
    }
}
