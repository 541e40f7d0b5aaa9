//! A request that asks for another protocol on its connection: RFC 9110 §7.8, and WebSocket above all.

use http::header::{CONNECTION, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Version, request};
use http_body::Body;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;

use super::body::ResponseBody;
use super::headers;
use super::pool::Lease;
use crate::refusal::Refusal;
use crate::tunnel::Tunnel;

/// What the client asks for, taken out of its request.
pub(super) struct Upgrade {
    protocol: HeaderValue,
    client: OnUpgrade,
}

/// Whether a request asks for another protocol in the way that the guard and we understand: without a body.
///
/// The guard judges by the same: behind the head of such a request it waits for the answer.
pub fn is_asked<B: Body>(request: &http::Request<B>) -> bool {
    request.headers().contains_key(UPGRADE)
        && request.version() == Version::HTTP_11
        && request.method() == Method::GET
        && request.body().is_end_stream()
}

impl Upgrade {
    /// Takes it out of `head`, if it is there and `allowed`. If not, the upstream gets a request like any other
    /// (RFC 9110 §7.8: a server may ignore it).
    pub(super) fn take(head: &mut request::Parts, allowed: bool) -> Option<Self> {
        if !allowed || head.version != Version::HTTP_11 || head.method != Method::GET {
            return None;
        }
        let listed = head.headers.get_all(CONNECTION).iter().any(|value| {
            let mut options = value.as_bytes().split(|byte| *byte == b',');
            options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
        });
        let protocol = head.headers.get(UPGRADE).filter(|_| listed)?.clone();
        Some(Self { protocol, client: head.extensions.remove::<OnUpgrade>()? })
    }

    /// Asks the upstream for the same.
    pub(super) fn ask(&self, headers: &mut HeaderMap) {
        headers.insert(UPGRADE, self.protocol.clone());
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
}

/// The answer to a response that switches protocols. The tunnel is in its extensions.
///
/// # Errors
///
/// When nobody asked for that, or for another protocol.
pub(super) fn switched(
    asked: Option<Upgrade>,
    response: http::Response<Incoming>,
    lease: Lease,
) -> Result<http::Response<ResponseBody>, Refusal> {
    let malformed = |detail: &str| Refusal::UpstreamMalformed { detail: detail.to_owned() };
    let asked = asked.ok_or_else(|| malformed("it switches protocols, which nobody asked for"))?;
    let protocol = response.headers().get(UPGRADE).cloned();
    let protocol = protocol.ok_or_else(|| malformed("it switches protocols and does not say to which"))?;
    let mut response = response;
    let upstream = hyper::upgrade::on(&mut response);
    let (mut head, _empty) = response.into_parts();
    headers::to_client(&mut head);
    head.headers.insert(UPGRADE, protocol);
    head.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    head.extensions.insert(Tunnel::new(asked.client, upstream, Box::new(lease)));
    Ok(http::Response::from_parts(head, ResponseBody::nothing()))
}
