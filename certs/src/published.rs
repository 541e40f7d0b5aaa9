//! A CRL on disk that the next one shall continue. Only its frame is read into memory; the entries stay in the file.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;
use x509_parser::extensions::{ParsedExtension, X509Extension};
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::RevokedCertificate;
use x509_parser::time::ASN1Time;

use crate::{Authority, Entries, Error, Reason, der};

/// The most octets that anything but the whole list may have.
const FIELD_LIMIT: u64 = 64 * 1024;

/// A CRL that this crate wrote earlier.
pub(crate) struct PublishedCrl {
    path: PathBuf,
    file: File,
    /// Where the entries are in the file.
    entries: Range<u64>,
    number: u128,
    this_update: OffsetDateTime,
}

impl PublishedCrl {
    /// Opens `issuer`'s CRL. The signature is not checked: whoever signs the next one vouches for what it lists.
    ///
    /// # Errors
    /// [`Error::ForeignCrl`] for another issuer's, [`Error::MalformedCrl`] for what is no CRL with a CRL number.
    pub(crate) fn open(path: &Path, issuer: &Authority) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::io("read", path))?;
        let mut input = Input::at(path, &file, 0)?;
        let length = input.enter(der::SEQUENCE, "CRL")?;
        let end = input.position().saturating_add(length);
        if file.metadata().map_err(Error::io("read", path))?.len() != end {
            return Err(input.malformed("CRL of the file's length"));
        }
        input.enter(der::SEQUENCE, "tbsCertList")?;
        input.field(der::INTEGER, "version")?;
        input.field(der::SEQUENCE, "signature algorithm")?;
        if input.field(der::SEQUENCE, "issuer")? != issuer.name_der() {
            return Err(Error::ForeignCrl { path: path.to_owned(), issuer: issuer.name().to_owned() });
        }
        let this_update = input.time("thisUpdate")?;

        let mut next = input.element("CRL extensions")?;
        if matches!(next.tag, der::UTC_TIME | der::GENERALIZED_TIME) {
            input.rest(&mut next, "nextUpdate")?;
            next = input.element("CRL extensions")?;
        }
        let mut entries = 0..0;
        if next.tag == der::SEQUENCE {
            let start = input.position();
            entries = start..start.saturating_add(next.length);
            input = Input::at(path, &file, entries.end)?;
            next = input.element("CRL extensions")?;
        }
        if next.tag != der::CONTEXT_0 {
            return Err(input.malformed("CRL extensions"));
        }
        input.enter(der::SEQUENCE, "CRL extensions")?;
        let number = loop {
            let extension = input.field(der::SEQUENCE, "CRL number")?;
            let Ok((_, extension)) = X509Extension::from_der(&extension) else {
                return Err(input.malformed("extension"));
            };
            if let ParsedExtension::CRLNumber(number) = extension.parsed_extension() {
                break u128::try_from(number)
                    .map_err(|_too_big| input.malformed("CRL number of 128 bits"))?;
            }
        };
        Ok(Self { path: path.to_owned(), file, entries, number, this_update })
    }

    /// The CRL number.
    pub(crate) fn number(&self) -> u128 {
        self.number
    }

    /// When it was issued.
    pub(crate) fn this_update(&self) -> OffsetDateTime {
        self.this_update
    }

    /// When and why that serial number was revoked, if it is listed. Reads the list up to there.
    ///
    /// # Errors
    /// [`Error::MalformedCrl`] or [`Error::Io`].
    pub(crate) fn find(&self, serial: &[u8]) -> Result<Option<(OffsetDateTime, Reason)>, Error> {
        let serial = der::unsigned(serial);
        let mut input = Input::at(&self.path, &self.file, self.entries.start)?;
        while input.position() < self.entries.end {
            let mut entry = input.element("entry")?;
            input.rest(&mut entry, "entry")?;
            if entry.raw.get(entry.content..).is_some_and(|content| content.starts_with(&serial)) {
                let (_, entry) =
                    RevokedCertificate::from_der(&entry.raw).map_err(|_opaque| input.malformed("entry"))?;
                let reason = entry.reason_code().and_then(|(_, code)| Reason::from_code(code.0));
                return Ok(Some((entry.revocation_date.to_datetime(), reason.unwrap_or_default())));
            }
        }
        Ok(None)
    }
}

impl Entries for PublishedCrl {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(self.entries.start))?;
        let copied = io::copy(&mut BufReader::new(file).take(self.size()?), out)?;
        if copied == self.size()? { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.entries.end.saturating_sub(self.entries.start))
    }
}

/// An element of which at least the header was read.
struct Element {
    tag: u8,
    length: u64,
    /// The octets read so far.
    raw: Vec<u8>,
    /// Where in `raw` the content begins.
    content: usize,
}

/// The CRL file as a stream of elements, with errors that say what was expected where.
struct Input<'a> {
    path: &'a Path,
    reader: der::Reader<BufReader<&'a File>>,
}

impl<'a> Input<'a> {
    fn at(path: &'a Path, mut file: &'a File, position: u64) -> Result<Self, Error> {
        file.seek(SeekFrom::Start(position)).map_err(Error::io("read", path))?;
        Ok(Self { path, reader: der::Reader::new(BufReader::new(file), position) })
    }

    fn position(&self) -> u64 {
        self.reader.position()
    }

    fn malformed(&self, expected: &'static str) -> Error {
        Error::MalformedCrl { path: self.path.to_owned(), expected, offset: self.position() }
    }

    fn failed(&self, failure: io::Error, expected: &'static str) -> Error {
        let content = [io::ErrorKind::InvalidData, io::ErrorKind::UnexpectedEof].contains(&failure.kind());
        if content { self.malformed(expected) } else { Error::io("read", self.path)(failure) }
    }

    /// The header of the next element.
    fn element(&mut self, expected: &'static str) -> Result<Element, Error> {
        let mut raw = Vec::new();
        match self.reader.header(&mut raw) {
            Ok((tag, length)) => Ok(Element { tag, length, content: raw.len(), raw }),
            Err(failure) => Err(self.failed(failure, expected)),
        }
    }

    /// The content of an element whose header was read.
    fn rest(&mut self, element: &mut Element, expected: &'static str) -> Result<(), Error> {
        if element.length > FIELD_LIMIT {
            return Err(self.malformed(expected));
        }
        let read = self.reader.content(element.length, &mut element.raw);
        read.map_err(|failure| self.failed(failure, expected))
    }

    /// Steps into the next element and returns its length.
    fn enter(&mut self, tag: u8, expected: &'static str) -> Result<u64, Error> {
        let element = self.element(expected)?;
        if element.tag == tag { Ok(element.length) } else { Err(self.malformed(expected)) }
    }

    /// The octets of the next element, header included.
    fn field(&mut self, tag: u8, expected: &'static str) -> Result<Vec<u8>, Error> {
        let mut element = self.element(expected)?;
        if element.tag != tag {
            return Err(self.malformed(expected));
        }
        self.rest(&mut element, expected)?;
        Ok(element.raw)
    }

    fn time(&mut self, expected: &'static str) -> Result<OffsetDateTime, Error> {
        let mut element = self.element(expected)?;
        self.rest(&mut element, expected)?;
        match ASN1Time::from_der(&element.raw) {
            Ok((_, time)) => Ok(time.to_datetime()),
            Err(_opaque) => Err(self.malformed(expected)),
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::NamedTempFile;
    use time::Duration;
    use time::macros::datetime;

    use super::*;
    use crate::{Crl, KeyType, Padding, Revoked, Validity};

    const NOW: OffsetDateTime = datetime!(2026-11-21 12:00:00 UTC);

    fn authority(name: &str) -> Authority {
        Authority::root(name, KeyType::Ed25519, Validity::days(NOW, 1)).unwrap()
    }

    fn file(content: &[u8]) -> NamedTempFile {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        file
    }

    #[test]
    fn the_frame_and_every_entry_are_found() {
        let issuer = authority("Test");
        let listed = Revoked { serial: vec![0x80, 2], date: NOW, reason: Reason::CaCompromise };
        for due in [None, Some(NOW + Duration::days(10_000))] {
            let crl = Crl::new(u128::MAX, NOW)
                .due(due)
                .with(Padding { entries: 500, seed: 0, until: NOW })
                .with(listed.clone());
            let file = file(&crl.to_der(&issuer).unwrap());
            let published = PublishedCrl::open(file.path(), &issuer).unwrap();
            assert_eq!(published.number(), u128::MAX);
            assert_eq!(published.this_update(), NOW);
            assert_eq!(published.find(&listed.serial).unwrap(), Some((NOW, Reason::CaCompromise)));
            assert_eq!(published.find(&[2]).unwrap(), None);
        }
    }

    #[test]
    fn a_crl_without_entries_lists_nothing() {
        let issuer = authority("Test");
        let file = file(&Crl::new(0, NOW).to_der(&issuer).unwrap());
        let published = PublishedCrl::open(file.path(), &issuer).unwrap();
        assert_eq!((published.number(), published.size().unwrap()), (0, 0));
        assert_eq!(published.find(&[1]).unwrap(), None);
    }

    #[test]
    fn another_issuers_crl_is_refused() {
        let file = file(&Crl::new(1, NOW).to_der(&authority("One")).unwrap());
        let opened = PublishedCrl::open(file.path(), &authority("Other"));
        assert!(matches!(opened, Err(Error::ForeignCrl { .. })));
    }

    #[test]
    fn truncated_and_extended_files_are_refused() {
        let issuer = authority("Test");
        let mut der = Crl::new(1, NOW)
            .with(Revoked { serial: vec![1], date: NOW, reason: Reason::Superseded })
            .to_der(&issuer)
            .unwrap();
        der.push(0);
        for length in (0..der.len() - 1).chain([der.len()]) {
            let opened = PublishedCrl::open(file(&der[..length]).path(), &issuer);
            assert!(matches!(opened, Err(Error::MalformedCrl { .. })), "{length} octets");
        }
    }
}
