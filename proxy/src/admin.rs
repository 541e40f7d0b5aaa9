//! Health, readiness and metrics, in plain HTTP on a port of their own.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tower::service_fn;

use crate::app::App;
use crate::config::ProxyVersions;
use crate::drain::Phase;
use crate::proxy_protocol::{self, Taken};

/// How long a connection may last: a scraper that takes longer is gone.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections answered at once; further ones wait. It is no public port, and must not become a way to starve the proxy.
const AT_ONCE: usize = 16;
/// Of a PROXY protocol header.
const HEADER_BYTES: usize = 4_096;

const JSON: &str = "application/json";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// Answers on `listener` until the process ends.
pub async fn serve(listener: TcpListener, app: Arc<App>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = answer(&app, request.method(), request.uri().path());
        async move { Ok::<_, Infallible>(response) }
    });
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        // Never closed, so there is a place some time.
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let Ok((mut stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let service = TowerToHyperService::new(service.clone());
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

fn answer(app: &App, method: &Method, path: &str) -> Response<Full<Bytes>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET or HEAD\n");
    }
    match path {
        // As long as this thread answers, the process is not stuck.
        "/livez" => response(StatusCode::OK, TEXT, "ok\n"),
        "/readyz" => ready(app),
        "/metrics" => metrics(app),
        _ => response(StatusCode::NOT_FOUND, TEXT, "/livez, /readyz and /metrics are here\n"),
    }
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
    let body = json!({ "status": word, "trust_generation": trust.generation, "stale_crls": stale });
    response(status, JSON, format!("{body}\n"))
}

fn response(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
