//! One client connection from its first byte to its last: the five phases in order, and its end.

mod course;
mod session;

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::server::TlsStream;

pub use self::session::Session;
use crate::accept::Slot;
use crate::app::App;
use crate::authorize::Client;
use crate::forward::Forwarder;
use crate::handshake::{Failed, Finished, Secured, handshake};
use crate::http1::Http1;
use crate::http2;
use crate::http2_guard::Counted;
use crate::identify::{LeafSummary, identify};
use crate::lingering::{self, Lingering};
use crate::metrics::HandshakeResult;
use crate::proxy_protocol::{self, Origin};
use crate::record::refuse_connection;
use crate::refusal::Refusal;
use crate::routes::Destination;
use crate::shares::{Share, address_key};

/// What one worker's connections share.
pub struct Worker {
    /// What all workers share.
    pub app: Arc<App>,
    /// This worker's way to the upstream.
    pub forwarder: Forwarder,
}

/// Serves a connection that was just accepted.
pub async fn serve(stream: TcpStream, address: SocketAddr, slot: Slot, worker: Arc<Worker>) {
    // In a box: what it takes to meet a client goes when it is known, while the connection may last for hours.
    let met = Box::pin(meet(stream, address, worker)).await;
    if let Some(Met { stream, session, shares }) = met {
        converse(stream, session).await;
        drop(shares);
    }
    drop(slot);
}

/// A client that may ask.
struct Met {
    stream: Box<TlsStream<TcpStream>>,
    session: Arc<Session>,
    /// Its places among the connections of its address and of its name.
    shares: (Option<Share<IpAddr>>, Option<Share<String>>),
}

/// Phases 1 to 3. `None` is a client that was refused, or none at all.
async fn meet(mut stream: TcpStream, address: SocketAddr, worker: Arc<Worker>) -> Option<Met> {
    let app = worker.app.clone();
    let id = app.connection_id();
    let (began, patience) = (Instant::now(), app.config.limits.handshake_timeout);
    let mut origin = Origin::direct(address);
    if let Some(settings) = &app.config.listen.proxy_protocol {
        let stated = timeout_at(began + patience, proxy_protocol::origin(&mut stream, address, settings));
        match stated.await.unwrap_or(Err(Refusal::HandshakeTimeout { after: patience })) {
            Ok(Some(stated)) => origin = stated,
            Ok(None) => {
                app.metrics.handshake(HandshakeResult::Probe);
                return None;
            }
            Err(refusal) => {
                app.metrics.handshake(HandshakeResult::Refused);
                refuse_connection(&app, &id, &origin, None, &refusal);
                return None;
            }
        }
    }
    let share_of_address = match app.by_address.take(|| address_key(origin.client.ip())) {
        Ok(share) => share,
        Err(limit) => {
            refuse_connection(&app, &id, &origin, None, &Refusal::TooManyFromAddress { limit });
            return None;
        }
    };
    let trust = app.trust.current().clone();
    let Finished { ticket, outcome } = handshake(stream, &trust, &app.handshakes, began, patience).await;
    if let Some(ticket) = ticket {
        app.metrics.ticket(ticket);
    }
    let Secured { stream, server, client, resumed } = match outcome {
        Ok(secured) => secured,
        Err(Failed::Probe) => {
            app.metrics.handshake(HandshakeResult::Probe);
            return None;
        }
        Err(Failed::Refused { refusal, leaf, stream }) => {
            app.metrics.handshake(HandshakeResult::Refused);
            let leaf = leaf.map(|der| LeafSummary::of(&der));
            refuse_connection(&app, &id, &origin, leaf.as_ref(), &refusal);
            if let Some(stream) = stream {
                lingering::close(stream).await;
            }
            return None;
        }
    };
    let path = client.as_ref().map(|(path, _)| path);
    path.inspect(|path| app.trust.saw(path));
    let identity = match identify(path, origin.clone()) {
        Ok(identity) => identity,
        Err(refusal) => {
            refuse_connection(&app, &id, &origin, None, &refusal);
            return None;
        }
    };
    let share_of_client = match app.by_client.take(|| identity.name()) {
        Ok(share) => share,
        Err(limit) => {
            app.metrics.handshake(HandshakeResult::Refused);
            let (leaf, refusal) = (identity.leaf.as_ref(), Refusal::TooManyOfClient { limit });
            refuse_connection(&app, &id, &origin, leaf, &refusal);
            lingering::close(stream).await;
            return None;
        }
    };
    app.metrics.handshake(HandshakeResult::Accepted);
    app.metrics.handshake_seconds.observe(began.elapsed().as_secs_f64());

    let (_, tls) = stream.get_ref();
    let destination = Destination { server, name: tls.server_name().map(Into::into) };
    let tls = if tls.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3) { "1.3" } else { "1.2" };
    let client = Client::new(client, &trust, destination);
    let session = Session::new(worker, id, identity, server, (tls, resumed), client);
    Some(Met { stream, session: Arc::new(session), shares: (share_of_address, share_of_client) })
}

/// Phases 4 and 5, for each request.
async fn converse(stream: Box<TlsStream<TcpStream>>, session: Arc<Session>) {
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let answer = {
        let session = session.clone();
        move |request| session.clone().answer(request)
    };
    let stream = Lingering::new(stream);
    if is_http2 {
        let counted = TokioIo::new(Counted::new(stream));
        // Each stream is a task: in a box the answer is not copied on from hand to hand until it is in one.
        let service = service_fn(move |request| Box::pin(answer(request)));
        let builder = http2::builder(session.clone(), &session.app().config.limits);
        // In a box: HTTP/1.1's connections have no use for the space.
        session.drive(Box::pin(builder.serve_connection(counted, service)).as_mut()).await;
    } else {
        session.drive(pin!(Http1::new(stream, service_fn(answer), session.clone()))).await;
    }
    session.closed();
}
