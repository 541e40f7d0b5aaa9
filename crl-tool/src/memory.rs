//! Large, zeroed memory for tables that are read and written in a random order.

use memmap2::{Advice, MmapMut};
use std::io;

/// Bytes of memory that start at a page, in large pages where the system has some to spare: a table of megabytes is then
/// in memory after dozens of page faults instead of thousands, and an access to it hardly ever waits for a page table.
#[derive(Debug)]
pub(crate) struct Memory {
    pages: MmapMut,
    length: usize,
}

impl Memory {
    /// `length` bytes of zeroes. What is not written to takes no memory.
    ///
    /// # Errors
    /// The system has no more.
    pub(crate) fn zeroed(length: usize) -> io::Result<Memory> {
        // There is no mapping of nothing.
        let pages = MmapMut::map_anon(length.max(1))?;
        // Without large pages everything is as it would be without this, only slower.
        #[cfg(target_os = "linux")]
        let _ = pages.advise(Advice::HugePage);
        Ok(Memory { pages, length })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.pages.get(..self.length).unwrap_or_default()
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.pages.get_mut(..self.length).unwrap_or_default()
    }

    /// The bytes in pieces of `N`; what is left over at the end is not among them.
    #[inline]
    pub(crate) fn pieces<const N: usize>(&self) -> &[[u8; N]] {
        self.bytes().as_chunks().0
    }

    /// As [`Memory::pieces`], to be written to.
    #[inline]
    pub(crate) fn pieces_mut<const N: usize>(&mut self) -> &mut [[u8; N]] {
        self.bytes_mut().as_chunks_mut().0
    }
}
