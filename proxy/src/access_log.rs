//! The access log: one line a request and one a refused connection, on standard output, never more and never fewer.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use serde::Serialize;

use crate::config::LogFormat;
use crate::identify::LeafSummary;
use crate::metrics::Metrics;

/// Lines that may wait for a slow standard output. Past that they are dropped and counted: a full disk or a stuck pipe
/// must not stop the proxy.
const QUEUE: usize = 65_536;

/// One line. Fields that do not apply are left out.
#[derive(Debug, Clone, Serialize)]
pub struct Line<'a> {
    /// RFC 3339, UTC.
    pub time: String,
    /// `request` or `refused`.
    pub kind: &'static str,
    /// Of the connection: joins the lines of one connection.
    pub connection: &'a str,
    /// Of the request: the correlation id that the client got.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<&'a str>,
    /// Where the client connected from.
    pub client: SocketAddr,
    /// Why it was refused: the stable name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// Why it was refused, or how the response ended early: a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The client's certificate.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub leaf: Option<&'a LeafSummary>,
    /// The SPIFFE id in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spiffe_id: Option<&'a str>,
    /// `1.2` or `1.3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<&'static str>,
    /// The request itself.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub http: Option<Http<'a>>,
}

/// What is logged of a request and its response.
#[derive(Debug, Clone, Serialize)]
pub struct Http<'a> {
    /// `HTTP/1.1` or `HTTP/2.0`.
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

/// Where lines go. Cheap to clone.
#[derive(Clone)]
pub struct AccessLog {
    queue: SyncSender<Vec<u8>>,
    format: LogFormat,
    metrics: Arc<Metrics>,
}

impl AccessLog {
    /// Starts the writing thread. It ends when the last handle is dropped and everything is written; join it to be sure.
    ///
    /// # Errors
    ///
    /// When no thread can be started.
    pub fn start(format: LogFormat, metrics: Arc<Metrics>) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (queue, lines) = sync_channel(QUEUE);
        let writer =
            std::thread::Builder::new().name("access-log".to_owned()).spawn(move || write_all(&lines))?;
        Ok((Self { queue, format, metrics }, writer))
    }

    /// Writes `line`, soon.
    pub fn write(&self, line: &Line<'_>) {
        let mut bytes = Vec::with_capacity(512);
        let written = match self.format {
            LogFormat::Json => serde_json::to_writer(&mut bytes, line).is_ok(),
            LogFormat::Text => text(&mut bytes, line).is_ok(),
        };
        bytes.push(b'\n');
        if !written || matches!(self.queue.try_send(bytes), Err(TrySendError::Full(_))) {
            self.metrics.access_log_dropped.inc();
        }
    }
}

/// Writes whatever is there, and flushes when nothing is left.
fn write_all(lines: &Receiver<Vec<u8>>) {
    let mut out = std::io::BufWriter::with_capacity(64 * 1024, std::io::stdout());
    while let Ok(first) = lines.recv() {
        // Nobody is left to tell that standard output is gone.
        let _ = out.write_all(&first);
        while let Ok(line) = lines.try_recv() {
            let _ = out.write_all(&line);
        }
        let _ = out.flush();
    }
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
        None => write!(out, "refused")?,
    }
    write!(out, " from {}", line.client)?;
    if let Some(leaf) = line.leaf {
        write!(out, " \"{}\" serial {}", leaf.subject, leaf.serial)?;
    }
    match (line.reason, &line.detail) {
        (Some(reason), Some(detail)) => write!(out, " {reason}: {detail}"),
        (None, Some(detail)) => write!(out, " {detail}"),
        (_, None) => Ok(()),
    }
}
