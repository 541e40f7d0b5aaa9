//! Signature Version 4: requests to APIs that AWS IAM authorizes are signed with the proxy's own credentials.

mod credentials;

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign as signature_of,
};
use aws_sigv4::sign::v4;
use bytes::BytesMut;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, request};
use http_body_util::BodyExt as _;
use percent_encoding::percent_decode_str;
use time::OffsetDateTime;
use tokio::time::timeout;

use self::credentials::Credentials;
use super::body::RequestBody;
use super::headers::check_size;
use crate::config::{ClientSignature, Payload, Sigv4};
use crate::progress::Progress;
use crate::refusal::Refusal;

/// What a signature brings along. A client's own would be part of ours, or in its way.
const OF_SIGNATURES: [HeaderName; 3] = [
    HeaderName::from_static("x-amz-date"),
    HeaderName::from_static("x-amz-security-token"),
    HeaderName::from_static("x-amz-content-sha256"),
];

/// Signs the requests to one upstream.
#[derive(Debug)]
pub(super) struct Signer {
    settings: Sigv4,
    credentials: Credentials,
}

/// What a signature says about a request's body.
#[derive(Debug, Clone)]
enum Digest {
    /// Its SHA-256, hexadecimal.
    Of(String),
    Unsigned,
}

/// A request that is to be signed has this among its extensions, through all attempts.
#[derive(Debug, Clone)]
struct Signing(Arc<Signer>, Digest);

/// Signs a request whose head is as the upstream is to see it, if it is to be signed. To be called for each attempt: a
/// signature has a time, and credentials an end.
pub(super) async fn sign(head: &mut request::Parts, header_limit: usize) -> Result<(), Refusal> {
    let Some(Signing(signer, digest)) = head.extensions.get().cloned() else { return Ok(()) };
    signer.sign(head, &digest).await?;
    check_size(&head.headers, header_limit)
}

impl Signer {
    pub(super) fn new(settings: &Sigv4) -> Arc<Self> {
        let credentials = Credentials::new(settings.region.clone());
        Arc::new(Self { settings: settings.clone(), credentials })
    }

    /// Notes that the request is to be signed, and reads the body that its signature is about. `patience` is how long nothing
    /// may come of it.
    pub(super) async fn prepare(
        self: &Arc<Self>,
        head: &mut request::Parts,
        body: RequestBody,
        progress: &Progress,
        patience: Duration,
    ) -> Result<RequestBody, Refusal> {
        if !self.wants(head)? {
            return Ok(body);
        }
        let announced = head.headers.get(CONTENT_LENGTH);
        let (body, digest) = self.digest(body, announced, progress, patience).await?;
        head.extensions.insert(Signing(self.clone(), digest));
        Ok(body)
    }

    /// Whether the request is to be signed. It is not if its client has signed it and may.
    fn wants(&self, head: &request::Parts) -> Result<bool, Refusal> {
        let detail = if presigned(&head.uri) {
            "its client has signed it, in the query"
        } else {
            match head.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes) {
                None => return unambiguous(&head.uri).map(|()| true),
                Some(value) if value.starts_with(b"AWS4-") => "its client has signed it, in Authorization",
                // The signature takes the header's place, and credentials are not dropped in silence.
                Some(_) => {
                    let detail = "it carries an Authorization of its own, whose place the signature takes";
                    return Err(Refusal::NotSignable { detail });
                }
            }
        };
        match self.settings.client_signature {
            ClientSignature::Pass => Ok(false),
            ClientSignature::Refuse => Err(Refusal::NotSignable { detail }),
        }
    }

    /// The body as it goes upstream, and its digest. `announced` is its Content-Length.
    async fn digest(
        &self,
        mut body: RequestBody,
        announced: Option<&HeaderValue>,
        progress: &Progress,
        patience: Duration,
    ) -> Result<(RequestBody, Digest), Refusal> {
        if self.settings.payload == Payload::Unsigned {
            return Ok((body, Digest::Unsigned));
        }
        let limit = self.settings.body_limit;
        let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > limit) {
            return Err(Refusal::TooLargeToSign { limit });
        }
        let (mut whole, mut hash) = (BytesMut::new(), Context::new(&SHA256));
        loop {
            let frame =
                timeout(patience, body.frame()).await.map_err(|_elapsed| Refusal::RequestAborted {
                    detail: format!("nothing of its body came for {} ms", patience.as_millis()),
                })?;
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|error| match progress.stopped() {
                Some(refusal) => refusal.clone(),
                None => Refusal::RequestAborted { detail: super::describe(&error) },
            })?;
            // Trailers cannot follow a body that has a length.
            let Ok(data) = frame.into_data() else { continue };
            if whole.len() + data.len() > limit {
                return Err(Refusal::TooLargeToSign { limit });
            }
            hash.update(&data);
            whole.extend_from_slice(&data);
        }
        Ok((body.read(whole.freeze()), Digest::Of(hex(hash.finish().as_ref()))))
    }

    async fn sign(&self, head: &mut request::Parts, digest: &Digest) -> Result<(), Refusal> {
        let identity = self.credentials.get().await?;
        head.headers.remove(AUTHORIZATION);
        for name in &OF_SIGNATURES {
            head.headers.remove(name);
        }
        let mut settings = SigningSettings::default();
        // The defaults are those of every service but S3: path encoded twice and normalized, token signed.
        let body = match digest {
            Digest::Of(hash) => SignableBody::Precomputed(hash.clone()),
            Digest::Unsigned => {
                settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
                SignableBody::UnsignedPayload
            }
        };
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.settings.region)
            .name(&self.settings.service)
            .time(OffsetDateTime::now_utc().into())
            .settings(settings)
            .build()
            .map_err(|error| unsigned(&error))?
            .into();
        head.uri = without_plus(&head.uri);
        let uri = absolute(&head.uri, &head.headers);
        let request = SignableRequest::new(head.method.as_str(), uri, signed(&head.headers), body);
        let signature =
            request.and_then(|request| signature_of(request, &params)).map_err(|error| unsigned(&error))?;
        let (instructions, _) = signature.into_parts();
        for (name, value) in instructions.headers() {
            let pair = name.parse::<HeaderName>().ok().zip(HeaderValue::from_str(value).ok());
            let Some((name, value)) = pair else {
                return Err(Refusal::NotSigned {
                    detail: format!("credentials that do not fit into {name}"),
                });
            };
            head.headers.insert(name, value);
        }
        Ok(())
    }
}

/// What is signed: what the signature needs and what says how to read the body. Others may be changed on the way (tracing,
/// forwarding), and TLS protects them as well.
fn signed(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    [HOST, CONTENT_TYPE].into_iter().filter_map(|name| {
        let mut values = headers.get_all(&name).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        let name = if name == HOST { "host" } else { "content-type" };
        Some((name, value.to_str().ok()?))
    })
}

fn absolute(uri: &Uri, headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    format!("https://{host}{}", uri.path_and_query().map_or("/", PathAndQuery::as_str))
}

fn presigned(uri: &Uri) -> bool {
    let names = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split('=').next());
    names.map(|name| percent_decode_str(name).decode_utf8_lossy()).any(|name| name == "X-Amz-Signature")
}

/// Signer and service decode the query and must come to the same.
fn unambiguous(uri: &Uri) -> Result<(), Refusal> {
    match percent_decode_str(uri.query().unwrap_or_default()).decode_utf8() {
        Ok(_) => Ok(()),
        Err(_) => Err(Refusal::NotSignable { detail: "its query is not UTF-8" }),
    }
}

/// A `+` in a query is a space to some and itself to others; `%20` is a space to all.
fn without_plus(uri: &Uri) -> Uri {
    let plus = uri.path_and_query().filter(|target| target.query().is_some_and(|query| query.contains('+')));
    let written = plus.and_then(|target| {
        let query = target.query()?.replace('+', "%20");
        format!("{}?{query}", target.path()).parse().ok()
    });
    written.unwrap_or_else(|| uri.clone())
}

fn unsigned(error: &dyn std::error::Error) -> Refusal {
    Refusal::NotSigned { detail: super::describe(error) }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
