//! What arrived, told back to whoever sent it.

use std::collections::BTreeSet;

use aws_lc_rs::digest;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};

use super::body::Body;
use super::route::{Visit, message};
use super::sigv4::Verifier;
use crate::hex;

/// Longer bodies are told by their length and digest only.
const TEXT_LIMIT_BYTES: usize = 16 * 1024;

/// A request as the private API received it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Received {
    /// The number of the upstream connection, from 1.
    pub connection: u64,
    /// The number of the request on that connection, from 1.
    pub request: u64,
    /// The API that the request was routed to.
    pub api: String,
    /// `GET`, `POST`, …
    pub method: String,
    /// Without the query.
    pub path: String,
    /// After the `?`, if there was one.
    pub query: Option<String>,
    /// `HTTP/1.1`, …
    pub version: String,
    /// Names in lower case, in the order of arrival, repeated names kept.
    pub headers: Vec<(String, String)>,
    /// What the body was.
    pub body: ReceivedBody,
}

/// A request body as the private API received it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ReceivedBody {
    /// Its length.
    pub bytes: u64,
    /// In lower-case hex.
    pub sha256: String,
    /// The body itself when it is short UTF-8.
    pub text: Option<String>,
    /// What came behind it, names in lower case.
    pub trailers: Vec<(String, String)>,
    /// Why the body ended early, if it did.
    pub error: Option<String>,
}

impl Received {
    /// Every value of a header, in the order of arrival. `name` is in lower case.
    #[must_use]
    pub fn values(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The names of all headers, each once.
    #[must_use]
    pub fn names(&self) -> BTreeSet<&str> {
        self.headers.iter().map(|(name, _)| name.as_str()).collect()
    }
}

/// Reads the whole request and tells it back as JSON.
///
/// With a `verifier`, a request without a good signature gets the answer of API Gateway, with what is wrong.
pub(super) async fn respond(
    request: Request<Incoming>,
    visit: Visit,
    api: &str,
    verifier: Option<&Verifier>,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = read(body).await;
    if let Some(Err(wrong)) = verifier.map(|verifier| verifier.verify(&head, &body.sha256)) {
        let text = format!("The request signature does not match the signature you provided: {wrong}");
        return message(StatusCode::FORBIDDEN, &text);
    }
    let received = Received {
        connection: visit.connection,
        request: visit.request,
        api: api.to_owned(),
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        version: format!("{:?}", head.version),
        headers: texts(&head.headers),
        body,
    };
    let json = serde_json::to_vec(&received).unwrap_or_else(|error| error.to_string().into_bytes());
    let mut response = Response::new(Body::full(json));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

/// Reads a body to its end and forgets it.
pub(super) async fn discard(mut body: Incoming) {
    while let Some(Ok(_)) = body.frame().await {}
}

async fn read(mut body: Incoming) -> ReceivedBody {
    let mut hash = digest::Context::new(&digest::SHA256);
    let (mut bytes, mut start, mut trailers, mut error) = (0, Vec::new(), Vec::new(), None);
    while let Some(frame) = body.frame().await {
        match frame.map(hyper::body::Frame::into_data) {
            Ok(Ok(data)) => {
                hash.update(&data);
                bytes += u64::try_from(data.len()).unwrap_or(u64::MAX);
                start.extend(data.iter().take(TEXT_LIMIT_BYTES.saturating_sub(start.len())));
            }
            Ok(Err(frame)) => trailers.extend(frame.trailers_ref().map(texts).unwrap_or_default()),
            Err(cause) => {
                error = Some(cause.to_string());
                break;
            }
        }
    }
    let whole = usize::try_from(bytes).is_ok_and(|bytes| bytes == start.len());
    let text = whole.then(|| String::from_utf8(start).ok()).flatten();
    ReceivedBody { bytes, sha256: hex(hash.finish().as_ref()), text, trailers, error }
}
