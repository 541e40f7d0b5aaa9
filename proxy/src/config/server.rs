//! `[tls]` and `[client_auth]`: who the proxy is, and whom it believes.

use super::file::File;
use super::section::Section;

/// `[tls]`
#[derive(Debug, Clone, PartialEq)]
pub struct Tls {
    /// PEM: the server's leaf certificate, then its intermediates.
    pub certificate: File,
    /// PEM: the key of that leaf.
    pub private_key: File,
}

impl Tls {
    pub(super) fn read(tls: &mut Section<'_>) -> Self {
        Self {
            certificate: tls.file("certificate", "the PEM file of the server's certificate"),
            private_key: tls.file("private_key", "the PEM file of that certificate's key"),
        }
    }
}

/// `[client_auth]`
#[derive(Debug, Clone, PartialEq)]
pub struct ClientAuth {
    /// PEM: the trust anchors of client certificates.
    pub trust_bundle: File,
}

impl ClientAuth {
    pub(super) fn read(client_auth: &mut Section<'_>) -> Self {
        Self {
            trust_bundle: client_auth.file("trust_bundle", "the PEM file of the CAs that clients come from"),
        }
    }
}
