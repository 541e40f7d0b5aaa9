//! A CRL in a file, by itself or inside an index.

use crate::index::header::Header;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
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

    /// Takes the space for a CRL of `size` bytes, which makes writing it cheaper, and fails now if the disk is too full.
    pub(crate) fn reserve(&self, size: u64) -> io::Result<()> {
        match fallocate(&self.file, FallocateFlags::empty(), 0, self.start.saturating_add(size)) {
            // Not every file system can, and then it takes the space as it is written to.
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
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
