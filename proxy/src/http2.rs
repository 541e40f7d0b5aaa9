//! HTTP/2 as the server of one connection: its limits, and streams that can be ended one by one.

use std::sync::Arc;

use hyper::rt::Executor;
use hyper::server::conn::http2::Builder;

use crate::config::Limits;
use crate::connection::Session;

/// Streams that the client resets before we have looked at them (rapid reset, CVE-2023-44487): more end the connection.
const UNSEEN_RESETS: usize = 20;
/// Streams that we reset because of the client's errors: more end the connection.
const FAULTY_STREAMS: usize = 100;
/// What one stream may hold of a response that its client does not take.
const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// The server of `session`'s connection.
pub fn builder(session: Arc<Session>, limits: &Limits) -> Builder<Streams> {
    let mut builder = Builder::new(Streams(session));
    builder
        .max_concurrent_streams(limits.h2_streams)
        .max_pending_accept_reset_streams(UNSEEN_RESETS)
        .max_local_error_reset_streams(FAULTY_STREAMS)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        // Above our own limit, which answers with a name; hyper's resets the stream. It bounds CONTINUATION, too.
        .max_header_list_size(u32::try_from(limits.header_bytes * 4).unwrap_or(u32::MAX));
    builder
}

/// Runs each stream in a task that the session can end.
#[derive(Clone)]
pub struct Streams(Arc<Session>);

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        self.0.open_requests.stream(tokio::spawn(stream).abort_handle());
    }
}
