//! Building an index: one pass over the CRL, then the layout of what was collected on the way.

use super::header::Header;
use super::issuers::{self, Attribution, Issuers};
use super::metadata::{Beside, Metadata};
use super::open::{Checksum, seed};
use super::table::Table;
use crate::crl::delta::{Delta, DeltaError, MAX_DELTA_BYTES};
use crate::crl::entry;
use crate::crl::input::Input;
use crate::crl::scan::{Scan, Scanned};
use crate::crl::stored::Stored;
use crate::der;
use crate::issuer::{Issuer, IssuerId, digest_bytes};
use crate::problem::{CrlError, Flaw, Problem};
use crate::signature::VerifyError;
use crate::watch::Watch;
use crate::width::{length, offset, position};
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// The largest CRL an index can hold, as offsets in it have 32 bits.
pub const MAX_CRL_BYTES: u32 = u32::MAX;

/// Builds indexes of CRLs by one of some issuers.
#[derive(Clone, Debug)]
pub struct Build<'a> {
    issuers: &'a [Issuer],
    max_bytes: u32,
    watch: Watch,
}

/// What was built.
#[derive(Debug)]
pub struct Built {
    /// What the index says about its CRL.
    pub metadata: Metadata,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Why no index was built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The CRL is not well-formed.
    #[error(transparent)]
    Crl(CrlError),
    /// The CRL is not proved to be its issuer's.
    #[error("{input}: {error}")]
    Verify {
        /// The CRL as the user named it.
        input: String,
        /// What is wrong.
        #[source]
        error: VerifyError,
    },
    /// The delta CRL does not follow the base.
    #[error("{input}: {error}")]
    Delta {
        /// The delta CRL as the user named it.
        input: String,
        /// What is wrong.
        #[source]
        error: DeltaError,
    },
    /// The index could not be written.
    #[error("cannot write the index: {0}")]
    Io(#[from] io::Error),
}

impl From<CrlError> for BuildError {
    fn from(error: CrlError) -> BuildError {
        match error {
            // Nothing is wrong with the CRL then.
            CrlError { problem: Problem::Store(error), .. } => BuildError::Io(error),
            error => BuildError::Crl(error),
        }
    }
}

impl BuildError {
    /// How to go on, in one sentence.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            BuildError::Crl(error) => error.problem.hint(),
            BuildError::Verify { error, .. } => error.hint(),
            BuildError::Delta { error, .. } => error.hint(),
            BuildError::Io(_) => "check the space and the permissions where the index goes",
        }
    }
}

/// A proved delta CRL.
struct Update {
    delta: Delta,
    issuer: IssuerId,
    name: String,
}

impl<'a> Build<'a> {
    /// A build that accepts CRLs of any of `issuers` (several, while a CA changes its key).
    #[must_use]
    pub fn new(issuers: &'a [Issuer]) -> Build<'a> {
        Build { issuers, max_bytes: MAX_CRL_BYTES, watch: Watch::default() }
    }

    /// Refuses CRLs of more than `max_bytes` bytes, before anything is hashed.
    #[must_use]
    pub fn max_bytes(self, max_bytes: u32) -> Build<'a> {
        Build { max_bytes, ..self }
    }

    /// Tells `watch` how much of a CRL was read.
    #[must_use]
    pub fn watched(self, watch: Watch) -> Build<'a> {
        Build { watch, ..self }
    }

    /// Reads a CRL and writes its index to `file`, which must be empty, readable and writable.
    ///
    /// # Errors
    /// The CRL is malformed or not proved to be its issuer's; what was written to `file` is of no use then.
    pub fn write(&self, input: Input, file: &File) -> Result<Built, BuildError> {
        let crl = Stored::inside(file.try_clone()?);
        self.index(input, None, &crl, file)
    }

    /// As [`Build::write`], for an index without the CRL: `crl` is what stays beside it, in DER. `name` stands for it
    /// in errors.
    ///
    /// # Errors
    /// As [`Build::write`].
    pub fn write_beside(&self, name: &str, crl: &File, file: &File) -> Result<Built, BuildError> {
        let mut first = [0];
        if crl.read_at(&mut first, 0)? == 1 && first != [der::SEQUENCE] {
            return Err(Flaw::new(0, Problem::NotACrl).in_input(name).into());
        }
        self.index(Input::from_reader(name, crl.try_clone()?), None, &Stored::whole(crl.try_clone()?), file)
    }

    /// As [`Build::write`], with the changes of a delta CRL applied (RFC 5280 §5.2.4).
    ///
    /// # Errors
    /// One of the CRLs is malformed or not proved to be its issuer's, or the delta does not follow the base.
    pub fn merge(&self, base: Input, delta: Input, file: &File) -> Result<Built, BuildError> {
        let name = delta.name.clone();
        let named = |flaw: Flaw| flaw.in_input(&name);
        let mut der = Vec::new();
        let source = delta.into_der().map_err(|problem| named(Flaw::new(0, problem)))?;
        let limit = u64::from(MAX_DELTA_BYTES);
        let read = source.take(limit + 1).read_to_end(&mut der);
        let size = position(read.map_err(|error| named(Flaw::new(0, error.into())))?);
        if size > limit {
            let problem = Problem::TooLarge { size, limit: MAX_DELTA_BYTES };
            return Err(named(Flaw::new(0, problem)).into());
        }
        let delta = Delta::read(der).map_err(named)?;
        let verified = delta.verify(self.issuers);
        let issuer = verified.map_err(|error| BuildError::Verify { input: name.clone(), error })?.id();
        let crl = Stored::inside(file.try_clone()?);
        self.index(base, Some(&Update { delta, issuer, name }), &crl, file)
    }

    fn index(
        &self,
        input: Input,
        update: Option<&Update>,
        crl: &Stored,
        file: &File,
    ) -> Result<Built, BuildError> {
        let name = input.name.clone();
        let named = |flaw: Flaw| flaw.in_input(&name);
        let mut scan = self.start(input)?;
        let embedded = crl.start == Header::SIZE;
        if embedded {
            scan.store_in(crl.try_clone()?)?;
        }
        let mut table = Table::new(seed(scan.before_entries()), scan.entries_size())?;
        let issuers = fill(&mut table, &mut scan).map_err(named)?;
        let scanned = scan.finish().map_err(named)?;
        if table.entries() != scanned.entries {
            return Err(
                io::Error::other("an entry was lost on its way to the index: report this as a bug").into()
            );
        }
        let issuer = self.prove(&scanned, &name, Some(crl))?;
        if let Some(Update { delta, issuer: delta_issuer, name }) = update {
            let beside = Beside {
                spki_sha256: issuer.id().spki_sha256,
                tbs_sha256: digest_bytes(&scanned.tbs_sha256),
                entries: scanned.entries,
                listed: scanned.entries,
            };
            let follows = delta.follows(&Metadata::new(&scanned.head, &scanned.tail, &beside));
            let follows = if *delta_issuer == issuer.id() { follows } else { Err(DeltaError::OtherIssuer) };
            follows.map_err(|error| BuildError::Delta { input: name.clone(), error })?;
        }
        Ok(finish(&scanned, issuer, (table, &issuers), update.map(|update| &update.delta), crl, file)?)
    }

    /// Reads a CRL and proves that it is well-formed and its issuer's, without building anything. Serials that are
    /// listed twice count twice.
    ///
    /// # Errors
    /// As [`Build::write`].
    pub fn check(&self, input: Input) -> Result<Metadata, BuildError> {
        let name = input.name.clone();
        let named = |flaw: Flaw| flaw.in_input(&name);
        let mut scan = self.start(input)?;
        let store = if scan.signs_message() { Some(Stored::whole(tempfile::tempfile()?)) } else { None };
        if let Some(store) = &store {
            scan.store_in(store.try_clone()?)?;
        }
        scan.each_entry(|_, _| ()).map_err(named)?;
        let scanned = scan.finish().map_err(named)?;
        let issuer = self.prove(&scanned, &name, store.as_ref())?;
        let beside = Beside {
            spki_sha256: issuer.id().spki_sha256,
            tbs_sha256: digest_bytes(&scanned.tbs_sha256),
            entries: scanned.entries,
            listed: scanned.entries,
        };
        Ok(Metadata::new(&scanned.head, &scanned.tail, &beside))
    }

    fn start(&self, input: Input) -> Result<Scan<Box<dyn Read>>, CrlError> {
        let name = input.name.clone();
        let source = input.watched(self.watch.clone()).into_der().map_err(|problem| Flaw::new(0, problem));
        source.and_then(|source| Scan::start(source, self.max_bytes)).map_err(|flaw| flaw.in_input(&name))
    }

    fn prove(
        &self,
        scanned: &Scanned,
        input: &str,
        store: Option<&Stored>,
    ) -> Result<&'a Issuer, BuildError> {
        let verified = scanned.verify(self.issuers, store);
        verified.map_err(|error| BuildError::Verify { input: input.to_owned(), error })
    }
}

/// Adds all entries of a CRL to `table`. Answers whose certificates they are.
pub(super) fn fill<R: Read>(table: &mut Table, scan: &mut Scan<R>) -> Result<Issuers, Flaw> {
    let mut attribution = Attribution::new(scan.issuer());
    let seed = table.seed();
    scan.each_entry(|offset, entry| {
        if attribution.note(offset, entry) {
            table.reseed(issuers::seed_of(attribution.current(), seed));
        }
        table.push(entry.serial, offset);
    })?;
    Ok(attribution.issuers)
}

/// Writes lines, offsets, changes of the issuer, delta and header to `file`, behind and before `crl` if that is in it.
fn finish(
    scanned: &Scanned,
    issuer: &Issuer,
    (table, issuers): (Table, &Issuers),
    delta: Option<&Delta>,
    crl: &Stored,
    file: &File,
) -> io::Result<Built> {
    let head = &scanned.head;
    let embedded = crl.start == Header::SIZE;
    let crl_entries = offset(head.entries.start)..offset(head.entries.end);
    let mut out = Sections {
        file,
        at: Header::SIZE + if embedded { head.size } else { 0 },
        checksum: Checksum::new(&scanned.frame),
        bytes: Vec::with_capacity(CHUNK),
    };
    let layout = table.lay_out(
        |offset| identity_at(crl, &crl_entries, issuers, offset),
        |line| out.put(&line.to_bytes()),
    )?;
    layout.offsets().try_for_each(|offsets| out.put(offsets))?;
    issuers.changes.iter().try_for_each(|offset| out.put(&offset.to_le_bytes()))?;
    let mut header = Header {
        checksum: 0,
        embedded,
        entries: layout.entries,
        home_lines: layout.home_lines,
        lines: layout.lines,
        listed: scanned.entries,
        crl_size: offset(head.size),
        crl_entries,
        delta_size: delta.map_or(0, |delta| offset(position(delta.der.len()))),
        tbs_sha256: digest_bytes(&scanned.tbs_sha256),
        spki_sha256: issuer.id().spki_sha256,
        issuer_changes: offset(position(issuers.changes.len())),
        seal_size: 0,
    };
    let mut checksum = out.finish()?;
    if let Some(delta) = delta {
        checksum.update(&delta.der);
        file.write_all_at(&delta.der, header.delta())?;
    }
    header.checksum = checksum.finish(&[], &header);
    file.write_all_at(&header.to_bytes(), 0)?;
    let mut metadata = Metadata::new(head, &scanned.tail, &header.beside());
    if let Some(delta) = delta {
        metadata.take(delta);
    }
    Ok(Built { metadata, bytes: header.file_size() })
}

/// Bytes written at once.
const CHUNK: usize = 1 << 18;

/// Lines and offsets on their way to the file.
struct Sections<'a> {
    file: &'a File,
    at: u64,
    checksum: Checksum,
    bytes: Vec<u8>,
}

impl Sections<'_> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        for bytes in bytes.chunks(CHUNK) {
            self.bytes.extend_from_slice(bytes);
            if self.bytes.len() >= CHUNK {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.checksum.update(&self.bytes);
        self.file.write_all_at(&self.bytes, self.at)?;
        self.at += position(self.bytes.len());
        self.bytes.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<Checksum> {
        self.flush()?;
        Ok(self.checksum)
    }
}

/// What tells the entry at `offset` of a CRL apart: its serial and, if it is not of the CRL's own issuer, whose it is.
pub(super) fn identity_at(
    crl: &Stored,
    entries: &Range<u32>,
    issuers: &Issuers,
    offset: u32,
) -> io::Result<Vec<u8>> {
    let mut bytes = [0; entry::SERIAL_WITHIN];
    let available = length(entries.end.saturating_sub(offset)).min(bytes.len());
    let bytes = bytes.get_mut(..available).unwrap_or_default();
    crl.read_exact_at(bytes, u64::from(offset))?;
    let changed = || io::Error::other("the CRL changed while it was indexed");
    let serial = entry::serial(bytes).ok_or_else(changed)?;
    let issuer = issuers.at(crl, entries, offset).map_err(io::Error::other)?.unwrap_or_default();
    // With the serial's length in front, no other serial and name make the same bytes.
    let length = u8::try_from(serial.len()).map_err(io::Error::other)?;
    Ok([&[length], serial, &issuer].concat())
}
