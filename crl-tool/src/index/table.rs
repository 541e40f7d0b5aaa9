//! Collecting the serials of a CRL and laying them out in lines.

use super::line::{Hash, Line, lines_for};
use crate::memory::Memory;
use crate::width::{length, offset, position};
use std::collections::HashSet;
use std::io;

/// The hash's bits that choose a partition; the others fit into 32 bits beside the offset.
const PARTITION_BITS: u32 = 9;
const PARTITIONS: usize = 1 << PARTITION_BITS;
const LOW_BITS: u32 = Hash::LINE_BITS - PARTITION_BITS;
/// Records in a chunk. The chunks that are being filled have to fit the processor's second-level cache.
const CHUNK: usize = 256;
/// The most bytes of offsets that lie together.
pub(super) const PIECE: usize = 8 * CHUNK;
/// The shortest entry: SEQUENCE, a serial of one octet, a UTCTime.
const SHORTEST_ENTRY: usize = 2 + 3 + 15;

/// The serials of a CRL: of each only the hash and where its entry lies, in eight bytes.
///
/// The partition and the upper half of a record are the hash, in the order of the lines; the lower half is the
/// offset. Each partition fills chunks of its own, and is put in order later, when it fits the processor's cache.
pub(crate) struct Table {
    seed: u64,
    /// All chunks, in the order in which they were begun.
    records: Memory,
    /// Where the next record of each partition goes; at the start of a chunk, it needs a new one.
    next: [u32; PARTITIONS],
    /// Where each partition's chunks start, in the order of the CRL.
    chunks: Vec<Vec<u32>>,
    /// Records in all chunks so far.
    begun: u32,
    entries: u32,
}

/// Where everything went.
pub(crate) struct Layout {
    pub(crate) entries: u32,
    pub(crate) home_lines: u32,
    pub(crate) lines: u32,
    /// Of each entry in the order of the lines, where it lies in the CRL: four little-endian bytes.
    offsets: Reused,
}

impl Layout {
    /// For each entry in the order of the lines, where it lies in the CRL: four bytes each, little-endian, in pieces.
    pub(crate) fn offsets(&self) -> impl Iterator<Item = &[u8]> {
        let pieces = self.offsets.chunks.iter().map(|&start| self.offsets.chunk(start).as_flattened());
        let mut left = 4 * length(self.entries);
        pieces.map(move |piece| {
            let piece = piece.get(..left).unwrap_or(piece);
            left -= piece.len();
            piece
        })
    }
}

/// The chunks of records that were laid out, and take offsets now: half as many bytes as they had, so that the next
/// one is always free already. Memory that was written to before is faster than fresh memory.
struct Reused {
    records: Memory,
    /// Where each chunk starts, in the order in which they became free.
    chunks: Vec<u32>,
    /// How many of them have offsets.
    begun: usize,
    /// Where the next offset goes, in four bytes; at the start of a chunk, that is the next free one.
    next: usize,
}

impl Reused {
    fn chunk(&self, start: u32) -> &[[u8; 8]] {
        let start = length(start);
        self.records.pieces().get(start..start + CHUNK).unwrap_or_default()
    }

    /// Adds the offset of the next entry.
    #[inline]
    fn push(&mut self, offset: u32) {
        if self.next.is_multiple_of(2 * CHUNK) {
            let Some(&start) = self.chunks.get(self.begun) else { return };
            self.next = 2 * length(start);
            self.begun += 1;
        }
        let places = self.records.pieces_mut();
        places.get_mut(self.next).into_iter().for_each(|place| *place = offset.to_le_bytes());
        self.next += 1;
    }
}

impl Table {
    /// An empty table for the serials of a list of `bytes` bytes.
    pub(crate) fn new(seed: u64, bytes: usize) -> io::Result<Table> {
        // Only chunks that are written to take memory.
        let most = bytes / SHORTEST_ENTRY + PARTITIONS * CHUNK;
        Ok(Table {
            seed,
            records: Memory::zeroed(8 * most)?,
            next: [0; PARTITIONS],
            chunks: vec![Vec::new(); PARTITIONS],
            begun: 0,
            entries: 0,
        })
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Hashes the serials that follow under `seed`.
    pub(crate) fn reseed(&mut self, seed: u64) {
        self.seed = seed;
    }

    /// How many serials there are.
    pub(crate) fn entries(&self) -> u32 {
        self.entries
    }

    /// Adds a serial. Entries come in the order of the CRL.
    #[inline]
    pub(crate) fn push(&mut self, serial: &[u8], offset: u32) {
        let hash = Hash::of(serial, self.seed);
        let low = hash.line & ((1 << LOW_BITS) - 1);
        let record = u64::from(low) << 48 | u64::from(hash.fingerprint) << 32 | u64::from(offset);
        let partition = length(hash.line >> LOW_BITS);
        let Some(next) = self.next.get_mut(partition) else { return };
        if length(*next).is_multiple_of(CHUNK) {
            *next = begin_chunk(&mut self.chunks, &mut self.begun, partition);
        }
        if let Some(slot) = self.records.pieces_mut().get_mut(length(*next)) {
            *slot = record.to_le_bytes();
            *next += 1;
            self.entries += 1;
        }
    }

    /// Lays the serials out, calling `emit` for each line. `serial_at` reads what tells the entry at an offset apart, its
    /// serial and, in an indirect CRL, the issuer; it is asked only where fingerprints collide.
    pub(crate) fn lay_out<E: From<io::Error>>(
        self,
        serial_at: impl FnMut(u32) -> Result<Vec<u8>, E>,
        emit: impl FnMut(Line) -> Result<(), E>,
    ) -> Result<Layout, E> {
        let home_lines = lines_for(self.entries);
        let mut filler = Filler {
            line: Line::empty(0),
            number: 0,
            offsets: Reused { records: self.records, chunks: Vec::new(), begun: 0, next: 0 },
            seen: Seen::default(),
            serial_at,
            emit,
        };
        let mut buckets = Buckets::default();
        // Two partitions may share a line, so that it is complete only when the next one starts.
        let mut shared = Vec::new();
        let mut shared_home = 0;
        for ((number, chunks), end) in (0..).zip(self.chunks).zip(self.next) {
            let home = |record| hash(number, record).home(home_lines);
            let (first, last) = (home(0), home(u64::MAX));
            buckets.fill(partition(&filler.offsets, &chunks, end), first, last, home);
            filler.offsets.chunks.extend(chunks);
            for (home, bucket) in (first..).zip(buckets.each()) {
                if home != shared_home {
                    shared.sort_unstable_by_key(|&record| fingerprint_and_offset(record).1);
                    filler.place(shared_home, &shared)?;
                    shared.clear();
                    shared_home = home;
                }
                if home == first || home == last {
                    shared.extend_from_slice(bucket);
                } else {
                    filler.place(home, bucket)?;
                }
            }
        }
        shared.sort_unstable_by_key(|&record| fingerprint_and_offset(record).1);
        filler.place(shared_home, &shared)?;
        filler.finish(home_lines)
    }
}

/// The records in `chunks`, of which the last is filled up to `end`: those of a partition, in the order of the CRL.
fn partition(memory: &Reused, chunks: &[u32], end: u32) -> impl Iterator<Item = u64> + Clone {
    chunks.iter().flat_map(move |&start| {
        let chunk = memory.chunk(start);
        // For all but the last chunk, the end lies elsewhere.
        let filled = end.checked_sub(start).and_then(|filled| chunk.get(..length(filled))).unwrap_or(chunk);
        filled.iter().map(|&record| u64::from_le_bytes(record))
    })
}

/// A new chunk for `partition`: not for every record, and kept out of the loop over them.
#[cold]
fn begin_chunk(chunks: &mut [Vec<u32>], begun: &mut u32, partition: usize) -> u32 {
    let start = *begun;
    chunks.get_mut(partition).into_iter().for_each(|chunks| chunks.push(start));
    *begun += offset(position(CHUNK));
    start
}

fn hash(partition: u32, record: u64) -> Hash {
    let [_, _, _, _, e, f, g, h] = record.to_le_bytes();
    let line = partition << LOW_BITS | u32::from(u16::from_le_bytes([g, h]));
    Hash { line, fingerprint: u16::from_le_bytes([e, f]) }
}

fn fingerprint_and_offset(record: u64) -> (u16, u32) {
    let [a, b, c, d, e, f, _, _] = record.to_le_bytes();
    (u16::from_le_bytes([e, f]), u32::from_le_bytes([a, b, c, d]))
}

/// The records of a partition, by their home lines and otherwise in the order they came in.
#[derive(Default)]
struct Buckets {
    records: Vec<u64>,
    /// Where each home's records end, from that of the first home on.
    ends: Vec<usize>,
}

impl Buckets {
    /// Sorts by counting, as homes are few and evenly used.
    fn fill(
        &mut self,
        records: impl Iterator<Item = u64> + Clone,
        first: u32,
        last: u32,
        home: impl Fn(u64) -> u32,
    ) {
        self.ends.clear();
        self.ends.resize(length(last - first) + 1, 0);
        let bucket = |record| length(home(record) - first);
        for record in records.clone() {
            self.ends.get_mut(bucket(record)).into_iter().for_each(|count| *count += 1);
        }
        // From counts to where each bucket starts; placing its records then moves that to its end.
        let mut sum = 0;
        for count in &mut self.ends {
            (*count, sum) = (sum, sum + *count);
        }
        self.records.resize(sum, 0);
        for record in records {
            if let Some(at) = self.ends.get_mut(bucket(record))
                && let Some(slot) = self.records.get_mut(*at)
            {
                *slot = record;
                *at += 1;
            }
        }
    }

    /// The buckets in the order of their homes.
    fn each(&self) -> impl Iterator<Item = &[u64]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let bucket = self.records.get(start..end).unwrap_or_default();
            start = end;
            bucket
        })
    }
}

/// Fills one line after the other with entries that come in the order of their homes.
struct Filler<S, F> {
    line: Line,
    number: u32,
    offsets: Reused,
    seen: Seen,
    serial_at: S,
    emit: F,
}

impl<E, S, F> Filler<S, F>
where
    S: FnMut(u32) -> Result<Vec<u8>, E>,
    F: FnMut(Line) -> Result<(), E>,
{
    /// Puts the records of line `home`, which are in the order of the CRL, into it, and into those that follow if it is
    /// full.
    fn place(&mut self, home: u32, records: &[u64]) -> Result<(), E> {
        while self.number < home && !records.is_empty() {
            self.close(false)?;
        }
        let some_twice = self.seen.note(records);
        let mut serials = HashSet::new();
        for &record in records {
            let (fingerprint, offset) = fingerprint_and_offset(record);
            // The CRL may list a serial twice. What it says first counts.
            if some_twice && self.seen.twice(fingerprint) && !serials.insert((self.serial_at)(offset)?) {
                continue;
            }
            if !self.line.has_space() {
                self.close(true)?;
            }
            self.line.push(fingerprint);
            self.offsets.push(offset);
        }
        self.seen.forget(records);
        Ok(())
    }

    fn close(&mut self, overflows: bool) -> Result<(), E> {
        self.line.overflows = overflows;
        (self.emit)(self.line)?;
        self.line = Line::empty(self.line.total());
        self.number += 1;
        Ok(())
    }

    /// Closes the last line and those without entries after it.
    fn finish(mut self, home_lines: u32) -> Result<Layout, E> {
        let entries = self.line.total();
        self.close(false)?;
        while self.number < home_lines {
            self.close(false)?;
        }
        Ok(Layout { entries, home_lines, lines: self.number, offsets: self.offsets })
    }
}

/// Which fingerprints a line's records have, and which more than one of them: a bit for each that there can be.
struct Seen {
    once: Box<[u64; Seen::WORDS]>,
    twice: Box<[u64; Seen::WORDS]>,
}

impl Default for Seen {
    fn default() -> Seen {
        Seen { once: Box::new([0; Seen::WORDS]), twice: Box::new([0; Seen::WORDS]) }
    }
}

impl Seen {
    const WORDS: usize = 1 << (u16::BITS - 6);

    fn place(fingerprint: u16) -> (usize, u64) {
        (usize::from(fingerprint >> 6), 1 << (fingerprint & 63))
    }

    /// Takes the fingerprints of `records`; returns whether there is one that two of them have.
    fn note(&mut self, records: &[u64]) -> bool {
        let mut repeated = 0;
        for &record in records {
            let (word, bit) = Seen::place(fingerprint_and_offset(record).0);
            if let (Some(once), Some(twice)) = (self.once.get_mut(word), self.twice.get_mut(word)) {
                let again = *once & bit;
                *once |= bit;
                if again != 0 {
                    *twice |= bit;
                    repeated |= again;
                }
            }
        }
        repeated != 0
    }

    fn twice(&self, fingerprint: u16) -> bool {
        let (word, bit) = Seen::place(fingerprint);
        self.twice.get(word).is_some_and(|word| word & bit != 0)
    }

    fn forget(&mut self, records: &[u64]) {
        for &record in records {
            let (word, _) = Seen::place(fingerprint_and_offset(record).0);
            self.once.get_mut(word).into_iter().chain(self.twice.get_mut(word)).for_each(|word| *word = 0);
        }
    }
}
