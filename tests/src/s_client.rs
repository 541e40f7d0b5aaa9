//! `openssl s_client`: a second TLS implementation's view of a handshake.

use std::net::SocketAddr;
use std::process::Command;

use crate::Failure;
use crate::pki::Pki;
use crate::process::{Finished, run};

/// Connects, shakes hands and leaves. Output names the protocol, the cipher and any alert.
///
/// # Errors
///
/// When openssl cannot be run; a failed handshake is a [`Finished`] too.
pub fn s_client(
    pki: &Pki,
    address: SocketAddr,
    client: Option<&str>,
    arguments: &[&str],
) -> Result<Finished, Failure> {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &address.to_string(), "-servername", "localhost"]);
    command.arg("-CAfile").arg(pki.path("root.pem")).args(arguments);
    if let Some(client) = client {
        let chain = pki.path(&format!("clients/{client}.pem"));
        command.arg("-cert").arg(&chain).arg("-cert_chain").arg(&chain);
        command.arg("-key").arg(pki.path(&format!("clients/{client}.key")));
    }
    run("openssl s_client", &mut command)
}
