//! curl as the client, with a certificate of the test's PKI.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::process::Command;

use serde::Deserialize;

use crate::pki::Pki;
use crate::private_api::Received;
use crate::process::run;
use crate::{Failure, files};

/// One call, built argument by argument.
pub struct Curl {
    command: Command,
    url: String,
}

/// What came of it.
#[derive(Debug)]
pub struct Answer {
    /// curl's exit code: 0, 35 (handshake), 52 (empty reply), 55, 56 (receiving failed), …
    pub exit: i32,
    /// What curl says went wrong; it holds the name of the TLS alert.
    pub error: String,
    /// The HTTP status, 0 without one.
    pub status: u16,
    /// `1.1` or `2`.
    pub http_version: String,
    /// How many connections it took.
    pub connects: u64,
    /// Response headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The response body.
    pub body: Vec<u8>,
}

/// What curl writes for `%{json}`.
#[derive(Deserialize)]
struct Summary {
    errormsg: Option<String>,
    response_code: u16,
    http_version: String,
    num_connects: u64,
}

impl Curl {
    /// A GET of `path` over HTTPS, with the certificate of `client` (a name under `clients/`), if any.
    #[must_use]
    pub fn https(pki: &Pki, address: SocketAddr, client: Option<&str>, path: &str) -> Self {
        Self::https_as(pki, "localhost", address, client, path)
    }

    /// As [`Curl::https`], of a server called `name`.
    #[must_use]
    pub fn https_as(pki: &Pki, name: &str, address: SocketAddr, client: Option<&str>, path: &str) -> Self {
        let mut curl = Self::to(format!("https://{name}:{}{path}", address.port()));
        curl.command.arg("--cacert").arg(pki.path("root.pem"));
        curl.command.arg("--resolve").arg(format!("{name}:{}:{}", address.port(), address.ip()));
        if let Some(client) = client {
            curl.command.arg("--cert").arg(pki.path(&format!("clients/{client}.pem")));
            curl.command.arg("--key").arg(pki.path(&format!("clients/{client}.key")));
        }
        curl
    }

    /// A GET of `path` without TLS.
    #[must_use]
    pub fn http(address: SocketAddr, path: &str) -> Self {
        Self::to(format!("http://{address}{path}"))
    }

    fn to(url: String) -> Self {
        let mut command = Command::new("curl");
        // A proxy of the environment or a ~/.curlrc has no say here.
        command.args(["--disable", "--noproxy", "*", "--silent", "--show-error", "--max-time", "60"]);
        Self { command, url }
    }

    /// One more argument, given to curl as it is.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// More arguments, given to curl as they are.
    #[must_use]
    pub fn args(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        self
    }

    /// A request header.
    #[must_use]
    pub fn header(self, header: &str) -> Self {
        self.args(&["--header", header])
    }

    /// Makes the call.
    ///
    /// # Errors
    ///
    /// When curl cannot be run; a refused call is an [`Answer`] too.
    pub fn call(mut self) -> Result<Answer, Failure> {
        let directory = files::temporary_directory()?;
        let (headers, body) = (directory.path().join("headers"), directory.path().join("body"));
        // Absent when the call fails early.
        files::write(&headers, "")?;
        files::write(&body, "")?;
        self.command.arg("--dump-header").arg(&headers).arg("--output").arg(&body);
        let finished = run("curl", self.command.args(["--write-out", "%{json}"]).arg(&self.url))?;
        let summary: Summary = serde_json::from_str(&finished.stdout).map_err(|source| Failure::Json {
            what: "curl's --write-out",
            source,
            text: format!("{}{}", finished.stdout, finished.stderr),
        })?;
        Ok(Answer {
            exit: finished.code(),
            error: summary.errormsg.unwrap_or_default(),
            status: summary.response_code,
            http_version: summary.http_version,
            connects: summary.num_connects,
            headers: parse_headers(&String::from_utf8_lossy(&files::read(&headers)?)),
            body: files::read(&body)?,
        })
    }
}

impl Answer {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The first value of a response header. `name` is in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as the private API's echo.
    ///
    /// # Errors
    ///
    /// [`Failure::Json`] with the body when it is something else.
    pub fn echo(&self) -> Result<Received, Failure> {
        self.json("the private API's echo")
    }

    /// The body as JSON.
    ///
    /// # Errors
    ///
    /// [`Failure::Json`] with the body when it is something else.
    pub fn json<T: for<'a> Deserialize<'a>>(&self, what: &'static str) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|source| Failure::Json {
            what,
            source,
            text: format!("{} {}\n{}", self.status, self.error, self.text()),
        })
    }
}

/// The last block of a dump: interim responses come before it.
fn parse_headers(dump: &str) -> Vec<(String, String)> {
    let dump = dump.replace("\r\n", "\n");
    let last = dump.trim_end().rsplit("\n\n").next().unwrap_or_default();
    last.lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect()
}
