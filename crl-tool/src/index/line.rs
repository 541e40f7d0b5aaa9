//! Lines of fingerprints: where a serial is looked for (FORMAT.md, section 3).

use super::error::Fault;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Serials a line takes.
pub(crate) const SLOTS: usize = 29;
/// Serials a line is planned for. Hashes scatter, so that about 1 line in 200 gets more than `SLOTS`.
const PLANNED: u32 = 18;
const OVERFLOW: u8 = 0x80;

/// The 44 bits of a serial's hash that decide its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hash {
    /// 28 bits.
    pub(crate) line: u32,
    pub(crate) fingerprint: u16,
}

impl Hash {
    pub(crate) const LINE_BITS: u32 = 28;

    /// Hashes the content octets of a serial.
    #[inline]
    pub(crate) fn of(serial: &[u8], seed: u64) -> Hash {
        let hash = xxh3_64_with_seed(serial, seed);
        let [a, b, _, _, c, d, e, f] = hash.to_le_bytes();
        Hash { line: u32::from_le_bytes([c, d, e, f]) >> 4, fingerprint: u16::from_le_bytes([a, b]) }
    }

    /// The line it belongs to, of `lines`: the hash as a fraction of one, times the lines.
    #[inline]
    pub(crate) fn home(self, lines: u32) -> u32 {
        let product = u64::from(self.line) * u64::from(lines);
        u32::try_from(product >> Hash::LINE_BITS).unwrap_or(u32::MAX)
    }
}

/// How many lines `entries` serials get.
pub(crate) fn lines_for(entries: u32) -> u32 {
    entries.div_ceil(PLANNED).max(1)
}

/// One line: a cache line in memory, 64 bytes in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(64))]
pub(crate) struct Line {
    /// Serials in the lines before.
    pub(crate) before: u32,
    pub(crate) count: u8,
    /// Whether serials of this line are in the next one, too.
    pub(crate) overflows: bool,
    pub(crate) fingerprints: [u16; SLOTS],
}

impl Line {
    pub(crate) const SIZE: usize = 64;
    pub(crate) const SIZE_IN_FILE: u64 = 64;

    pub(crate) fn empty(before: u32) -> Line {
        Line { before, count: 0, overflows: false, fingerprints: [0; SLOTS] }
    }

    /// Whether there is a slot left.
    pub(crate) fn has_space(&self) -> bool {
        usize::from(self.count) < SLOTS
    }

    pub(crate) fn push(&mut self, fingerprint: u16) {
        if let Some(slot) = self.fingerprints.get_mut(usize::from(self.count)) {
            *slot = fingerprint;
            self.count += 1;
        }
    }

    /// The serials in this line and all before.
    pub(crate) fn total(&self) -> u32 {
        self.before.saturating_add(u32::from(self.count))
    }

    /// One bit for each slot that holds `fingerprint`.
    #[inline]
    pub(crate) fn matches(&self, fingerprint: u16) -> u32 {
        let mut bits = 0;
        for (slot, &candidate) in (0_u32..).zip(&self.fingerprints) {
            bits |= u32::from(candidate == fingerprint) << slot;
        }
        // Free slots hold zero, which is a fingerprint as good as any.
        bits & ((1 << self.count) - 1)
    }

    pub(crate) fn to_bytes(self) -> [u8; Line::SIZE] {
        let mut bytes = [0; Line::SIZE];
        let [a, b, c, d] = self.before.to_le_bytes();
        let fixed = [a, b, c, d, self.count, if self.overflows { OVERFLOW } else { 0 }];
        let slots = self.fingerprints.iter().flat_map(|fingerprint| fingerprint.to_le_bytes());
        bytes.iter_mut().zip(fixed.into_iter().chain(slots)).for_each(|(to, from)| *to = from);
        bytes
    }

    /// Reads line `number`, which follows `previous` and is the last one if `last`.
    #[inline]
    pub(crate) fn read(
        bytes: &[u8; Line::SIZE],
        number: u32,
        previous: Option<&Line>,
        last: bool,
    ) -> Result<Line, Fault> {
        let flaw = |what| Err(Fault::Line { line: number, what });
        let &[a, b, c, d, count, flags, ref slots @ ..] = bytes;
        let mut line = Line::empty(u32::from_le_bytes([a, b, c, d]));
        for (slot, pair) in line.fingerprints.iter_mut().zip(slots.chunks_exact(2)) {
            *slot = pair.iter().rev().fold(0, |value, &octet| (value << 8) | u16::from(octet));
        }
        line.count = count;
        line.overflows = flags == OVERFLOW;
        if line.before != previous.map_or(0, Line::total) {
            return flaw("its entries do not follow the previous line's");
        }
        if usize::from(count) > SLOTS
            || line.fingerprints.iter().skip(usize::from(count)).any(|&free| free != 0)
        {
            return flaw("its slots and their count differ");
        }
        if flags & !OVERFLOW != 0 || (line.overflows && (line.has_space() || last)) {
            return flaw("its flags cannot be");
        }
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_cache_line() {
        assert_eq!(size_of::<Line>(), 64);
    }

    #[test]
    fn lines_read_as_written() {
        let mut line = Line::empty(7);
        (1..=29).for_each(|fingerprint| line.push(fingerprint * 0x0101));
        line.overflows = true;
        let previous = Line { before: 5, count: 2, ..Line::empty(0) };
        assert_eq!(Line::read(&line.to_bytes(), 1, Some(&previous), false).unwrap(), line);
        assert!(Line::read(&line.to_bytes(), 1, Some(&previous), true).is_err(), "the last line has no next");
        assert!(Line::read(&line.to_bytes(), 1, None, false).is_err());
        assert_eq!(line.matches(0x0202), 0b10);
    }

    #[test]
    fn free_slots_never_match() {
        let mut line = Line::empty(0);
        line.push(0);
        assert_eq!(line.matches(0), 1);
        assert_eq!(Line::empty(0).matches(0), 0);
    }

    #[test]
    fn every_hash_has_a_home() {
        for lines in [1, 2, 3, 1_000_000] {
            let last = Hash { line: (1 << Hash::LINE_BITS) - 1, fingerprint: 0 };
            assert_eq!(last.home(lines), lines - 1);
            assert_eq!(Hash { line: 0, fingerprint: 0 }.home(lines), 0);
        }
    }
}
