//! Collecting the serials of a CRL and laying them out in lines.

use super::line::{Hash, Line, lines_for};
use crate::width::length;
use std::collections::HashSet;
use std::io;

/// The hash's bits that choose a partition; the others fit into 32 bits beside the offset.
const PARTITION_BITS: u32 = 9;
const PARTITIONS: usize = 1 << PARTITION_BITS;
const LOW_BITS: u32 = Hash::LINE_BITS - PARTITION_BITS;
/// Records in a cache line.
const STAGED: usize = 8;
/// What an entry takes in a CRL, for a guess at the number of entries. Guessing low costs time, guessing high only
/// address space.
const BYTES_PER_ENTRY: usize = 40;

/// The serials of a CRL: of each only the hash and where its entry lies, in eight bytes.
///
/// The partition and the upper half of a record are the hash, in the order of the lines; the lower half is the
/// offset. A record goes to its partition by way of a cache line of its own, so that only every eighth one leaves the
/// processor's cache, in which each partition of ten million records is put in order later.
pub(crate) struct Table {
    seed: u64,
    /// The latest records of each partition.
    staged: Vec<[u64; STAGED]>,
    /// How many of those there are, one less than `STAGED` at most.
    filled: [u8; PARTITIONS],
    /// The others, in the order of the CRL.
    partitions: Vec<Vec<u64>>,
    entries: u32,
}

/// Where everything went.
pub(crate) struct Layout {
    pub(crate) home_lines: u32,
    pub(crate) lines: u32,
    /// For each entry in the order of the lines, where it lies in the CRL; in several pieces.
    pub(crate) offsets: Vec<Vec<u32>>,
}

impl Table {
    /// An empty table for the serials of a list of `bytes` bytes.
    pub(crate) fn new(seed: u64, bytes: usize) -> Table {
        let capacity = bytes / BYTES_PER_ENTRY / PARTITIONS;
        Table {
            seed,
            staged: vec![[0; STAGED]; PARTITIONS],
            filled: [0; PARTITIONS],
            partitions: (0..PARTITIONS).map(|_| Vec::with_capacity(capacity)).collect(),
            entries: 0,
        }
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Hashes the serials that follow under `seed`.
    pub(crate) fn reseed(&mut self, seed: u64) {
        self.seed = seed;
    }

    /// Adds a serial. Entries come in the order of the CRL.
    #[inline]
    pub(crate) fn push(&mut self, serial: &[u8], offset: u32) {
        let hash = Hash::of(serial, self.seed);
        let low = hash.line & ((1 << LOW_BITS) - 1);
        let record = u64::from(low) << 48 | u64::from(hash.fingerprint) << 32 | u64::from(offset);
        let number = length(hash.line >> LOW_BITS);
        if let (Some(staged), Some(filled)) = (self.staged.get_mut(number), self.filled.get_mut(number)) {
            if let Some(slot) = staged.get_mut(usize::from(*filled)) {
                *slot = record;
            }
            *filled += 1;
            if usize::from(*filled) == STAGED {
                *filled = 0;
                self.partitions.get_mut(number).into_iter().for_each(|it| it.extend_from_slice(staged));
            }
        }
        self.entries += 1;
    }

    /// Lays the serials out, calling `emit` for each line. `serial_at` reads what tells the entry at an offset apart, its
    /// serial and, in an indirect CRL, the issuer; it is asked only where fingerprints collide.
    pub(crate) fn lay_out<E: From<io::Error>>(
        self,
        mut serial_at: impl FnMut(u32) -> Result<Vec<u8>, E>,
        emit: impl FnMut(Line) -> Result<(), E>,
    ) -> Result<Layout, E> {
        let home_lines = lines_for(self.entries);
        let mut filler = Filler { line: Line::empty(0), number: 0, emit };
        let mut offsets = Vec::with_capacity(PARTITIONS);
        let mut buckets = Buckets::default();
        let mut group = Group::default();
        let staged = self.staged.iter().zip(self.filled);
        for ((number, mut records), (staged, filled)) in (0_u32..).zip(self.partitions).zip(staged) {
            records.extend_from_slice(staged.get(..usize::from(filled)).unwrap_or_default());
            let home = |record| unpack(number, record).0.home(home_lines);
            buckets.fill(&records, home(0), home);
            let mut placed = Vec::with_capacity(records.len() + group.records.len());
            let mut start = 0;
            for (home, end) in (home(0)..).zip(buckets.ends.iter().copied()) {
                let bucket = buckets.records.get(start..end).unwrap_or_default();
                start = end;
                // Two partitions may share a line, so that it is complete only when the next one starts.
                if group.home != home {
                    group.place(&mut serial_at, &mut filler, &mut placed)?;
                    group.home = home;
                }
                group.records.extend(bucket.iter().map(|&record| unpack(number, record)));
            }
            offsets.push(placed);
        }
        let mut placed = Vec::new();
        group.place(&mut serial_at, &mut filler, &mut placed)?;
        offsets.push(placed);
        let lines = filler.finish(home_lines)?;
        Ok(Layout { home_lines, lines, offsets })
    }
}

fn unpack(partition: u32, record: u64) -> (Hash, u32) {
    let [a, b, c, d, e, f, g, h] = record.to_le_bytes();
    let line = partition << LOW_BITS | u32::from(u16::from_le_bytes([g, h]));
    (Hash { line, fingerprint: u16::from_le_bytes([e, f]) }, u32::from_le_bytes([a, b, c, d]))
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
    fn fill(&mut self, records: &[u64], first: u32, home: impl Fn(u64) -> u32) {
        let last = home(u64::MAX);
        self.ends.clear();
        self.ends.resize(length(last - first) + 1, 0);
        let bucket = |record| length(home(record) - first);
        for &record in records {
            self.ends.get_mut(bucket(record)).into_iter().for_each(|count| *count += 1);
        }
        // From counts to where each bucket starts; placing its records then moves that to its end.
        let mut sum = 0;
        for count in &mut self.ends {
            (*count, sum) = (sum, sum + *count);
        }
        self.records.resize(records.len(), 0);
        for &record in records {
            if let Some(at) = self.ends.get_mut(bucket(record))
                && let Some(slot) = self.records.get_mut(*at)
            {
                *slot = record;
                *at += 1;
            }
        }
    }
}

/// The serials of one home line.
#[derive(Default)]
struct Group {
    home: u32,
    records: Vec<(Hash, u32)>,
}

impl Group {
    /// Fingerprints in more records than this are not compared each with each.
    const FEW: usize = 64;

    /// Puts them into lines, in the order of the CRL, and leaves the group empty.
    fn place<E: From<io::Error>>(
        &mut self,
        mut serial_at: impl FnMut(u32) -> Result<Vec<u8>, E>,
        filler: &mut Filler<impl FnMut(Line) -> Result<(), E>>,
        offsets: &mut Vec<u32>,
    ) -> Result<(), E> {
        if !self.records.is_sorted_by_key(|&(_, offset)| offset) {
            self.records.sort_unstable_by_key(|&(_, offset)| offset);
        }
        // The CRL may list a serial twice. What it says first counts.
        let mut seen = self.may_repeat().then(HashSet::new);
        for (hash, offset) in self.records.drain(..) {
            if let Some(seen) = &mut seen
                && !seen.insert(serial_at(offset)?)
            {
                continue;
            }
            filler.place(self.home, hash.fingerprint)?;
            offsets.push(offset);
        }
        Ok(())
    }

    /// Whether two serials may be the same: in a line of few, whether two fingerprints are.
    fn may_repeat(&self) -> bool {
        let mut fingerprints = [0; Group::FEW];
        if self.records.len() > Group::FEW {
            return true;
        }
        for (slot, (hash, _)) in fingerprints.iter_mut().zip(&self.records) {
            *slot = hash.fingerprint;
        }
        let all = fingerprints.get(..self.records.len()).unwrap_or_default();
        (0..all.len()).any(|place| {
            let (before, rest) = all.split_at_checked(place).unwrap_or_default();
            rest.first().is_some_and(|one| before.iter().fold(false, |any, other| any | (other == one)))
        })
    }
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
