//! Clients of other makes: what a good one does on one connection, and what a revoked one gets to see.

use std::path::Path;
use std::process::Command;

use postern_tests::process::run;
use postern_tests::stage::Stage;
use postern_tests::{Failure, Outcome, tools};
use serde::Deserialize;

/// What the programs under `clients/` print.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
struct Came {
    version: String,
    get: u16,
    post: u64,
    large: u64,
    error: Option<String>,
}

/// Makes the command of a client that is to call as a client of the PKI.
type Call<'a> = &'a dyn Fn(&Stage, &str) -> Result<Command, Failure>;

/// `good` gets everything over one connection; `revoked` gets nothing, and an error.
fn both(version: &str, call: Call<'_>) -> Outcome {
    let stage = Stage::set()?;
    let came = outcome(call(&stage, "good")?)?;
    let all = Came { version: version.to_owned(), get: 200, post: 11_000, large: 5_000_000, error: None };
    assert_eq!(came, all);
    let connections = stage.postern.metrics()?.sum("postern_connections_total", &[]);
    assert_eq!(connections, 1.0, "the three requests share a connection");

    let came = outcome(call(&stage, "revoked")?)?;
    assert_eq!((came.get, came.post), (0, 0), "{came:?}");
    // The alert, or with TLS 1.3 the closed connection, whichever the client notices first.
    assert!(came.error.is_some_and(|error| !error.is_empty()));
    stage.postern.refused("certificate_revoked")?;
    Ok(())
}

fn outcome(mut command: Command) -> Result<Came, Failure> {
    let finished = run("the client", &mut command)?.success()?;
    serde_json::from_str(&finished.stdout).map_err(|source| Failure::Json {
        what: "a client's outcome",
        source,
        text: format!("{}{}", finished.stdout, finished.stderr),
    })
}

/// A program of `clients/` that takes PEM files.
fn with_pem(
    program: &'static str,
    script: &str,
    library: &str,
    stage: &Stage,
    client: &str,
) -> Result<Command, Failure> {
    let mut command = Command::new(tools::path(program)?);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(script));
    command.arg(library).arg(url(stage)).arg(stage.pki.path("root.pem"));
    command.arg(stage.pki.path(&format!("clients/{client}.pem")));
    command.arg(stage.pki.path(&format!("clients/{client}.key")));
    Ok(command)
}

fn url(stage: &Stage) -> String {
    format!("https://localhost:{}", stage.postern.address().port())
}

#[test]
fn python_requests() -> Outcome {
    both("HTTP/1.1", &|stage, client| with_pem("python3", "client.py", "requests", stage, client))
}

#[test]
fn python_httpx() -> Outcome {
    both("HTTP/2", &|stage, client| with_pem("python3", "client.py", "httpx", stage, client))
}

#[test]
fn node_https() -> Outcome {
    both("HTTP/1.1", &|stage, client| with_pem("node", "client.mjs", "https", stage, client))
}

#[test]
fn node_http2() -> Outcome {
    both("HTTP/2", &|stage, client| with_pem("node", "client.mjs", "http2", stage, client))
}

fn java(version: &str, stage: &Stage, client: &str) -> Result<Command, Failure> {
    let store = stage.pki.path(&format!("{client}.p12"));
    let mut export = Command::new("openssl");
    export.args(["pkcs12", "-export", "-passout", "pass:changeit", "-out"]).arg(&store);
    export.arg("-in").arg(stage.pki.path(&format!("clients/{client}.pem")));
    export.arg("-inkey").arg(stage.pki.path(&format!("clients/{client}.key")));
    run("openssl pkcs12", &mut export)?.success()?;
    let mut command = Command::new(tools::path("java")?);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/Client.java"));
    command.arg(version).arg(url(stage)).arg(stage.pki.path("root.pem")).arg(store);
    Ok(command)
}

#[test]
fn java_http1() -> Outcome {
    both("HTTP_1_1", &|stage, client| java("1.1", stage, client))
}

#[test]
fn java_http2() -> Outcome {
    both("HTTP_2", &|stage, client| java("2", stage, client))
}
