//! `postern trust`: how the running process's trust is, and an operator's word on it, through the admin port.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Subcommand;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::health::{Unhealthy, exchange};

/// What is asked of the process.
#[derive(Debug, Clone, Subcommand)]
pub enum Operation {
    /// Show each CRL in force, what was not taken and why, and each source
    Status,
    /// Let in the CRLs that the brake holds
    Approve {
        /// Those of this issuer, as `status` shows it; all if not given
        issuer: Option<String>,
    },
    /// Take an issuer's CRLs out of force and forget how new they were: what its source has now counts, be it older
    Clear {
        /// As `status` shows it
        issuer: String,
    },
}

/// Asks the process whose `admin.address` is `admin`. The answer is for people, or JSON.
///
/// # Errors
///
/// It does not answer, or refuses.
pub async fn operate(
    admin: SocketAddr,
    operation: &Operation,
    patience: Duration,
    for_people: bool,
) -> Result<String, Unhealthy> {
    let (method, path, asked) = match operation {
        Operation::Status => (Method::GET, "/trust", None),
        Operation::Approve { issuer } => (Method::POST, "/trust/approve", Some(json!({ "issuer": issuer }))),
        Operation::Clear { issuer } => (Method::POST, "/trust/clear", Some(json!({ "issuer": issuer }))),
    };
    let asked = asked.map(|asked| asked.to_string()).unwrap_or_default();
    let (status, body) = exchange(admin, method, path, asked, patience).await?;
    let text = String::from_utf8_lossy(&body).trim_end().to_owned();
    if status != StatusCode::OK {
        return Err(Unhealthy::No { address: admin, path, status, answer: text });
    }
    match serde_json::from_str::<Value>(&text) {
        Ok(answer) if for_people => Ok(shown(operation, &answer)),
        Ok(_) | Err(_) => Ok(text),
    }
}

fn shown(operation: &Operation, answer: &Value) -> String {
    let list = |name: &str| answer.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut text = String::new();
    match operation {
        Operation::Status => {
            for crl in list("crls") {
                let [issuer, state, source] = ["issuer", "state", "source"].map(|name| word(&crl, name));
                let [number, from, until] =
                    ["crl_number", "this_update", "next_update"].map(|name| word(&crl, name));
                let _ = writeln!(
                    text,
                    "{issuer}: {state}\n  number {number} of {from}, next by {until}, from {source}"
                );
            }
            for it in list("not_taken") {
                let [reason, problem, hint] = ["reason", "problem", "hint"].map(|name| word(&it, name));
                let _ = writeln!(text, "not taken ({reason}): {problem}\n  hint: {hint}");
            }
            for source in list("sources") {
                if let Some(error) = source.get("error").and_then(Value::as_str) {
                    let [place, answered] = ["place", "answered"].map(|name| word(&source, name));
                    let _ = writeln!(text, "{place}: {error}\n  last answer: {answered}");
                }
            }
        }
        Operation::Approve { .. } => match list("approved").as_slice() {
            [] => text.push_str("nothing is held"),
            issuers => {
                let _ = issuers
                    .iter()
                    .try_for_each(|issuer| writeln!(text, "approved: {}", issuer.as_str().unwrap_or("-")));
            }
        },
        Operation::Clear { issuer } => {
            let cleared = answer.get("cleared").and_then(Value::as_bool).unwrap_or(false);
            let what = if cleared { "cleared" } else { "nothing is known of" };
            let _ = write!(text, "{what} {issuer}");
        }
    }
    text.trim_end().to_owned()
}

fn word(of: &Value, name: &str) -> String {
    of.get(name).and_then(Value::as_str).unwrap_or("-").to_owned()
}
