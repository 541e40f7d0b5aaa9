//! The fixed-size start of an index file (FORMAT.md, section 2).

use super::error::Fault;
use super::line::{Line, lines_for};

use super::metadata::Beside;
use super::seal;
use crate::crl::delta::MAX_DELTA_BYTES;
use std::ops::Range;

/// Bytes of the header.
pub(crate) const SIZE: usize = 256;
const MAGIC: [u8; 8] = *b"\x89CRLX\r\n\x1a";
const VERSION: u32 = 1;
/// The flag of an index without its CRL.
const BESIDE: u32 = 1;

/// The header's fields; everything else about the file follows from them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// XXH3-64 of everything in the index but the CRL's entries.
    pub(crate) checksum: u64,
    /// Whether the CRL is in the file, and not beside it.
    pub(crate) embedded: bool,
    /// Certificates in the index.
    pub(crate) entries: u32,
    /// Lines that serials hash to. Lines after these only take what overflowed.
    pub(crate) home_lines: u32,
    pub(crate) lines: u32,
    /// Entries of the CRL; more than `entries` if it lists a serial again.
    pub(crate) listed: u32,
    /// Bytes of the CRL.
    pub(crate) crl_size: u32,
    /// Where the entries lie in the CRL.
    pub(crate) crl_entries: Range<u32>,
    /// Bytes of the delta CRL that is applied; 0 for none.
    pub(crate) delta_size: u32,
    /// Bytes of the signature section; 0 for none.
    pub(crate) seal_size: u32,
    /// SHA-256 of the CRL's signed part.
    pub(crate) tbs_sha256: [u8; 32],
    /// SHA-256 of the key that signed the CRL.
    pub(crate) spki_sha256: [u8; 32],
    /// How often the issuer of the certificates changes among the entries; 0 for a CRL that is not indirect.
    pub(crate) issuer_changes: u32,
}

impl Header {
    /// Whether a file that starts with `bytes` is an index, of whatever version.
    pub(crate) fn is_at(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC)
    }

    /// Bytes of the header, and thus where an embedded CRL starts in the file.
    pub(crate) const SIZE: u64 = 256;

    /// What of the metadata stands in the header.
    pub(crate) fn beside(&self) -> Beside {
        Beside {
            spki_sha256: self.spki_sha256,
            tbs_sha256: self.tbs_sha256,
            entries: self.entries,
            listed: self.listed,
        }
    }

    /// Where the lines start in the file.
    pub(crate) fn lane(&self) -> u64 {
        Header::SIZE + if self.embedded { u64::from(self.crl_size) } else { 0 }
    }

    /// Where the offsets start in the file.
    pub(crate) fn offsets(&self) -> u64 {
        self.lane() + u64::from(self.lines) * Line::SIZE_IN_FILE
    }

    /// Where the changes of the issuer start in the file.
    pub(crate) fn issuer_changes(&self) -> u64 {
        self.offsets() + u64::from(self.entries) * 4
    }

    /// Where the delta CRL starts in the file.
    pub(crate) fn delta(&self) -> u64 {
        self.issuer_changes() + u64::from(self.issuer_changes) * 4
    }

    /// Where the signature starts in the file.
    pub(crate) fn seal(&self) -> u64 {
        self.delta() + u64::from(self.delta_size)
    }

    /// Bytes of the whole file.
    pub(crate) fn file_size(&self) -> u64 {
        self.seal() + u64::from(self.seal_size)
    }

    /// The header as it stands in the file.
    pub(crate) fn to_bytes(&self) -> [u8; SIZE] {
        let mut fields = Fields { bytes: [0; SIZE], at: 0 };
        fields.put(&MAGIC);
        fields.put(&VERSION.to_le_bytes());
        fields.put(&if self.embedded { 0 } else { BESIDE }.to_le_bytes());
        fields.put(&self.checksum.to_le_bytes());
        fields.put(&self.file_size().to_le_bytes());
        fields.put(&self.entries.to_le_bytes());
        fields.put(&self.home_lines.to_le_bytes());
        fields.put(&self.lines.to_le_bytes());
        fields.put(&self.crl_size.to_le_bytes());
        fields.put(&self.crl_entries.start.to_le_bytes());
        fields.put(&self.crl_entries.end.to_le_bytes());
        fields.put(&self.listed.to_le_bytes());
        fields.put(&self.delta_size.to_le_bytes());
        fields.put(&self.tbs_sha256);
        fields.put(&self.spki_sha256);
        fields.put(&self.issuer_changes.to_le_bytes());
        fields.put(&self.seal_size.to_le_bytes());
        fields.bytes
    }

    /// The header as the checksum covers it: with zeroes where the checksum itself stands.
    pub(crate) fn to_bytes_without_checksum(&self) -> [u8; SIZE] {
        Header { checksum: 0, ..self.clone() }.to_bytes()
    }

    /// Reads the header of a file of `actual` bytes.
    pub(crate) fn read(bytes: &[u8; SIZE], actual: u64) -> Result<Header, Fault> {
        let mut fields = Fields { bytes: *bytes, at: 0 };
        if fields.take() != MAGIC {
            return Err(Fault::NotAnIndex);
        }
        let version = u32::from_le_bytes(fields.take());
        if version != VERSION {
            return Err(Fault::Version { version });
        }
        let flags = u32::from_le_bytes(fields.take());
        let checksum = u64::from_le_bytes(fields.take());
        let expected = u64::from_le_bytes(fields.take());
        let header = Header {
            checksum,
            embedded: flags != BESIDE,
            entries: u32::from_le_bytes(fields.take()),
            home_lines: u32::from_le_bytes(fields.take()),
            lines: u32::from_le_bytes(fields.take()),
            crl_size: u32::from_le_bytes(fields.take()),
            crl_entries: {
                let start = u32::from_le_bytes(fields.take());
                start..u32::from_le_bytes(fields.take())
            },
            listed: u32::from_le_bytes(fields.take()),
            delta_size: u32::from_le_bytes(fields.take()),
            tbs_sha256: fields.take(),
            spki_sha256: fields.take(),
            issuer_changes: u32::from_le_bytes(fields.take()),
            seal_size: u32::from_le_bytes(fields.take()),
        };
        if expected != actual {
            return Err(Fault::Length { expected, actual });
        }
        header.check(flags, expected)?;
        // Every reserved byte is zero, or a later format gave it a meaning that must not be missed.
        if header.to_bytes() != *bytes {
            return Err(Fault::Header { field: "reserved space" });
        }
        Ok(header)
    }

    fn check(&self, flags: u32, file_size: u64) -> Result<(), Fault> {
        let sound = [
            (matches!(flags, 0 | BESIDE), "flags"),
            (self.file_size() == file_size, "lengths"),
            (self.home_lines == lines_for(self.listed) && self.home_lines <= self.lines, "line counts"),
            (self.entries <= self.listed, "entry count"),
            (self.crl_entries.start <= self.crl_entries.end, "entry range"),
            (self.crl_entries.end < self.crl_size, "entry range"),
            (self.delta_size <= MAX_DELTA_BYTES, "delta size"),
            (self.issuer_changes <= self.listed, "issuer changes"),
            (self.seal_size <= seal::LIMIT, "signature size"),
        ];
        match sound.iter().find(|(holds, _)| !holds) {
            Some((_, field)) => Err(Fault::Header { field }),
            None => Ok(()),
        }
    }
}

/// The header's bytes, one field after the other.
struct Fields {
    bytes: [u8; SIZE],
    at: usize,
}

impl Fields {
    fn put(&mut self, field: &[u8]) {
        let space = self.bytes.iter_mut().skip(self.at);
        space.zip(field).for_each(|(to, from)| *to = *from);
        self.at += field.len();
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut field = [0; N];
        field.iter_mut().zip(self.bytes.iter().skip(self.at)).for_each(|(to, from)| *to = *from);
        self.at += N;
        field
    }
}
