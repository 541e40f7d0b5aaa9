//! CAs and the CRLs they sign, with every part open to tampering.

use crate::der::{element, entry, extension, integer, sequence, utc_time};
use crl_tool::{Build, BuildError, Built, Index, Input, Issuer, Problem, VerifyError};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, KeyUsagePurpose, SigningKey};
use rustls_pki_types::{AlgorithmIdentifier, alg_id};
use std::fs::File;
use std::io::Cursor;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A CA.
pub(crate) struct Ca {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: KeyPair,
    pub(crate) key_id: Vec<u8>,
    /// What it signs with.
    pub(crate) algorithm: AlgorithmIdentifier,
}

impl Ca {
    /// A CA with a P-256 key.
    pub(crate) fn new() -> Ca {
        Ca::with_key(KeyPair::generate().unwrap(), alg_id::ECDSA_SHA256)
    }

    pub(crate) fn with_key(key: KeyPair, algorithm: AlgorithmIdentifier) -> Ca {
        Ca::with_params(key, algorithm, |_| {})
    }

    pub(crate) fn with_params(
        key: KeyPair,
        algorithm: AlgorithmIdentifier,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Ca {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, "Forge");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        change(&mut params);
        let key_id = params.key_identifier(&key);
        let certificate = params.self_signed(&key).unwrap().der().to_vec();
        Ca { certificate, key, key_id, algorithm }
    }

    pub(crate) fn issuer(&self) -> Issuer {
        Issuer::from_der(&self.certificate).unwrap()
    }

    pub(crate) fn pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    fn name(&self) -> Vec<u8> {
        let (_, certificate) = x509_parser::parse_x509_certificate(&self.certificate).unwrap();
        certificate.subject().as_raw().to_vec()
    }
}

/// A CRL before it is signed. Every field is the DER that goes there, tag and length included; empty for none.
#[derive(Clone)]
pub(crate) struct Crl {
    pub(crate) version: Vec<u8>,
    pub(crate) algorithm: Vec<u8>,
    pub(crate) outer_algorithm: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    pub(crate) this_update: Vec<u8>,
    pub(crate) next_update: Vec<u8>,
    pub(crate) list: Vec<u8>,
    pub(crate) extensions: Vec<Vec<u8>>,
    pub(crate) signature_padding: u8,
    pub(crate) after_signature: Vec<u8>,
}

impl Crl {
    /// A good CRL with no entry.
    pub(crate) fn of(ca: &Ca) -> Crl {
        let algorithm = sequence(&[&ca.algorithm]);
        Crl {
            version: integer(&[1]),
            outer_algorithm: algorithm.clone(),
            algorithm,
            issuer: ca.name(),
            this_update: utc_time("260101000000Z"),
            next_update: utc_time("270101000000Z"),
            list: vec![],
            extensions: vec![
                extension(35, false, &sequence(&[&element(0x80, &[&ca.key_id])])),
                extension(20, false, &integer(&[0x10, 0x01])),
            ],
            signature_padding: 0,
            after_signature: vec![],
        }
    }

    /// With these entries.
    pub(crate) fn entries(mut self, entries: &[Vec<u8>]) -> Crl {
        self.list = sequence(&[&entries.concat()]);
        self
    }

    /// With entries that have these serials and nothing else.
    pub(crate) fn serials(self, serials: &[&[u8]]) -> Crl {
        let entries: Vec<Vec<u8>> = serials.iter().map(|serial| entry(serial, &[])).collect();
        self.entries(&entries)
    }

    pub(crate) fn change(mut self, change: impl FnOnce(&mut Crl)) -> Crl {
        change(&mut self);
        self
    }

    fn signed_part(&self) -> Vec<u8> {
        let extensions = if self.extensions.is_empty() {
            vec![]
        } else {
            element(0xa0, &[&sequence(&[&self.extensions.concat()])])
        };
        sequence(&[
            &self.version,
            &self.algorithm,
            &self.issuer,
            &self.this_update,
            &self.next_update,
            &self.list,
            &extensions,
        ])
    }

    /// Signed by a CA.
    pub(crate) fn signed_by(&self, ca: &Ca) -> Vec<u8> {
        self.signed(|message| ca.key.sign(message).unwrap())
    }

    pub(crate) fn signed(&self, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let signed = self.signed_part();
        let signature = element(0x03, &[&[self.signature_padding], &sign(&signed)]);
        sequence(&[&signed, &self.outer_algorithm, &signature, &self.after_signature])
    }
}

/// PEM of `der`.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Builds an index of `crl` into a temporary file.
pub(crate) fn build(crl: &[u8], issuers: &[Issuer]) -> Result<(Built, File), BuildError> {
    let file = tempfile::tempfile().unwrap();
    let input = Input::from_reader("forged", Cursor::new(crl.to_vec()));
    let built = Build::new(issuers).write(input, &file)?;
    Ok((built, file))
}

/// The bytes of the index of `crl`.
pub(crate) fn index_bytes(crl: &[u8], ca: &Ca) -> Vec<u8> {
    let (built, file) = build(crl, &[ca.issuer()]).unwrap();
    let mut bytes = vec![0; usize::try_from(built.bytes).unwrap()];
    file.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(file.metadata().unwrap().len(), built.bytes);
    bytes
}

/// The index of `crl`, opened.
pub(crate) fn index(crl: &[u8], ca: &Ca) -> Index {
    let (_, file) = build(crl, &[ca.issuer()]).unwrap();
    Index::from_file(file, Path::new("forged")).unwrap()
}

/// What is wrong with the form of `crl`, and at which byte.
pub(crate) fn problem(crl: &[u8], ca: &Ca) -> (Problem, u64) {
    match build(crl, &[ca.issuer()]).map(|(built, _)| built) {
        Err(BuildError::Crl(error)) => (error.problem, error.offset),
        other => panic!("not refused for its form: {other:?}"),
    }
}

/// Why `crl` is not proved to be one of `issuers`'.
pub(crate) fn unproved(crl: &[u8], issuers: &[Issuer]) -> VerifyError {
    match build(crl, issuers).map(|(built, _)| built) {
        Err(BuildError::Verify { error, .. }) => error,
        other => panic!("not refused for its issuer: {other:?}"),
    }
}
