//! Downloads over https and http. CAs publish CRLs over plain http as a rule (RFC 5280 §8): the signature in them counts.

use super::Terms;
use super::counted::Counted;
use super::fault::DownloadFault;
use super::location::without_secrets;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, ResponseExt, Timeout};

/// To a connection, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Without a byte.
const SILENCE: Duration = Duration::from_secs(30);
/// More redirects lead in a circle.
const MAX_REDIRECTS: u32 = 5;

/// Asks for `url`; the answer's body is read as it comes.
pub(super) fn open(url: &str, terms: &Terms) -> Result<impl Read + use<>, DownloadFault> {
    let timeout = terms.timeout;
    let fault = move |error| fault(error, timeout);
    let response = agent(terms).get(url).call().map_err(fault)?;
    let status = response.status().as_u16();
    if status != 200 {
        let ended = response.get_uri().to_string();
        let after = (ended != url).then(|| without_secrets(&ended));
        return Err(DownloadFault::Status { status, after });
    }
    let announced = response.body().content_length();
    let body = response.into_body().into_with_config().limit(u64::MAX).reader();
    Counted::new(Body { body, timeout }, announced, terms.max_bytes)
}

fn agent(terms: &Terms) -> Agent {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    // Without any, https fails by saying that the server's issuer is unknown.
    let roots = rustls_native_certs::load_native_certs().certs;
    let roots = roots.iter().map(|root| Certificate::from_der(root).to_owned());
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(RootCerts::Specific(Arc::new(roots.collect())))
        .build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .user_agent(concat!("crl-tool/", env!("CARGO_PKG_VERSION")))
        .https_only(terms.authenticated)
        .http_status_as_error(false)
        .max_redirects(MAX_REDIRECTS)
        .timeout_global(Some(terms.timeout))
        .timeout_resolve(Some(CONNECT_TIMEOUT))
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_recv_response(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .build();
    config.new_agent()
}

/// The body of an answer.
struct Body<R> {
    body: R,
    timeout: Duration,
}

impl<R: Read> Read for Body<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.body.read(buffer).map_err(|error| {
            let ours = [io::ErrorKind::Interrupted, io::ErrorKind::UnexpectedEof].contains(&error.kind());
            if ours { error } else { fault(error.into(), self.timeout).into() }
        })
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the rest are told apart by their text alone")]
fn fault(error: ureq::Error, timeout: Duration) -> DownloadFault {
    match error {
        ureq::Error::Timeout(Timeout::Global) => DownloadFault::Late { limit: timeout },
        ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
            DownloadFault::Silence { what: "no connection", limit: CONNECT_TIMEOUT }
        }
        ureq::Error::Timeout(_) => DownloadFault::Silence { what: "the server said nothing", limit: SILENCE },
        ureq::Error::HostNotFound => DownloadFault::UnknownHost,
        ureq::Error::TooManyRedirects => DownloadFault::Redirects { limit: MAX_REDIRECTS },
        ureq::Error::RequireHttpsOnly(_) => DownloadFault::NotAuthenticated,
        ureq::Error::Rustls(error) => DownloadFault::Tls(error.to_string()),
        ureq::Error::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
            DownloadFault::Tls(error.to_string())
        }
        other => DownloadFault::Broken(other.to_string()),
    }
}
