//! How TLS is done with upstreams: whom we believe, and what we show of ourselves.

use std::sync::Arc;

use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};

use crate::config::{File, Invalid, Upstream};
use crate::cryptography::provider;
use crate::trust::{certificates, private_key};

/// The settings of all upstreams that one trust bundle vouches for, and that are shown the same certificate.
#[derive(Clone)]
pub(super) struct Trusted(pub(super) Arc<ClientConfig>);

/// The files of all upstreams, each read once.
#[derive(Default)]
pub(super) struct TrustedBundles {
    read: Vec<(Files, Option<Trusted>)>,
    problems: Vec<Invalid>,
}

/// Trust bundle, and certificate and key.
type Files = (Option<File>, Option<(File, File)>);

impl TrustedBundles {
    /// What `upstream` needs; `None` if it cannot be used.
    pub(super) fn get(&mut self, upstream: &Upstream) -> Option<Trusted> {
        let files = (upstream.trust_bundle.clone(), upstream.client_pair.clone());
        if let Some((_, known)) = self.read.iter().find(|(known, _)| *known == files) {
            return known.clone();
        }
        let trusted = client_config(&files).map_err(|problem| self.problems.push(problem)).ok();
        self.read.push((files, trusted.clone()));
        trusted
    }

    /// Everything that could not be used.
    pub(super) fn problems(self) -> Vec<Invalid> {
        self.problems
    }
}

fn client_config((bundle, pair): &Files) -> Result<Trusted, Invalid> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| Invalid::new("upstream", error.to_string(), "report this as a bug"))?
        .with_root_certificates(roots(bundle.as_ref())?);
    let mut tls = match pair {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            builder.with_client_auth_cert(certificates(certificate)?, private_key(key)?).map_err(|error| {
                let problem = format!("{}: {error}", key.path.display());
                let hint = format!("give the key that {} was issued for", certificate.key);
                Invalid::new(&key.key, problem, hint)
            })?
        }
    };
    // API Gateway's private endpoints speak nothing newer.
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Trusted(Arc::new(tls)))
}

fn roots(file: Option<&File>) -> Result<RootCertStore, Invalid> {
    let mut roots = RootCertStore::empty();
    match file {
        Some(file) => {
            for certificate in certificates(file)? {
                roots.add(certificate).map_err(|error| {
                    let problem = format!("{}: {error}", file.path.display());
                    Invalid::new(&file.key, problem, "remove or replace that certificate")
                })?;
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                let hint = "install CA certificates, or name a PEM file in upstream.trust_bundle";
                let problem = "not set, and the system has no trust store";
                return Err(Invalid::new("upstream.trust_bundle", problem, hint));
            }
        }
    }
    Ok(roots)
}
