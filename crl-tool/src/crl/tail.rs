//! A CRL after its last entry.

use super::extension::CrlExtensions;
use super::head::Head;
use crate::der::{self, Reader};
use crate::problem::{Flaw, Problem};
use crate::width::length_of;

/// The most bytes after the last entry: extensions and signature.
pub(crate) const LIMIT: usize = 64 * 1024;

/// What follows the entries.
#[derive(Clone, Debug)]
pub(crate) struct Tail {
    pub(crate) extensions: CrlExtensions,
    pub(crate) signature: Vec<u8>,
}

impl Tail {
    /// Reads `bytes`, which reach from the end of the entries to the end of a complete CRL.
    pub(crate) fn read(bytes: &[u8], head: &Head) -> Result<Tail, Flaw> {
        let tail = Tail::read_delta(bytes, head)?;
        match tail.extensions.base_number {
            // RFC 5280 §5.2.4: it lists changes only, so that most revoked certificates are not in it.
            Some(_) => Err(Flaw::new(head.entries.end, Problem::Delta)),
            None => Ok(tail),
        }
    }

    /// As [`Tail::read`], of a complete CRL or a delta.
    pub(crate) fn read_delta(bytes: &[u8], head: &Head) -> Result<Tail, Flaw> {
        let offset = head.entries.end;
        let (signed, outer) = bytes
            .split_at_checked(length_of(head.signed.end - offset))
            .ok_or_else(|| Flaw::new(offset, Problem::Truncated { missing: head.size - offset }))?;
        let mut signed = Reader::new(signed, offset);
        let extensions = match signed.optional(0xa0)? {
            None => CrlExtensions::default(),
            Some(tagged) if !head.v2 => return Err(tagged.flaw(Problem::ExtensionsInV1)),
            Some(tagged) => {
                let mut tagged = tagged.reader();
                let list = tagged.expect(der::SEQUENCE, "the CRL extensions")?;
                tagged.finish("the CRL extensions")?;
                CrlExtensions::read(&list, &head.issuer)?
            }
        };
        signed.finish("the signed list")?;

        let mut outer = Reader::new(outer, head.signed.end);
        let algorithm = outer.expect(der::SEQUENCE, "the signature algorithm")?;
        // RFC 5280 §5.1.1.2: both name the same algorithm. The outer one is not signed.
        if algorithm.raw != head.algorithm {
            return Err(algorithm.flaw(Problem::AlgorithmsDiffer));
        }
        let signature = outer.expect(der::BIT_STRING, "the signature")?;
        outer.finish("the CRL")?;
        let [0, signature @ ..] = signature.content else {
            return Err(
                signature.flaw(Problem::Malformed { what: "signature: it is no whole number of octets" })
            );
        };
        Ok(Tail { extensions, signature: signature.to_vec() })
    }
}
