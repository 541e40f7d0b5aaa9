//! Conversions between integer widths which lose nothing on 64-bit targets and saturate elsewhere, so that a bound
//! check that follows fails instead of being fooled.

/// A length in memory as a position in a file.
pub(crate) fn position(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// A 32-bit count or offset as a length in memory.
pub(crate) fn length(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// A position in a file as a length in memory.
pub(crate) fn length_of(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

/// A position known to lie inside a CRL, whose length is at most `u32::MAX`.
pub(crate) fn offset(position: u64) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}
