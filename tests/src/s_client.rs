//! `openssl s_client`: a second TLS implementation's view of a handshake.

use std::ffi::OsString;
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
    run("openssl s_client", Command::new("openssl").args(command_line(pki, address, client, arguments)))
}

fn command_line(pki: &Pki, address: SocketAddr, client: Option<&str>, arguments: &[&str]) -> Vec<OsString> {
    let address = address.to_string();
    let mut line: Vec<OsString> =
        ["s_client", "-connect", &address, "-servername", "localhost", "-CAfile"].map(Into::into).into();
    line.push(pki.path("root.pem").into());
    line.extend(arguments.iter().map(Into::into));
    if let Some(client) = client {
        let chain = pki.path(&format!("clients/{client}.pem"));
        let key = pki.path(&format!("clients/{client}.key"));
        line.extend(["-cert".into(), chain.clone().into(), "-cert_chain".into(), chain.into()]);
        line.extend(["-key".into(), key.into()]);
    }
    line
}

/// As [`s_client`], with one GET on the connection, so that tickets that come after the handshake are read.
///
/// # Errors
///
/// As [`s_client`].
pub fn s_client_get(
    pki: &Pki,
    address: SocketAddr,
    client: Option<&str>,
    arguments: &[&str],
) -> Result<Finished, Failure> {
    const GET: &str =
        "printf 'GET / HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' | exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", GET, "sh"]);
    command.arg("openssl").args(command_line(pki, address, client, arguments)).arg("-ign_eof");
    run("openssl s_client", &mut command)
}
