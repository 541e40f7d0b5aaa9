//! `[identity_headers]`: what the upstream is told about the client.

use super::section::Section;

/// How `X-Client-Cert-Sub` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectHeader {
    /// As RFC 4514 text.
    Plain,
    /// As base64 of that text.
    Base64,
    /// Not at all.
    Off,
}

/// `[identity_headers]`
#[derive(Debug, Clone, PartialEq)]
pub struct IdentityHeaders {
    /// RFC 9440 `Client-Cert`.
    pub client_cert: bool,
    /// RFC 9440 `Client-Cert-Chain`.
    pub client_cert_chain: bool,
    /// `X-Client-Cert-Sub`.
    pub client_cert_sub: SubjectHeader,
}

impl IdentityHeaders {
    pub(super) fn read(headers: &mut Section<'_>) -> Self {
        let expected = "\"plain\", \"base64\" or \"off\"";
        Self {
            client_cert: headers.boolean("client_cert", true),
            client_cert_chain: headers.boolean("client_cert_chain", false),
            client_cert_sub: headers.parsed("client_cert_sub", SubjectHeader::Plain, expected, |text| {
                match text {
                    "plain" => Some(SubjectHeader::Plain),
                    "base64" => Some(SubjectHeader::Base64),
                    "off" => Some(SubjectHeader::Off),
                    _ => None,
                }
            }),
        }
    }
}
