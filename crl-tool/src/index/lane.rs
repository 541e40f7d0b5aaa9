//! The lines in memory, as they stand in the file.

use super::line::Line;

/// All lines, each in one cache line of the processor.
#[derive(Debug)]
pub(crate) struct Lane {
    bytes: Vec<u8>,
    /// Where the first line starts in `bytes`.
    start: usize,
}

impl Lane {
    /// A lane of `lines` lines of zeroes.
    pub(crate) fn zeroed(lines: usize) -> Lane {
        let bytes = vec![0; lines.saturating_add(1).saturating_mul(Line::SIZE) - 1];
        let start = bytes.as_ptr().align_offset(Line::SIZE).min(Line::SIZE - 1);
        Lane { bytes, start }
    }

    pub(crate) fn lines(&self) -> &[[u8; Line::SIZE]] {
        self.bytes.get(self.start..).unwrap_or_default().as_chunks().0
    }

    pub(crate) fn lines_mut(&mut self) -> &mut [[u8; Line::SIZE]] {
        self.bytes.get_mut(self.start..).unwrap_or_default().as_chunks_mut().0
    }

    /// Bytes of memory.
    pub(crate) fn memory(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_cache_line() {
        for lines in [0, 1, 2, 1000] {
            let mut lane = Lane::zeroed(lines);
            assert_eq!(lane.lines().len(), lines);
            assert_eq!(lane.lines_mut().len(), lines);
            assert!(lane.lines().as_ptr().addr().is_multiple_of(Line::SIZE) || lines == 0);
        }
    }
}
