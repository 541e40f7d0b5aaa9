//! A refusal as the client sees it: RFC 9457, with a correlation id and no internals.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode, Version};
use serde::Serialize;

use crate::forward::ResponseBody;
use crate::refusal::Refusal;

#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    request: &'a str,
}

/// The answer to the request `id`.
pub fn response(refusal: &Refusal, id: &str, version: Version) -> Response<ResponseBody> {
    let status = refusal.status();
    let problem = Problem {
        r#type: "about:blank",
        title: title(refusal, status),
        status: status.as_u16(),
        request: id,
    };
    // Strings and a number: serde_json cannot fail on it, and an empty body would still be a correct answer.
    let body = Bytes::from(serde_json::to_vec(&problem).unwrap_or_default());
    let length = HeaderValue::from(body.len());
    let mut response = Response::new(ResponseBody::own(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CONTENT_LENGTH, length);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        // RFC 9110 §15.5.6 wants the list.
        headers.insert(ALLOW, allow(refusal));
    }
    if let Some(after) = refusal.retry_after() {
        // In whole seconds, and not before the time.
        headers.insert(
            RETRY_AFTER,
            HeaderValue::from(after.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX)),
        );
    }
    if refusal.ends_connection(version) && version != Version::HTTP_2 {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn allow(refusal: &Refusal) -> HeaderValue {
    if let Refusal::MethodNotAllowed { allowed, .. } = refusal
        && let Ok(allowed) = HeaderValue::from_str(allowed)
    {
        return allowed;
    }
    HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
}

fn title(refusal: &Refusal, status: StatusCode) -> &'static str {
    if *refusal == Refusal::ClientCertificateMissing {
        return "A client certificate is required here";
    }
    match status {
        // The one status whose meaning here is narrower than its reason phrase.
        StatusCode::FORBIDDEN => "The client certificate is no longer accepted",
        other => other.canonical_reason().unwrap_or("Refused"),
    }
}
