//! Proving an index: that its CRL is the one indexed, that the issuer signed it, and that nothing was left out.

use super::Index;
use super::build::{fill, identity_at};
use super::entries::Section;
use super::error::{Fault, OpenError};
use super::line::Line;
use super::open::CHUNK;
use super::table::{PIECE, Table};
use crate::crl::delta::DeltaError;
use crate::crl::scan::Scanned;
use crate::crl::stored::Stored;
use crate::issuer::{Issuer, IssuerError, digest_bytes};
use crate::memory::Memory;
use crate::signature::VerifyError;
use aws_lc_rs::digest::{Context, SHA256};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// Why an index is not proved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The file is damaged.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// What was given as the issuer's certificate is none.
    #[error("the issuer's certificate: {0}")]
    Issuer(#[from] IssuerError),
    /// The CRL in the index is not proved to be the issuer's.
    #[error("{path}: {error}")]
    Verify {
        /// The index.
        path: String,
        /// What is wrong.
        #[source]
        error: VerifyError,
    },
}

impl ProofError {
    /// How to go on, in one sentence.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            ProofError::Open(error) => error.fault.hint(),
            ProofError::Issuer(_) => "pass the CA's certificate as PEM or DER",
            ProofError::Verify { error, .. } => error.hint(),
        }
    }
}

impl Index {
    /// As [`Index::from_file`], for an index that one of `issuers` must prove ([`Index::verify_by`]). What it is compared with is made
    /// anew, in as much memory as the index takes, which is therefore let go of meanwhile and read again.
    ///
    /// # Errors
    /// As [`Index::from_file`] and [`Index::verify_by`].
    pub fn from_proved_file(file: File, path: &Path, issuers: &[Issuer]) -> Result<Index, ProofError> {
        let refused = |error: io::Error| OpenError { path: path.to_owned(), fault: error.into() };
        let stored = Stored::whole(file.try_clone().map_err(refused)?);
        let mut index = Index::from_file(file, path)?;
        index.lane = Memory::zeroed(0).map_err(refused)?;
        index.offsets = Memory::zeroed(0).map_err(refused)?;
        let header = &index.header;
        let lane = Section { crl: &stored, at: header.lane(), end: header.offsets() };
        let offsets = Section { crl: &stored, at: header.offsets(), end: header.issuer_changes() };
        let [lane, offsets] = [lane, offsets].map(|section| BufReader::with_capacity(CHUNK, section));
        index.prove(issuers, lane, offsets)?;
        let Index { header, lane, offsets, .. } = Index::from_file(stored.file, path)?;
        // Its checksum is over all that was compared.
        if header == index.header {
            Ok(Index { lane, offsets, ..index })
        } else {
            Err(index.refused(Fault::Checksum).into())
        }
    }

    /// Reads the CRL and compares it with the digest it was indexed under. It takes 0.5 ms a megabyte: do it
    /// once after opening, off the path of requests.
    ///
    /// # Errors
    /// The CRL cannot be read or is not the one that was indexed.
    pub fn check_crl(&self) -> Result<(), OpenError> {
        let mut digest = Context::new(&SHA256);
        let signed = &self.head.signed;
        let (start, end) = (self.crl.start + signed.start, self.crl.start + signed.end);
        super::open::each_chunk(&self.crl.file, start, end, |chunk| {
            digest.update(chunk);
            Ok(())
        })
        .map_err(|fault| self.refused(fault))?;
        if digest_bytes(&digest.finish()) == self.header.tbs_sha256 {
            Ok(())
        } else {
            Err(self.refused(Fault::CrlDigest))
        }
    }

    /// Proves the index from nothing but its issuer's certificate (DER): the CRL in it is signed by that issuer, and
    /// the index says of every serial what this CRL says. It takes as long as building the index.
    ///
    /// # Errors
    /// The index is damaged or forged, or its CRL is not the issuer's.
    pub fn verify(&self, issuer_certificate_der: &[u8]) -> Result<(), ProofError> {
        self.verify_by(&[Issuer::from_der(issuer_certificate_der)?]).map(drop)
    }

    /// As [`Index::verify`], with several certificates of which one is the issuer's.
    ///
    /// # Errors
    /// As [`Index::verify`].
    pub fn verify_by<'a>(&self, issuers: &'a [Issuer]) -> Result<&'a Issuer, ProofError> {
        self.prove(issuers, self.lane.bytes(), self.offsets.bytes())
    }

    /// Proves an index of these lines and offsets.
    fn prove<'a>(
        &self,
        issuers: &'a [Issuer],
        lane: impl Read,
        offsets: impl Read,
    ) -> Result<&'a Issuer, ProofError> {
        let scanned = self.compare(lane, offsets).map_err(|fault| self.refused(fault))?;
        let issuer = scanned
            .verify(issuers, Some(&self.crl))
            .map_err(|error| ProofError::Verify { path: self.path.display().to_string(), error })?;
        let delta_issuer = self.delta.as_ref().map(|delta| delta.verify(issuers)).transpose();
        let delta_issuer = delta_issuer
            .map_err(|error| ProofError::Verify { path: self.path.display().to_string(), error })?;
        if delta_issuer.is_some_and(|delta_issuer| delta_issuer.id() != issuer.id()) {
            return Err(self.refused(DeltaError::OtherIssuer.into()).into());
        }
        if issuer.id() == self.metadata.issuer_id {
            Ok(issuer)
        } else {
            Err(self.refused(Fault::Header { field: "issuer key" }).into())
        }
    }

    /// Indexes the embedded CRL again and compares the result with what the file has.
    fn compare(&self, mut lane: impl Read, mut offsets: impl Read) -> Result<Scanned, Fault> {
        let mut scan = self.scan()?;
        let mut table = Table::new(self.seed, scan.entries_size())?;
        let issuers = fill(&mut table, &mut scan)?;
        let scanned = scan.finish()?;
        if digest_bytes(&scanned.tbs_sha256) != self.header.tbs_sha256 {
            return Err(Fault::CrlDigest);
        }
        let mut same = |line: Line| read_same(&mut lane, &line.to_bytes());
        let entries = &self.header.crl_entries;
        let identity_at = |offset| Ok(identity_at(&self.crl, entries, &issuers, offset)?);
        let layout = table.lay_out(identity_at, &mut same)?;
        let header = &self.header;
        if (scanned.entries, layout.home_lines, layout.lines)
            != (header.listed, header.home_lines, header.lines)
            || issuers.changes != self.issuers.changes
        {
            return Err(Fault::NotOfThisCrl);
        }
        layout.offsets().try_for_each(|piece| read_same(&mut offsets, piece))?;
        Ok(scanned)
    }

    fn refused(&self, fault: Fault) -> OpenError {
        OpenError { path: self.path.clone(), fault }
    }
}

/// Reads what has to be `expected`, which is no longer than a piece of a table.
fn read_same(mut file: impl Read, expected: &[u8]) -> Result<(), Fault> {
    let mut piece = [0; PIECE];
    let read = piece.get_mut(..expected.len()).ok_or(Fault::NotOfThisCrl)?;
    match file.read_exact(read) {
        Ok(()) if read == expected => Ok(()),
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error.into()),
        Ok(()) | Err(_) => Err(Fault::NotOfThisCrl),
    }
}
