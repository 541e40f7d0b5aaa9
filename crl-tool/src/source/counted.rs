//! Counting what arrives.

use super::fault::DownloadFault;
use crate::width::position;
use std::io::{self, Read};

/// A download that may not have more bytes than a limit, whatever was announced, nor fewer than were announced.
pub(super) struct Counted<R> {
    source: R,
    received: u64,
    announced: Option<u64>,
    limit: u64,
}

impl<R: Read> Counted<R> {
    /// Refuses what is announced to be too large, before anything of it is read.
    pub(super) fn new(source: R, announced: Option<u64>, limit: u64) -> Result<Counted<R>, DownloadFault> {
        match announced {
            Some(size) if size > limit => Err(DownloadFault::Announced { size, limit }),
            _ => Ok(Counted { source, received: 0, announced, limit }),
        }
    }

    fn cut_off(&self) -> io::Error {
        DownloadFault::CutOff { received: self.received, announced: self.announced }.into()
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self.source.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(self.cut_off()),
            read => read?,
        };
        self.received += position(count);
        if self.received > self.limit {
            return Err(DownloadFault::TooLarge { limit: self.limit }.into());
        }
        let ended = count == 0 && !buffer.is_empty();
        if ended && self.announced.is_some_and(|size| self.received < size) {
            return Err(self.cut_off());
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problem;

    fn read(announced: Option<u64>, limit: u64) -> Result<Vec<u8>, DownloadFault> {
        let mut all = Vec::new();
        let read = Counted::new(&[7_u8; 100][..], announced, limit)?.read_to_end(&mut all);
        let Err(error) = read else { return Ok(all) };
        let Problem::Download(fault) = Problem::from(error) else { panic!("another problem") };
        Err(fault)
    }

    #[test]
    fn the_limit_is_inclusive() {
        assert_eq!(read(None, 100).unwrap().len(), 100);
        assert_eq!(read(Some(100), 100).unwrap().len(), 100);
        assert!(matches!(read(None, 99), Err(DownloadFault::TooLarge { limit: 99 })));
        assert!(matches!(read(Some(100), 99), Err(DownloadFault::Announced { size: 100, limit: 99 })));
    }

    #[test]
    fn an_early_end_is_no_end() {
        let cut = read(Some(101), 200);
        assert!(matches!(cut, Err(DownloadFault::CutOff { received: 100, announced: Some(101) })), "{cut:?}");
    }
}
