//! What the upstream is told about a client, written once for many requests.

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
use crate::identify::{ClientIdentity, LeafSummary};

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
        if let Some(summary) = &identity.leaf {
            fixed.certificates(summary, chain, &settings);
        }
        if let Some(endpoint) = identity.origin.vpc_endpoint.as_deref().filter(|_| settings.vpce_id) {
            fixed.set(&settings.names.vpce_id, endpoint);
        }
        if settings.x_forwarded == Forwarding::Overwrite {
            fixed.0.push((settings.names.x_forwarded_for.clone(), hop.address.clone()));
            fixed.0.push((settings.names.x_forwarded_proto.clone(), HeaderValue::from_static("https")));
        }
        fixed.0.shrink_to_fit();
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
        summary: &LeafSummary,
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
            SubjectHeader::Plain => self.set(&names.client_cert_sub, &ascii_name(&summary.subject)),
            SubjectHeader::Base64 => {
                self.set(&names.client_cert_sub, &STANDARD.encode(&summary.subject));
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
            self.set(&names.xfcc, &xfcc::element(summary, &certificate, chain, settings));
        }
        if settings.alb == AlbMode::Verify {
            let until = certificate.validity();
            self.set(&names.alb_serial_number, &serial(certificate.tbs_certificate.raw_serial()));
            self.set(&names.alb_issuer, &ascii_name(&summary.issuer));
            self.set(&names.alb_subject, &ascii_name(&summary.subject));
            self.set(
                &names.alb_validity,
                &validity(until.not_before.timestamp(), until.not_after.timestamp()),
            );
            self.set(&names.alb_leaf, &pem(leaf, "+=/"));
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, Uri};
    use http_body::SizeHint;
    use rustls_pki_types::pem::PemObject;

    use super::*;
    use crate::forward::headers::{Api, Asker, to_upstream};
    use crate::proxy_protocol::Origin;

    const DOCUMENT: &str = include_str!("../../../docs/identity-headers.md");
    const CERTIFICATE: &[u8] = include_bytes!("../../tests/data/example-client.pem");
    const EVERYTHING: &str = "[identity_headers]
        client_cert_chain = true
        x_forwarded_client_cert = ['hash', 'cert', 'chain', 'subject', 'uri', 'dns']
        x_forwarded_client_cert_by = 'spiffe://example.com/postern'
        x_amzn_mtls_clientcert = 'verify'
        x_postern_vpce_id = true
        forwarded = 'overwrite'";

    #[test]
    fn the_example_in_the_documentation_is_what_is_sent() {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(CERTIFICATE).map(Result::unwrap).collect();
        let origin = Origin {
            vpc_endpoint: Some("vpce-08d2bf15fac5001c9".to_owned()),
            ..Origin::direct(([192, 0, 2, 7], 40_000).into())
        };
        let identity = ClientIdentity { leaf: Some(LeafSummary::of(&chain[0])), spiffe_id: None, origin };
        let (settings, problems) = IdentityHeaders::of(EVERYTHING);
        assert_eq!(problems, []);
        let values = IdentityHeaderValues::new(&identity, &chain, settings.into());
        let uri = Uri::from_static("https://api.example.com/");
        let (mut head, ()) = Request::get(uri).body(()).unwrap().into_parts();
        let asker = Asker { identity: &values, request_id: "5f0c0a1300000001-1" };
        let host = HeaderValue::from_static("upstream");
        to_upstream(&mut head, asker, Api { host: &host, id: None }, &SizeHint::with_exact(0), 8_000)
            .unwrap();
        head.headers.remove("host");

        let example = DOCUMENT.split_once("```http\n").unwrap().1.split_once("```").unwrap().0;
        let mut lines: Vec<_> = example.lines().map(|line| line.split_once(": ").unwrap()).collect();
        for (name, value) in &head.headers {
            let at = lines.iter().position(|(documented, _)| documented == name);
            let (_, documented) = lines.remove(at.unwrap_or_else(|| panic!("{name} is not documented")));
            let value = value.to_str().unwrap();
            assert!(fits(value, documented), "{documented}\nis not\n{value}");
        }
        assert!(lines.is_empty(), "not sent: {lines:?}");
    }

    /// Whether `value` is what `documented` says, where `…` stands for anything.
    fn fits(value: &str, documented: &str) -> bool {
        let Some((start, rest)) = documented.split_once('…') else { return value == documented };
        let (middle, end) = rest.rsplit_once('…').unwrap_or(("", rest));
        let inner = value.strip_prefix(start).and_then(|value| value.strip_suffix(end));
        let after = |inner: &'_ str, part: &str| inner.split_once(part).map(|(_, behind)| behind.to_owned());
        middle
            .split('…')
            .try_fold(inner.unwrap_or_default().to_owned(), |inner, part| after(&inner, part))
            .is_some()
            && inner.is_some()
    }
}
