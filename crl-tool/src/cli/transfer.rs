//! The options of commands that read files, which may be elsewhere.

use super::failure::Failure;
use super::file::SMALL_LIMIT;
use clap::Args;
use clap::value_parser;
use crl_tool::{Location, MAX_CRL_BYTES, Signer, Terms, Write};
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// How much is read, and for how long.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Transfer {
    /// Refuse larger CRLs
    #[arg(long, value_name = "BYTES", default_value_t = MAX_CRL_BYTES)]
    pub(crate) max_bytes: u32,

    /// Give a download up that takes longer
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,

    /// For other S3 servers than Amazon's: the bucket goes into the path instead of the host's name
    #[arg(long)]
    pub(crate) s3_path_style: bool,
}

/// What a file of some bytes may take as PEM, text around it included: its third more, line ends, and some room.
const AS_PEM: (u64, u64) = (2, 1 << 16);
/// What an index may have beside its CRL: less than the CRL itself, as an entry takes at least 20 bytes there and less
/// than 10 here, and a delta CRL.
const AS_INDEX: (u64, u64) = (2, 32 << 20);

impl Transfer {
    /// A CRL that is elsewhere; `None` if `path` is a file's.
    pub(crate) fn crl(&self, path: &Path) -> Result<Option<Box<dyn Read>>, Failure> {
        self.start(path, self.times(AS_PEM), false)
    }

    /// A CRL or an index that is elsewhere; `None` if `path` is a file's.
    pub(crate) fn index(&self, path: &Path) -> Result<Option<Box<dyn Read>>, Failure> {
        self.start(path, self.times(AS_INDEX), false)
    }

    /// A file of at most `max_bytes`, whose content will be believed, that is elsewhere; `None` if `path` is a file's.
    pub(crate) fn authentic(&self, path: &Path, max_bytes: u64) -> Result<Option<Box<dyn Read>>, Failure> {
        self.start(path, max_bytes, true)
    }

    fn times(&self, (factor, more): (u64, u64)) -> u64 {
        u64::from(self.max_bytes) * factor + more
    }

    /// The certificate of a CA of AWS Private CA, as PEM.
    pub(crate) fn private_ca(&self, arn: &str, max_bytes: u64) -> Result<Box<dyn Read>, Failure> {
        Location::private_ca(arn)
            .and_then(|location| location.open(&self.terms(max_bytes, true)))
            .map_err(|fault| Failure::download(arn, &fault))
    }

    /// Sends the index in the file `index` to the address `path`.
    pub(crate) fn publish(&self, path: &Path, index: &Path) -> Result<(), Failure> {
        let failure = |message: String, hint| Failure::new(format!("{}: {message}", name(path)), hint);
        let location = Location::named_by(path).map_err(|fault| failure(fault.to_string(), fault.hint()))?;
        let Some(location) = location else {
            return Err(failure("no address".to_owned(), "pass s3://BUCKET/KEY"));
        };
        let published = location.publish(index, &self.terms_of_index(), Write::Really);
        published.map(|_| ()).map_err(|fault| failure(fault.to_string(), fault.hint()))
    }

    /// For reading and writing indexes.
    pub(crate) fn terms_of_index(&self) -> Terms {
        self.terms(self.times(AS_INDEX), true)
    }

    /// For reading CRLs.
    pub(crate) fn terms_of_crl(&self) -> Terms {
        self.terms(self.times(AS_PEM), false)
    }

    /// A key of AWS KMS.
    pub(crate) fn kms_key(&self, id: &str) -> Result<Box<dyn Signer>, Failure> {
        crl_tool::kms_key(id, &self.terms(0, true)).map_err(|fault| Failure::download(id, &fault))
    }

    /// For reading certificates, which are believed.
    pub(crate) fn terms_of_certificates(&self) -> Terms {
        self.terms(SMALL_LIMIT, true)
    }

    fn start(
        &self,
        path: &Path,
        max_bytes: u64,
        authenticated: bool,
    ) -> Result<Option<Box<dyn Read>>, Failure> {
        let failure = |fault| Failure::download(&name(path), &fault);
        let Some(location) = Location::named_by(path).map_err(failure)? else { return Ok(None) };
        location.open(&self.terms(max_bytes, authenticated)).map(Some).map_err(failure)
    }

    fn terms(&self, max_bytes: u64, authenticated: bool) -> Terms {
        let (timeout, s3_path_style) = (Duration::from_secs(self.timeout), self.s3_path_style);
        Terms { max_bytes, timeout, authenticated, s3_path_style }
    }
}

/// Whether `path` is no file's, but an address, be it one of use or not.
pub(crate) fn is_address(path: &Path) -> bool {
    !matches!(Location::named_by(path), Ok(None))
}

/// What stands for an input in errors and answers: an address without secrets, or the path.
pub(crate) fn name(path: &Path) -> String {
    match Location::named_by(path) {
        Ok(Some(location)) => location.to_string(),
        Ok(None) | Err(_) => path.display().to_string(),
    }
}
