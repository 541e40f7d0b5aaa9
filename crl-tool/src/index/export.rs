//! Getting the signed CRLs back out of an index.

use super::Index;
use crate::crl::stored::Stored;
use crate::watch::Watched;
use crate::width::{length_of, position};
use std::io::{self, Read};

impl Index {
    /// The complete CRL, as its issuer signed it (DER).
    ///
    /// # Errors
    /// The file's handle cannot be duplicated.
    pub fn crl(&self) -> io::Result<impl Read + use<>> {
        let part = Part { crl: self.crl.try_clone()?, at: 0, end: u64::from(self.header.crl_size) };
        Ok(Watched { reader: part, watch: self.watch.clone() })
    }

    /// The delta CRL that is applied, as its issuer signed it (DER).
    #[must_use]
    pub fn delta_crl(&self) -> Option<&[u8]> {
        self.delta.as_ref().map(|delta| delta.der.as_slice())
    }
}

/// A CRL being read, through a handle of its own.
struct Part {
    crl: Stored,
    at: u64,
    end: u64,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = length_of(self.end - self.at).min(buffer.len());
        self.crl.read_exact_at(buffer.get_mut(..wanted).unwrap_or_default(), self.at)?;
        self.at += position(wanted);
        Ok(wanted)
    }
}
