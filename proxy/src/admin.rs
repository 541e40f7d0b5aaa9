//! Health, readiness, metrics and the state of trust, in plain HTTP on a port of their own.

mod trust;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tower::service_fn;

use self::trust::Act;
use crate::app::App;
use crate::config::ProxyVersions;
use crate::drain::Phase;
use crate::proxy_protocol::{self, Taken};
use crate::reload::is_held;

/// How long a connection may last: a scraper that takes longer is gone.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections answered at once; further ones wait. It is no public port, and must not become a way to starve the proxy.
const AT_ONCE: usize = 16;
/// Of a PROXY protocol header.
const HEADER_BYTES: usize = 4_096;

/// Of what an operator asks for.
const MOST_ASKED: usize = 65_536;

const JSON: &str = "application/json";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// Answers on `listener` until the process ends.
pub async fn serve(listener: TcpListener, app: Arc<App>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        // Never closed, so there is a place some time.
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let Ok((mut stream, peer)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let asked = app.clone();
        let service = TowerToHyperService::new(service_fn(move |request| {
            let app = asked.clone();
            async move { Ok::<_, Infallible>(answer(app, request, peer).await) }
        }));
        let connection = async move {
            // A load balancer that speaks the PROXY protocol to its targets does so in its health checks, too. Nothing here
            // depends on what the header says, so it is taken from anybody, and does not have to be there.
            if let Ok(Taken::Header(_) | Taken::Other { .. }) =
                proxy_protocol::take(&mut stream, ProxyVersions::Any, HEADER_BYTES).await
            {
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            }
        };
        tokio::spawn(async move {
            // Whoever asked is gone, or too slow; nobody else is concerned.
            let _ = timeout(PATIENCE, connection).await;
            drop(place);
        });
    }
}

async fn answer(app: Arc<App>, request: Request<Incoming>, peer: SocketAddr) -> Response<Full<Bytes>> {
    let act = match (request.method(), request.uri().path()) {
        (&Method::POST, "/trust/approve") => Some(Act::Approve),
        (&Method::POST, "/trust/clear") => Some(Act::Clear),
        _ => None,
    };
    if let Some(act) = act {
        return match operator(request, peer).await {
            Ok(issuer) => trust::act(app, act, issuer).await,
            Err(refused) => refused,
        };
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET or HEAD\n");
    }
    let app = &app;
    match request.uri().path() {
        // As long as this thread answers, the process is not stuck.
        "/livez" => response(StatusCode::OK, TEXT, "ok\n"),
        "/readyz" => ready(app),
        "/metrics" => metrics(app),
        "/trust" => response(StatusCode::OK, JSON, format!("{}\n", trust::status(app))),
        _ => response(StatusCode::NOT_FOUND, TEXT, "/livez, /readyz, /metrics and /trust are here\n"),
    }
}

/// Which issuer an operator means, if the request is one's: from this machine, and not made by a web page that is looked at there.
async fn operator(
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Result<Option<String>, Response<Full<Bytes>>> {
    if !peer.ip().to_canonical().is_loopback() {
        return Err(response(StatusCode::FORBIDDEN, TEXT, "changes are made from loopback only\n"));
    }
    // A page cannot send this type to another origin without asking first, and nobody answers that.
    if request.headers().get(CONTENT_TYPE).is_none_or(|kind| kind != JSON) {
        return Err(response(StatusCode::UNSUPPORTED_MEDIA_TYPE, TEXT, "Content-Type: application/json\n"));
    }
    let malformed = || response(StatusCode::BAD_REQUEST, TEXT, "not {} or {\"issuer\": \"CN=...\"}\n");
    let body = Limited::new(request.into_body(), MOST_ASKED).collect().await.map_err(|_gone| malformed())?;
    let asked: Asked = serde_json::from_slice(&body.to_bytes()).map_err(|_details| malformed())?;
    Ok(asked.issuer)
}

/// What an operator sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    issuer: Option<String>,
}

fn metrics(app: &App) -> Response<Full<Bytes>> {
    app.metrics.connections_open.set(i64::try_from(app.slots.taken()).unwrap_or(i64::MAX));
    app.metrics.handshakes_open.set(i64::try_from(app.handshakes.taken()).unwrap_or(i64::MAX));
    match app.metrics.render(&app.trust.current(), app.clock.now()) {
        Ok(text) => response(StatusCode::OK, METRICS, text),
        Err(error) => response(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
    }
}

/// Ready means: send me new connections. A stale CRL is shown and changes nothing here: its issuer's clients are refused
/// with a reason, on every task alike, and the other clients are served.
fn ready(app: &App) -> Response<Full<Bytes>> {
    let trust = app.trust.current();
    let stale: Vec<_> =
        trust.revocations.stale(app.clock.now()).map(|crl| crl.index.metadata().issuer.clone()).collect();
    let (status, word) = match app.drain.phase() {
        Phase::Serving => (StatusCode::OK, "ready"),
        Phase::Draining | Phase::Closed | Phase::Cut => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
    };
    let body = json!({ "status": word, "trust_generation": trust.generation, "stale_crls": stale, "held": is_held(app) });
    response(status, JSON, format!("{body}\n"))
}

fn response(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
