//! Who a request is for and what it gets: the echo, a fault it asked for, or API Gateway's refusals.

use std::sync::PoisonError;
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::Incoming;
use rustls_pki_types::{DnsName, ServerName};

use super::body::Body;
use super::echo;
use super::fault::{Fault, Switch};
use super::server::Endpoint;

/// API Gateway's quota for all request headers together.
const HEADER_LIMIT_BYTES: usize = 8_000;

/// The number of a connection, and of a request on it; both start at 1.
#[derive(Clone, Copy)]
pub(super) struct Visit {
    pub(super) connection: u64,
    pub(super) request: u64,
}

/// Answers one request. Faults throw the connection's switch, which acts when the answer is written.
pub(super) async fn answer(
    request: Request<Incoming>,
    visit: Visit,
    endpoint: &Endpoint,
    switch: &Switch,
) -> Response<Body> {
    if header_bytes(request.headers()) > HEADER_LIMIT_BYTES {
        return message(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "Request header or cookie too large");
    }
    let path = request.uri().path().to_owned();
    if path == "/ping" {
        return Response::new(Body::full("healthy"));
    }
    let Some(api) = endpoint.api_of(&request) else {
        return message(StatusCode::FORBIDDEN, "Forbidden");
    };
    let (route, argument) =
        path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
    match (route, argument) {
        ("slow", "") => {
            let ms = query_number(&request, "ms").unwrap_or(1_000);
            tokio::time::sleep(Duration::from_millis(ms)).await;
            echo::respond(request, visit, api, endpoint.verifier.as_ref()).await
        }
        ("status", code) => match code.parse::<StatusCode>() {
            // Answers before it has read the body, and goes on reading, so that the answer is not lost in a reset.
            Ok(status) => {
                tokio::spawn(echo::discard(request.into_body()));
                message(status, status.canonical_reason().unwrap_or("as you asked"))
            }
            Err(_) => message(StatusCode::BAD_REQUEST, "not a status code"),
        },
        ("bytes", count) => match count.parse::<u64>() {
            Ok(count) => with_length(Body::pattern(count), count),
            Err(_) => message(StatusCode::BAD_REQUEST, "not a number of bytes"),
        },
        // Promises more than it sends, so that the end comes in the middle.
        ("close-early", "") => with_length(Body::cut_short(), 1_000),
        ("stall", "") => Response::new(Body::stalled()),
        // Breaks the connection of the first request that comes with this key.
        ("flaky", key) if endpoint.is_new(key) => closing(switch, Fault::Reset),
        // What a gRPC call that failed looks like: no message, and the status after it.
        ("trailers", "") => trailers(),
        ("malformed", "") => closing(switch, Fault::Malformed),
        ("reset", "") => closing(switch, Fault::Reset),
        ("never", "") => std::future::pending().await,
        _ => echo::respond(request, visit, api, endpoint.verifier.as_ref()).await,
    }
}

impl Endpoint {
    /// The API id a request names, if this endpoint knows it: by Host (`{api}.execute-api.…` or
    /// `{api}-{vpce}.execute-api.…`), or by `x-apigw-api-id` when Host is one of the endpoint's own names.
    fn api_of<B>(&self, request: &Request<B>) -> Option<&str> {
        let host = host_of(request)?;
        if !self.answers_to(&host) {
            return None;
        }
        let named = host.split_once(".execute-api.").filter(|(label, _)| !label.starts_with("vpce-"));
        let id = match named {
            Some((label, _)) => label.split_once('-').map_or(label, |(api, _vpce)| api).to_owned(),
            None => request.headers().get("x-apigw-api-id")?.to_str().ok()?.to_owned(),
        };
        self.apis.iter().find(|api| **api == id).map(String::as_str)
    }

    /// Whether no request came with this key before.
    fn is_new(&self, key: &str) -> bool {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned())
    }

    /// Whether `host` is among the certificate's names, wildcards included.
    fn answers_to(&self, host: &str) -> bool {
        let Ok(certificate) = webpki::EndEntityCert::try_from(&self.certificate) else { return false };
        let name = match host.parse::<std::net::IpAddr>() {
            Ok(address) => ServerName::IpAddress(address.into()),
            Err(_) => match DnsName::try_from(host) {
                Ok(name) => ServerName::DnsName(name),
                Err(_) => return false,
            },
        };
        certificate.verify_is_valid_for_subject_name(&name).is_ok()
    }
}

/// The host without its port, in lower case. More than one Host header names no one.
fn host_of<B>(request: &Request<B>) -> Option<String> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (host, None) = (hosts.next()?, hosts.next()) else { return None };
    let authority = host.to_str().ok()?.parse::<http::uri::Authority>().ok()?;
    Some(authority.host().trim_matches(['[', ']']).to_ascii_lowercase())
}

/// As counted on the wire: `name: value\r\n`.
fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

fn query_number<B>(request: &Request<B>, key: &str) -> Option<u64> {
    let pairs = request.uri().query()?.split('&');
    pairs.filter_map(|pair| pair.split_once('=')).find(|(name, _)| *name == key)?.1.parse().ok()
}

/// API Gateway's own answers all look like this.
pub(super) fn message(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::full(serde_json::json!({ "message": text }).to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

fn with_length(body: Body, length: u64) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    response
}

fn trailers() -> Response<Body> {
    let status = (http::HeaderName::from_static("grpc-status"), http::HeaderValue::from_static("7"));
    let mut response = Response::new(Body::Trailers(Some([status].into_iter().collect())));
    response.headers_mut().insert(http::header::TRAILER, http::HeaderValue::from_static("grpc-status"));
    response
}

fn closing(switch: &Switch, fault: Fault) -> Response<Body> {
    switch.throw(fault);
    let mut response = Response::new(Body::full("never seen"));
    response.headers_mut().insert(CONNECTION, http::HeaderValue::from_static("close"));
    response
}
