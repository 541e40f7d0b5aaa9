//! Lines of fingerprints: where a serial is looked for (FORMAT.md, section 3).

use super::error::Fault;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Serials a line takes.
pub(crate) const SLOTS: usize = 29;
/// Serials a line is planned for. Hashes scatter, so that about 1 line in 200 gets more than `SLOTS`.
const PLANNED: u32 = 18;
const OVERFLOW: u8 = 0x80;

/// The 41 bits of a serial's hash that decide its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hash {
    /// 25 bits.
    pub(crate) line: u32,
    pub(crate) fingerprint: u16,
}

impl Hash {
    pub(crate) const LINE_BITS: u32 = 25;

    /// Hashes the content octets of a serial.
    #[inline]
    pub(crate) fn of(serial: &[u8], seed: u64) -> Hash {
        let hash = xxh3_64_with_seed(serial, seed);
        let [a, b, _, _, c, d, e, f] = hash.to_le_bytes();
        Hash {
            line: u32::from_le_bytes([c, d, e, f]) >> (u32::BITS - Hash::LINE_BITS),
            fingerprint: u16::from_le_bytes([a, b]),
        }
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

/// One line: 64 bytes in the file and in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

    /// Whether the line that `bytes` are may hold `fingerprint`, by a few instructions on all slots at once: nearly
    /// always it does not.
    #[inline]
    pub(crate) fn may_hold(bytes: &[u8; Line::SIZE], fingerprint: u16) -> bool {
        // All ones where they are equal: what a comparison of vectors leaves in a register.
        let equal = |pair: &[u8; 2]| 0_u16.wrapping_sub(u16::from(u16::from_le_bytes(*pair) == fingerprint));
        bytes.as_chunks().0.iter().fold(0, |any, pair| any | equal(pair)) != 0
    }

    /// Whether serials of the line that `bytes` are go on in the next one.
    #[inline]
    pub(crate) fn overflows(bytes: &[u8; Line::SIZE]) -> bool {
        let [_, _, _, _, _, flags, ..] = bytes;
        *flags == OVERFLOW
    }

    pub(crate) fn to_bytes(self) -> [u8; Line::SIZE] {
        let mut bytes = [0; Line::SIZE];
        let [a, b, c, d, count, flags, slots @ ..] = &mut bytes;
        [*a, *b, *c, *d] = self.before.to_le_bytes();
        *count = self.count;
        *flags = if self.overflows { OVERFLOW } else { 0 };
        for (pair, fingerprint) in slots.as_chunks_mut().0.iter_mut().zip(self.fingerprints) {
            *pair = fingerprint.to_le_bytes();
        }
        bytes
    }

    /// The line that `bytes` are, known to be sound.
    #[inline]
    pub(crate) fn of(bytes: &[u8; Line::SIZE]) -> Line {
        let &[a, b, c, d, count, flags, ref slots @ ..] = bytes;
        let mut line = Line::empty(u32::from_le_bytes([a, b, c, d]));
        line.count = count;
        line.overflows = flags == OVERFLOW;
        for (slot, pair) in line.fingerprints.iter_mut().zip(slots.as_chunks().0) {
            *slot = u16::from_le_bytes(*pair);
        }
        line
    }

    /// Checks that `bytes` can be line `number`, which has `before` serials before it and is the last one if `last`;
    /// returns how many there are after it.
    #[inline]
    pub(crate) fn check(
        bytes: &[u8; Line::SIZE],
        number: u32,
        before: u32,
        last: bool,
    ) -> Result<u32, Fault> {
        let flaw = |what| Err(Fault::Line { line: number, what });
        let &[a, b, c, d, count, flags, ref slots @ ..] = bytes;
        if u32::from_le_bytes([a, b, c, d]) != before {
            return flaw("its entries do not follow the previous line's");
        }
        let free = slots.get(2 * usize::from(count)..);
        if free.is_none_or(|free| free.iter().fold(0, |any, &octet| any | octet) != 0) {
            return flaw("its slots and their count differ");
        }
        let full = usize::from(count) == SLOTS;
        if flags != 0 && (flags != OVERFLOW || !full || last) {
            return flaw("its flags cannot be");
        }
        Ok(before.saturating_add(u32::from(count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_read_as_written() {
        let mut line = Line::empty(7);
        (1..=29).for_each(|fingerprint| line.push(fingerprint * 0x0101));
        line.overflows = true;
        let bytes = line.to_bytes();
        assert_eq!(Line::of(&bytes), line);
        assert_eq!(Line::check(&bytes, 1, 7, false).unwrap(), 36);
        assert!(Line::check(&bytes, 1, 7, true).is_err(), "the last line has no next");
        assert!(Line::check(&bytes, 1, 0, false).is_err());
        assert_eq!(line.matches(0x0202), 0b10);
        assert!(Line::may_hold(&bytes, 0x1d1d) && !Line::may_hold(&bytes, 0x1e1e));
        assert!(Line::overflows(&bytes));
    }

    #[test]
    fn lines_that_no_builder_writes_are_refused() {
        let mut line = Line::empty(0);
        line.push(7);
        let bytes = line.to_bytes();
        assert!(Line::check(&bytes, 0, 0, true).is_ok());
        for (place, octet) in [(0, 1), (4, 0), (4, 30), (4, 0xff), (5, 0x80), (5, 1), (8, 1), (63, 1)] {
            let mut changed = bytes;
            changed[place] = octet;
            assert!(Line::check(&changed, 0, 0, false).is_err(), "octet {place}");
        }
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
