//! What the upstream is told about a client, written once for its connection.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::certificate::{ascii_name, byte_sequence, pem, serial, validity};
use super::forwarded::Hop;
use super::xfcc;
use crate::config::{AlbMode, Forwarding, IdentityHeaders, SubjectHeader};
use crate::identify::ClientIdentity;

/// The headers about one client that all of its requests get.
#[derive(Debug)]
pub struct IdentityHeaderValues {
    fixed: Vec<(HeaderName, HeaderValue)>,
    /// Where the requests came from, for the headers that the client or its request has a part in.
    pub(super) hop: Hop,
    pub(super) settings: Arc<IdentityHeaders>,
}

impl IdentityHeaderValues {
    /// Writes `identity` and the verified `chain`, leaf first, as `settings` want them.
    pub fn new(
        identity: &ClientIdentity,
        chain: &[CertificateDer<'static>],
        settings: Arc<IdentityHeaders>,
    ) -> Self {
        let hop = Hop::new(identity.origin.client.ip());
        let mut fixed = Fixed(Vec::new());
        fixed.certificates(identity, chain, &settings);
        if settings.x_forwarded == Forwarding::Overwrite {
            fixed.0.push((settings.names.x_forwarded_for.clone(), hop.address.clone()));
            fixed.0.push((settings.names.x_forwarded_proto.clone(), HeaderValue::from_static("https")));
        }
        Self { fixed: fixed.0, hop, settings }
    }

    /// About a client whose certificate is `:ours:`.
    #[cfg(test)]
    pub(super) fn test(settings: &str) -> Self {
        let (settings, problems) = IdentityHeaders::of(settings);
        assert_eq!(problems, []);
        let fixed = vec![(settings.names.client_cert.clone(), HeaderValue::from_static(":ours:"))];
        Self { fixed, hop: Hop::new([192, 0, 2, 7].into()), settings: settings.into() }
    }

    pub(super) fn set(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.fixed {
            headers.insert(name.clone(), value.clone());
        }
    }
}

struct Fixed(Vec<(HeaderName, HeaderValue)>);

impl Fixed {
    fn set(&mut self, name: &HeaderName, text: &str) {
        // All of it is visible ASCII by now, so that it fits.
        if let Ok(value) = HeaderValue::from_str(text) {
            self.0.push((name.clone(), value));
        }
    }

    fn certificates(
        &mut self,
        identity: &ClientIdentity,
        chain: &[CertificateDer<'static>],
        settings: &IdentityHeaders,
    ) {
        let names = &settings.names;
        let Some((leaf, intermediates)) = chain.split_first() else { return };
        if settings.client_cert {
            self.set(&names.client_cert, &byte_sequence(leaf));
        }
        if settings.client_cert_chain && !intermediates.is_empty() {
            let chain: Vec<_> = intermediates.iter().map(|der| byte_sequence(der)).collect();
            self.set(&names.client_cert_chain, &chain.join(", "));
        }
        match settings.client_cert_sub {
            SubjectHeader::Plain => self.set(&names.client_cert_sub, &ascii_name(&identity.leaf.subject)),
            SubjectHeader::Base64 => {
                self.set(&names.client_cert_sub, &STANDARD.encode(&identity.leaf.subject));
            }
            SubjectHeader::Off => {}
        }
        if settings.alb == AlbMode::Passthrough {
            let chain: String = chain.iter().map(|der| pem(der, "+=/")).collect();
            self.set(&names.alb, &chain);
        }
        if settings.xfcc.is_empty() && settings.alb != AlbMode::Verify {
            return;
        }
        // It was read once already, in `identify`.
        let Ok((_, certificate)) = X509Certificate::from_der(leaf) else { return };
        if !settings.xfcc.is_empty() {
            self.set(&names.xfcc, &xfcc::element(&identity.leaf, &certificate, chain, settings));
        }
        if settings.alb == AlbMode::Verify {
            let until = certificate.validity();
            self.set(&names.alb_serial_number, &serial(certificate.tbs_certificate.raw_serial()));
            self.set(&names.alb_issuer, &ascii_name(&identity.leaf.issuer));
            self.set(&names.alb_subject, &ascii_name(&identity.leaf.subject));
            self.set(
                &names.alb_validity,
                &validity(until.not_before.timestamp(), until.not_after.timestamp()),
            );
            self.set(&names.alb_leaf, &pem(leaf, "+=/"));
        }
    }
}
