//! Telling somebody how far the reading of a CRL has come.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

/// Told of the bytes of a CRL as they are read, some ten thousand at a time. By default, nobody is.
#[derive(Clone, Default)]
pub struct Watch(Option<Arc<dyn Fn(u64) + Send + Sync>>);

impl Watch {
    /// Tells `told` the number of bytes that each read gave.
    pub fn new(told: impl Fn(u64) + Send + Sync + 'static) -> Watch {
        Watch(Some(Arc::new(told)))
    }

    pub(crate) fn tell(&self, bytes: usize) {
        if let Some(told) = &self.0 {
            told(crate::width::position(bytes));
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

/// A reader that is watched.
pub(crate) struct Watched<R> {
    pub(crate) reader: R,
    pub(crate) watch: Watch,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.watch.tell(count);
        Ok(count)
    }
}
