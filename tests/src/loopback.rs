//! A server of the test's own on loopback: a thread for each connection.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::Failure;
use crate::wait::PATIENCE;

/// The server. Dropping it ends it.
pub(crate) struct Loopback {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
}

impl Loopback {
    /// Starts one that gives each connection to `serve`.
    pub(crate) fn start(
        serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Result<Self, Failure> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let stopped = Arc::new(AtomicBool::new(false));
        let (of_server, serve) = (stopped.clone(), Arc::new(serve));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if of_server.load(Ordering::Relaxed) {
                    break;
                }
                let serve = serve.clone();
                std::thread::spawn(move || {
                    let stream = stream?;
                    stream.set_read_timeout(Some(PATIENCE))?;
                    stream.set_write_timeout(Some(PATIENCE))?;
                    // A client that goes away is its own affair.
                    serve(stream)
                });
            }
        });
        Ok(Self { address, stopped })
    }

    /// Host and port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes it up, so that it sees.
        let _ = TcpStream::connect(self.address);
    }
}
