//! A running private API.

use std::net::SocketAddr;
use std::process::Command;

use serde::Deserialize;

use crate::pki::Pki;
use crate::process::Process;
use crate::{Failure, binary};

/// The id of the API behind the endpoint.
pub const API_ID: &str = "a1b2c3d4e5";
/// The Host that reaches [`API_ID`].
pub const HOST: &str = "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com";

/// The `private-api` binary, listening on a free port.
pub struct Upstream {
    process: Process,
    address: SocketAddr,
}

/// The line it prints when it listens.
#[derive(Deserialize)]
struct Listening {
    address: SocketAddr,
}

impl Upstream {
    /// Starts it with the upstream certificate of `pki` and waits until it listens.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn start(pki: &Pki) -> Result<Self, Failure> {
        Self::start_as(pki, &mut binary::command("private-api")?)
    }

    /// As [`Upstream::start`], on an address that another has left.
    ///
    /// # Errors
    ///
    /// As [`Upstream::start`].
    pub fn start_at(pki: &Pki, address: SocketAddr) -> Result<Self, Failure> {
        Self::start_as(pki, binary::command("private-api")?.arg("--address").arg(address.to_string()))
    }

    /// As [`Upstream::start`], through a command that ends in the binary's path, such as `taskset -c 1 …/private-api`.
    ///
    /// # Errors
    ///
    /// As [`Upstream::start`].
    pub fn start_as(pki: &Pki, command: &mut Command) -> Result<Self, Failure> {
        command.arg("--cert").arg(pki.path("upstream.pem")).arg("--key").arg(pki.path("upstream.key"));
        let process = Process::spawn("private-api", command)?;
        let line = process.stdout().find("the private API to listen", |line| Some(line.to_owned()));
        let line = line
            .map_err(|failure| Failure::Missing(format!("{failure}\n{}\nits address", process.output())))?;
        let listening: Listening = serde_json::from_str(&line).map_err(|source| Failure::Json {
            what: "private-api's first line",
            source,
            text: line,
        })?;
        Ok(Self { process, address: listening.address })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it still runs.
    ///
    /// # Errors
    ///
    /// When the operating system does not know.
    pub fn is_running(&mut self) -> Result<bool, Failure> {
        self.process.is_running()
    }

    /// Stops it at once; its port is free again.
    pub fn kill(self) {
        drop(self.process);
    }
}
