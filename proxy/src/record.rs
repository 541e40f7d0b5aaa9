//! What is written down of a request and of a refused connection: exactly once, when it is over.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::{Method, StatusCode, Uri, Version};
use http_body::{Body, Frame, SizeHint};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::access_log::{Http, Line, Peer};
use crate::app::App;
use crate::connection::Session;
use crate::forward::{Broken, ResponseBody};
use crate::identify::LeafSummary;
use crate::progress::{Progress, Turn};
use crate::proxy_protocol::Origin;
use crate::refusal::Refusal;
use crate::routes::Route;

thread_local! {
    /// The second that was written last, and how: all of a second's lines begin with the same date.
    static SECOND: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
}

/// Now, for a log line: RFC 3339 to the microsecond.
fn timestamp() -> String {
    let now = OffsetDateTime::now_utc();
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != now.unix_timestamp() {
            *second = now.unix_timestamp();
            *text = now.truncate_to_second().format(&Rfc3339).unwrap_or_default();
        }
        let mut all = String::with_capacity(text.len() + 8);
        all.push_str(text.trim_end_matches('Z'));
        // Writing to a String cannot fail.
        let _ = write!(all, ".{:06}Z", now.microsecond());
        all
    })
}

/// Writes down that a connection came to nothing.
pub fn refuse_connection(
    app: &App,
    id: &str,
    origin: &Origin,
    leaf: Option<&LeafSummary>,
    refusal: &Refusal,
) {
    app.metrics.refusal(refusal);
    write_down("refused", app, id, origin, leaf, refusal);
}

/// Writes down that a connection would have come to nothing if its refusal were not only reported.
pub fn report_connection(
    app: &App,
    id: &str,
    origin: &Origin,
    leaf: Option<&LeafSummary>,
    refusal: &Refusal,
) {
    app.metrics.would_refuse(refusal);
    write_down("would_refuse", app, id, origin, leaf, refusal);
}

fn write_down(
    kind: &'static str,
    app: &App,
    id: &str,
    origin: &Origin,
    leaf: Option<&LeafSummary>,
    refusal: &Refusal,
) {
    let peer = Peer {
        connection: id,
        client: origin.client,
        vpce: origin.vpc_endpoint.as_deref(),
        leaf,
        spiffe_id: None,
        tls: None,
        resumed: false,
        server: None,
    };
    app.access_log.write(&Line {
        time: timestamp(),
        kind,
        level: Some(refusal.level().as_str()),
        request: None,
        reason: Some(refusal.label()),
        detail: Some(refusal.to_string()),
        route: None,
        http: None,
        who: &app.access_log.who(&peer),
    });
}

/// A request that is being answered. Dropping it writes its line, whatever became of it.
pub struct Record {
    session: Arc<Session>,
    /// The correlation id.
    pub id: String,
    /// Its bodies.
    pub progress: Arc<Progress>,
    method: Method,
    uri: Uri,
    version: Version,
    /// The number of its route, once that is known.
    route: Option<usize>,
    status: Option<StatusCode>,
    refusal: Option<Refusal>,
    detail: Option<String>,
    /// Its head was refused before it was read: what stands for it is not to be shown.
    unread: bool,
}

impl Record {
    /// Begins with the head of a request, which is the `number`th on its connection. The connection knows of it until it is dropped.
    pub fn begin<B>(session: Arc<Session>, request: &http::Request<B>, number: u64) -> Self {
        let progress = Arc::new(Progress::new(session.app().config.limits.body_bytes));
        session.open_requests.begin(progress.clone());
        Self {
            id: format!("{}-{number}", session.id),
            session,
            progress,
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            route: None,
            status: None,
            refusal: None,
            detail: None,
            unread: false,
        }
    }

    /// The request goes by `route`.
    pub fn routed(&mut self, route: &Route) {
        self.route = Some(route.number);
    }

    /// The answer is a refusal.
    pub fn refused(&mut self, refusal: Refusal) {
        self.status = Some(refusal.status());
        self.broken(refusal);
    }

    /// The head could not be read.
    pub fn unread(&mut self) {
        self.unread = true;
    }

    /// The answer came from upstream and broke off after its head, whose status stands.
    fn broken(&mut self, refusal: Refusal) {
        self.session.app().metrics.refusal(&refusal);
        self.refusal = Some(refusal);
    }

    /// What it became ended before its end.
    pub fn ended_early(&mut self, detail: String) {
        self.detail = Some(detail);
    }

    /// The answer came from upstream.
    pub fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.refusal.is_none()
            && let Some(refusal) = self.progress.stopped().cloned()
        {
            self.broken(refusal);
        }
        let session = &self.session;
        let now = Instant::now();
        let seconds = now.saturating_duration_since(self.progress.started()).as_secs_f64();
        let metrics = &session.app().metrics;
        metrics.request(self.status, self.route);
        metrics.request_seconds.observe(seconds);
        if self.status.is_none() {
            self.detail = Some("the client went away before the answer".to_owned());
        }
        let (refusal, asking) = (self.refusal.as_ref(), session.asking());
        session.app().access_log.write(&Line {
            time: timestamp(),
            kind: "request",
            level: refusal.map(|refusal| refusal.level().as_str()),
            request: Some(&self.id),
            reason: refusal.map(Refusal::label),
            detail: refusal.map(ToString::to_string).or_else(|| self.detail.take()),
            route: self.route.and_then(|number| session.app().routes.get(number)?.name.as_deref()),
            http: Some(Http {
                protocol: match self.version {
                    Version::HTTP_2 => "HTTP/2.0",
                    Version::HTTP_10 => "HTTP/1.0",
                    _ => "HTTP/1.1",
                },
                method: if self.unread { "-" } else { self.method.as_str() },
                path: if self.unread {
                    "-"
                } else {
                    self.uri.path_and_query().map_or("/", |target| target.as_str())
                },
                // 499 is what nginx writes for it; no response has it.
                status: self.status.map_or(499, |status| status.as_u16()),
                // To the microsecond.
                duration_ms: (seconds * 1_000_000.0).round() / 1_000.0,
                bytes_in: self.progress.upload.bytes(),
                bytes_out: self.progress.download.bytes(),
            }),
            who: &asking.who,
        });
        let (answered, limit) = (self.status.is_some(), session.app().config.limits.h2_resets);
        if let Err(refusal) = session.open_requests.end(&self.progress, answered, limit, now) {
            session.end(&refusal);
        }
    }
}

/// A response's body that carries its request's record to the end.
pub struct RecordedBody {
    body: ResponseBody,
    /// None if somebody else writes it down.
    record: Option<Record>,
    whole: bool,
}

impl RecordedBody {
    /// `body` answers the request of `record`.
    pub fn new(body: ResponseBody, record: Record) -> Self {
        // A body of our own may never be asked for (HEAD), and is whole all the same.
        let whole = body.is_end_stream() || record.refusal.is_some();
        record.progress.download.set(if body.is_end_stream() { Turn::Over } else { Turn::Upstreams });
        Self { body, record: Some(record), whole }
    }

    /// `body` is not what the request is about: its connection becomes another.
    pub fn unrecorded(body: ResponseBody) -> Self {
        Self { body, record: None, whole: true }
    }
}

impl Body for RecordedBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.body).poll_frame(context);
        let Some(record) = &mut this.record else { return polled };
        let download = &record.progress.download;
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                download.add(frame.data_ref().map_or(0, Bytes::len));
                download.set(Turn::Clients);
                this.whole = this.whole || this.body.is_end_stream();
            }
            Poll::Ready(Some(Err(error))) => {
                let stopped = record.progress.stopped().cloned();
                record.broken(stopped.unwrap_or_else(|| error.refusal()));
            }
            Poll::Ready(None) => {
                download.set(Turn::Over);
                this.whole = true;
            }
            Poll::Pending => download.set(Turn::Upstreams),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for RecordedBody {
    fn drop(&mut self) {
        if let Some(record) = self.record.as_mut().filter(|record| record.refusal.is_none() && !self.whole) {
            record.detail = Some("the client went away before the end of the response".to_owned());
        }
    }
}
