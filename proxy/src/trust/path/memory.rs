//! A verified path in a session ticket: what brings it back without verifying its signatures again.
//!
//! The TLS library's session state, which goes into the same ticket, holds the client's certificates already. So what is written
//! down here is only where in it they are:
//!
//! ```text
//! fingerprint of the trust bundle (32) | notAfter (8) | certificates (1), and for each, leaf first:
//!     SHA-256 of its issuer's name (32) and key (32) | serial length (1) and octets | position (2) and length (2) in the state
//! ```

use std::time::Duration;

use crl_tool::{IssuerId, Serial};
use memchr::memmem;
use rustls_pki_types::{CertificateDer, UnixTime};

use super::{Link, Standing, VerifiedPath};
use crate::refusal::Refusal;
use crate::trust::bundle::TrustBundle;
use crate::trust::revocation::Revocations;

/// Octets of a certificate that a serial number of usual length ends within.
const BEGINNING: usize = 32;

impl VerifiedPath {
    /// Writes the path down, which was verified against `bundle`. `None` if its certificates are not in `state`: then the session
    /// is not this client's.
    pub(in crate::trust) fn write(&self, bundle: &TrustBundle, state: &[u8]) -> Option<Vec<u8>> {
        let mut out = bundle.fingerprint().to_vec();
        out.extend(self.not_after.as_secs().to_be_bytes());
        out.push(u8::try_from(self.links.len()).ok()?);
        for (link, certificate) in self.links.iter().zip(&self.chain) {
            out.extend(link.issuer.name_sha256);
            out.extend(link.issuer.spki_sha256);
            let serial = link.serial.as_der_content();
            out.push(u8::try_from(serial.len()).ok()?);
            out.extend(serial);
            let position = position(state, certificate)?;
            out.extend(u16::try_from(position).ok()?.to_be_bytes());
            out.extend(u16::try_from(certificate.len()).ok()?.to_be_bytes());
        }
        Some(out)
    }

    /// Brings back the path that was written down in `memory`, if it is good at `now` for clients of `bundle`. Signatures are only
    /// verified again if the trust anchors are others now. `None` if it cannot be read.
    ///
    /// Both slices must come out of a ticket of ours: a forged memory is a forged client.
    pub(in crate::trust) fn read(
        memory: &[u8],
        state: &[u8],
        bundle: &TrustBundle,
        revocations: &Revocations,
        now: UnixTime,
    ) -> Option<Result<(Self, Standing), Refusal>> {
        let (fingerprint, rest) = memory.split_first_chunk::<32>()?;
        let (not_after, rest) = rest.split_first_chunk()?;
        let not_after = UnixTime::since_unix_epoch(Duration::from_secs(u64::from_be_bytes(*not_after)));
        let (count, mut rest) = rest.split_first()?;
        let (mut links, mut chain) = (Vec::new(), Vec::new());
        for _ in 0..*count {
            let (link, certificate, after) = read_link(rest, state)?;
            links.push(link);
            chain.push(certificate);
            rest = after;
        }
        let whole = !chain.is_empty() && rest.is_empty();
        let path = whole.then_some(Self { chain, links, not_after })?;
        Some(if fingerprint == bundle.fingerprint() {
            path.check(revocations, now).map(|standing| (path, standing))
        } else {
            path.verify_again(bundle, revocations, now)
        })
    }
}

/// Where `certificate` lies in `state`. Its beginning, with the serial number, nearly always tells it apart, and is found in a
/// fraction of the time that a search for all of it would take to prepare.
fn position(state: &[u8], certificate: &[u8]) -> Option<usize> {
    let beginning = certificate.get(..BEGINNING).unwrap_or(certificate);
    memmem::find_iter(state, beginning)
        .find(|&at| state.get(at..).is_some_and(|rest| rest.starts_with(certificate)))
}

type Read<'a> = (Link, CertificateDer<'static>, &'a [u8]);

/// A link, its certificate, and what comes after it in the memory.
fn read_link<'a>(memory: &'a [u8], state: &[u8]) -> Option<Read<'a>> {
    let (name_sha256, rest) = memory.split_first_chunk()?;
    let (spki_sha256, rest) = rest.split_first_chunk()?;
    let issuer = IssuerId { name_sha256: *name_sha256, spki_sha256: *spki_sha256 };
    let (length, rest) = rest.split_first()?;
    let (serial, rest) = rest.split_at_checked(usize::from(*length))?;
    let serial = Serial::from_der_content(serial).ok()?;
    let (position, rest) = rest.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let position = usize::from(u16::from_be_bytes(*position));
    let certificate = state.get(position..)?.get(..usize::from(u16::from_be_bytes(*length)))?;
    Some((Link { issuer, serial }, CertificateDer::from(certificate.to_vec()), rest))
}
