//! Collecting the serials of a CRL and laying them out in lines.

use super::line::{Hash, Line, lines_for};
use crate::width::length;
use std::collections::HashSet;
use std::io;

/// The hash's bits that choose a partition; the others fit into 32 bits beside the offset.
const PARTITION_BITS: u32 = 10;
const LOW_BITS: u32 = Hash::LINE_BITS - PARTITION_BITS;

/// The serials of a CRL: of each only the hash and where its entry lies, in eight bytes.
///
/// The partition and the upper half of a record are the hash, in the order of the lines; the lower half is the
/// offset. Sorting the records therefore orders entries by line, and those of one hash as the CRL lists them, whatever
/// order they came in.
///
/// A record goes to its partition by way of a cache line, so that a push seldom leaves the second-level cache: only
/// every eighth one writes to memory. A partition of ten million records is small enough to be sorted in that cache.
pub(crate) struct Table {
    seed: u64,
    partitions: Vec<Partition>,
    entries: u32,
}

#[derive(Clone)]
#[repr(align(64))]
struct Partition {
    /// The latest records, of which the first `count % STAGED` are not among `records`.
    staged: [u64; STAGED],
    records: Vec<u64>,
    /// All records.
    count: usize,
}

/// Records in a cache line.
const STAGED: usize = 8;
/// What an entry takes in a CRL, for a guess at the number of entries. Guessing low costs time, guessing high only
/// address space.
const BYTES_PER_ENTRY: usize = 40;

/// Where everything went.
pub(crate) struct Layout {
    pub(crate) home_lines: u32,
    pub(crate) lines: u32,
    /// For each entry in the order of the lines, where it lies in the CRL.
    pub(crate) offsets: Vec<u32>,
}

impl Partition {
    #[inline]
    fn push(&mut self, record: u64) {
        let slot = self.count % STAGED;
        if let Some(staged) = self.staged.get_mut(slot) {
            *staged = record;
        }
        self.count += 1;
        if slot == STAGED - 1 {
            self.records.extend_from_slice(&self.staged);
        }
    }

    fn into_sorted(mut self) -> Vec<u64> {
        self.records.extend_from_slice(self.staged.get(..self.count % STAGED).unwrap_or_default());
        self.records.sort_unstable();
        self.records
    }
}

impl Table {
    /// An empty table for the serials of a list of `bytes` bytes.
    pub(crate) fn new(seed: u64, bytes: usize) -> Table {
        let capacity = (bytes / BYTES_PER_ENTRY) >> PARTITION_BITS;
        let partition = || Partition { staged: [0; STAGED], records: Vec::with_capacity(capacity), count: 0 };
        Table { seed, partitions: (0..1 << PARTITION_BITS).map(|_| partition()).collect(), entries: 0 }
    }

    #[inline]
    pub(crate) fn push(&mut self, serial: &[u8], offset: u32) {
        let hash = Hash::of(serial, self.seed);
        let low = hash.line & ((1 << LOW_BITS) - 1);
        let record = u64::from(low) << 48 | u64::from(hash.fingerprint) << 32 | u64::from(offset);
        if let Some(partition) = self.partitions.get_mut(length(hash.line >> LOW_BITS)) {
            partition.push(record);
        }
        self.entries += 1;
    }

    /// Lays the serials out, calling `emit` for each line. `serial_at` reads the serial of the entry at an offset;
    /// it is asked only where hashes collide.
    pub(crate) fn lay_out<E: From<io::Error>>(
        self,
        mut serial_at: impl FnMut(u32) -> Result<Vec<u8>, E>,
        emit: impl FnMut(Line) -> Result<(), E>,
    ) -> Result<Layout, E> {
        let home_lines = lines_for(self.entries);
        let mut filler = Filler { line: Line::empty(0), number: 0, emit };
        let mut offsets = Vec::with_capacity(length(self.entries));
        for (number, partition) in (0_u32..).zip(self.partitions) {
            let partition = partition.into_sorted();
            for group in partition.chunk_by(|a, b| a >> 32 == b >> 32) {
                let mut seen = (group.len() > 1).then(HashSet::new);
                for &record in group {
                    let (hash, offset) = unpack(number, record);
                    // The CRL may list a serial twice. What it says first counts.
                    if let Some(seen) = &mut seen
                        && !seen.insert(serial_at(offset)?)
                    {
                        continue;
                    }
                    filler.place(hash.home(home_lines), hash.fingerprint)?;
                    offsets.push(offset);
                }
            }
        }
        let lines = filler.finish(home_lines)?;
        Ok(Layout { home_lines, lines, offsets })
    }
}

fn unpack(partition: u32, record: u64) -> (Hash, u32) {
    let [a, b, c, d, e, f, g, h] = record.to_le_bytes();
    let line = partition << LOW_BITS | u32::from(u16::from_le_bytes([g, h]));
    (Hash { line, fingerprint: u16::from_le_bytes([e, f]) }, u32::from_le_bytes([a, b, c, d]))
}

/// Fills one line after the other with entries that come in the order of their homes.
struct Filler<F> {
    line: Line,
    number: u32,
    emit: F,
}

impl<E, F: FnMut(Line) -> Result<(), E>> Filler<F> {
    fn place(&mut self, home: u32, fingerprint: u16) -> Result<(), E> {
        while self.number < home {
            self.close(false)?;
        }
        if !self.line.has_space() {
            self.close(true)?;
        }
        self.line.push(fingerprint);
        Ok(())
    }

    fn close(&mut self, overflows: bool) -> Result<(), E> {
        self.line.overflows = overflows;
        (self.emit)(self.line)?;
        self.line = Line::empty(self.line.total());
        self.number += 1;
        Ok(())
    }

    /// Closes the last line and those without entries after it; returns how many there are.
    fn finish(mut self, home_lines: u32) -> Result<u32, E> {
        self.close(false)?;
        while self.number < home_lines {
            self.close(false)?;
        }
        Ok(self.number)
    }
}
