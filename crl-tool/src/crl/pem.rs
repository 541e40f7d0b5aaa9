//! PEM, decoded on the fly.

use crate::problem::Problem;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::{self, BufRead, Read};

/// The most bytes of one line that are looked at together. Longer lines of base64 are read in pieces.
const LINE: u64 = 64 * 1024;
/// RFC 7468 §6 and the label that old tools write.
const LABELS: [&[u8]; 2] = [b"X509 CRL", b"CRL"];

/// Decodes the one CRL of a PEM file. Other blocks and text around it are skipped.
pub(crate) struct PemReader<R> {
    source: R,
    state: State,
    line: Vec<u8>,
    /// Base64 that was not decoded yet.
    text: Vec<u8>,
    decoded: Vec<u8>,
    /// How much of `decoded` was handed out.
    taken: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    Inside(&'static [u8]),
    After,
}

impl<R: BufRead> PemReader<R> {
    pub(crate) fn new(source: R) -> PemReader<R> {
        PemReader { source, state: State::Before, line: vec![], text: vec![], decoded: vec![], taken: 0 }
    }

    /// Reads a line, or a piece of a long one; `false` at the end of the input.
    fn next_line(&mut self) -> io::Result<bool> {
        self.line.clear();
        let count = (&mut self.source).take(LINE).read_until(b'\n', &mut self.line)?;
        Ok(count > 0)
    }

    /// Decodes until there is something to hand out or nothing left.
    fn decode(&mut self) -> Result<(), Problem> {
        self.decoded.clear();
        self.taken = 0;
        while self.decoded.is_empty() && self.next_line()? {
            let line = self.line.trim_ascii();
            let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
            match self.state {
                State::Before => {
                    self.state = label(line, b"-----BEGIN ").map_or(State::Before, State::Inside);
                }
                State::Inside(expected) if line.starts_with(b"-----") => {
                    if label(line, b"-----END ") != Some(expected) {
                        return Err(Problem::Pem("the block does not end with its own label"));
                    }
                    self.state = State::After;
                    decode(&self.text, &mut self.decoded)?;
                    return Ok(());
                }
                State::Inside(_) => {
                    self.text.extend(line.iter().filter(|octet| !octet.is_ascii_whitespace()));
                    self.decode_text()?;
                }
                State::After if label(line, b"-----BEGIN ").is_some() => return Err(Problem::SecondCrl),
                State::After => {}
            }
        }
        match self.state {
            _ if !self.decoded.is_empty() => Ok(()),
            State::Before => Err(Problem::NotACrl),
            State::Inside(_) => Err(Problem::Pem("the block has no end")),
            State::After => Ok(()),
        }
    }

    /// Decodes the base64 at hand once it is worth it. The last quantum stays, as only there padding may be.
    fn decode_text(&mut self) -> Result<(), Problem> {
        if u64::try_from(self.text.len()).is_ok_and(|length| length < LINE) {
            return Ok(());
        }
        let whole = (self.text.len() - 4) / 4 * 4;
        let rest = self.text.split_off(whole);
        if self.text.contains(&b'=') {
            return Err(Problem::Pem("text after its padding"));
        }
        decode(&self.text, &mut self.decoded)?;
        self.text = rest;
        Ok(())
    }
}

fn decode(text: &[u8], decoded: &mut Vec<u8>) -> Result<(), Problem> {
    STANDARD.decode_vec(text, decoded).map_err(|_details| Problem::Pem("text that is not base64"))
}

/// The label of a boundary line, if it is that of a CRL.
fn label(line: &[u8], start: &[u8]) -> Option<&'static [u8]> {
    let label = line.strip_prefix(start)?.strip_suffix(b"-----")?;
    LABELS.into_iter().find(|known| *known == label)
}

impl<R: BufRead> Read for PemReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.decoded.len() {
            self.decode().map_err(io::Error::other)?;
            // A block without content: the next thing is the end, or a second block.
            if self.decoded.is_empty() && self.state == State::After {
                return self.end();
            }
        }
        let rest = self.decoded.get(self.taken..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        self.taken += count;
        Ok(count)
    }
}

impl<R: BufRead> PemReader<R> {
    /// Reads to the end of the input, where no second CRL may be.
    fn end(&mut self) -> io::Result<usize> {
        self.decode().map_err(io::Error::other)?;
        Ok(0)
    }
}
