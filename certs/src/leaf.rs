//! What an end-entity certificate shall say.

use std::net::IpAddr;
use std::str::FromStr;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, SanType,
};
use time::{Duration, OffsetDateTime};

use crate::Error;

/// The organization in every subject.
const ORGANIZATION: &str = "Postern Development";

/// From when to when a certificate is valid; both ends are inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub from: OffsetDateTime,
    /// The last second.
    pub until: OffsetDateTime,
}

impl Validity {
    /// `days` days from `from` on. Negative days give a validity that ends before it begins.
    pub fn days(from: OffsetDateTime, days: i64) -> Self {
        Self { from, until: from.saturating_add(Duration::days(days)) }
    }

    /// A span around `now`: it began `before` and ends `after` that moment.
    pub fn around(now: OffsetDateTime, before: Duration, after: Duration) -> Self {
        Self { from: now.saturating_sub(before), until: now.saturating_add(after) }
    }
}

/// What a certificate may be used for in TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Only as a server (`serverAuth`).
    Server,
    /// Only as a client (`clientAuth`).
    Client,
}

/// A subject alternative name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AltName {
    /// A DNS name; the first label may be `*`.
    Dns(String),
    /// An IP address.
    Ip(IpAddr),
    /// An email address.
    Email(String),
    /// A URI, such as a SPIFFE identity.
    Uri(String),
}

impl AltName {
    fn to_san(&self) -> Result<SanType, Error> {
        Ok(match self {
            Self::Dns(name) => SanType::DnsName(name.as_str().try_into()?),
            Self::Ip(address) => SanType::IpAddress(*address),
            Self::Email(address) => SanType::Rfc822Name(address.as_str().try_into()?),
            Self::Uri(uri) => SanType::URI(uri.as_str().try_into()?),
        })
    }
}

impl FromStr for AltName {
    type Err = Error;

    /// Reads an IP address or a DNS name.
    fn from_str(given: &str) -> Result<Self, Error> {
        if let Ok(address) = given.parse() {
            return Ok(Self::Ip(address));
        }
        let host = given.strip_prefix("*.").unwrap_or(given);
        // RFC 1035 §2.3.4 for the lengths. The underscore is in use, whatever the standard says.
        let labels_fit = host.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet))
        });
        if labels_fit && given.len() <= 253 {
            return Ok(Self::Dns(given.to_ascii_lowercase()));
        }
        Err(Error::InvalidName { name: given.to_owned(), expected: "DNS name or IP address" })
    }
}

/// An end-entity certificate to be issued.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// The common name, and the file name when written to a directory.
    pub name: String,
    /// Other names, in order.
    pub alt_names: Vec<AltName>,
    /// What it is for.
    pub usage: Usage,
    /// When.
    pub validity: Validity,
}

impl Leaf {
    /// A client certificate with a SPIFFE URI, a DNS name and an email address.
    pub fn client(name: &str, validity: Validity) -> Self {
        let alt_names = vec![
            AltName::Uri(format!("spiffe://postern.test/client/{name}")),
            AltName::Dns(format!("{name}.clients.postern.test")),
            AltName::Email(format!("{name}@postern.test")),
        ];
        Self { name: name.to_owned(), alt_names, usage: Usage::Client, validity }
    }

    /// A server certificate for these names.
    pub fn server(name: &str, alt_names: Vec<AltName>, validity: Validity) -> Self {
        Self { name: name.to_owned(), alt_names, usage: Usage::Server, validity }
    }

    pub(crate) fn params(&self) -> Result<CertificateParams, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(&self.name);
        params.not_before = self.validity.from;
        params.not_after = self.validity.until;
        params.subject_alt_names = self.alt_names.iter().map(AltName::to_san).collect::<Result<_, _>>()?;
        // Spelt out, as rcgen adds a subject key identifier only to a certificate that states what it is.
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match self.usage {
            Usage::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Usage::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        Ok(params)
    }
}

/// The subject of that common name.
pub(crate) fn subject(common_name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, ORGANIZATION);
    subject.push(DnType::CommonName, common_name);
    subject
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        let read = |given: &str| given.parse::<AltName>().unwrap();
        assert_eq!(read("::1"), AltName::Ip("::1".parse().unwrap()));
        assert_eq!(read("10.0.0.1"), AltName::Ip("10.0.0.1".parse().unwrap()));
        assert_eq!(read("Proxy.Example.com"), AltName::Dns("proxy.example.com".to_owned()));
        assert_eq!(read("*.example.com"), AltName::Dns("*.example.com".to_owned()));
    }

    #[test]
    fn what_is_no_host_name_is_refused() {
        for given in ["", "a..b", "*", "a b", "-a.example", "a.*.example", "http://example.com", "é.example"]
        {
            assert!(given.parse::<AltName>().is_err(), "{given:?}");
        }
    }
}
