//! Names that clients ask for.

use std::fmt;
use std::net::IpAddr;

use rustls_pki_types::DnsName;

use super::section::Section;

/// A name that clients ask for: `api.example.com`, or `*.example.com` for one label in place of the asterisk.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// This name, in lower case.
    Exact(String),
    /// Any one label before this name, in lower case.
    Wildcard(String),
}

impl HostPattern {
    /// The list of names at `key`.
    pub(super) fn read(section: &mut Section<'_>, key: &str) -> Vec<Self> {
        let mut patterns = Vec::new();
        for text in section.strings(key) {
            match Self::parse(&text) {
                Some(pattern) if patterns.contains(&pattern) => {
                    section.problem(key, format!("{text:?} is there twice"), "once is enough");
                }
                Some(pattern) => patterns.push(pattern),
                None => {
                    let hint = "such as \"api.example.com\" or \"*.example.com\", without a port";
                    section.problem(key, format!("{text:?} is no name"), hint);
                }
            }
        }
        patterns
    }

    /// A name that it stands for.
    pub fn example(&self) -> String {
        match self {
            Self::Exact(name) => name.clone(),
            Self::Wildcard(parent) => format!("any.{parent}"),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Self::Exact(address.to_string()));
        }
        let name =
            |text| Some(DnsName::try_from(text).ok()?.as_ref().trim_end_matches('.').to_ascii_lowercase());
        match text.strip_prefix("*.") {
            Some(parent) => name(parent).map(Self::Wildcard),
            None => name(text).map(Self::Exact),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Wildcard(parent) => write!(f, "*.{parent}"),
        }
    }
}
