//! Replays the decision about a client and its request: the same verification, the same CRLs, the same routes, at any time.

use http::Request;
use rustls_pki_types::{CertificateDer, UnixTime};
use serde::Serialize;

use crate::authorize::may_take;
use crate::clock::{rfc3339, seconds};
use crate::config::{Config, Invalid, UnknownNames};
use crate::identify::LeafSummary;
use crate::refusal::Refusal;
use crate::routes::{Destination, Routes, server_numbers};
use crate::trust::{Standing, VerifiedPath, client_trust, is_for, server_chain};

/// What is asked about.
#[derive(Debug)]
pub struct Case {
    /// The client's certificates, leaf first; none for a client that presents none.
    pub chain: Vec<CertificateDer<'static>>,
    /// The name that it asks for (SNI and Host).
    pub server_name: Option<String>,
    /// Its request.
    pub request: Option<Box<Request<()>>>,
    /// When.
    pub at: UnixTime,
}

/// What a handshake with a chain comes to, what becomes of a request on it, and why.
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
    /// The name of what the CRLs have against a client that is accepted all the same: `revocation.report_only`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_refuse: Option<&'static str>,
    /// Until when the verdict holds if nothing changes, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub good_until: Option<String>,
    /// The server that answers to the name, as logs call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The route of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// What the upstream is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarded: Option<String>,
    /// The verified path, leaf first, without the trust anchor; of a refused client, the chain as it was given.
    pub path: Vec<LeafSummary>,
}

/// Decides as the proxy would at that moment, with the files that `config` names.
///
/// # Errors
///
/// Files that cannot be used.
pub fn explain(config: &Config, case: &Case) -> Result<Explanation, Vec<Invalid>> {
    let summaries = |chain: &[CertificateDer<'_>]| chain.iter().map(|der| LeafSummary::of(der)).collect();
    let mut explanation = Explanation {
        verdict: "accepted",
        at: rfc3339(seconds(case.at)),
        reason: None,
        detail: None,
        would_refuse: None,
        good_until: None,
        server: None,
        route: None,
        forwarded: None,
        path: summaries(&case.chain),
    };
    let outcome = match server(config, case.server_name.as_deref())? {
        Ok(server) => {
            explanation.server = config.servers.get(server).map(|server| server.label.clone());
            verify(config, server, case)?.and_then(|verified| {
                if let Some((path, standing)) = &verified {
                    explanation.good_until = Some(rfc3339(seconds(standing.good_until)));
                    if let Some(refusal) = &standing.would_refuse {
                        explanation.would_refuse = Some(refusal.label());
                        explanation.detail = Some(refusal.to_string());
                    }
                    explanation.path = summaries(path.chain());
                }
                let Some(request) = &case.request else { return Ok(()) };
                explanation.route(config, server, case.server_name.as_deref(), request, verified.is_some())
            })
        }
        Err(refusal) => Err(refusal),
    };
    if let Err(refusal) = outcome {
        explanation.verdict = "refused";
        explanation.reason = Some(refusal.label());
        explanation.detail = Some(refusal.to_string());
    }
    Ok(explanation)
}

/// The number of the server that answers to `name`.
fn server(config: &Config, name: Option<&str>) -> Result<Result<usize, Refusal>, Vec<Invalid>> {
    let Some(name) = name else { return Ok(Ok(0)) };
    if let Some(number) = server_numbers(config).find(name).next() {
        return Ok(Ok(*number));
    }
    if let (UnknownNames::Refuse, Some(default)) = (config.unknown_names, config.servers.first()) {
        let chain = server_chain(config, &default.certificate).map_err(|problem| vec![problem])?;
        if !is_for(&chain, name) {
            return Ok(Err(Refusal::UnknownServerName { name: name.to_owned() }));
        }
    }
    Ok(Ok(0))
}

/// The client's path and its standing; `None` if it is anonymous.
#[expect(clippy::type_complexity, reason = "what cannot be read, or what is refused, or who it is")]
fn verify(
    config: &Config,
    server: usize,
    case: &Case,
) -> Result<Result<Option<(VerifiedPath, Standing)>, Refusal>, Vec<Invalid>> {
    let (bundle, revocations) = client_trust(config, server)?;
    let anonymous = config.servers.get(server).is_some_and(|server| server.client_auth.allows_anonymous());
    Ok(match (bundle, case.chain.split_first()) {
        (Some(bundle), Some((leaf, intermediates))) => {
            VerifiedPath::verify(leaf, intermediates, &bundle, &revocations, case.at).map(Some)
        }
        _ if anonymous => Ok(None),
        _ => Err(Refusal::CertificateRequired),
    })
}

impl Explanation {
    fn route(
        &mut self,
        config: &Config,
        server: usize,
        name: Option<&str>,
        request: &Request<()>,
        verified: bool,
    ) -> Result<(), Refusal> {
        let destination = Destination { server, name: name.map(Into::into) };
        let routes = Routes::new(config);
        let routed = routes.find(request, &destination)?;
        self.route.clone_from(&routed.route.name);
        may_take(routed.route, verified)?;
        let upstream = config.upstreams.get(routed.route.upstream);
        let host = upstream.and_then(|upstream| upstream.host.to_str().ok()).unwrap_or_default();
        self.forwarded =
            Some(format!("{} https://{host}{}", request.method(), routed.target(request.uri())?));
        Ok(())
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut lines = vec![format!("{} at {}", self.verdict, self.at)];
        if let (Some(reason), Some(detail)) = (self.reason, &self.detail) {
            lines.push(format!("{reason}: {detail}"));
        }
        if let (Some(reason), Some(detail)) = (self.would_refuse, &self.detail) {
            lines.push(format!("revocation.report_only: it would be refused for {reason}: {detail}"));
        }
        if let Some(until) = &self.good_until {
            lines.push(format!("good until {until}, if nothing changes"));
        }
        if let Some(server) = &self.server {
            lines.push(format!("server {server}"));
        }
        if let Some(route) = &self.route {
            lines.push(format!("route {route}"));
        }
        if let Some(forwarded) = &self.forwarded {
            lines.push(format!("forwarded as {forwarded}"));
        }
        for (depth, certificate) in self.path.iter().enumerate() {
            let LeafSummary { subject, issuer, serial, .. } = certificate;
            lines.push(format!("{depth}: {subject} (serial {serial}), issued by {issuer}"));
        }
        lines.join("\n")
    }
}
