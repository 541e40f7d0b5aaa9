//! Getting the signed CRLs back out of an index.

use super::Index;
use super::header::Header;
use crate::width::{length_of, position};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

impl Index {
    /// The complete CRL, as its issuer signed it (DER).
    ///
    /// # Errors
    /// The file's handle cannot be duplicated.
    pub fn crl(&self) -> io::Result<impl Read + use<>> {
        Ok(Part { file: self.file.try_clone()?, at: Header::CRL, end: self.header.lane() })
    }

    /// The delta CRL that is applied, as its issuer signed it (DER).
    #[must_use]
    pub fn delta_crl(&self) -> Option<&[u8]> {
        self.delta.as_ref().map(|delta| delta.der.as_slice())
    }
}

/// A part of a file, with a handle of its own.
struct Part {
    file: File,
    at: u64,
    end: u64,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = length_of(self.end - self.at).min(buffer.len());
        let count = self.file.read_at(buffer.get_mut(..wanted).unwrap_or_default(), self.at)?;
        self.at += position(count);
        Ok(count)
    }
}
