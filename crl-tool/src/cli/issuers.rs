//! The options that say whose CRL it is.

use super::failure::Failure;
use super::file;
use super::transfer::{self, Transfer};
use clap::Args;
use crl_tool::Issuer;
use std::io::Read;
use std::path::PathBuf;

/// Where the certificates of possible issuers are.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Issuers {
    /// The certificate of the CA that issued it, PEM or DER; repeat it, or pass several in one file, while a CA
    /// changes its key
    #[arg(long, value_name = "CA.pem")]
    pub(crate) issuer: Vec<PathBuf>,

    /// The CA that issued it, in AWS Private CA, which is asked for its certificate; may be repeated
    #[arg(long, value_name = "ARN")]
    pub(crate) issuer_acm_pca: Vec<String>,
}

impl Issuers {
    /// Whether none is named.
    pub(crate) fn is_empty(&self) -> bool {
        self.issuer.is_empty() && self.issuer_acm_pca.is_empty()
    }

    /// Reads all certificates.
    pub(crate) fn read(&self, transfer: &Transfer) -> Result<Vec<Issuer>, Failure> {
        let mut issuers = Vec::new();
        for path in &self.issuer {
            issuers.extend(found(&file::whole(path, transfer)?, &transfer::name(path))?);
        }
        for arn in &self.issuer_acm_pca {
            let mut content = Vec::new();
            let mut stream = transfer.private_ca(arn, file::SMALL_LIMIT)?;
            stream.read_to_end(&mut content).map_err(Failure::io("read", arn.as_ref()))?;
            issuers.extend(found(&content, arn)?);
        }
        Ok(issuers)
    }
}

/// The certificates in a file of that content.
pub(crate) fn found(content: &[u8], name: &str) -> Result<Vec<Issuer>, Failure> {
    Issuer::from_file_content(content)
        .map_err(|error| Failure::new(format!("{name}: {error}"), "pass the CA's certificate as PEM or DER"))
}
