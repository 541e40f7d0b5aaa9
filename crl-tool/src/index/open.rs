//! Opening an index: every byte but the CRL's entries is read, checked and summed once.

use super::Index;
use super::error::{Fault, OpenError};
use super::header::{self, Header};
use super::line::Line;
use super::metadata::Metadata;
use crate::crl::head::{self, Head};
use crate::crl::scan::Frame;
use crate::crl::tail::{self, Tail};
use crate::issuer::sha256;
use crate::width::{length, length_of, offset, position};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use xxhash_rust::xxh3::Xxh3;

/// Bytes read at once.
const CHUNK: usize = 1 << 20;

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

    /// As [`Index::open`], for a file that is open already. `path` names it in errors.
    ///
    /// # Errors
    /// As [`Index::open`].
    pub fn from_file(file: File, path: &Path) -> Result<Index, OpenError> {
        read(file, path).map_err(|fault| OpenError { path: path.to_owned(), fault })
    }
}

fn read(file: File, path: &Path) -> Result<Index, Fault> {
    let size = file.metadata()?.len();
    let mut first = [0; header::SIZE];
    match file.read_exact_at(&mut first, 0) {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Err(Fault::NotAnIndex),
        result => result?,
    }
    let header = Header::read(&first, size)?;
    let frame = Frame::read(&file, &header)?;

    let mut checksum = Checksum::new(&header, &frame);
    let lines = read_lines(&file, &header, &mut checksum)?;
    let offsets = read_offsets(&file, &header, &mut checksum)?;
    let delta = read_delta(&file, &header, &mut checksum)?;
    if checksum.finish() != header.checksum {
        return Err(Fault::Checksum);
    }
    let (head, tail) = frame.parse(&header)?;
    let mut metadata = Metadata::new(&head, &tail, &header.beside());
    let delta = delta.map(|der| metadata.apply(der)).transpose()?;
    let seed = seed(&frame.before);
    Ok(Index { path: path.to_owned(), file, header, head, metadata, seed, lines, offsets, delta })
}

/// The seed of the hash: from what the CRL says before its first entry, its length and its date among it, so that
/// nobody can choose serials in advance which all fall into one line.
pub(crate) fn seed(before_entries: &[u8]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = sha256(before_entries);
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

impl Frame {
    fn read(file: &File, header: &Header) -> Result<Frame, Fault> {
        let entries = &header.crl_entries;
        let (before, after) = (length(entries.start), length(header.crl_size - entries.end));
        if before > head::LIMIT || after > tail::LIMIT {
            return Err(Fault::Header { field: "entry range" });
        }
        let mut frame = Frame { before: vec![0; before], after: vec![0; after] };
        file.read_exact_at(&mut frame.before, Header::CRL)?;
        file.read_exact_at(&mut frame.after, Header::CRL + u64::from(entries.end))?;
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

/// The sum over all of the file but the CRL's entries: header (with zeroes for the sum), the CRL before and after
/// its entries, lines, offsets, delta CRL.
pub(crate) struct Checksum(Xxh3);

impl Checksum {
    pub(crate) fn new(header: &Header, frame: &Frame) -> Checksum {
        let mut sum = Xxh3::new();
        sum.update(&header.to_bytes_without_checksum());
        sum.update(&frame.before);
        sum.update(&frame.after);
        Checksum(sum)
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(&self) -> u64 {
        self.0.digest()
    }
}

fn read_lines(file: &File, header: &Header, checksum: &mut Checksum) -> Result<Vec<Line>, Fault> {
    let mut lines: Vec<Line> = Vec::with_capacity(length(header.lines));
    let mut number = 0;
    each_chunk(file, header.lane(), header.offsets(), |chunk| {
        checksum.update(chunk);
        for bytes in chunk.as_chunks().0 {
            let line = Line::read(bytes, number, lines.last(), number + 1 == header.lines)?;
            lines.push(line);
            number += 1;
        }
        Ok(())
    })?;
    match lines.last().map(Line::total) {
        Some(total) if total == header.entries => Ok(lines),
        _ => Err(Fault::Header { field: "entry count" }),
    }
}

fn read_offsets(file: &File, header: &Header, checksum: &mut Checksum) -> Result<Vec<u32>, Fault> {
    let mut offsets = Vec::with_capacity(length(header.entries));
    each_chunk(file, header.offsets(), header.delta(), |chunk| {
        checksum.update(chunk);
        for (entry, bytes) in (offset(position(offsets.len()))..).zip(chunk.as_chunks().0) {
            let offset = u32::from_le_bytes(*bytes);
            if !header.crl_entries.contains(&offset) {
                return Err(Fault::Offset { entry, offset });
            }
            offsets.push(offset);
        }
        Ok(())
    })?;
    Ok(offsets)
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
