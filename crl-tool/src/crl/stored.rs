//! A CRL in a file, by itself or inside an index.

use crate::index::header::Header;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// A CRL in a file.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) file: File,
    /// Where it starts.
    pub(crate) start: u64,
}

impl Stored {
    /// The CRL inside of the index `file`.
    pub(crate) fn inside(file: File) -> Stored {
        Stored { file, start: Header::SIZE }
    }

    /// The CRL that `file` consists of.
    pub(crate) fn whole(file: File) -> Stored {
        Stored { file, start: 0 }
    }

    pub(crate) fn try_clone(&self) -> io::Result<Stored> {
        Ok(Stored { file: self.file.try_clone()?, start: self.start })
    }

    /// Fills `bytes` with those at `offset` of the CRL.
    pub(crate) fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(bytes, self.start.saturating_add(offset))
    }

    /// Writes `bytes` to `offset` of the CRL.
    pub(crate) fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, self.start.saturating_add(offset))
    }
}
