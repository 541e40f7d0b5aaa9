//! One look at one source.

use std::collections::HashSet;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crl_tool::{DownloadFault, Location, Parcel, Problem};
use time::OffsetDateTime;

use super::at_once::at_once;
use super::cache::sha256;
use super::{Content, Copy, Held, Keep, Look, Place, SourceFault, Sources};

/// A certificate, a key or a bundle is smaller.
const MOST_SMALL: u64 = 1 << 20;
/// What cannot be used is asked for in full at least as often.
const LONGEST_DOUBT: Duration = Duration::from_secs(3_600);

impl Sources {
    /// Looks at one place. `again` takes a file for changed, whatever it looks like.
    pub(super) fn look(&self, place: &Place, keep: Keep, again: bool) -> Look {
        let looked = match place {
            Place::File(path) => self.look_at_file(place, path, again),
            Place::Remote(location) => self.look_at_remote(place, location, keep),
            Place::Prefix { bucket, prefix } => self.look_below(place, bucket, prefix),
        };
        self.note(place, looked)
    }

    /// What came of a look at a place.
    fn note(&self, place: &Place, looked: Result<bool, SourceFault>) -> Look {
        let mut held = self.held();
        let known = held.entry(place.clone()).or_default();
        match looked {
            Ok(changed) => {
                known.fault = None;
                known.answered = Some(OffsetDateTime::now_utc());
                if changed { Look::Changed } else { Look::Unchanged }
            }
            Err(fault) => {
                let first = known.fault.is_none();
                known.fault = Some(Arc::new(fault));
                // A file that is gone is news; that S3 is down is not, as long as there is a copy.
                if first && known.copies.is_empty() { Look::Changed } else { Look::Failed }
            }
        }
    }

    fn look_at_file(&self, place: &Place, path: &Path, again: bool) -> Result<bool, SourceFault> {
        // It follows links: a swapped `..data` of Kubernetes is another file.
        let metadata = match path.metadata() {
            Ok(metadata) => metadata,
            Err(error) => {
                let mut held = self.held();
                let known = held.entry(place.clone()).or_default();
                known.tag = None;
                known.copies.clear();
                return Err(SourceFault::File(error));
            }
        };
        let tag = format!(
            "{}:{}:{}:{}.{}:{}.{}",
            metadata.dev(),
            metadata.ino(),
            metadata.len(),
            metadata.mtime(),
            metadata.mtime_nsec(),
            metadata.ctime(),
            metadata.ctime_nsec()
        );
        let content = Content::File(path.to_owned());
        let modified = OffsetDateTime::from_unix_timestamp(metadata.mtime()).ok();
        let known = self.held().get(place).and_then(|known| known.tag.clone());
        if known.as_ref() == Some(&tag) && !again {
            return Ok(false);
        }
        let copy = self.new_copy(place, false, content, modified);
        let mut held = self.held();
        let known = held.entry(place.clone()).or_default();
        (known.tag, known.copies) = (Some(tag), vec![copy]);
        Ok(true)
    }

    fn look_at_remote(&self, place: &Place, location: &Location, keep: Keep) -> Result<bool, SourceFault> {
        self.recall(place, keep);
        let known = self.held().get_mut(place).and_then(Held::credible_tag);
        let Some(parcel) = self.courier.fetch(location, known.as_deref())? else { return Ok(false) };
        let Parcel { tag, version, modified, body } = parcel;
        let (content, digest) = match keep {
            Keep::Disk => {
                let (path, digest) = self.cache.store(place, &tag, body)?;
                (Content::File(path), digest)
            }
            Keep::Both | Keep::Memory => {
                let bytes = small(body)?;
                if keep == Keep::Both {
                    self.cache.store(place, &tag, bytes.as_slice())?;
                }
                let digest = sha256(&bytes);
                (Content::Bytes(bytes.into()), digest)
            }
        };
        let mut held = self.held();
        let known = held.entry(place.clone()).or_default();
        known.tag = Some(tag);
        if known.digest.replace(digest) == Some(digest)
            && let Some(last) = known.copies.last_mut()
        {
            // The same under another name: whatever was made of it stays.
            let before = std::mem::replace(&mut last.content, content);
            if before != last.content {
                self.cache.forget(&before);
            }
            return Ok(false);
        }
        let copy = Copy { version: version.map(Into::into), ..self.new_copy(place, true, content, modified) };
        // Between the one in force, which is the first, and this one, there may be others that were refused.
        let stay = known.recalled.max(1).min(known.copies.len());
        for refused in known.copies.drain(stay..) {
            // Of a server that sends again what it was told is here, the copy has the same name.
            if refused.content != copy.content {
                self.cache.forget(&refused.content);
            }
        }
        known.copies.push(copy);
        Ok(true)
    }

    /// Before the first question: what an earlier process has left on the disk.
    fn recall(&self, place: &Place, keep: Keep) {
        if keep == Keep::Memory || self.held().contains_key(place) {
            return;
        }
        let mut recalled = Held::default();
        for (tag, path) in self.cache.recall(place) {
            let content = match keep {
                Keep::Disk => Content::File(path),
                Keep::Both | Keep::Memory => match std::fs::read(&path) {
                    Ok(bytes) => Content::Bytes(bytes.into()),
                    Err(_) => continue,
                },
            };
            recalled.copies.push(self.new_copy(place, true, content, None));
            recalled.tag = tag;
        }
        recalled.recalled = recalled.copies.len();
        self.held().insert(place.clone(), recalled);
    }

    fn look_below(&self, place: &Place, bucket: &str, prefix: &str) -> Result<bool, SourceFault> {
        let keys = match self.courier.list(bucket, prefix, self.settings.max_objects) {
            Ok(keys) => crls_among(&keys),
            Err(fault) => {
                // What is on the disk is all there is to know, if nothing has been known before.
                if !self.held().contains_key(place) {
                    let members = self.cache.members(bucket, prefix);
                    members.iter().for_each(|member| self.recall(member, Keep::Disk));
                    self.held().entry(place.clone()).or_default().members = members;
                }
                return Err(fault.into());
            }
        };
        let object = |key| Place::Remote(Location::S3 { bucket: bucket.to_owned(), key });
        let members: Vec<_> = keys.into_iter().map(object).collect();
        let before =
            std::mem::replace(&mut self.held().entry(place.clone()).or_default().members, members.clone());
        let (changed, silent) = (AtomicBool::new(before != members), AtomicBool::new(false));
        at_once(&members, |member| {
            let look = if silent.load(Ordering::Relaxed) {
                self.recall(member, Keep::Disk);
                let limit = self.settings.timeout;
                self.note(member, Err(DownloadFault::Late { limit }.into()))
            } else {
                self.look(member, Keep::Disk, false)
            };
            changed.fetch_or(look == Look::Changed, Ordering::Relaxed);
            // There may be a thousand, and each would wait as long.
            silent.fetch_or(self.is_silent(member), Ordering::Relaxed);
        });
        Ok(changed.into_inner())
    }

    /// Whether nobody answered when a place was asked for.
    fn is_silent(&self, place: &Place) -> bool {
        let held = self.held();
        let fault = held.get(place).and_then(|known| known.fault.as_deref());
        matches!(fault, Some(SourceFault::Download(DownloadFault::Late { .. } | DownloadFault::AwsCall(_))))
    }

    fn new_copy(
        &self,
        place: &Place,
        remote: bool,
        content: Content,
        modified: Option<OffsetDateTime>,
    ) -> Copy {
        let fetched = OffsetDateTime::now_utc();
        let (mark, origin) = (self.new_mark(), place.to_string().into());
        Copy { mark, origin, remote, content, version: None, modified, fetched }
    }
}

impl Held {
    /// What the place calls its content, if that is as good as the content.
    fn credible_tag(&mut self) -> Option<String> {
        if let Some(doubt) = self.doubt.as_mut().filter(|doubt| doubt.next <= Instant::now()) {
            doubt.next = Instant::now() + doubt.pause;
            doubt.pause = doubt.pause.saturating_mul(2).min(LONGEST_DOUBT);
            return None;
        }
        self.tag.clone()
    }
}

/// The keys of CRLs and their indexes: of a CRL and its index, the index. Caches, certificates, and what AWS
/// Private CA leaves there to find out whether it may write (`acm-pca-permission-test-key`), are no CRLs.
fn crls_among(keys: &[String]) -> Vec<String> {
    let indexed = |key: &str| [format!("{key}x"), format!("{key}.crlx")];
    let all: HashSet<&str> = keys.iter().map(String::as_str).collect();
    let wanted = |key: &&String| {
        let is_crl = key.ends_with(".crl") && !indexed(key).iter().any(|index| all.contains(index.as_str()));
        is_crl || key.ends_with(".crlx")
    };
    keys.iter().filter(wanted).cloned().collect()
}

fn small(body: impl Read) -> Result<Vec<u8>, SourceFault> {
    let mut bytes = Vec::new();
    body.take(MOST_SMALL + 1).read_to_end(&mut bytes).map_err(download_fault)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MOST_SMALL {
        return Err(DownloadFault::TooLarge { limit: MOST_SMALL }.into());
    }
    Ok(bytes)
}

/// A read from AWS passes its own fault on inside of the error.
pub(super) fn download_fault(error: io::Error) -> SourceFault {
    match error.downcast::<Problem>() {
        Ok(Problem::Download(fault)) => fault.into(),
        Ok(problem) => DownloadFault::Broken(problem.to_string()).into(),
        Err(error) => DownloadFault::Broken(error.to_string()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_crl_and_its_index_the_index_counts() {
        let keys = [
            "ca/a.crl",
            "ca/a.crl.crlx",
            "ca/a.crl.json",
            "ca/a.crl.crt",
            "ca/b.crl",
            "ca/c.crl",
            "ca/c.crlx",
            "ca/acm-pca-permission-test-key",
        ];
        let found = crls_among(&keys.map(str::to_owned));
        assert_eq!(found, ["ca/a.crl.crlx", "ca/b.crl", "ca/c.crlx"]);
    }
}
