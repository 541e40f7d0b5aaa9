//! Replays the decision about a client: the same verification, the same CRLs, at any time.

use rustls_pki_types::{CertificateDer, UnixTime};
use serde::Serialize;

use crate::clock::{rfc3339, seconds};
use crate::config::{Config, Invalid};
use crate::identify::LeafSummary;
use crate::refusal::Refusal;
use crate::trust::{VerifiedPath, client_trust};

/// What a handshake with a chain comes to, and why.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// `accepted` or `refused`.
    pub verdict: &'static str,
    /// The moment it is about, RFC 3339.
    pub at: String,
    /// The refusal's stable name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The refusal's sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Until when the verdict holds if nothing changes, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub good_until: Option<String>,
    /// The verified path, leaf first, without the trust anchor; of a refused client, the chain as it was given.
    pub path: Vec<LeafSummary>,
}

/// Decides on `chain`, leaf first, as a handshake at `at` would, with the files that `config` names.
///
/// # Errors
///
/// Files that cannot be used.
pub fn explain(
    config: &Config,
    chain: &[CertificateDer<'static>],
    at: UnixTime,
) -> Result<Explanation, Vec<Invalid>> {
    let (bundle, revocations) = client_trust(config)?;
    let decided = match chain.split_first() {
        Some((leaf, intermediates)) => VerifiedPath::verify(leaf, intermediates, &bundle, &revocations, at),
        None => Err(Refusal::CertificateRequired),
    };
    let at = rfc3339(seconds(at));
    let summaries = |chain: &[CertificateDer<'_>]| chain.iter().map(|der| LeafSummary::of(der)).collect();
    Ok(match decided {
        Ok((path, standing)) => Explanation {
            verdict: "accepted",
            at,
            reason: None,
            detail: None,
            good_until: Some(rfc3339(seconds(standing.good_until))),
            path: summaries(path.chain()),
        },
        Err(refusal) => Explanation {
            verdict: "refused",
            at,
            reason: Some(refusal.label()),
            detail: Some(refusal.to_string()),
            good_until: None,
            path: summaries(chain),
        },
    })
}

impl Explanation {
    /// For people.
    pub fn text(&self) -> String {
        let mut lines = vec![format!("{} at {}", self.verdict, self.at)];
        if let (Some(reason), Some(detail)) = (self.reason, &self.detail) {
            lines.push(format!("{reason}: {detail}"));
        }
        if let Some(until) = &self.good_until {
            lines.push(format!("good until {until}, if nothing changes"));
        }
        for (depth, certificate) in self.path.iter().enumerate() {
            let LeafSummary { subject, issuer, serial, .. } = certificate;
            lines.push(format!("{depth}: {subject} (serial {serial}), issued by {issuer}"));
        }
        lines.join("\n")
    }
}
