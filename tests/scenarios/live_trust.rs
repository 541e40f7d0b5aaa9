//! Trust that changes while the proxy runs: what comes from S3, from files that change, and from AWS, without a signal.

mod aws;
mod brake;
mod faults;
mod files;
mod floors;
mod full_disk;
mod kills;
mod ladder;
mod s3;

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postern_tests::curl::Curl;
use postern_tests::pki::Pki;
use postern_tests::postern::{Config, Postern};
use postern_tests::process::Process;
use postern_tests::stage::Stage;
use postern_tests::upstream::Upstream;
use postern_tests::wait::until;
use postern_tests::{Failure, Outcome, binary, s3::BUCKET};

/// Looks often, and proves CRLs of the intermediate CA.
fn config(pki: &Pki, upstream: &Upstream) -> Config {
    Config::new(pki, upstream.address())
        .raw("sources.interval_ms", 200)
        .raw("sources.jitter_percent", 0)
        .raw("sources.files_interval_ms", 50)
        // Also for the first look of a start, on a slow machine.
        .raw("sources.timeout_ms", 10_000)
        .raw("sources.s3_path_style", true)
        .raw("revocation.issuers", format!("[{:?}]", pki.path("intermediate.pem").display()))
}

/// The CRL of the intermediate CA at `place`, and the root's in its file.
fn with_crl_at(config: Config, pki: &Pki, place: &str) -> Config {
    config.raw("revocation.crls", format!("[{place:?}, {:?}]", pki.path("crl/root.crlx").display()))
}

fn in_s3(key: &str) -> String {
    format!("s3://{BUCKET}/{key}")
}

/// Starts a postern that knows AWS, with nothing of AWS in its environment but `environment`.
fn start(config: &Config, environment: Vec<(&'static str, String)>) -> Result<Postern, Failure> {
    start_command(config, binary::postern_with_aws()?, environment)
}

/// As [`start`], by a command that comes to the same.
fn start_command(
    config: &Config,
    mut command: Command,
    environment: Vec<(&'static str, String)>,
) -> Result<Postern, Failure> {
    let ambient = std::env::vars_os().map(|(name, _)| name);
    for name in ambient.filter(|name| name.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(name);
    }
    Postern::start_as(config, command.envs(environment), Process::spawn)
}

/// Waits until a client is let in, or is not any longer.
fn until_status(stage: &Stage, client: &str, status: u16) -> Outcome {
    until(&format!("{client} to get {status}"), || {
        Ok((stage.curl(client, "/").call()?.status == status).then_some(()))
    })
}

/// How many lines of the operational log hold all of `words`.
fn times_said(postern: &Postern, words: &[&str]) -> usize {
    let all = postern.process().stderr().all();
    all.iter().filter(|line| words.iter().all(|word| line.contains(word))).count()
}

/// Tells the running process something through its admin port.
fn tell(postern: &Postern, path: &str, json: &str) -> Result<String, Failure> {
    let answer = Curl::http(postern.admin(), path)
        .arg("--header")
        .arg("Content-Type: application/json")
        .arg("--data")
        .arg(json)
        .call()?;
    Ok(answer.text())
}

fn trust(postern: &Postern) -> Result<serde_json::Value, Failure> {
    let text = postern.look("/trust")?.text();
    serde_json::from_str(&text).map_err(|source| Failure::Json { what: "/trust", source, text })
}

/// A CRL as PEM, with a word before it.
fn pem(der: &[u8]) -> Vec<u8> {
    let base64 = STANDARD.encode(der);
    let lines: Vec<_> = base64.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("a CRL\n-----BEGIN X509 CRL-----\n{}\n-----END X509 CRL-----\n", lines.join("\n")).into_bytes()
}

/// Puts a file in the place of another, as publishers do.
fn replace(from: &Path, to: &Path) -> Outcome {
    let beside = to.with_extension("next");
    std::fs::copy(from, &beside)?;
    Ok(std::fs::rename(beside, to)?)
}
