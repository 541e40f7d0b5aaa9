//! What most scenarios play on: certificates, a private API, and a postern in front of it.

use crate::Failure;
use crate::curl::Curl;
use crate::http2::Http2;
use crate::pki::Pki;
use crate::postern::{Config, Postern};
use crate::raw_http2::RawHttp2;
use crate::raw_tls::{RawTls, Version};
use crate::upstream::Upstream;

/// Certificates, a private API and a postern, all of one test.
pub struct Stage {
    /// The postern under test. First, so that it stops before the rest.
    pub postern: Postern,
    /// The private API behind it.
    pub upstream: Upstream,
    /// Their certificates and those of the clients.
    pub pki: Pki,
}

impl Stage {
    /// With the configuration that [`Config::new`] makes.
    ///
    /// # Errors
    ///
    /// When something does not start.
    pub fn set() -> Result<Self, Failure> {
        Self::set_with(|config| config)
    }

    /// With a configuration changed by `change`.
    ///
    /// # Errors
    ///
    /// When something does not start.
    pub fn set_with(change: impl FnOnce(Config) -> Config) -> Result<Self, Failure> {
        Self::set_on(Pki::make()?, change)
    }

    /// As [`Stage::set_with`], with a PKI that has been prepared.
    ///
    /// # Errors
    ///
    /// When something does not start.
    pub fn set_on(pki: Pki, change: impl FnOnce(Config) -> Config) -> Result<Self, Failure> {
        let upstream = Upstream::start(&pki)?;
        let postern = Postern::start(&change(Config::new(&pki, upstream.address())))?;
        Ok(Self { postern, upstream, pki })
    }

    /// curl with the certificate of `client`.
    #[must_use]
    pub fn curl(&self, client: &str, path: &str) -> Curl {
        Curl::https(&self.pki, self.postern.address(), Some(client), path)
    }

    /// curl without a certificate.
    #[must_use]
    pub fn anonymous_curl(&self, path: &str) -> Curl {
        Curl::https(&self.pki, self.postern.address(), None, path)
    }

    /// A TLS connection for bytes written by hand.
    ///
    /// # Errors
    ///
    /// When the handshake fails.
    pub fn connect(&self, client: &str, version: Version) -> Result<RawTls, Failure> {
        RawTls::connect(&self.pki, self.postern.address(), client, version)
    }

    /// An HTTP/2 connection for frames written by hand.
    ///
    /// # Errors
    ///
    /// When the handshake fails.
    pub fn connect_raw_http2(&self, client: &str) -> Result<RawHttp2, Failure> {
        RawHttp2::connect(&self.pki, self.postern.address(), client)
    }

    /// An HTTP/2 connection that stays open.
    ///
    /// # Errors
    ///
    /// When the handshake fails.
    pub fn connect_http2(&self, client: &str) -> Result<Http2, Failure> {
        Http2::connect(&self.pki, self.postern.address(), client)
    }
}
