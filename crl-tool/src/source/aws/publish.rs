//! Putting an index into S3: a newer CRL's in place of an older one's, whoever else writes there at the same time.

use super::super::Terms;
use super::super::fault::DownloadFault;
use super::super::upload::UploadFault;
use super::s3::{ABSENT, Bucket};
use crate::index::Index;
use std::io;
use std::path::Path;

/// The largest object that one request can write.
const MAX_OBJECT_BYTES: u64 = 5 << 30;
/// How often others may come first.
const ATTEMPTS: u32 = 8;
/// What S3 answers when they did: the object is another one now, is being written, or is gone.
const OTHERS_FIRST: [&str; 3] = ["PreconditionFailed", "ConditionalRequestConflict", ABSENT];

/// Puts the index in the file `new` at `key`.
pub(in super::super) fn publish(
    bucket: &str,
    key: &str,
    new: &Path,
    terms: &Terms,
) -> Result<(), UploadFault> {
    let size = new.metadata()?.len();
    if size > MAX_OBJECT_BYTES {
        return Err(UploadFault::TooLarge { size, limit: MAX_OBJECT_BYTES });
    }
    let index = Index::open(new)?;
    let bucket = Bucket::of(bucket, terms)?;
    for _ in 0..ATTEMPTS {
        let etag = match bucket.get(key) {
            Ok(mut object) => {
                // The signed CRL in it says which one it is, whoever put it there and with whatever tool.
                let mut file = tempfile::tempfile()?;
                io::copy(&mut object.body, &mut file)?;
                let there = Index::from_file(file, Path::new("what is there now"))?;
                refuse_rollback(&index, &there)?;
                Some(object.etag)
            }
            Err(DownloadFault::Aws { code, .. }) if code == ABSENT => None,
            Err(fault) => return Err(fault.into()),
        };
        // Only in place of what was compared: what another wrote since then is compared in the next round.
        match bucket.replace(key, etag.as_deref(), new) {
            Err(DownloadFault::Aws { code, .. }) if OTHERS_FIRST.contains(&&*code) => {}
            done => return Ok(done?),
        }
    }
    Err(UploadFault::Contended { attempts: ATTEMPTS })
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
