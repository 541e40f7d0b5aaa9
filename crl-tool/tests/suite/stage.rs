//! A directory with a CA and its CRL, and the binary run in it.

use crate::der::{entry, reason};
use crate::forge::{Ca, Crl};
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

pub(crate) struct Stage {
    pub(crate) directory: TempDir,
    pub(crate) ca: Ca,
}

impl Stage {
    /// A CA and its CRL, which revokes 1 for keyCompromise.
    pub(crate) fn set() -> Stage {
        let stage = Stage { directory: tempfile::tempdir().unwrap(), ca: Ca::new() };
        stage.write("ca.pem", stage.ca.pem().as_bytes());
        stage.write("ca.crl", &stage.crl());
        stage
    }

    pub(crate) fn crl(&self) -> Vec<u8> {
        Crl::of(&self.ca).entries(&[entry(&[1], &[reason(1)]), entry(&[2], &[])]).signed_by(&self.ca)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) {
        fs::File::create(self.path(name)).unwrap().write_all(content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crl-tool"));
        command.current_dir(self.directory.path()).args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    pub(crate) fn run_with(&self, stdin: &[u8], arguments: &[&str]) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that refuses early closes its end.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        child.wait_with_output().unwrap()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// Builds `ca.crlx`.
pub(crate) const BUILD: [&str; 7] = ["build", "--crl", "ca.crl", "--issuer", "ca.pem", "--out", "ca.crlx"];

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}
