//! Strict DER over a slice: definite minimal lengths, nothing past a container's end, every error with its byte.

use crate::problem::{Flaw, Problem};
use crate::width::{length_of, position};

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;

/// The most octets a tag and a length of up to 4 GiB take.
pub(crate) const MAX_HEADER: usize = 6;

/// A tag and a length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) tag: u8,
    /// Octets of the tag and the length.
    pub(crate) size: usize,
    /// Octets of the content.
    pub(crate) length: u64,
}

impl Header {
    /// Reads the header at the start of `bytes`, which lie at `offset` of the input.
    pub(crate) fn read(bytes: &[u8], offset: u64) -> Result<Header, Flaw> {
        let flaw = |problem| Err(Flaw::new(offset, problem));
        let (tag, first, rest) = match bytes {
            [tag, first, rest @ ..] => (*tag, *first, rest),
            _ => return flaw(Problem::Truncated { missing: position(2 - bytes.len()) }),
        };
        if tag & 0x1f == 0x1f {
            return flaw(Problem::LongTag);
        }
        if first < 0x80 {
            return Ok(Header { tag, size: 2, length: u64::from(first) });
        }
        let octets = usize::from(first & 0x7f);
        if octets == 0 {
            return flaw(Problem::IndefiniteLength);
        }
        let Some(digits) = rest.get(..octets) else {
            return flaw(Problem::Truncated { missing: position(octets - rest.len()) });
        };
        // More than eight octets either start with a zero or state a length no machine has.
        let length = match digits.first() {
            Some(0) | None => return flaw(Problem::LongLength),
            Some(_) if octets > 8 => return flaw(Problem::Overrun { length: u64::MAX, available: 0 }),
            Some(_) => digits.iter().fold(0, |length, &digit| (length << 8) | u64::from(digit)),
        };
        if length < 0x80 {
            return flaw(Problem::LongLength);
        }
        Ok(Header { tag, size: 2 + octets, length })
    }
}

/// One element: where it lies, its tag and its content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    /// Tag, length and content.
    pub(crate) raw: &'a [u8],
    pub(crate) content: &'a [u8],
    /// Where the tag lies in the input.
    pub(crate) offset: u64,
}

impl<'a> Element<'a> {
    /// Where the content lies in the input.
    pub(crate) fn content_offset(&self) -> u64 {
        self.offset + position(self.raw.len() - self.content.len())
    }

    /// A reader over the content.
    pub(crate) fn reader(&self) -> Reader<'a> {
        Reader::new(self.content, self.content_offset())
    }

    pub(crate) fn flaw(&self, problem: Problem) -> Flaw {
        Flaw::new(self.offset, problem)
    }
}

/// Reads one element after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    offset: u64,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`, which lie at `offset` of the input.
    pub(crate) fn new(bytes: &'a [u8], offset: u64) -> Reader<'a> {
        Reader { rest: bytes, offset }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The tag of the next element, if there is one.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next element, whatever it is.
    pub(crate) fn element(&mut self) -> Result<Element<'a>, Flaw> {
        let header = Header::read(self.rest, self.offset)?;
        let total = length_of(header.length).saturating_add(header.size);
        let (Some(raw), Some(content)) = (self.rest.get(..total), self.rest.get(header.size..total)) else {
            let available = position(self.rest.len().saturating_sub(header.size));
            return Err(Flaw::new(self.offset, Problem::Overrun { length: header.length, available }));
        };
        let element = Element { tag: header.tag, raw, content, offset: self.offset };
        self.rest = self.rest.get(total..).unwrap_or_default();
        self.offset += position(total);
        Ok(element)
    }

    /// The next element, which must have the tag `tag`; `wanted` names it in the error.
    pub(crate) fn expect(&mut self, tag: u8, wanted: &'static str) -> Result<Element<'a>, Flaw> {
        match self.peek() {
            Some(found) if found == tag => self.element(),
            Some(found) => Err(Flaw::new(self.offset, Problem::Unexpected { wanted, tag: found })),
            None => Err(Flaw::new(self.offset, Problem::Missing { wanted })),
        }
    }

    /// The next element if it has the tag `tag`.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, Flaw> {
        if self.peek() == Some(tag) { self.element().map(Some) } else { Ok(None) }
    }

    /// Requires that nothing is left of `what`.
    pub(crate) fn finish(&self, what: &'static str) -> Result<(), Flaw> {
        if self.is_empty() { Ok(()) } else { Err(Flaw::new(self.offset, Problem::Trailing { what })) }
    }
}

/// The one element that `bytes` are.
pub(crate) fn only<'a>(bytes: &'a [u8], tag: u8, wanted: &'static str) -> Result<Element<'a>, Flaw> {
    let mut reader = Reader::new(bytes, 0);
    let element = reader.expect(tag, wanted)?;
    reader.finish(wanted)?;
    Ok(element)
}

/// Reads a BOOLEAN in a field whose default is FALSE, whatever its tag is; `default` names a FALSE that is spelled out.
pub(crate) fn boolean(flag: &Element<'_>, default: &'static str) -> Result<bool, Flaw> {
    match flag.content {
        [0xff] => Ok(true),
        [0x00] => Err(flag.flaw(Problem::EncodedDefault { what: default })),
        _ => Err(flag.flaw(Problem::Malformed { what: "BOOLEAN" })),
    }
}

/// An element with this content.
pub(crate) fn encode(tag: u8, content: &[u8]) -> Vec<u8> {
    let octets = content.len().to_be_bytes();
    let skipped = octets.iter().take_while(|&&octet| octet == 0).count();
    let octets = octets.get(skipped..).unwrap_or_default();
    let mut bytes = vec![tag];
    match *octets {
        [] => bytes.push(0),
        [length @ 0..0x80] => bytes.push(length),
        _ => {
            // At most eight octets.
            bytes.push(0x80 | u8::try_from(octets.len()).unwrap_or_default());
            bytes.extend_from_slice(octets);
        }
    }
    bytes.extend_from_slice(content);
    bytes
}

/// An object identifier's content in dotted form, for messages.
pub(crate) fn dotted(oid: &[u8]) -> String {
    x509_parser::der_parser::oid::Oid::new(oid.into()).to_id_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(bytes: &[u8]) -> Problem {
        Reader::new(bytes, 0).element().unwrap_err().problem
    }

    #[test]
    fn only_minimal_definite_lengths_are_read() {
        assert!(matches!(problem(&[0x30, 0x80, 0, 0]), Problem::IndefiniteLength));
        assert!(matches!(problem(&[0x30, 0x81, 0x7f]), Problem::LongLength));
        assert!(matches!(problem(&[0x30, 0x82, 0x00, 0xff]), Problem::LongLength));
        assert!(matches!(problem(&[0x30, 0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1]), Problem::Overrun { .. }));
        assert!(matches!(problem(&[0x1f, 0x81, 0x01]), Problem::LongTag));
        assert!(matches!(problem(&[0x30, 0x02, 0x00]), Problem::Overrun { length: 2, available: 1 }));
        assert!(matches!(problem(&[0x30]), Problem::Truncated { missing: 1 }));
        let mut reader = Reader::new(&[0x04, 0x01, 0xaa, 0x05, 0x00], 10);
        let element = reader.element().unwrap();
        assert_eq!((element.content, element.content_offset()), (&[0xaa][..], 12));
        assert!(matches!(reader.finish("it").unwrap_err().problem, Problem::Trailing { what: "it" }));
    }
}
