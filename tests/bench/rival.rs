//! Other makes of proxy, and of upstream: nginx and haproxy with configurations of the same meaning as postern's.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postern_tests::pki::Pki;
use postern_tests::process::Process;
use postern_tests::upstream::HOST;
use postern_tests::wait::until;
use postern_tests::{Failure, files, ports, tools};

use crate::arena::{OTHER_CORE, PROXY_CORE, Subject, pinned};
use crate::load::{BODY_BYTES, body};

/// What a proxy does for each request.
#[derive(Clone, Copy)]
pub(crate) enum Work {
    /// What postern does: it tells the upstream who asks, and writes a line of log.
    Same,
    /// It verifies, decrypts, forwards, and nothing else.
    Bare,
}

impl Work {
    /// The lines of `template` that are for it.
    fn of(self, template: &str) -> String {
        let others = match self {
            Self::Same => "# bare",
            Self::Bare => "# same work",
        };
        template.lines().filter(|line| !line.ends_with(others)).flat_map(|line| [line, "\n"]).collect()
    }
}

/// A program with a configuration of ours. Dropping it ends it.
pub(crate) struct Rival {
    process: Process,
    pub(crate) address: SocketAddr,
    _home: tempfile::TempDir,
}

impl Rival {
    /// nginx as the proxy that is measured.
    pub(crate) fn nginx(pki: &Pki, upstream: SocketAddr, work: Work) -> Result<Self, Failure> {
        Self::start(pki, "nginx", &work.of(include_str!("peers/nginx.conf")), upstream, PROXY_CORE)
    }

    /// haproxy as the proxy that is measured.
    pub(crate) fn haproxy(pki: &Pki, upstream: SocketAddr, work: Work) -> Result<Self, Failure> {
        Self::start(pki, "haproxy", &work.of(include_str!("peers/haproxy.cfg")), upstream, PROXY_CORE)
    }

    /// nginx as the upstream of all of them: the least that answers.
    pub(crate) fn upstream(pki: &Pki) -> Result<Self, Failure> {
        let nobody = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        Self::start(pki, "nginx", include_str!("peers/upstream.conf"), nobody, OTHER_CORE)
    }

    /// It, to be measured.
    pub(crate) fn subject(&self) -> Subject {
        Subject { pid: self.process.id(), address: self.address }
    }

    fn start(
        pki: &Pki,
        program: &'static str,
        template: &str,
        upstream: SocketAddr,
        core: &str,
    ) -> Result<Self, Failure> {
        let home = files::temporary_directory()?;
        let [port] = ports::free()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        furnish(pki, home.path())?;
        let text = [
            ("@home@", home.path().display().to_string()),
            ("@pki@", pki.path("").display().to_string()),
            ("@address@", address.to_string()),
            ("@upstream@", upstream.to_string()),
            ("@host@", HOST.to_owned()),
        ]
        .iter()
        .fold(template.to_owned(), |text, (name, value)| text.replace(name, value));
        let configuration = home.path().join("configuration");
        files::write(&configuration, text)?;
        let mut command = pinned(&tools::path(program)?, core);
        arguments(&mut command, program, home.path(), &configuration);
        let process = Process::spawn_unheard(program, &mut command)?;
        let listening =
            until(&format!("{program} to listen"), || Ok(std::net::TcpStream::connect(address).ok()));
        listening.map_err(|failure| Failure::Missing(format!("{failure}\n{}", process.output())))?;
        Ok(Self { process, address, _home: home })
    }
}

fn arguments(command: &mut Command, program: &str, home: &Path, configuration: &Path) {
    match program {
        "nginx" => command.args(["-e", "stderr", "-p"]).arg(home).arg("-c").arg(configuration),
        _ => command.arg("-db").arg("-f").arg(configuration),
    };
}

/// The files that one or the other wants in a form of its own.
fn furnish(pki: &Pki, home: &Path) -> Result<(), Failure> {
    let mut lists = String::new();
    for list in ["crl/intermediate.crl", "crl/root.crl"] {
        let text = STANDARD.encode(files::read(&pki.path(list))?);
        lists += &format!("-----BEGIN X509 CRL-----\n{text}\n-----END X509 CRL-----\n");
    }
    files::write(&home.join("crl.pem"), lists)?;
    let server = [files::read(&pki.path("server.pem"))?, files::read(&pki.path("server.key"))?].concat();
    files::write(&home.join("server.pem"), server)?;
    let bytes = home.join("bytes");
    std::fs::create_dir(&bytes)?;
    files::write(&bytes.join(BODY_BYTES.to_string()), body())
}
