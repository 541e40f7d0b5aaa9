//! A running postern, its configuration, and what it writes.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::access_log::Entry;
use crate::curl::{Answer, Curl};
use crate::metrics::Metrics;
use crate::pki::Pki;
use crate::process::{Finished, Process, Signal, Spawn, run};
use crate::upstream::HOST;
use crate::wait::until;
use crate::{Failure, binary, files};

/// A configuration in the making: TOML values by section and key.
#[derive(Clone, Debug, Default)]
pub struct Config {
    sections: BTreeMap<String, BTreeMap<String, String>>,
    /// Lists of tables, as they are written.
    lists: String,
}

impl Config {
    /// Everything on free loopback ports, with the certificates of `pki`, in front of `upstream`.
    #[must_use]
    pub fn new(pki: &Pki, upstream: SocketAddr) -> Self {
        let [intermediate, root] = pki.indexes();
        Self::default()
            .text("listen.address", "127.0.0.1:0")
            .text("tls.certificate", pki.path("server.pem").display())
            .text("tls.private_key", pki.path("server.key").display())
            .text("client_auth.trust_bundle", pki.path("root.pem").display())
            .raw("revocation.crls", format!("[{:?}, {:?}]", intermediate.display(), root.display()))
            .text("upstream.address", upstream)
            .text("upstream.host", HOST)
            .text("upstream.server_name", HOST)
            .text("upstream.trust_bundle", pki.path("upstream-ca.pem").display())
            .text("admin.address", "127.0.0.1:0")
    }

    /// Sets `section.key` to a string.
    #[must_use]
    pub fn text(self, key: &str, value: impl Display) -> Self {
        self.raw(key, format!("{:?}", value.to_string()))
    }

    /// Sets `section.key` to a value written as TOML.
    #[must_use]
    pub fn raw(mut self, key: &str, value: impl Display) -> Self {
        let (section, key) = key.split_once('.').unwrap_or(("", key));
        self.sections.entry(section.to_owned()).or_default().insert(key.to_owned(), value.to_string());
        self
    }

    /// Takes `section.key` out.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        let (section, key) = key.split_once('.').unwrap_or(("", key));
        self.sections.entry(section.to_owned()).or_default().remove(key);
        self
    }

    /// The value of `section.key`, written as TOML.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&str> {
        let (section, key) = key.split_once('.').unwrap_or(("", key));
        self.sections.get(section)?.get(key).map(String::as_str)
    }

    /// The TOML text.
    #[must_use]
    pub fn render(&self) -> String {
        let mut toml = String::new();
        for (section, entries) in &self.sections {
            toml += &format!("[{section}]\n");
            toml.extend(entries.iter().map(|(key, value)| format!("{key} = {value}\n")));
        }
        toml + &self.lists
    }

    /// Adds tables of a list, written as TOML.
    #[must_use]
    pub fn list(mut self, toml: &str) -> Self {
        self.lists += toml;
        self
    }

    /// Writes it to a file.
    ///
    /// # Errors
    ///
    /// [`Failure::File`] with the path.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        files::write(path, self.render())
    }
}

/// Runs `postern check` on a configuration.
///
/// # Errors
///
/// When it cannot be run; any exit code is fine.
pub fn check(config: &Config) -> Result<Finished, Failure> {
    run_with(config, "check")
}

/// Runs `postern run` when it is expected to give up.
///
/// # Errors
///
/// [`Failure::Deadline`] when it goes on running.
pub fn run_to_end(config: &Config) -> Result<Finished, Failure> {
    run_with(config, "run")
}

fn run_with(config: &Config, verb: &str) -> Result<Finished, Failure> {
    let directory = files::temporary_directory()?;
    let path = directory.path().join("postern.toml");
    config.write(&path)?;
    run("postern", binary::command("postern")?.arg(verb).arg("--config").arg(&path))
}

/// The line of the operational log that says where it listens.
#[derive(Deserialize)]
struct Listening {
    address: SocketAddr,
    admin: SocketAddr,
}

/// The address in the listening line of `--log-format text`; none if it is another line.
#[must_use]
pub fn text_address(line: &str) -> Option<SocketAddr> {
    let (_, fields) = line.split_once("listening")?;
    let address = fields.split_whitespace().find_map(|field| field.strip_prefix("address="))?;
    address.trim_matches('"').parse().ok()
}

/// A running `postern`. Dropping it kills it.
pub struct Postern {
    process: Process,
    address: SocketAddr,
    admin: SocketAddr,
    /// Where the configuration file lives.
    _directory: Option<tempfile::TempDir>,
}

impl Postern {
    /// Starts one and waits until it listens.
    ///
    /// # Errors
    ///
    /// When it does not start, with what it said.
    pub fn start(config: &Config) -> Result<Self, Failure> {
        Self::start_as(config, &mut binary::command("postern")?, Process::spawn)
    }

    /// As [`Postern::start`], through a command that ends in the binary's path, such as `taskset -c 0 …/postern`.
    ///
    /// # Errors
    ///
    /// As [`Postern::start`].
    pub fn start_as(config: &Config, command: &mut Command, spawn: Spawn) -> Result<Self, Failure> {
        let directory = files::temporary_directory()?;
        let path = directory.path().join("postern.toml");
        config.write(&path)?;
        command.arg("run").arg("--config").arg(&path).args(["--log-format", "json"]);
        let started = Self::listening(spawn("postern", command)?)?;
        Ok(Self { _directory: Some(directory), ..started })
    }

    /// One that was started by other means, with `log.format` json: waits until it listens.
    ///
    /// # Errors
    ///
    /// When it does not, with what it said.
    pub fn listening(process: Process) -> Result<Self, Failure> {
        let listening = process.stderr().find("postern to listen", |line| {
            line.contains("\"listening\"").then(|| serde_json::from_str::<Listening>(line).ok())?
        })?;
        Ok(Self { process, address: listening.address, admin: listening.admin, _directory: None })
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where operators look.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The process.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// GETs a path of the admin listener.
    ///
    /// # Errors
    ///
    /// When curl cannot be run.
    pub fn look(&self, path: &str) -> Result<Answer, Failure> {
        Curl::http(self.admin, path).call()
    }

    /// Scrapes the metrics.
    ///
    /// # Errors
    ///
    /// When curl cannot be run.
    pub fn metrics(&self) -> Result<Metrics, Failure> {
        self.look("/metrics").map(|answer| Metrics::parse(answer.text()))
    }

    /// Waits until the sum of a metric is at least `least`.
    ///
    /// # Errors
    ///
    /// [`Failure::Deadline`] naming the metric.
    pub fn metric_reaches(&self, name: &str, labels: &[(&str, &str)], least: f64) -> Result<f64, Failure> {
        until(&format!("{name}{labels:?} to reach {least}"), || {
            let sum = self.metrics()?.sum(name, labels);
            Ok((sum >= least).then_some(sum))
        })
    }

    /// Waits for the first line of the access log that `wanted` accepts.
    ///
    /// # Errors
    ///
    /// [`Failure::Deadline`] with the lines seen.
    pub fn logged(&self, awaited: &str, wanted: impl Fn(&Entry) -> bool) -> Result<Entry, Failure> {
        self.process.stdout().find(awaited, |line| Entry::parse(line).filter(&wanted))
    }

    /// Waits for the line about a refused connection with this reason.
    ///
    /// # Errors
    ///
    /// As [`Postern::logged`].
    pub fn refused(&self, reason: &str) -> Result<Entry, Failure> {
        self.logged(&format!("a refused connection with reason {reason}"), |entry| {
            entry.is("refused") && entry.text("reason") == Some(reason)
        })
    }

    /// Waits for the line about the request for this path, whatever its query.
    ///
    /// # Errors
    ///
    /// As [`Postern::logged`].
    pub fn requested(&self, path: &str) -> Result<Entry, Failure> {
        self.logged(&format!("a request for {path}"), |entry| {
            entry.is("request") && entry.text("path").and_then(|it| it.split('?').next()) == Some(path)
        })
    }

    /// Every line of the access log so far.
    #[must_use]
    pub fn access_log(&self) -> Vec<Entry> {
        self.process.stdout().all().iter().filter_map(|line| Entry::parse(line)).collect()
    }

    /// Waits for the first line of the operational log that holds all of `words`.
    ///
    /// # Errors
    ///
    /// [`Failure::Deadline`] with the lines seen.
    pub fn said(&self, words: &[&str]) -> Result<String, Failure> {
        self.process.stderr().find(&format!("a line of the operational log with {words:?}"), |line| {
            words.iter().all(|word| line.contains(word)).then(|| line.to_owned())
        })
    }

    /// Sends SIGHUP and waits until the reload is done, well or not.
    ///
    /// # Errors
    ///
    /// [`Failure::Deadline`] when nothing was reloaded.
    pub fn reload(&self) -> Result<(), Failure> {
        let before = self.metrics()?.sum("postern_reloads_total", &[]);
        self.process.signal(Signal::HUP)?;
        self.metric_reaches("postern_reloads_total", &[], before + 1.0).map(|_| ())
    }

    /// Sends SIGTERM and goes on.
    ///
    /// # Errors
    ///
    /// [`Failure::Process`] when it has ended already.
    pub fn terminate(&self) -> Result<(), Failure> {
        self.process.signal(Signal::TERM)
    }

    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// [`Failure::Deadline`] when it goes on running.
    pub fn finish(self) -> Result<Finished, Failure> {
        self.process.finish()
    }
}
