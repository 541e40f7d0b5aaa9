//! Everything at once, on loopback, to try by hand: certificates, a private API, and postern in front of it.

use std::fmt::{self, Display};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use crate::pki::Pki;
use crate::postern::{Config, text_address};
use crate::process::{Process, Signal, run};
use crate::upstream::Upstream;
use crate::{Failure, binary, crl_tool};

/// Where the playground is.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where clients connect; port 0 takes a free one.
    pub address: SocketAddr,
    /// Where operators look; port 0 takes a free one.
    pub admin: SocketAddr,
    /// The certificates; made if they are not there.
    pub pki: PathBuf,
}

/// A running playground. Dropping it kills everything.
pub struct Playground {
    postern: Process,
    upstream: Upstream,
    address: SocketAddr,
    pki: PathBuf,
}

impl Playground {
    /// Makes what is missing and starts everything.
    ///
    /// # Errors
    ///
    /// When an address is taken, or something does not start.
    pub fn start(settings: &Settings) -> Result<Self, Failure> {
        for (address, flag) in [(settings.address, "--address"), (settings.admin, "--admin")] {
            require_free(address, flag)?;
        }
        let pki = prepare(&settings.pki)?;
        // In process groups of their own: Ctrl-C reaches us alone, and we let postern finish before the rest goes.
        let upstream = Upstream::start_as(&pki, binary::command("private-api")?.process_group(0))?;
        let config = pki.path("postern.toml");
        Config::new(&pki, upstream.address())
            .text("listen.address", settings.address)
            .text("admin.address", settings.admin)
            .write(&config)?;
        let mut command = binary::command("postern")?;
        command.arg("run").arg("--config").arg(config).args(["--log-format", "text"]);
        let postern = Process::spawn_shown("postern", command.process_group(0))?;
        let address = postern.stderr().find("postern to listen", text_address)?;
        Ok(Self { postern, upstream, address, pki: settings.pki.clone() })
    }

    /// Whether both servers still run.
    ///
    /// # Errors
    ///
    /// When the operating system does not know.
    pub fn is_running(&mut self) -> Result<bool, Failure> {
        Ok(self.postern.is_running()? && self.upstream.is_running()?)
    }

    /// Lets postern finish its requests and stops everything.
    ///
    /// # Errors
    ///
    /// When postern does not end well.
    pub fn stop(self) -> Result<(), Failure> {
        self.postern.signal(Signal::TERM)?;
        self.postern.finish()?.success().map(|_| ())
    }
}

/// What to try, and what it answers.
impl Display for Playground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, pki) = (self.address, self.pki.display());
        let curl = format!("curl --cacert {pki}/root.pem");
        writeln!(f, "postern: https://{address}")?;
        writeln!(f, "\nThese are refused or accepted for what their certificate is:\n")?;
        for (client, answer) in [
            ("good", "HTTP 200, and what the private API received"),
            ("revoked", "curl: (56) ... alert certificate revoked"),
            ("", "curl: (56) ... alert certificate required"),
            ("stranger", "curl: (56) ... alert unknown ca"),
        ] {
            let certificate = match client {
                "" => String::new(),
                name => format!(" --cert {pki}/clients/{name}.pem --key {pki}/clients/{name}.key"),
            };
            let who = if client.is_empty() { "none" } else { client };
            writeln!(f, "# {who}: {answer}\n  {curl}{certificate} --http1.1 https://{address}/orders\n")?;
        }
        write!(f, "The log follows; Ctrl-C stops everything.")
    }
}

/// Says who is in the way before anything starts.
fn require_free(address: SocketAddr, flag: &'static str) -> Result<(), Failure> {
    match TcpListener::bind(address) {
        Ok(_released) => Ok(()),
        Err(source) => Err(Failure::AddressTaken { address, flag, source }),
    }
}

/// The certificates of `directory`, made if there are none or their CRLs are too old, and indexes of their CRLs.
fn prepare(directory: &Path) -> Result<Pki, Failure> {
    // The configuration lies in that directory, and postern reads the names in it from there.
    let pki = Pki::at(&std::path::absolute(directory)?);
    if !pki.path("root.pem").exists() {
        make(directory, &[])?;
    }
    pki.index()?;
    let now = OffsetDateTime::now_utc();
    for index in pki.indexes() {
        if crl_tool::next_update(&index)? <= now {
            println!(
                "The CRLs in {} are past their nextUpdate: everything there is made anew.",
                directory.display()
            );
            make(directory, &["--force"])?;
            pki.index()?;
            break;
        }
    }
    Ok(pki)
}

fn make(directory: &Path, arguments: &[&str]) -> Result<(), Failure> {
    let mut command = binary::command("certs")?;
    let made = run("certs dev", command.arg("dev").arg("--out").arg(directory).args(arguments))?.success()?;
    println!("{}", made.stdout);
    Ok(())
}
