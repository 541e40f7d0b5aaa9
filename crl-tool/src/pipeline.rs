//! One CRL in S3 in, everything that is made of it out: what `crl-tool publish` and the Lambda function do.
//!
//! The index is written first, as it is what the proxy enforces, and then each cache. Each replaces only what an older
//! CRL was made into. A process that is killed between two writes leaves the newer index beside older caches; whichever
//! run for this CRL comes next finds the one there, and writes the others.

mod cache;
mod object;

pub(crate) use cache::Form;
pub(crate) use object::{Object, Target};

use crate::cli::failure::Failure;
use crate::cli::file;
use crate::cli::issuers::{self, Issuers};
use crate::cli::signer;
use crate::cli::transfer::Transfer;
use crl_tool::{
    Build, Download, DownloadFault, Edition, Index, Input, Issuer, Metadata, Published, UploadFault, Write,
};
use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use time::OffsetDateTime;

/// How often another CRL may take the place of the one that is read.
const ROUNDS: u32 = 4;

/// What is made, and how.
#[derive(Debug)]
pub(crate) struct Pipeline {
    /// Whose CRLs they are; `None`: that of the certificate beside the CRL, `<key>.crt` or `<key>.pem`.
    pub(crate) issuers: Option<Issuers>,
    /// Where everything goes, by default beside the CRL.
    pub(crate) target: Option<Target>,
    pub(crate) caches: Vec<Form>,
    /// The key of AWS KMS that signs indexes.
    pub(crate) sign_key_kms: Option<String>,
    /// Take CRLs whose nextUpdate is past.
    pub(crate) allow_expired: bool,
    pub(crate) max_bytes: u32,
    pub(crate) s3_path_style: bool,
    pub(crate) write: Write,
}

/// What was made of a CRL.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) metadata: Metadata,
    /// The index, and then the caches.
    pub(crate) outputs: Vec<(Object, Published)>,
    /// Since when the CRL is in S3.
    pub(crate) uploaded: Option<OffsetDateTime>,
}

/// Why nothing was made of an edition of a CRL.
enum Refused {
    /// The index of a newer CRL is there. This one had the ETag `etag`.
    Older {
        failure: Failure,
        etag: Option<String>,
    },
    Failed(Failure),
}

impl<F: Into<Failure>> From<F> for Refused {
    fn from(failure: F) -> Refused {
        Refused::Failed(failure.into())
    }
}

impl Pipeline {
    /// Makes and writes everything of the CRL that is at `crl` by now, until `end`.
    pub(crate) fn run(&self, crl: &Object, now: OffsetDateTime, end: Instant) -> Result<Report, Failure> {
        for _ in 0..ROUNDS {
            match self.edition(crl, now, end) {
                Ok(report) => return Ok(report),
                Err(Refused::Failed(failure)) => return Err(failure),
                Err(Refused::Older { failure, etag }) => {
                    // Another process may have been faster with the next one.
                    if self.download(crl, end)?.etag == etag {
                        self.repair(crl, end)?;
                        return Err(failure);
                    }
                }
            }
        }
        Err(Failure::new(format!("{crl}: another one each time"), "try again when it stays as it is"))
    }

    /// One edition of the CRL.
    fn edition(&self, crl: &Object, now: OffsetDateTime, end: Instant) -> Result<Report, Refused> {
        let signer = self.sign_key_kms.as_deref().map(|id| self.transfer(end).kms_key(id)).transpose()?;
        let issuers = self.issuers(crl, end)?;
        let Download { body, etag, modified } = self.download(crl, end)?;
        let name = crl.to_string();
        let draft = temporary(Path::new(&name))?;
        let build = Build::new(&issuers).max_bytes(self.max_bytes);
        let built = build.write(Input::from_reader(&name, body), &draft);
        let built = built.map_err(Failure::building(Path::new(&name)))?;
        if !self.allow_expired && built.metadata.next_update.is_some_and(|due| due < now) {
            let message = format!("{name}: expired, as its nextUpdate is past");
            return Err(Failure::new(message, "issue a new CRL, or allow expired ones").into());
        }
        let place = self.place(crl);
        let there = place.with(".crlx");
        let index = signer::finish(&draft, &there.path(), signer.as_deref())?;
        let terms = self.transfer(end).terms_of_index();
        let published = match there.location().publish(&by_descriptor(&draft), &terms, self.write) {
            Err(fault @ UploadFault::Older { .. }) => {
                return Err(Refused::Older { failure: failure(&there, &fault), etag });
            }
            published => published.map_err(|fault| failure(&there, &fault))?,
        };
        let mut outputs = vec![(there, published)];
        outputs.extend(self.caches(&place, &index, end)?);
        Ok(Report { metadata: index.metadata().clone(), outputs, uploaded: modified })
    }

    /// Makes the caches of the index that is there, in case that whoever wrote it did not come to them.
    fn repair(&self, crl: &Object, end: Instant) -> Result<(), Failure> {
        let place = self.place(crl);
        let index = file::index(&place.with(".crlx").path(), &self.transfer(end), &[])?;
        // It is in a place where others may write, too.
        index.verify_by(&self.issuers(crl, end)?)?;
        self.caches(&place, &index, end).map(|_| ())
    }

    fn caches(
        &self,
        place: &Object,
        index: &Index,
        end: Instant,
    ) -> Result<Vec<(Object, Published)>, Failure> {
        let edition = Edition::of(index.metadata());
        let mut outputs = Vec::new();
        for form in &self.caches {
            let there = place.with(form.suffix());
            let mut made = None;
            let mut make = || -> Result<PathBuf, UploadFault> {
                let file = tempfile::tempfile()?;
                form.write(index, &file)?;
                Ok(by_descriptor(made.insert(file)))
            };
            let terms = self.transfer(end).terms_of_index();
            let published = there.location().publish_made_of(&edition, &mut make, &terms, self.write);
            let published = published.map_err(|fault| failure(&there, &fault))?;
            outputs.push((there, published));
        }
        Ok(outputs)
    }

    fn issuers(&self, crl: &Object, end: Instant) -> Result<Vec<Issuer>, Failure> {
        let transfer = self.transfer(end);
        if let Some(issuers) = &self.issuers {
            return issuers.read(&transfer);
        }
        let beside = [crl.with(".crt"), crl.with(".pem")];
        for certificate in &beside {
            let mut body = match certificate.location().open(&transfer.terms_of_certificates()) {
                // S3's name for an object that is not there.
                Err(DownloadFault::Aws { code, .. }) if code == "NoSuchKey" => continue,
                opened => opened.map_err(|fault| Failure::download(&certificate.to_string(), &fault))?,
            };
            let mut content = Vec::new();
            body.read_to_end(&mut content).map_err(Failure::io("read", &certificate.path()))?;
            return issuers::found(&content, &certificate.to_string());
        }
        let [one, other] = beside;
        Err(Failure::new(
            format!("{crl}: no certificate of its issuer, as neither {one} nor {other} is there"),
            "upload it before the CRL, or configure the issuer",
        ))
    }

    fn download(&self, crl: &Object, end: Instant) -> Result<Download, Failure> {
        let download = crl.location().download(&self.transfer(end).terms_of_crl());
        download.map_err(|fault| Failure::download(&crl.to_string(), &fault))
    }

    fn place(&self, crl: &Object) -> Object {
        self.target.as_ref().map_or_else(|| crl.clone(), |target| target.place(crl))
    }

    /// What is left of the time.
    fn transfer(&self, end: Instant) -> Transfer {
        let left = end.saturating_duration_since(Instant::now()).max(Duration::from_secs(1));
        Transfer { max_bytes: self.max_bytes, timeout: left.as_secs(), s3_path_style: self.s3_path_style }
    }
}

/// What became of an output, in one word.
pub(crate) fn word(published: Published) -> &'static str {
    match published {
        Published::Written => "written",
        Published::Unchanged => "unchanged",
        Published::Superseded => "superseded",
    }
}

fn failure(there: &Object, fault: &UploadFault) -> Failure {
    Failure::new(format!("{there}: {fault}"), fault.hint())
}

fn temporary(of: &Path) -> Result<File, Failure> {
    tempfile::tempfile().map_err(Failure::io("make a temporary file for", of))
}

/// A file without a name, so that nothing is left of it, has one here, by which it can be read again.
fn by_descriptor(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}
