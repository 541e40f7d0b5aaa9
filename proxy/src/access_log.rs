//! The access log: one line a request and one a refused connection, on standard output, never more and never fewer.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::Serialize;

use crate::config::LogFormat;
use crate::identify::LeafSummary;
use crate::metrics::Metrics;

/// Bytes of lines that may wait for a slow standard output. Past that they are dropped and counted: a full disk or a stuck
/// pipe must not stop the proxy.
const ROOM: usize = 32 << 20;

/// How long lines are collected before they are written together.
const COLLECT: Duration = Duration::from_millis(10);

/// One line. Fields that do not apply are left out.
#[derive(Debug, Clone, Serialize)]
pub struct Line<'a> {
    /// RFC 3339, UTC.
    pub time: String,
    /// `request` or `refused`.
    pub kind: &'static str,
    /// How much an operator should care: `INFO` or `WARN`; of refusals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<&'static str>,
    /// Of the request: the correlation id that the client got.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<&'a str>,
    /// Why it was refused: the stable name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// Why it was refused, or how the response ended early: a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The name of the route that the request took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<&'a str>,
    /// The request itself.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub http: Option<Http<'a>>,
    /// Whose it is; written behind everything else.
    #[serde(skip)]
    pub who: &'a Who,
}

/// What all lines of a connection say.
#[derive(Debug, Clone, Serialize)]
pub struct Peer<'a> {
    /// Of the connection: joins its lines.
    pub connection: &'a str,
    /// Where the client connected from.
    pub client: SocketAddr,
    /// The VPC endpoint that it came through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpce: Option<&'a str>,
    /// The client's certificate.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub leaf: Option<&'a LeafSummary>,
    /// The SPIFFE id in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spiffe_id: Option<&'a str>,
    /// `1.2` or `1.3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<&'static str>,
    /// Whether the connection resumed a session; left out if not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub resumed: bool,
    /// The first name of the server that the connection is on, or `default`; where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<&'a str>,
}

/// A [`Peer`] as its lines end: written once for many requests.
#[derive(Debug)]
pub struct Who(Box<[u8]>);

/// What is logged of a request and its response.
#[derive(Debug, Clone, Serialize)]
pub struct Http<'a> {
    /// `HTTP/1.0`, `HTTP/1.1` or `HTTP/2.0`.
    pub protocol: &'static str,
    /// The method; `-` when the head was refused unread.
    pub method: &'a str,
    /// The path and the query; `-` when the head was refused unread.
    pub path: &'a str,
    /// The response's status.
    pub status: u16,
    /// From the request's head to the response's last byte.
    pub duration_ms: f64,
    /// Bytes of request body.
    pub bytes_in: u64,
    /// Bytes of response body.
    pub bytes_out: u64,
}

/// Where lines go. Dropping it writes what is left.
pub struct AccessLog {
    queue: Arc<Queue>,
    writer: Option<JoinHandle<()>>,
    format: LogFormat,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    closed: bool,
}

impl AccessLog {
    /// Starts the writing thread.
    ///
    /// # Errors
    ///
    /// When no thread can be started.
    pub fn start(format: LogFormat, metrics: Arc<Metrics>) -> std::io::Result<Self> {
        let queue = Arc::<Queue>::default();
        let (lines, counted) = (queue.clone(), metrics.clone());
        let writer =
            thread::Builder::new().name("access-log".to_owned()).spawn(move || lines.write_all(&counted))?;
        Ok(Self { queue, writer: Some(writer), format, metrics })
    }

    /// Writes what all lines of a connection end with.
    pub fn who(&self, peer: &Peer<'_>) -> Who {
        let mut end = Vec::new();
        let written = match self.format {
            LogFormat::Json => serde_json::to_writer(&mut end, peer).is_ok(),
            LogFormat::Text => text_of(&mut end, peer).is_ok(),
        };
        // A vector takes everything, and nothing of it is without a form in JSON.
        debug_assert!(written, "{peer:?}");
        Who(end.into())
    }

    /// Writes `line`, soon.
    pub fn write(&self, line: &Line<'_>) {
        let mut bytes = Vec::with_capacity(768);
        let formatted = match self.format {
            LogFormat::Json => json(&mut bytes, line).is_ok(),
            LogFormat::Text => text(&mut bytes, line).is_ok(),
        };
        bytes.push(b'\n');
        if !formatted || !self.queue.push(&bytes) {
            self.metrics.access_log_dropped.inc();
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.arrived.notify_one();
        if let Some(writer) = self.writer.take() {
            // It has nothing to say that could be written now.
            let _ = writer.join();
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers whether there was room.
    fn push(&self, line: &[u8]) -> bool {
        let mut waiting = self.lock();
        if waiting.lines.len() + line.len() > ROOM {
            return false;
        }
        let first = waiting.lines.is_empty();
        waiting.lines.extend_from_slice(line);
        drop(waiting);
        if first {
            self.arrived.notify_one();
        }
        true
    }

    /// Writes until the queue is closed and empty.
    fn write_all(&self, metrics: &Metrics) {
        let mut batch = Vec::new();
        let mut out = std::io::stdout();
        loop {
            let idle = |waiting: &mut Waiting| waiting.lines.is_empty() && !waiting.closed;
            let waiting = self.arrived.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
            // A wake-up and a write for each line would cost more than the request that it is about.
            let open = |waiting: &mut Waiting| !waiting.closed;
            let collected = self.arrived.wait_timeout_while(waiting, COLLECT, open);
            let (mut waiting, _) = collected.unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut waiting.lines, &mut batch);
            let closed = waiting.closed;
            drop(waiting);
            if out.write_all(&batch).and_then(|()| out.flush()).is_err() {
                // A full disk or a closed pipe: the proxy goes on, and what was lost is counted.
                let lost = batch.iter().filter(|byte| **byte == b'\n').count();
                metrics.access_log_dropped.inc_by(u64::try_from(lost).unwrap_or(u64::MAX));
            }
            batch.clear();
            if closed && self.lock().lines.is_empty() {
                return;
            }
        }
    }
}

/// Two objects as one.
fn json(out: &mut Vec<u8>, line: &Line<'_>) -> serde_json::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    if let Some(end) = line.who.0.strip_prefix(b"{") {
        // Both have members always.
        out.pop();
        out.push(b',');
        out.extend_from_slice(end);
    }
    Ok(())
}

/// A line for people: time, verdict, what, who, and why not.
fn text(out: &mut Vec<u8>, line: &Line<'_>) -> std::io::Result<()> {
    write!(out, "{} ", line.time)?;
    match &line.http {
        Some(http) => write!(
            out,
            "{} {} {} {} {:.1}ms",
            http.status, http.method, http.path, http.protocol, http.duration_ms
        )?,
        None => write!(out, "{}", line.kind)?,
    }
    out.extend_from_slice(&line.who.0);
    match (line.reason, &line.detail) {
        (Some(reason), Some(detail)) => write!(out, " {reason}: {detail}"),
        (None, Some(detail)) => write!(out, " {detail}"),
        (_, None) => Ok(()),
    }
}

fn text_of(out: &mut Vec<u8>, peer: &Peer<'_>) -> std::io::Result<()> {
    write!(out, " from {}", peer.client)?;
    if let Some(endpoint) = peer.vpce {
        write!(out, " through {endpoint}")?;
    }
    if let Some(leaf) = peer.leaf {
        write!(out, " \"{}\" serial {}", leaf.subject, leaf.serial)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_and_whose_it_is_are_one_object() {
        let who = Who(Box::from(&b"{\"connection\":\"c\"}"[..]));
        let line = Line {
            time: "now".to_owned(),
            kind: "request",
            level: None,
            request: Some("c-1"),
            reason: None,
            detail: Some("a \"quoted\" word}".to_owned()),
            route: None,
            http: None,
            who: &who,
        };
        let mut written = Vec::new();
        json(&mut written, &line).unwrap();
        assert_eq!(
            String::from_utf8(written).unwrap(),
            r#"{"time":"now","kind":"request","request":"c-1","detail":"a \"quoted\" word}","connection":"c"}"#
        );
    }
}
