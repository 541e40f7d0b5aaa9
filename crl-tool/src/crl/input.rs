//! Where a CRL comes from.

use super::pem::PemReader;
use crate::der;
use crate::problem::{CrlError, Flaw, Problem};
use crate::watch::{Watch, Watched};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// Bytes of PEM read at once. DER is read in larger pieces, which go past this buffer.
const CHUNK: usize = 64 * 1024;

/// A CRL to read, as DER or PEM, and what to call it in errors.
pub struct Input {
    pub(crate) name: String,
    reader: Box<dyn BufRead>,
}

impl Input {
    /// A file.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(path: &Path) -> Result<Input, CrlError> {
        let name = path.display().to_string();
        match File::open(path) {
            Ok(file) => Ok(Input::from_reader(&name, file)),
            Err(error) => Err(Flaw::new(0, error.into()).in_input(&name)),
        }
    }

    /// Standard input.
    #[must_use]
    pub fn stdin() -> Input {
        Input::from_reader("standard input", io::stdin())
    }

    /// Anything that can be read; `name` stands for it in errors.
    pub fn from_reader(name: &str, reader: impl Read + 'static) -> Input {
        Input { name: name.to_owned(), reader: Box::new(BufReader::with_capacity(CHUNK, reader)) }
    }

    /// Tells `watch` of the bytes that are read.
    pub(crate) fn watched(self, watch: Watch) -> Input {
        let reader = Watched { reader: self.reader, watch };
        Input { name: self.name, reader: Box::new(BufReader::with_capacity(CHUNK, reader)) }
    }

    /// The CRL's DER, decoded if it is PEM.
    pub(crate) fn into_der(mut self) -> Result<Box<dyn Read>, Problem> {
        let first = self.reader.fill_buf()?;
        match first.first() {
            None => Err(Problem::Empty),
            Some(&der::SEQUENCE) => Ok(Box::new(self.reader)),
            Some(_) => Ok(Box::new(PemReader::new(self.reader))),
        }
    }
}
