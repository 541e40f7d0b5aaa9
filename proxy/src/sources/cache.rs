//! Copies of what comes from elsewhere, in one directory: written whole or not at all, found again by the next process.
//!
//! A copy of a place is called by the digest of the place's name and by the tag that the place gave it. `DIGEST.place` says which
//! place that is. Nothing in there is secret, and nothing is believed because it is there, except trust bundles: whoever can
//! write to the directory could as well write to the configuration.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use aws_lc_rs::digest::{Context, Digest, SHA256, digest};
use crl_tool::{Draft, Location};

use super::look::download_fault;
use super::temporary::Temporary;
use super::{Content, Place, SourceFault};

/// Bytes read at once.
const CHUNK: usize = 1 << 16;
/// A longer tag is not part of a name.
const LONGEST_TAG: usize = 80;
/// Of the copies of one place: the one in force, one that may not be, and those that a killed process did not come to remove.
const COPIES: usize = 4;

/// The directory.
pub(super) struct Cache {
    directory: PathBuf,
    /// Removes it, if it goes with the process.
    _temporary: Option<Temporary>,
}

impl Cache {
    /// The directory at `path`, which is made if it is not there, or else a temporary one.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, (PathBuf, io::Error)> {
        let temporary = match path {
            Some(_) => None,
            None => Some(Temporary::make().map_err(|error| (std::env::temp_dir(), error))?),
        };
        let directory = match (path, &temporary) {
            (Some(path), _) => path.to_owned(),
            (None, temporary) => temporary.as_ref().map(|it| it.path().to_owned()).unwrap_or_default(),
        };
        fs::create_dir_all(&directory).map_err(|error| (directory.clone(), error))?;
        Draft::clean(&directory);
        Ok(Self { directory, _temporary: temporary })
    }

    /// Copies `body`, which `place` calls `tag`. Answers where it is, and its SHA-256.
    pub(super) fn store(
        &self,
        place: &Place,
        tag: &str,
        body: impl Read,
    ) -> Result<(PathBuf, [u8; 32]), SourceFault> {
        let failed = |error| SourceFault::Copy { directory: self.directory.clone(), error };
        let name = self.directory.join(format!("{}.place", hash(place)));
        if !name.exists() {
            let draft = Draft::new(&name).map_err(failed)?;
            draft.file().write_all(place.to_string().as_bytes()).map_err(failed)?;
            draft.publish().map_err(failed)?;
        }
        let tag = if tag.len() > LONGEST_TAG { String::new() } else { hex(tag.as_bytes()) };
        let path = self.directory.join(format!("{}-{tag}", hash(place)));
        let draft = Draft::new(&path).map_err(failed)?;
        let (mut body, mut chunk, mut sha256) = (body, vec![0; CHUNK], Context::new(&SHA256));
        loop {
            let count = body.read(&mut chunk).map_err(download_fault)?;
            let Some(read @ [_, ..]) = chunk.get(..count) else { break };
            sha256.update(read);
            draft.file().write_all(read).map_err(failed)?;
        }
        draft.publish().map_err(failed)?;
        Ok((path, octets(&sha256.finish())))
    }

    /// The copies of `place`, the last one last, each with its tag if that is known.
    pub(super) fn recall(&self, place: &Place) -> Vec<(Option<String>, PathBuf)> {
        let prefix = format!("{}-", hash(place));
        let mut found: Vec<(SystemTime, Option<String>, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let tag = name.to_str().and_then(|name| name.strip_prefix(&prefix));
            if let (Some(tag), Ok(written)) = (tag, entry.metadata().and_then(|it| it.modified())) {
                found.push((written, unhex(tag), entry.path()));
            }
        }
        found.sort();
        let unwanted = found.len().saturating_sub(COPIES);
        found.drain(..unwanted).for_each(|(_, _, path)| drop(fs::remove_file(path)));
        found.into_iter().map(|(_, tag, path)| (tag, path)).collect()
    }

    /// The places below a prefix of which there are copies.
    pub(super) fn members(&self, bucket: &str, prefix: &str) -> Vec<Place> {
        let mut places = Vec::new();
        for entry in fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "place")
                && let Ok(name) = fs::read_to_string(&path)
                && let Ok(Some(Location::S3 { bucket: of, key })) = Location::named_by(Path::new(&name))
                && of == bucket
                && key.starts_with(prefix)
            {
                places.push(Place::Remote(Location::S3 { bucket: of, key }));
            }
        }
        places
    }

    /// Removes a copy. Whoever has it open goes on reading it.
    pub(super) fn forget(&self, content: &Content) {
        if let Content::File(path) = content
            && path.starts_with(&self.directory)
        {
            // One that stays is removed when the next process finds it.
            let _ = fs::remove_file(path);
        }
    }

    /// A new file without a name.
    pub(super) fn scratch(&self) -> io::Result<File> {
        tempfile::tempfile_in(&self.directory)
    }
}

/// What stands for a place in the names of its copies.
fn hash(place: &Place) -> String {
    hex(sha256(place.to_string().as_bytes()).get(..8).unwrap_or_default())
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    octets(&digest(&SHA256, bytes))
}

fn octets(digest: &Digest) -> [u8; 32] {
    let mut octets = [0; 32];
    octets.copy_from_slice(digest.as_ref());
    octets
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<String> {
    let pairs = text.as_bytes().chunks(2);
    let bytes = pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    String::from_utf8(bytes.collect::<Option<_>>()?).ok().filter(|tag| !tag.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_found_again_with_their_tags_and_places() {
        let directory = tempfile::tempdir().unwrap();
        let object = |key: &str| Place::Remote(Location::S3 { bucket: "b".to_owned(), key: key.to_owned() });
        let place = object("ca/root.crlx");
        let cache = Cache::open(Some(directory.path())).unwrap();
        for number in 1..=COPIES + 1 {
            cache.store(&place, &format!("\"{number}\""), number.to_string().as_bytes()).unwrap();
        }
        let again = Cache::open(Some(directory.path())).unwrap();
        let found = again.recall(&place);
        let tags: Vec<_> = found.iter().map(|(tag, _)| tag.clone().unwrap()).collect();
        assert_eq!(tags, ["\"2\"", "\"3\"", "\"4\"", "\"5\""], "the older ones are gone");
        assert_eq!(fs::read(&found[3].1).unwrap(), b"5");
        assert_eq!(again.members("b", "ca/"), [place]);
        assert!(again.members("b", "cb/").is_empty());
        assert!(again.recall(&object("ca/other.crlx")).is_empty());
    }
}
