//! The few DER encodings that a CRL is made of, and a reader that walks a CRL of any size as a stream.

use std::io::{self, Read};

use time::OffsetDateTime;
use time::macros::format_description;

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
/// `[0]`, constructed: the CRL's extensions.
pub(crate) const CONTEXT_0: u8 = 0xa0;
/// `[0]`, primitive: the key identifier within an authority key identifier.
pub(crate) const CONTEXT_0_PRIMITIVE: u8 = 0x80;

/// Tag and length of an element whose content has `length` octets.
pub(crate) fn header(tag: u8, length: u64) -> Vec<u8> {
    let octets = length.to_be_bytes();
    let significant = octets.iter().skip_while(|octet| **octet == 0);
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => vec![tag, short],
        _ => {
            let mut header = vec![tag, 0x80];
            header.extend(significant);
            let octets = u8::try_from(header.len().saturating_sub(2)).unwrap_or(u8::MAX);
            if let Some(first) = header.get_mut(1) {
                *first |= octets;
            }
            header
        }
    }
}

/// A whole element.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut element = header(tag, octets(content));
    element.extend_from_slice(content);
    element
}

/// A SEQUENCE of whole elements.
pub(crate) fn sequence(elements: &[&[u8]]) -> Vec<u8> {
    element(SEQUENCE, &elements.concat())
}

/// A non-negative INTEGER from its big-endian magnitude, in the shortest form.
pub(crate) fn unsigned(magnitude: &[u8]) -> Vec<u8> {
    let mut content: Vec<u8> = magnitude.iter().copied().skip_while(|octet| *octet == 0).collect();
    // A leading zero keeps a set top bit from being read as a minus sign; zero itself is one zero octet.
    if content.first().is_none_or(|first| *first >= 0x80) {
        content.insert(0, 0);
    }
    element(INTEGER, &content)
}

/// RFC 5280 §5.1.2.4: UTCTime through 2049, GeneralizedTime from 2050 on, both to the second and in UTC.
pub(crate) fn time(at: OffsetDateTime) -> Vec<u8> {
    let utc = at.to_offset(time::UtcOffset::UTC);
    let (tag, text) = if (1950..2050).contains(&utc.year()) {
        let layout = format_description!("[year repr:last_two][month][day][hour][minute][second]Z");
        (UTC_TIME, utc.format(layout))
    } else {
        (GENERALIZED_TIME, utc.format(format_description!("[year][month][day][hour][minute][second]Z")))
    };
    // Formatting an OffsetDateTime with only calendar components cannot fail.
    element(tag, text.unwrap_or_default().as_bytes())
}

/// An extension, as certificates and CRLs carry it. `oid` is the OID's content octets.
pub(crate) fn extension(oid: &[u8], value: &[u8]) -> Vec<u8> {
    sequence(&[&element(OID, oid), &element(OCTET_STRING, value)])
}

/// A slice's length as DER counts: `u64`, as a CRL may be larger than a 32-bit machine's memory.
pub(crate) fn octets(content: &[u8]) -> u64 {
    u64::try_from(content.len()).unwrap_or(u64::MAX)
}

/// Reads DER elements from a stream and keeps count of where it is.
pub(crate) struct Reader<R> {
    input: R,
    position: u64,
}

impl<R: Read> Reader<R> {
    /// A reader whose `input` stands at `position` of the file.
    pub(crate) fn new(input: R, position: u64) -> Self {
        Self { input, position }
    }

    /// Offset of the next octet.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Tag and length of the next element; its octets are appended to `raw`.
    ///
    /// # Errors
    /// `InvalidData` for an indefinite length or one over 8 octets, or the input's own error.
    pub(crate) fn header(&mut self, raw: &mut Vec<u8>) -> io::Result<(u8, u64)> {
        let [tag, first] = self.array(raw)?;
        if first < 0x80 {
            return Ok((tag, u64::from(first)));
        }
        let count = usize::from(first & 0x7f);
        if !(1..=8).contains(&count) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a definite length"));
        }
        let mut length = 0;
        for _ in 0..count {
            let [octet] = self.array(raw)?;
            length = (length << 8) | u64::from(octet);
        }
        Ok((tag, length))
    }

    /// Appends `length` octets to `raw`.
    ///
    /// # Errors
    /// `UnexpectedEof` when there are fewer, or the input's own error.
    pub(crate) fn content(&mut self, length: u64, raw: &mut Vec<u8>) -> io::Result<()> {
        let read = (&mut self.input).take(length).read_to_end(raw)?;
        self.position += u64::try_from(read).unwrap_or(u64::MAX);
        if u64::try_from(read) == Ok(length) { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn array<const N: usize>(&mut self, raw: &mut Vec<u8>) -> io::Result<[u8; N]> {
        let mut array = [0; N];
        self.input.read_exact(&mut array)?;
        self.position += octets(&array);
        raw.extend_from_slice(&array);
        Ok(array)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn lengths_take_the_shortest_form() {
        assert_eq!(header(SEQUENCE, 0), [0x30, 0]);
        assert_eq!(header(SEQUENCE, 0x7f), [0x30, 0x7f]);
        assert_eq!(header(SEQUENCE, 0x80), [0x30, 0x81, 0x80]);
        assert_eq!(header(SEQUENCE, 0xff), [0x30, 0x81, 0xff]);
        assert_eq!(header(SEQUENCE, 0x100), [0x30, 0x82, 0x01, 0x00]);
        assert_eq!(header(SEQUENCE, 0x1_0000_0000), [0x30, 0x85, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn lengths_read_back() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000, u64::from(u32::MAX), u64::MAX] {
            let encoded = header(SEQUENCE, length);
            let mut raw = Vec::new();
            let mut reader = Reader::new(encoded.as_slice(), 0);
            assert_eq!(reader.header(&mut raw).unwrap(), (SEQUENCE, length));
            assert_eq!(raw, encoded);
            assert_eq!(reader.position(), octets(&encoded));
        }
    }

    #[test]
    fn indefinite_lengths_are_refused() {
        let mut reader = Reader::new([0x30, 0x80].as_slice(), 0);
        assert_eq!(reader.header(&mut Vec::new()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn integers_are_minimal_and_positive() {
        assert_eq!(unsigned(&[]), [2, 1, 0]);
        assert_eq!(unsigned(&[0, 0, 1]), [2, 1, 1]);
        assert_eq!(unsigned(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(unsigned(&[0x7f, 0xff]), [2, 2, 0x7f, 0xff]);
    }

    #[test]
    fn times_change_form_in_2050() {
        assert_eq!(time(datetime!(2049-12-31 23:59:59.9 UTC)), b"\x17\x0d491231235959Z");
        assert_eq!(time(datetime!(2050-01-01 01:00:00 +1)), b"\x18\x0f20500101000000Z");
    }
}
