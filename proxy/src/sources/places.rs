//! The places that the configuration names, and where their copies may be.

use crate::config::{Config, Source};

/// What a place is for, which decides where its copy may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// Large: in a file.
    Disk,
    /// Small, and used without S3 if there is a copy.
    Both,
    /// Secret.
    Memory,
}

/// Every place that `config` names, once.
pub(super) fn places(config: &Config) -> Vec<(Source, Keep)> {
    let mut all = Vec::new();
    for server in &config.servers {
        all.push((server.certificate.clone(), Keep::Both));
        all.push((server.private_key.clone(), Keep::Memory));
        all.extend(server.client_auth.trust_bundle().map(|bundle| (bundle.clone(), Keep::Both)));
    }
    let revocation = &config.revocation;
    let small =
        revocation.require_signature_by.iter().chain(&revocation.crl_signers).chain(&revocation.issuers);
    all.extend(small.map(|source| (source.clone(), Keep::Both)));
    all.extend(revocation.crls.iter().map(|source| (source.clone(), Keep::Disk)));
    all.extend(config.tickets.keys.iter().map(|keys| (keys.clone(), Keep::Memory)));
    let mut once: Vec<(Source, Keep)> = Vec::new();
    for (source, keep) in all {
        match once.iter_mut().find(|(known, _)| known.place == source.place) {
            // A secret stays one, wherever else it is named.
            Some((_, known)) if keep == Keep::Memory => *known = keep,
            Some(_) => {}
            None => once.push((source, keep)),
        }
    }
    once
}
