//! The harness of the end-to-end tests: it starts the real binaries and speaks to them with real clients.
//!
//! A scenario usually needs one [`stage::Stage`] (certificates, a private API and a postern in front of it) and a client:
//! [`curl`] for what a user would do, [`raw_tls`] and [`raw_http2`] for bytes no good client sends, [`http2`] for an open HTTP/2 connection.

pub mod access_log;
pub mod assembly;
pub mod binary;
pub mod container;
pub mod crl_tool;
pub mod curl;
pub mod disk;
pub mod echo;
pub mod explain;
pub mod failure;
pub mod faulty;
pub mod files;
pub mod http2;
mod http_head;
pub mod lambda;
mod loopback;
pub mod metrics;
pub mod moto;
pub mod name_server;
pub mod pki;
pub mod playground;
pub mod ports;
pub mod postern;
pub mod private_api;
pub mod proc;
pub mod process;
pub mod proxy_header;
pub mod random;
pub mod raw_http2;
pub mod raw_tls;
pub mod s3;
pub mod s_client;
pub mod stage;
pub mod tools;
pub mod upstream;
pub mod wait;
pub mod web;

pub use failure::{Failure, Outcome};

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Completes at Ctrl-C or SIGTERM.
///
/// # Errors
///
/// When the signal handlers cannot be installed.
pub async fn interrupt() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
