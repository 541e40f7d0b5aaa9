//! Envoy's `X-Forwarded-Client-Cert`: one element, `;` between its pairs, values in double quotes where they need them.

use rustls_pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;

use super::certificate::{pem, quotable_name, uri};
use crate::config::{IdentityHeaders, XfccElement};
use crate::identify::LeafSummary;

#[expect(clippy::wildcard_enum_match_arm, reason = "two kinds of names out of ten are wanted")]
/// What is written of the client whose verified path is `chain`, leaf first.
pub(super) fn element(
    leaf: &LeafSummary,
    certificate: &X509Certificate<'_>,
    chain: &[CertificateDer<'static>],
    settings: &IdentityHeaders,
) -> String {
    let mut pairs = Vec::new();
    if let Some(by) = &settings.xfcc_by {
        pairs.push(pair("By", by));
    }
    for wanted in &settings.xfcc {
        match wanted {
            XfccElement::Hash => pairs.push(pair("Hash", &leaf.fingerprint)),
            XfccElement::Cert => pairs.extend(chain.first().map(|leaf| quoted("Cert", &pem(leaf, "")))),
            XfccElement::Chain => {
                let chain: String = chain.iter().map(|certificate| pem(certificate, "")).collect();
                pairs.push(quoted("Chain", &chain));
            }
            // Always quoted, Envoy's documentation says.
            XfccElement::Subject => pairs.push(quoted("Subject", &quotable_name(&leaf.subject))),
            XfccElement::Uri => pairs.extend(names(certificate, |name| match name {
                GeneralName::URI(text) => Some(pair("URI", &uri(text))),
                _ => None,
            })),
            XfccElement::Dns => pairs.extend(names(certificate, |name| match name {
                // What is no host name is nobody's.
                GeneralName::DNSName(text) if is_host_name(text) => Some(pair("DNS", text)),
                _ => None,
            })),
        }
    }
    pairs.join(";")
}

fn pair(key: &str, value: &str) -> String {
    if value.contains([',', ';', '=']) { quoted(key, value) } else { format!("{key}={value}") }
}

/// `value` holds no double quote: see [`quotable_name`] and [`uri`].
fn quoted(key: &str, value: &str) -> String {
    format!("{key}=\"{value}\"")
}

fn names(
    certificate: &X509Certificate<'_>,
    take: impl Fn(&GeneralName<'_>) -> Option<String>,
) -> Vec<String> {
    let names = certificate.subject_alternative_name().ok().flatten();
    names.map(|names| names.value.general_names.iter().filter_map(take).collect()).unwrap_or_default()
}

fn is_host_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '*'))
}
