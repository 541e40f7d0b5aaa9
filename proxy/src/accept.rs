//! Phase 1: TCP connections from the load balancer, counted and limited.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::drain::{Drain, Phase, reached};

/// Connections that the kernel holds until a worker takes them.
const BACKLOG: i32 = 4_096;

/// How long to leave the listener alone when the process is out of file descriptors.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(50);

/// One listening socket for each of `workers`, all on one address: the kernel spreads connections over them.
///
/// # Errors
///
/// An address in use, or not ours.
pub fn bind(address: SocketAddr, workers: usize) -> io::Result<Vec<std::net::TcpListener>> {
    // SO_REUSEPORT would also let us share the port with another process of this user, and take half of its clients.
    // A socket without it finds out.
    let claim = socket(address, false)?;
    claim.listen(1)?;
    let address = claim.local_addr()?.as_socket().unwrap_or(address);
    drop(claim);
    let mut listeners = Vec::with_capacity(workers);
    for _ in 0..workers {
        let socket = socket(address, true)?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        listeners.push(socket.into());
    }
    Ok(listeners)
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// The places for connections, or for handshakes: all workers together.
#[derive(Debug)]
pub struct Slots {
    taken: AtomicUsize,
    limit: usize,
    all_free: Notify,
}

/// One place, given back when dropped.
#[derive(Debug)]
pub struct Slot(Arc<Slots>);

impl Slots {
    /// `limit` places.
    pub fn new(limit: usize) -> Self {
        Self { taken: AtomicUsize::new(0), limit, all_free: Notify::new() }
    }

    /// A place, if one is free.
    ///
    /// # Errors
    ///
    /// How many there are, when all are taken.
    pub fn take(self: &Arc<Self>) -> Result<Slot, usize> {
        // Count before the check: two workers at the last place must not both have it.
        if self.taken.fetch_add(1, Ordering::AcqRel) < self.limit {
            return Ok(Slot(self.clone()));
        }
        self.give_back();
        Err(self.limit)
    }

    fn give_back(&self) {
        if self.taken.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.all_free.notify_waiters();
        }
    }

    /// Waits until no place is taken.
    pub async fn all_free(&self) {
        loop {
            let freed = self.all_free.notified();
            if self.taken() == 0 {
                return;
            }
            freed.await;
        }
    }

    /// Places that are taken.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

/// Hands every connection of `listener` to `serve` until draining has closed the listener.
pub async fn accept(listener: TcpListener, drain: &Drain, serve: impl Fn(TcpStream, SocketAddr)) {
    let mut phase = drain.subscribe();
    let greet = |stream: TcpStream, address| {
        // Small writes go out at once: responses are written in one piece anyway.
        let _ = stream.set_nodelay(true);
        serve(stream, address);
    };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = reached(&mut phase, Phase::Closed) => break,
        };
        match accepted {
            Ok((stream, address)) => greet(stream, address),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections; is the limit on open files too low?");
                tokio::time::sleep(OUT_OF_DESCRIPTORS).await;
            }
        }
    }
    // Whoever the kernel has already connected would be reset with the listener.
    while let Ok(Ok((stream, address))) = timeout(Duration::ZERO, listener.accept()).await {
        greet(stream, address);
    }
}

/// accept(2): errors that belong to a connection that was gone before it was accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}
