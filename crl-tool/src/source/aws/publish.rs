//! Putting an index, and what else is made of a CRL, into S3: a newer CRL's in place of an older one's, whoever else
//! writes there at the same time.

use super::super::edition::Edition;
use super::super::fault::DownloadFault;
use super::super::upload::UploadFault;
use super::super::{Published, Terms, Write};
use super::s3::{ABSENT, Bucket};
use crate::index::Index;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

/// The largest object that one request can write.
const MAX_OBJECT_BYTES: u64 = 5 << 30;
/// How often others may come first.
const ATTEMPTS: u32 = 8;
/// What S3 answers when they did: the object is another one now, is being written, or is gone.
const OTHERS_FIRST: [&str; 4] =
    ["PreconditionFailed", "ConditionalRequestConflict", "OperationAborted", ABSENT];

/// What the comparison with an object says.
enum Verdict {
    Leave(Published),
    /// Replace the object with this ETag, or none.
    Replace(Option<String>),
}

/// Puts the index in the file `new` at `key`.
pub(in super::super) fn publish(
    bucket: &str,
    key: &str,
    new: &Path,
    terms: &Terms,
    write: Write,
) -> Result<Published, UploadFault> {
    let index = Index::open(new)?;
    let bucket = Bucket::of(bucket, terms)?;
    let metadata = Edition::of(index.metadata()).to_metadata();
    let compare = || match bucket.get(key) {
        Ok(mut object) => {
            // The signed CRL in it says which one it is, whoever put it there and with whatever tool.
            let mut file = tempfile::tempfile()?;
            io::copy(&mut object.body, &mut file)?;
            let there = Index::from_file(file, Path::new("what is there now"))?;
            refuse_rollback(&index, &there)?;
            let same = is_same(&index, &there);
            Ok(if same { Verdict::Leave(Published::Unchanged) } else { Verdict::Replace(Some(object.etag)) })
        }
        Err(DownloadFault::Aws { code, .. }) if code == ABSENT => Ok(Verdict::Replace(None)),
        Err(fault) => Err(fault.into()),
    };
    settle(compare, write, |etag| put(&bucket, key, etag, new, &metadata))
}

/// Puts the file that `make` gives at `key`, unless that is there already, or something newer is.
pub(in super::super) fn publish_made_of(
    bucket: &str,
    key: &str,
    edition: &Edition,
    make: &mut dyn FnMut() -> Result<PathBuf, UploadFault>,
    terms: &Terms,
    write: Write,
) -> Result<Published, UploadFault> {
    let bucket = Bucket::of(bucket, terms)?;
    let metadata = edition.to_metadata();
    let compare = || {
        let Some(object) = bucket.head(key)? else { return Ok(Verdict::Replace(None)) };
        Ok(match Edition::from_metadata(&object.metadata) {
            Some(there) if there == *edition => Verdict::Leave(Published::Unchanged),
            Some(there) if edition.is_older_than(&there) => Verdict::Leave(Published::Superseded),
            Some(_) | None => Verdict::Replace(Some(object.etag)),
        })
    };
    settle(compare, write, |etag| put(&bucket, key, etag, &make()?, &metadata))
}

/// Compares and replaces until one of both holds. Only what was compared is replaced: what another wrote since then is
/// compared in the next round.
fn settle(
    compare: impl Fn() -> Result<Verdict, UploadFault>,
    write: Write,
    mut put: impl FnMut(Option<&str>) -> Result<(), UploadFault>,
) -> Result<Published, UploadFault> {
    for _ in 0..ATTEMPTS {
        let etag = match compare()? {
            Verdict::Leave(published) => return Ok(published),
            Verdict::Replace(_) if write == Write::DryRun => return Ok(Published::Written),
            Verdict::Replace(etag) => etag,
        };
        match put(etag.as_deref()) {
            Err(UploadFault::Transfer(DownloadFault::Aws { code, .. })) if OTHERS_FIRST.contains(&&*code) => {
            }
            done => return done.map(|()| Published::Written),
        }
    }
    Err(UploadFault::Contended { attempts: ATTEMPTS })
}

fn put(
    bucket: &Bucket<'_>,
    key: &str,
    etag: Option<&str>,
    file: &Path,
    metadata: &HashMap<String, String>,
) -> Result<(), UploadFault> {
    let size = file.metadata()?.len();
    if size > MAX_OBJECT_BYTES {
        return Err(UploadFault::TooLarge { size, limit: MAX_OBJECT_BYTES });
    }
    Ok(bucket.replace(key, etag, file, metadata)?)
}

/// Whether both are made of one CRL, and vouched for by the same signer.
fn is_same(new: &Index, there: &Index) -> bool {
    Edition::of(new.metadata()) == Edition::of(there.metadata()) && new.signed_by() == there.signed_by()
}

fn refuse_rollback(new: &Index, old: &Index) -> Result<(), UploadFault> {
    let (new, old) = (new.metadata(), old.metadata());
    if new.issuer_id != old.issuer_id || new.scope != old.scope {
        return Err(UploadFault::OtherCrl { issuer: old.issuer.clone() });
    }
    if new.is_older_than(old) {
        return Err(UploadFault::Older {
            new: new.this_update,
            new_number: new.crl_number,
            old: old.this_update,
            old_number: old.crl_number,
        });
    }
    Ok(())
}
