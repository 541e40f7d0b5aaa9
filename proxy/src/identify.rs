//! Phase 3: from the verified leaf to a client identity that people and upstreams can read.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::proxy_protocol::Origin;
use crate::refusal::Refusal;
use crate::trust::VerifiedPath;

/// What a certificate says about itself. Of a refused client nothing of it is proven.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LeafSummary {
    /// The subject, as RFC 4514 writes it.
    pub subject: String,
    /// The issuer, as RFC 4514 writes it.
    pub issuer: String,
    /// The serial number, hexadecimal.
    pub serial: String,
    /// SHA-256 of the DER, hexadecimal.
    pub fingerprint: String,
}

/// Who the client is: proven by the path of its handshake, except for where it comes from.
#[derive(Debug, Clone)]
pub struct ClientIdentity {
    /// The leaf, for people; `None` if the client is anonymous.
    pub leaf: Option<LeafSummary>,
    /// The first SPIFFE id among the URI names.
    pub spiffe_id: Option<String>,
    /// Where it connected from.
    pub origin: Origin,
}

#[expect(clippy::wildcard_enum_match_arm, reason = "one kind of name out of ten is wanted")]
/// Reads the identity out of a verified path, if there is one.
///
/// # Errors
///
/// [`Refusal::BadCertificate`] for a leaf that the verifier could read and this parser cannot.
pub fn identify(path: Option<&VerifiedPath>, origin: Origin) -> Result<ClientIdentity, Refusal> {
    let Some(path) = path else { return Ok(ClientIdentity { leaf: None, spiffe_id: None, origin }) };
    let leaf = path.chain().first().ok_or(Refusal::BadCertificate { detail: "empty chain".to_owned() })?;
    let (_, certificate) = X509Certificate::from_der(leaf)
        .map_err(|error| Refusal::BadCertificate { detail: error.to_string() })?;
    let spiffe_id = certificate.subject_alternative_name().ok().flatten().and_then(|names| {
        let uris = names.value.general_names.iter().filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        });
        uris.map(str::to_owned).find(|uri| uri.starts_with("spiffe://"))
    });
    let leaf = Some(LeafSummary::new(leaf, &certificate));
    Ok(ClientIdentity { leaf, spiffe_id, origin })
}

impl ClientIdentity {
    /// What tells clients apart, whichever certificate they show today: the SPIFFE id, or a subject of one issuer, or
    /// else the certificate. Those without one are told apart by where they come from.
    pub fn name(&self) -> String {
        match (&self.spiffe_id, &self.leaf) {
            (Some(id), _) => id.clone(),
            (None, Some(leaf)) if leaf.subject.is_empty() => leaf.fingerprint.clone(),
            (None, Some(leaf)) => format!("{}\n{}", leaf.issuer, leaf.subject),
            (None, None) => self.origin.client.ip().to_string(),
        }
    }
}

impl LeafSummary {
    /// Reads `der`; what cannot be read stays empty.
    pub fn of(der: &[u8]) -> Self {
        match X509Certificate::from_der(der) {
            Ok((_, certificate)) => Self::new(der, &certificate),
            Err(_) => Self { fingerprint: hex(digest(&SHA256, der).as_ref()), ..Self::default() },
        }
    }

    fn new(der: &[u8], certificate: &X509Certificate<'_>) -> Self {
        Self {
            subject: crl_tool::rfc4514(certificate.subject().as_raw()).unwrap_or_default(),
            issuer: crl_tool::rfc4514(certificate.issuer().as_raw()).unwrap_or_default(),
            serial: hex(certificate.tbs_certificate.raw_serial()),
            fingerprint: hex(digest(&SHA256, der).as_ref()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
