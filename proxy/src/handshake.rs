//! Phase 2: TLS 1.3 or 1.2 with the client, whose certificate is verified and looked up in the CRLs on the way.

mod ticketer;

use std::cell::Cell;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{Acceptor, NoServerSessionStorage};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, HandshakeKind, ServerConfig, ServerConnection,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, UnixTime};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use self::ticketer::Offered;
use crate::accept::Slots;
use crate::clock::Clock;
use crate::cryptography::provider;
use crate::refusal::Refusal;
use crate::trust::{Declined, Resumable, Revocations, Standing, Tickets, Trust, TrustBundle, VerifiedPath};

/// RFC 8446 §5.1: the content type of the record that a handshake starts with.
const HANDSHAKE_RECORD: u8 = 22;

/// So many a full or a resumed handshake over TLS 1.3 gives. RFC 8446 §C.4: a client that connects twice at a time wants two.
const TICKETS: usize = 2;

const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 40\r\n\
    connection: close\r\n\r\nThis port speaks HTTPS: write https://.\n";

/// RFC 6066 §3, RFC 8446 §6: the fatal alert `unrecognized_name`, in the clear because nothing has been agreed on.
const UNRECOGNIZED_NAME: &[u8] = &[21, 3, 3, 0, 2, 2, 112];

/// What became of the ticket that a client offered, as the label `result` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TicketUse {
    /// Its session was resumed.
    Resumed,
    /// It was not taken, and a full handshake followed.
    Declined(Declined),
    /// It is good, and rustls could not use it: it is of another name or cipher suite.
    Unused,
}

/// How a handshake went.
pub struct Finished {
    /// What became of the client's ticket, if it offered one.
    pub ticket: Option<TicketUse>,
    /// What came of it.
    pub outcome: Result<Secured, Failed>,
}

/// A finished handshake.
pub struct Secured {
    /// The encrypted connection, in a box because it is handed on often and has its share of everything that holds it.
    pub stream: Box<TlsStream<TcpStream>>,
    /// Which of the servers that is.
    pub server: usize,
    /// The client's verified chain, and until when that verdict holds; `None` if the client is anonymous.
    pub client: Option<(VerifiedPath, Standing)>,
    /// Whether it resumed a session.
    pub resumed: bool,
}

/// How a handshake ended without a connection.
#[derive(Debug)]
pub enum Failed {
    /// The client closed without having sent a byte: a load balancer's TCP health check. No error.
    Probe,
    /// The client was refused. `leaf` is the certificate it presented, if it came that far.
    Refused {
        /// Why.
        refusal: Refusal,
        /// DER.
        leaf: Option<CertificateDer<'static>>,
        /// The connection, on which the alert was sent and is still on its way: to be given to [`crate::lingering::close`].
        stream: Option<TcpStream>,
    },
}

impl Failed {
    fn refused(refusal: Refusal, stream: impl Into<Option<TcpStream>>) -> Self {
        Self::Refused { refusal, leaf: None, stream: stream.into() }
    }
}

/// Shakes hands on `stream`, within `limit` from `began`. Takes one of `places` when the client begins.
///
/// If it is refused, rustls has sent the alert that goes with it.
pub async fn handshake(
    stream: TcpStream,
    trust: &Trust,
    places: &Arc<Slots>,
    began: Instant,
    limit: Duration,
) -> Finished {
    let shaking = FINDINGS.scope(Findings::default(), async {
        let outcome = shake(stream, trust, places).await;
        let resumed = outcome.as_ref().is_ok_and(|secured| secured.resumed);
        let ticket = match FINDINGS.with(|findings| findings.tickets.take().last) {
            _ if resumed => Some(TicketUse::Resumed),
            Some(Ok(_)) => Some(TicketUse::Unused),
            Some(Err(declined)) => Some(TicketUse::Declined(declined)),
            None => None,
        };
        Finished { ticket, outcome }
    });
    timeout_at(began + limit, shaking).await.unwrap_or_else(|_elapsed| {
        let refusal = Refusal::HandshakeTimeout { after: limit };
        Finished { ticket: None, outcome: Err(Failed::refused(refusal, None)) }
    })
}

async fn shake(stream: TcpStream, trust: &Trust, places: &Arc<Slots>) -> Result<Secured, Failed> {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(0) => return Err(Failed::Probe),
        Ok(_) if first != [HANDSHAKE_RECORD] => {
            let [first] = first;
            return Err(Failed::refused(Refusal::NotTls { first }, answer_plain_http(first, stream).await));
        }
        Ok(_) => {}
        // A probe that resets instead of closing.
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Err(Failed::Probe),
        Err(error) => return Err(Failed::refused(Refusal::ClientGone { detail: error.to_string() }, None)),
    }
    // Who has sent nothing costs nothing yet, and must not keep others out.
    let _place =
        places.take().map_err(|limit| Failed::refused(Refusal::TooManyHandshakes { limit }, None))?;
    let (server, stream) = match trust.only_server() {
        Some(server) => (0, TlsAcceptor::from(server.tls.clone()).accept(stream).into_fallible().await),
        None => accept_by_name(stream, trust).await?,
    };
    // The verifier ran inside of that, on behalf of this task, or the ticketer did.
    let verdict = FINDINGS.with(|findings| findings.verdict.take());
    match (stream, verdict) {
        (Ok(stream), None) if stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed) => {
            match resumed(stream.get_ref().1) {
                Some(client) => Ok(Secured { stream: Box::new(stream), server, client, resumed: true }),
                None => {
                    let detail = "a session of nobody was resumed".to_owned();
                    Err(Failed::refused(Refusal::Tls { detail }, stream.into_inner().0))
                }
            }
        }
        (Ok(stream), Some(Verdict { result: Ok(client), .. })) => {
            Ok(Secured { stream: Box::new(stream), server, client: Some(client), resumed: false })
        }
        (Ok(stream), Some(Verdict { result: Err(refusal), leaf })) => {
            Err(Failed::Refused { refusal, leaf: Some(leaf), stream: Some(stream.into_inner().0) })
        }
        (Ok(stream), None) if trust.server(server).is_some_and(|server| server.anonymous) => {
            Ok(Secured { stream: Box::new(stream), server, client: None, resumed: false })
        }
        (Ok(stream), None) => Err(Failed::refused(Refusal::CertificateRequired, stream.into_inner().0)),
        (Err((error, stream)), verdict) => {
            let (leaf, refusal) = match verdict {
                Some(Verdict { result: Err(refusal), leaf }) => (Some(leaf), refusal),
                Some(Verdict { result: Ok(_), leaf }) => (Some(leaf), tls_refusal(&error)),
                None => (None, tls_refusal(&error)),
            };
            Err(Failed::Refused { refusal, leaf, stream: Some(stream) })
        }
    }
}

/// The client of a session that was resumed: that of its ticket. `None` if rustls resumed another one's.
fn resumed(tls: &ServerConnection) -> Option<Option<(VerifiedPath, Standing)>> {
    let Some(Ok(Resumable { client, .. })) = FINDINGS.with(|findings| findings.tickets.take().last) else {
        return None;
    };
    let ours = client.as_ref().and_then(|(path, _)| path.chain().first());
    let theirs = tls.peer_certificates().and_then(<[_]>::first);
    (ours == theirs).then_some(client)
}

/// A handshake, or why there was none.
type Accepted = Result<TlsStream<TcpStream>, (io::Error, TcpStream)>;

/// Reads the ClientHello and goes on as the server that it asks for.
async fn accept_by_name(stream: TcpStream, trust: &Trust) -> Result<(usize, Accepted), Failed> {
    let mut acceptor = LazyConfigAcceptor::new(Acceptor::default(), stream);
    let start = match (&mut acceptor).await {
        Ok(start) => start,
        Err(error) => {
            let stream = acceptor.take_io();
            return Err(Failed::refused(tls_refusal(&error), stream));
        }
    };
    let name = start.client_hello().server_name().map(str::to_ascii_lowercase);
    let chosen = trust.server_for(name.as_deref());
    match chosen.and_then(|number| Some((number, trust.server(number)?))) {
        Some((number, server)) => Ok((number, start.into_stream(server.tls.clone()).into_fallible().await)),
        None => {
            let mut stream = start.io;
            // If it cannot be written, nobody is there to read it.
            let _ = stream.write_all(UNRECOGNIZED_NAME).await;
            Err(Failed::refused(Refusal::UnknownServerName { name: name.unwrap_or_default() }, stream))
        }
    }
}

/// Tells whoever wrote `http://` what is wrong. Other protocols get no answer.
async fn answer_plain_http(first: u8, mut stream: TcpStream) -> TcpStream {
    if first.is_ascii_uppercase() {
        // If it cannot be written, nobody is there to read it.
        let _ = stream.write_all(PLAIN_HTTP).await;
    }
    stream
}

fn tls_refusal(error: &io::Error) -> Refusal {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::NoCertificatesPresented) => Refusal::CertificateRequired,
        Some(Error::AlertReceived(alert)) => {
            Refusal::ClientAlert { alert: alert.as_str().map_or_else(|| format!("{alert:?}"), str::to_owned) }
        }
        Some(other) => Refusal::Tls { detail: other.to_string() },
        None => Refusal::ClientGone { detail: error.to_string() },
    }
}

/// What the verifier found out about a client, for the task that is shaking hands with it.
struct Verdict {
    leaf: CertificateDer<'static>,
    result: Result<(VerifiedPath, Standing), Refusal>,
}

/// What was found out during a handshake.
#[derive(Default)]
struct Findings {
    verdict: Cell<Option<Verdict>>,
    tickets: Cell<Offered>,
}

tokio::task_local! {
    // One verifier serves all connections of a trust generation, and rustls gives it no way to hand a value to the
    // connection it verifies for. It runs within that connection's task, though; so does what makes and opens tickets.
    static FINDINGS: Findings;
}

/// What handshakes of a server are done with while these parts are in force. `clients` are asked for a certificate, and
/// whether one may come without is its second part. Without `tickets` no session is resumed.
///
/// # Errors
///
/// When rustls finds the combination impossible.
pub(crate) fn server_config(
    server: &Arc<CertifiedKey>,
    clients: Option<(&Arc<TrustBundle>, bool)>,
    revocations: &Arc<Revocations>,
    tickets: Option<Tickets>,
    clock: &Clock,
) -> Result<ServerConfig, Error> {
    let provider = provider();
    let builder =
        ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&[&TLS13, &TLS12])?;
    let builder = match clients {
        Some((bundle, anonymous)) => builder.with_client_cert_verifier(Arc::new(ClientVerifier {
            bundle: bundle.clone(),
            anonymous,
            revocations: revocations.clone(),
            clock: clock.clone(),
            provider,
        })),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(server.clone())));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // A resumed session restores the client's chain without verifying it. So there are none but by our tickets, which are judged
    // before they are used.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    if let Some(tickets) = tickets {
        config.ticketer = Arc::new(tickets);
        config.send_tls13_tickets = TICKETS;
    }
    Ok(config)
}

/// Verifies client certificates for rustls: path first, then every CRL, in one place for full handshakes of any version.
struct ClientVerifier {
    bundle: Arc<TrustBundle>,
    anonymous: bool,
    revocations: Arc<Revocations>,
    clock: Clock,
    provider: Arc<CryptoProvider>,
}

impl fmt::Debug for ClientVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientVerifier")
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        !self.anonymous
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.bundle.hints()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let now = self.clock.now();
        let result = VerifiedPath::verify(leaf, intermediates, &self.bundle, &self.revocations, now);
        let answer = match &result {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            Err(refusal) => Err(Error::InvalidCertificate(refusal.certificate_error())),
        };
        let verdict = Verdict { leaf: leaf.clone().into_owned(), result };
        // Outside of `handshake` there is nobody to tell, and nobody who could go on without having been told.
        FINDINGS
            .try_with(|findings| findings.verdict.set(Some(verdict)))
            .map_err(|error| Error::General(error.to_string()))?;
        answer
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
