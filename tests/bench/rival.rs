//! Other makes of proxy, and of upstream: nginx, haproxy and Envoy with configurations of the same meaning as postern's.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use postern_tests::pki::Pki;
use postern_tests::process::{Process, Signal, run};
use postern_tests::upstream::HOST;
use postern_tests::wait::until;
use postern_tests::{Failure, files, ports, tools};

use crate::arena::{OTHER_CORE, Subject, pinned};
use crate::contestant::Post;
use crate::lists::List;
use crate::load::{BODY_BYTES, BULK_BYTES, body};

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

/// Another make of proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Make {
    Nginx,
    Haproxy,
    Envoy,
}

impl Make {
    pub(crate) const ALL: [Self; 3] = [Self::Nginx, Self::Haproxy, Self::Envoy];

    /// The program, and what it is called in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
        }
    }

    fn template(self) -> &'static str {
        match self {
            Self::Nginx => include_str!("peers/nginx.conf"),
            Self::Haproxy => include_str!("peers/haproxy.cfg"),
            Self::Envoy => include_str!("peers/envoy.yaml"),
        }
    }

    /// What it says of its version.
    pub(crate) fn version(self) -> Result<String, Failure> {
        let argument = if matches!(self, Self::Envoy) { "--version" } else { "-v" };
        let said = run(self.name(), Command::new(tools::path(self.name())?).arg(argument))?.success()?;
        let text = said.stdout + &said.stderr;
        let word = match self {
            // `nginx version: nginx/1.22.1`, `HAProxy version 2.6.12-1 2023/…`, `envoy version: …/1.40.0/Clean/…`.
            Self::Nginx => text.split('/').nth(1).and_then(|rest| rest.split_whitespace().next()),
            Self::Haproxy => text.split_whitespace().nth(2).and_then(|word| word.split('-').next()),
            Self::Envoy => text.split_once("version: ").and_then(|(_, rest)| rest.split('/').nth(1)),
        };
        word.map(str::to_owned).ok_or_else(|| Failure::Missing(format!("a version in {text:?}")))
    }
}

/// A program with a configuration of ours. Dropping it ends it.
pub(crate) struct Rival {
    make: Make,
    process: Process,
    /// The process before this one, where a new list means a new process.
    before: Option<Process>,
    pub(crate) address: SocketAddr,
    pub(crate) started: Instant,
    core: String,
    home: tempfile::TempDir,
}

impl Rival {
    /// A proxy that is measured.
    pub(crate) fn start(make: Make, work: Work, post: &Post<'_>) -> Result<Self, Failure> {
        let home = files::temporary_directory()?;
        post.list.write_pem(post.pki, &home.path().join("crl.pem"))?;
        let server =
            [files::read(&post.pki.path("server.pem"))?, files::read(&post.pki.path("server.key"))?].concat();
        files::write(&home.path().join("server.pem"), server)?;
        let template =
            work.of(make.template()).replace("@master@", if post.will_swap { "on" } else { "off" });
        Self::begin(make, home, &template, post.pki, post.upstream, post.core)
    }

    /// nginx as the upstream of all of them: the least that answers.
    pub(crate) fn upstream(pki: &Pki) -> Result<Self, Failure> {
        let home = files::temporary_directory()?;
        let bytes = home.path().join("bytes");
        std::fs::create_dir(&bytes)?;
        for length in [u64::from(BODY_BYTES), BULK_BYTES] {
            files::write(&bytes.join(length.to_string()), body(length))?;
        }
        let nobody = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        Self::begin(Make::Nginx, home, include_str!("peers/upstream.conf"), pki, nobody, OTHER_CORE)
    }

    fn begin(
        make: Make,
        home: tempfile::TempDir,
        template: &str,
        pki: &Pki,
        upstream: SocketAddr,
        core: &str,
    ) -> Result<Self, Failure> {
        let [port] = ports::free()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let fill = |template: &str| {
            [
                ("@home@", home.path().display().to_string()),
                ("@pki@", pki.path("").display().to_string()),
                ("@address@", address.to_string()),
                ("@ip@", address.ip().to_string()),
                ("@port@", address.port().to_string()),
                ("@upstream@", upstream.to_string()),
                ("@upstream-ip@", upstream.ip().to_string()),
                ("@upstream-port@", upstream.port().to_string()),
                ("@host@", HOST.to_owned()),
            ]
            .iter()
            .fold(template.to_owned(), |text, (name, value)| text.replace(name, value))
        };
        files::write(&home.path().join("configuration.yaml"), fill(template))?;
        files::write(&home.path().join("secrets.yaml"), fill(include_str!("peers/envoy-secrets.yaml")))?;
        let started = Instant::now();
        let process = spawn(make, home.path(), core, None)?;
        let listening = until(&format!("{} to listen", make.name()), || Ok(TcpStream::connect(address).ok()));
        listening.map_err(|failure| failure.with_output(&process.output()))?;
        Ok(Self { make, process, before: None, address, started, core: core.to_owned(), home })
    }

    /// It, to be measured.
    pub(crate) fn subject(&self) -> Subject {
        Subject { pid: self.process.id(), address: self.address }
    }

    /// Its process, and the one before it.
    pub(crate) fn processes(&self) -> Vec<u32> {
        self.before.iter().chain([&self.process]).map(Process::id).collect()
    }

    /// Puts another list in the place of its own, and tells it in the way that it knows; since when.
    pub(crate) fn swap(&mut self, pki: &Pki, list: &List) -> Result<Instant, Failure> {
        let home = self.home.path();
        list.write_pem(pki, &home.join("new.pem"))?;
        files::copy(&home.join("secrets.yaml"), &home.join("new.yaml"))?;
        let start = Instant::now();
        std::fs::rename(home.join("new.pem"), home.join("crl.pem"))?;
        match self.make {
            Make::Nginx => self.process.signal(Signal::HUP)?,
            // A command of its runtime API can bring no list of this size.
            Make::Haproxy => {
                let successor = spawn(self.make, home, &self.core, Some(self.process.id()))?;
                self.before = Some(std::mem::replace(&mut self.process, successor));
            }
            Make::Envoy => std::fs::rename(home.join("new.yaml"), home.join("secrets.yaml"))?,
        }
        Ok(start)
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        for process in self.before.iter_mut().chain([&mut self.process]) {
            // Killed, it would leave its children behind. Nothing more can be done if even that fails.
            let _ = process.signal(Signal::TERM);
            let _ = until("a proxy to end", || Ok((!process.is_running()?).then_some(())));
        }
    }
}

fn spawn(make: Make, home: &Path, core: &str, successor_of: Option<u32>) -> Result<Process, Failure> {
    let configuration = home.join("configuration.yaml");
    let mut command = pinned(&tools::path(make.name())?, core);
    match make {
        Make::Nginx => command.args(["-e", "stderr", "-p"]).arg(home).arg("-c").arg(configuration),
        Make::Haproxy => command.arg("-db").arg("-f").arg(configuration),
        Make::Envoy => {
            let quiet = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error", "-c"];
            command.args(quiet).arg(configuration)
        }
    };
    if let Some(pid) = successor_of {
        command.arg("-sf").arg(pid.to_string());
    }
    Process::spawn_unheard(make.name(), &mut command)
}
