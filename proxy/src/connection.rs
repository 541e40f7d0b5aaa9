//! One client connection from its first byte to its last: the five phases in order, and its end.

mod course;
mod session;

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

pub use self::session::Session;
use crate::accept::Slot;
use crate::app::App;
use crate::authorize::Client;
use crate::forward::{Forwarder, IdentityHeaderValues};
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
use crate::shares::address_key;
use crate::trust::VerifiedPath;

/// What one worker's connections share.
pub struct Worker {
    /// What all workers share.
    pub app: Arc<App>,
    /// This worker's way to the upstream.
    pub forwarder: Forwarder,
}

/// Serves a connection that was just accepted.
pub async fn serve(mut stream: TcpStream, address: SocketAddr, slot: Slot, worker: Arc<Worker>) {
    let app = worker.app.clone();
    let id = app.connection_id();
    let (began, patience) = (Instant::now(), app.config.limits.handshake_timeout);
    let mut origin = Origin::direct(address);
    if let Some(settings) = &app.config.listen.proxy_protocol {
        let stated = timeout_at(began + patience, proxy_protocol::origin(&mut stream, address, settings));
        match stated.await.unwrap_or(Err(Refusal::HandshakeTimeout { after: patience })) {
            Ok(Some(stated)) => origin = stated,
            Ok(None) => return app.metrics.handshake(HandshakeResult::Probe),
            Err(refusal) => {
                app.metrics.handshake(HandshakeResult::Refused);
                return refuse_connection(&app, &id, &origin, None, &refusal);
            }
        }
    }
    let _share_of_address = match app.by_address.take(|| address_key(origin.client.ip())) {
        Ok(share) => share,
        Err(limit) => {
            let refusal = Refusal::TooManyFromAddress { limit };
            return refuse_connection(&app, &id, &origin, None, &refusal);
        }
    };
    let trust = app.trust.current().clone();
    let Finished { ticket, outcome } = handshake(stream, &trust, &app.handshakes, began, patience).await;
    if let Some(ticket) = ticket {
        app.metrics.ticket(ticket);
    }
    let Secured { stream, server, client, resumed } = match outcome {
        Ok(secured) => secured,
        Err(Failed::Probe) => return app.metrics.handshake(HandshakeResult::Probe),
        Err(Failed::Refused { refusal, leaf, stream }) => {
            app.metrics.handshake(HandshakeResult::Refused);
            let leaf = leaf.map(|der| LeafSummary::of(&der));
            refuse_connection(&app, &id, &origin, leaf.as_ref(), &refusal);
            if let Some(stream) = stream {
                lingering::close(stream).await;
            }
            return;
        }
    };
    let path = client.as_ref().map(|(path, _)| path);
    path.inspect(|path| app.trust.saw(path));
    let identity = match identify(path, origin.clone()) {
        Ok(identity) => identity,
        Err(refusal) => return refuse_connection(&app, &id, &origin, None, &refusal),
    };
    let _share_of_client = match app.by_client.take(|| identity.name()) {
        Ok(share) => share,
        Err(limit) => {
            app.metrics.handshake(HandshakeResult::Refused);
            let (leaf, refusal) = (identity.leaf.as_ref(), Refusal::TooManyOfClient { limit });
            refuse_connection(&app, &id, &origin, leaf, &refusal);
            return lingering::close(stream).await;
        }
    };
    app.metrics.handshake(HandshakeResult::Accepted);
    app.metrics.handshake_seconds.observe(began.elapsed().as_secs_f64());

    let (_, tls) = stream.get_ref();
    let is_http2 = tls.alpn_protocol() == Some(b"h2");
    let destination = Destination { server, name: tls.server_name().map(Into::into) };
    let tls = if tls.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3) { "1.3" } else { "1.2" };
    let identity_headers = IdentityHeaderValues::new(
        &identity,
        path.map_or(&[], VerifiedPath::chain),
        app.config.identity_headers.clone(),
    );
    let client = Client::new(client, &trust, destination);
    let session =
        Arc::new(Session::new(worker, id, identity, server, (tls, resumed), client, identity_headers));
    drop(trust);
    let answer = {
        let session = session.clone();
        move |request| session.clone().answer(request)
    };
    let limits = &app.config.limits;
    let stream = Lingering::new(stream);
    if is_http2 {
        let counted = TokioIo::new(Counted::new(stream));
        // Each stream is a task: in a box the answer is not copied on from hand to hand until it is in one.
        let service = service_fn(move |request| Box::pin(answer(request)));
        let connection = http2::builder(session.clone(), limits).serve_connection(counted, service);
        session.drive(connection).await;
    } else {
        let connection = Http1::new(stream, service_fn(answer), session.clone(), &app.config);
        session.drive(connection).await;
    }
    drop(slot);
}
