//! The chunked coding, RFC 9112 §7.1: followed only to know where a body ends.

use super::head::is_token;

/// More than this before the first byte of a chunk's data is an attack, not a chunk extension.
const LINE_LIMIT: usize = 256;
/// All trailer lines of a body together.
const TRAILER_LIMIT: usize = 8_192;

/// Where in a chunked body the connection is.
#[derive(Debug, Default)]
pub(super) struct Chunked {
    place: Place,
    line: Vec<u8>,
    trailer_bytes: usize,
}

#[derive(Debug, Default)]
enum Place {
    #[default]
    Size,
    Data(u64),
    DataEnd,
    Trailer,
}

/// Not a chunked body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken;

impl Chunked {
    /// How many of `bytes` belong to this body, and whether it ends there.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Result<(usize, bool), Broken> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            if let Place::Data(left) = &mut self.place {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                *left -= u64::try_from(here).ok().ok_or(Broken)?;
                at += here;
                if *left == 0 {
                    self.place = Place::DataEnd;
                }
                continue;
            }
            let end = rest.iter().position(|byte| *byte == b'\n');
            let part = rest.get(..end.map_or(rest.len(), |end| end + 1)).unwrap_or_default();
            self.line.extend_from_slice(part);
            at += part.len();
            let limit = if matches!(self.place, Place::Trailer) { TRAILER_LIMIT } else { LINE_LIMIT };
            if self.line.len() > limit {
                return Err(Broken);
            }
            if end.is_some() && self.finish_line()? {
                return Ok((at, true));
            }
        }
        Ok((at, false))
    }

    /// Takes the line that is complete. Answers whether it was the body's last.
    fn finish_line(&mut self) -> Result<bool, Broken> {
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r\n").ok_or(Broken)?;
        match self.place {
            Place::Size => {
                self.place = match chunk_size(line)? {
                    0 => Place::Trailer,
                    size => Place::Data(size),
                };
            }
            Place::DataEnd if line.is_empty() => self.place = Place::Size,
            Place::Trailer if line.is_empty() => return Ok(true),
            Place::Trailer => {
                self.trailer_bytes += line.len();
                let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
                if self.trailer_bytes > TRAILER_LIMIT
                    || name.is_empty()
                    || !name.iter().all(|byte| is_token(*byte))
                {
                    return Err(Broken);
                }
            }
            Place::DataEnd | Place::Data(_) => return Err(Broken),
        }
        Ok(false)
    }
}

/// RFC 9112 §7.1.1: hexadecimal digits, then perhaps extensions, which nobody forwards.
fn chunk_size(line: &[u8]) -> Result<u64, Broken> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
    let strict = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(digits).ok().filter(|_| strict).ok_or(Broken)?;
    u64::from_str_radix(text, 16).ok().ok_or(Broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_wherever_the_reads_fall() {
        let body =
            b"5;name=value\r\nhello\r\n1F\r\n0123456789012345678901234567890\r\n0\r\nTrailer: x\r\n\r\n";
        let stream = [&body[..], b"GET / HTTP/1.1\r\n"].concat();
        for step in 1..stream.len() {
            let mut chunked = Chunked::default();
            let mut used = 0;
            for part in stream.chunks(step) {
                let (here, done) = chunked.scan(part).unwrap();
                used += here;
                if done {
                    break;
                }
            }
            assert_eq!(used, body.len(), "reads of {step}");
        }
    }

    #[test]
    fn broken_chunks_are_refused() {
        for body in [
            "5\nhello\r\n",
            "x\r\n",
            "\r\n",
            " 5\r\nhello\r\n",
            "5\r\nhelloX\r\n",
            "0x5\r\n",
            "fffffffffffffffff\r\n",
            "0\r\n: x\r\n\r\n",
        ] {
            assert_eq!(Chunked::default().scan(body.as_bytes()), Err(Broken), "{body:?}");
        }
        let long = format!("5;{}\r\n", "a".repeat(LINE_LIMIT));
        assert_eq!(Chunked::default().scan(long.as_bytes()), Err(Broken));
    }
}
