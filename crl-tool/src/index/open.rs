//! Opening an index: every byte but the CRL's entries is read, checked and summed once.

use super::Index;
use super::error::{Fault, OpenError};
use super::header::{self, Header};
use super::issuers::Issuers;
use super::line::Line;
use super::metadata::Metadata;
use super::seal::Seal;
use crate::crl::head::{self, Head};
use crate::crl::scan::Frame;
use crate::crl::stored::Stored;
use crate::crl::tail::{self, Tail};
use crate::issuer::sha256;
use crate::key::PublicKey;
use crate::memory::Memory;
use crate::watch::Watch;
use crate::width::{length, length_of, offset, position};
use aws_lc_rs::digest::{Context, Digest, SHA256};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

/// Bytes read at once: what is checked next is still in the processor's cache.
pub(super) const CHUNK: usize = 1 << 18;

impl Index {
    /// Opens an index. Lines and offsets are read into memory; every bound in it is checked now, so that lookups need not.
    ///
    /// # Errors
    /// Refuses a file that cannot be read, is no index, or is damaged anywhere but in the CRL's entries, which
    /// [`Index::check_crl`] compares.
    pub fn open(path: &Path) -> Result<Index, OpenError> {
        let file =
            File::open(path).map_err(|error| OpenError { path: path.to_owned(), fault: error.into() })?;
        Index::from_file(file, path)
    }

    /// Where the CRL of an index at `path` lies if the index is without it: the same name with `.crl` at its end.
    #[must_use]
    pub fn crl_beside(path: &Path) -> PathBuf {
        path.with_extension("crl")
    }

    /// As [`Index::open`], for a file that is open already. `path` names it in errors.
    ///
    /// # Errors
    /// As [`Index::open`].
    pub fn from_file(file: File, path: &Path) -> Result<Index, OpenError> {
        let opened = read(file, path, false);
        opened.map(|opened| opened.index).map_err(|fault| OpenError { path: path.to_owned(), fault })
    }

    /// As [`Index::open`], for an index that one of `keys` must have signed. [`Index::check_crl`] then compares the CRL's
    /// entries with the digest that was signed.
    ///
    /// # Errors
    /// As [`Index::open`]; and the index is not signed, by none of `keys`, or was changed since.
    pub fn open_signed(path: &Path, keys: &[PublicKey]) -> Result<Index, OpenError> {
        let file =
            File::open(path).map_err(|error| OpenError { path: path.to_owned(), fault: error.into() })?;
        Index::from_signed_file(file, path, keys)
    }

    /// As [`Index::open_signed`], for a file that is open already. `path` names it in errors.
    ///
    /// # Errors
    /// As [`Index::open_signed`].
    pub fn from_signed_file(file: File, path: &Path, keys: &[PublicKey]) -> Result<Index, OpenError> {
        let checked = read(file, path, true).and_then(|Opened { index, sections, .. }| {
            let seal = index.seal.as_ref().ok_or(Fault::NotSigned)?;
            seal.check(&index.header, &sections.ok_or(Fault::NotSigned)?, keys)?;
            Ok(index)
        });
        checked.map_err(|fault| OpenError { path: path.to_owned(), fault })
    }
}

/// An open index, and what a signature of it is made from.
pub(super) struct Opened {
    pub(super) index: Index,
    /// SHA-256 of all that the checksum is over before the signature, if it was asked for.
    pub(super) sections: Option<Digest>,
    /// The checksum up to there.
    pub(super) checksum: Checksum,
}

/// Reads an index. Hashing it for a signature takes about as long as all the rest, and is left out where nobody asks.
pub(super) fn read(file: File, path: &Path, for_signature: bool) -> Result<Opened, Fault> {
    let size = file.metadata()?.len();
    let mut first = [0; header::SIZE];
    match file.read_exact_at(&mut first, 0) {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Err(Fault::NotAnIndex),
        result => result?,
    }
    let header = Header::read(&first, size)?;
    let beside = if header.embedded { None } else { Some(beside(path, &header)?) };
    let inside = Stored::inside(file);
    let frame = Frame::read(beside.as_ref().unwrap_or(&inside), &header)?;

    let mut checksum = if for_signature { Checksum::with_digest(&frame) } else { Checksum::new(&frame) };
    let lane = read_lines(&inside.file, &header, &mut checksum)?;
    let offsets = read_offsets(&inside.file, &header, &mut checksum)?;
    let issuer_changes = read_issuer_changes(&inside.file, &header, &mut checksum)?;
    let delta = read_delta(&inside.file, &header, &mut checksum)?;
    let seal = Seal::read(&inside.file, &header)?;
    let sealed = seal.as_ref().map(Seal::to_bytes).unwrap_or_default();
    if checksum.finish(&sealed, &header) != header.checksum {
        return Err(Fault::Checksum);
    }
    let (head, tail) = frame.parse(&header)?;
    if !issuer_changes.is_empty() && !tail.extensions.is_indirect() {
        return Err(Fault::Header { field: "issuer changes" });
    }
    let mut metadata = Metadata::new(&head, &tail, &header.beside());
    let delta = delta.map(|der| metadata.apply(der)).transpose()?;
    let seed = seed(&frame.before);
    let crl = beside.unwrap_or(inside);
    let issuers = Issuers::new(&head.issuer, issuer_changes);
    let (path, watch) = (path.to_owned(), Watch::default());
    let (sections, seal) = (checksum.digest.clone().map(Context::finish), seal.map(Box::new));
    let index = Index { path, crl, header, head, metadata, seed, lane, offsets, issuers, delta, seal, watch };
    Ok(Opened { index, sections, checksum })
}

/// Opens the CRL beside the index at `path`: a file of the same name that ends in `.crl`.
fn beside(path: &Path, header: &Header) -> Result<Stored, Fault> {
    let path = Index::crl_beside(path);
    let opened = File::open(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
    match opened {
        Ok((size, file)) if size == u64::from(header.crl_size) => Ok(Stored::whole(file)),
        Ok(_) => Err(Fault::OtherCrl { path }),
        Err(error) => Err(Fault::NoCrl { path, error }),
    }
}

/// The seed of the hash: from what the CRL says before its first entry, its length and its date among it, so that
/// nobody can choose serials in advance which all fall into one line.
pub(crate) fn seed(before_entries: &[u8]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = sha256(before_entries);
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

impl Frame {
    fn read(crl: &Stored, header: &Header) -> Result<Frame, Fault> {
        let entries = &header.crl_entries;
        let (before, after) = (length(entries.start), length(header.crl_size - entries.end));
        if before > head::LIMIT || after > tail::LIMIT {
            return Err(Fault::Header { field: "entry range" });
        }
        let mut frame = Frame { before: vec![0; before], after: vec![0; after] };
        crl.read_exact_at(&mut frame.before, 0)?;
        crl.read_exact_at(&mut frame.after, u64::from(entries.end))?;
        Ok(frame)
    }

    fn parse(&self, header: &Header) -> Result<(Head, Tail), Fault> {
        let head = Head::read(&self.before)?;
        let range = offset(head.entries.start)..offset(head.entries.end);
        if range != header.crl_entries || head.size != u64::from(header.crl_size) {
            return Err(Fault::Header { field: "entry range" });
        }
        let tail = Tail::read(&self.after, &head)?;
        Ok((head, tail))
    }
}

/// The sum over all of the file but the CRL's entries: the CRL before and after its entries, lines, offsets, the
/// changes of the issuer, the delta CRL, the signature, and the header (with zeroes for the sum), which a builder
/// knows last.
#[derive(Clone)]
pub(crate) struct Checksum {
    sum: Xxh3,
    /// What is signed of an index is what the sum is over, so that no part of it can be missed.
    digest: Option<Context>,
}

impl Checksum {
    pub(crate) fn new(frame: &Frame) -> Checksum {
        Checksum::start(frame, None)
    }

    fn with_digest(frame: &Frame) -> Checksum {
        Checksum::start(frame, Some(Context::new(&SHA256)))
    }

    fn start(frame: &Frame, digest: Option<Context>) -> Checksum {
        let mut checksum = Checksum { sum: Xxh3::new(), digest };
        checksum.update(&frame.before);
        checksum.update(&frame.after);
        checksum
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.sum.update(bytes);
        if let Some(digest) = &mut self.digest {
            digest.update(bytes);
        }
    }

    /// The sum, with the signature and the header.
    pub(crate) fn finish(&self, seal: &[u8], header: &Header) -> u64 {
        let mut sum = self.sum.clone();
        sum.update(seal);
        sum.update(&header.to_bytes_without_checksum());
        sum.digest()
    }
}

fn read_lines(file: &File, header: &Header, checksum: &mut Checksum) -> Result<Memory, Fault> {
    let mut lane = Memory::zeroed(length(header.lines).saturating_mul(Line::SIZE))?;
    let mut at = header.lane();
    let (mut number, mut total) = (0, 0);
    for lines in lane.pieces_mut().chunks_mut(CHUNK / Line::SIZE) {
        at = read_section(file, at, lines.as_flattened_mut(), checksum)?;
        for line in lines {
            total = Line::check(line, number, total, number + 1 == header.lines)?;
            number += 1;
        }
    }
    if total == header.entries { Ok(lane) } else { Err(Fault::Header { field: "entry count" }) }
}

fn read_offsets(file: &File, header: &Header, checksum: &mut Checksum) -> Result<Memory, Fault> {
    let mut offsets = Memory::zeroed(length(header.entries).saturating_mul(4))?;
    let mut at = header.offsets();
    let mut first = 0_u32;
    for offsets in offsets.pieces_mut().chunks_mut(CHUNK / 4) {
        at = read_section(file, at, offsets.as_flattened_mut(), checksum)?;
        let outside = |bytes: &[u8; 4]| !header.crl_entries.contains(&u32::from_le_bytes(*bytes));
        // All at once first, as that is what processors are good at.
        if offsets.iter().fold(false, |any, bytes| any | outside(bytes)) {
            let found = (first..).zip(&*offsets).find(|(_, bytes)| outside(bytes));
            let (entry, bytes) = found.unwrap_or((first, &[0; 4]));
            return Err(Fault::Offset { entry, offset: u32::from_le_bytes(*bytes) });
        }
        first += offset(position(offsets.len()));
    }
    Ok(offsets)
}

/// Where the issuer of the certificates changes: each place behind the one before.
fn read_issuer_changes(file: &File, header: &Header, checksum: &mut Checksum) -> Result<Vec<u32>, Fault> {
    let mut bytes = vec![[0; 4]; length(header.issuer_changes)];
    read_section(file, header.issuer_changes(), bytes.as_flattened_mut(), checksum)?;
    let changes: Vec<u32> = bytes.into_iter().map(u32::from_le_bytes).collect();
    let ascend = changes.is_sorted_by(|one, next| one < next);
    if ascend && changes.iter().all(|change| header.crl_entries.contains(change)) {
        Ok(changes)
    } else {
        Err(Fault::Header { field: "issuer changes" })
    }
}

/// Fills `bytes` from the file, starting at `at`, and returns where they end.
fn read_section(file: &File, at: u64, bytes: &mut [u8], checksum: &mut Checksum) -> Result<u64, Fault> {
    file.read_exact_at(bytes, at)?;
    checksum.update(bytes);
    Ok(at + position(bytes.len()))
}

/// The bytes of the delta CRL, if there is one.
fn read_delta(file: &File, header: &Header, checksum: &mut Checksum) -> Result<Option<Vec<u8>>, Fault> {
    if header.delta_size == 0 {
        return Ok(None);
    }
    let mut der = vec![0; length(header.delta_size)];
    file.read_exact_at(&mut der, header.delta())?;
    checksum.update(&der);
    Ok(Some(der))
}

/// Calls `visit` for the bytes from `start` to `end` of the file, a chunk at a time.
pub(crate) fn each_chunk(
    file: &File,
    start: u64,
    end: u64,
    mut visit: impl FnMut(&[u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut buffer = vec![0; length_of(end - start).min(CHUNK)];
    let mut at = start;
    while at < end {
        let wanted = length_of(end - at).min(buffer.len());
        let chunk = buffer.get_mut(..wanted).unwrap_or_default();
        file.read_exact_at(chunk, at)?;
        visit(chunk)?;
        at += position(wanted);
    }
    Ok(())
}
