//! The files of the vectors.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postern_tests::{Failure, files, tools};

/// The certificates and CRLs of PKITS.
pub(super) struct Vectors(PathBuf);

impl Vectors {
    pub(super) fn find() -> Result<Vectors, Failure> {
        Ok(Vectors(tools::vectors()?.join("PKITS_data")))
    }

    /// A certificate, DER.
    pub(super) fn certificate(&self, name: &str) -> PathBuf {
        self.0.join("certs").join(format!("{name}.crt"))
    }

    /// A CRL, DER.
    pub(super) fn crl(&self, name: &str) -> PathBuf {
        self.0.join("crls").join(format!("{name}.crl"))
    }

    /// Writes certificates to a PEM file.
    pub(super) fn write_pem(&self, names: &[&str], to: &Path) -> Result<(), Failure> {
        let mut text = String::new();
        for name in names {
            let encoded = STANDARD.encode(files::read(&self.certificate(name))?);
            text += &format!("-----BEGIN CERTIFICATE-----\n{encoded}\n-----END CERTIFICATE-----\n");
        }
        files::write(to, text.as_bytes())
    }
}
