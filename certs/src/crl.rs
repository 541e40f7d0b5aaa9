//! A certificate revocation list, RFC 5280 §5, written as a stream: its size is bounded by the disk, not by memory.

use std::io::{self, BufWriter, Write};

use time::{Duration, OffsetDateTime};

use crate::key::Signer;
use crate::{Authority, Entries, Error, KeyType, der};

/// How long a CRL is good for unless said otherwise.
const LIFETIME: Duration = Duration::days(30);

/// A CRL to be signed. Stale, backdated or contradictory ones can be made as well: that is what tests need.
pub struct Crl {
    /// The CRL number, RFC 5280 §5.2.3.
    pub number: u128,
    /// When it was issued, to the second.
    pub this_update: OffsetDateTime,
    /// When the next one is due. RFC 5280 §5.1.2.5 requires it; `None` leaves it out all the same.
    pub next_update: Option<OffsetDateTime>,
    entries: Vec<Box<dyn Entries>>,
}

impl Crl {
    /// An empty CRL that is due for renewal after 30 days.
    pub fn new(number: u128, this_update: OffsetDateTime) -> Self {
        let next_update = Some(this_update.saturating_add(LIFETIME));
        Self { number, this_update, next_update, entries: Vec::new() }
    }

    /// Adds entries after those already there.
    #[must_use]
    pub fn with(mut self, entries: impl Entries + 'static) -> Self {
        self.entries.push(Box::new(entries));
        self
    }

    /// Sets when the next one is due.
    #[must_use]
    pub fn due(mut self, next_update: Option<OffsetDateTime>) -> Self {
        self.next_update = next_update;
        self
    }

    /// The signed CRL, DER, in memory.
    ///
    /// # Errors
    /// As [`Crl::write`].
    pub fn to_der(&self, issuer: &Authority) -> Result<Vec<u8>, Error> {
        let mut der = Vec::new();
        self.write(issuer, &mut der)?;
        Ok(der)
    }

    /// Signs the CRL and writes it as DER.
    ///
    /// # Errors
    /// When `out` or a source of entries fails, or the key cannot sign.
    pub fn write(&self, issuer: &Authority, out: &mut dyn Write) -> Result<(), Error> {
        let algorithm = KeyType::of(issuer.key())?.signature_algorithm();
        let tbs = Tbs::new(self, issuer, algorithm)?;

        // The length of the signature comes before the list, so the list is walked twice.
        let mut signer = BufWriter::with_capacity(BUFFER, Signer::new(issuer.key())?);
        tbs.write(&mut signer)?;
        let signature = signer.into_inner().map_err(io::IntoInnerError::into_error)?.sign()?;
        let signature = der::element(der::BIT_STRING, &[&[0], signature.as_slice()].concat());

        let length = tbs.size() + der::octets(algorithm) + der::octets(&signature);
        let mut out = BufWriter::with_capacity(BUFFER, out);
        out.write_all(&der::header(der::SEQUENCE, length))?;
        tbs.write(&mut out)?;
        out.write_all(algorithm)?;
        out.write_all(&signature)?;
        Ok(out.flush()?)
    }
}

/// Calls through `dyn Write` are dear at 10 million entries of 45 octets: the inner writer sees 64 KiB at a time.
const BUFFER: usize = 64 * 1024;

/// The `tbsCertList`: the entries, and what stands before and after them.
struct Tbs<'a> {
    before: Vec<u8>,
    entries: &'a [Box<dyn Entries>],
    entries_size: u64,
    after: Vec<u8>,
}

impl<'a> Tbs<'a> {
    fn new(crl: &'a Crl, issuer: &Authority, algorithm: &[u8]) -> Result<Self, Error> {
        let entries_size =
            crl.entries.iter().try_fold(0, |sum, entries| entries.size().map(|size| sum + size))?;
        // RFC 5280 §5.1.2.1: version 2, written as 1.
        let version = der::unsigned(&[1]);
        let next_update = crl.next_update.map(der::time).unwrap_or_default();
        // RFC 5280 §5.1.2.6: a list without entries is absent, not empty.
        let list = if entries_size == 0 { Vec::new() } else { der::header(der::SEQUENCE, entries_size) };
        let after = extensions(issuer.key_id(), crl.number);
        let fields =
            [&version, algorithm, issuer.name_der(), &der::time(crl.this_update), &next_update, &list]
                .concat();
        let length = der::octets(&fields) + entries_size + der::octets(&after);
        let before = [der::header(der::SEQUENCE, length), fields].concat();
        Ok(Self { before, entries: &crl.entries, entries_size, after })
    }

    fn size(&self) -> u64 {
        der::octets(&self.before) + self.entries_size + der::octets(&self.after)
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&self.before)?;
        for entries in self.entries {
            entries.write(out)?;
        }
        out.write_all(&self.after)
    }
}

/// RFC 5280 §5.2: the authority key identifier and the CRL number are in every CRL; neither is critical.
fn extensions(key_id: &[u8], number: u128) -> Vec<u8> {
    const AUTHORITY_KEY_ID: &[u8] = b"\x55\x1d\x23";
    const CRL_NUMBER: &[u8] = b"\x55\x1d\x14";
    let key_id = der::sequence(&[&der::element(der::CONTEXT_0_PRIMITIVE, key_id)]);
    let extensions = der::sequence(&[
        &der::extension(AUTHORITY_KEY_ID, &key_id),
        &der::extension(CRL_NUMBER, &der::unsigned(&number.to_be_bytes())),
    ]);
    der::element(der::CONTEXT_0, &extensions)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;
    use x509_parser::prelude::{CertificateRevocationList, FromDer};

    use super::*;
    use crate::{Padding, Reason, Revoked, Validity};

    const NOW: OffsetDateTime = datetime!(2026-11-21 12:00:00 UTC);

    fn authority() -> Authority {
        Authority::root("Test Root", KeyType::P256, Validity::days(NOW, 1)).unwrap()
    }

    #[test]
    fn every_field_reads_back() {
        let issuer = authority();
        let date = datetime!(2026-01-02 03:04:05 UTC);
        let number = u128::from(u64::MAX) + 1;
        let der = Crl::new(number, NOW)
            .with(Revoked { serial: vec![0xff, 1], date, reason: Reason::CertificateHold })
            .with(Revoked { serial: vec![7], date, reason: Reason::Unspecified })
            .to_der(&issuer)
            .unwrap();

        let (rest, crl) = CertificateRevocationList::from_der(&der).unwrap();
        assert!(rest.is_empty());
        assert_eq!(crl.issuer().as_raw(), issuer.name_der());
        assert_eq!(crl.last_update().to_datetime(), NOW);
        assert_eq!(crl.next_update().unwrap().to_datetime(), NOW + Duration::days(30));
        assert_eq!(*crl.crl_number().unwrap(), number.into());
        let entries: Vec<_> = crl.iter_revoked_certificates().collect();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0].raw_serial(), [0, 0xff, 1]);
        assert_eq!(entries[0].revocation_date.to_datetime(), date);
        assert_eq!(entries[0].reason_code().unwrap().1.0, 6);
        assert_eq!(entries[1].raw_serial(), [7]);
        assert!(entries[1].extensions().is_empty());
    }

    #[test]
    fn a_crl_without_entries_has_no_list() {
        let der = Crl::new(1, NOW).due(None).to_der(&authority()).unwrap();
        let (_, crl) = CertificateRevocationList::from_der(&der).unwrap();
        assert!(crl.next_update().is_none());
        assert_eq!(crl.iter_revoked_certificates().count(), 0);
    }

    #[test]
    fn the_same_seed_gives_the_same_entries() {
        let write = |seed| {
            let mut out = Vec::new();
            Padding { entries: 1000, seed, until: NOW }.write(&mut out).unwrap();
            out
        };
        assert_eq!(write(1), write(1));
        assert_ne!(write(1), write(2));
    }

    #[test]
    fn padding_has_distinct_serials_of_16_to_20_octets_and_reasons_on_half() {
        let der = Crl::new(1, NOW)
            .with(Padding { entries: 10_000, seed: 0, until: NOW })
            .to_der(&authority())
            .unwrap();
        let (_, crl) = CertificateRevocationList::from_der(&der).unwrap();
        let serials: std::collections::HashSet<_> =
            crl.iter_revoked_certificates().map(|entry| entry.raw_serial().to_vec()).collect();
        assert_eq!(serials.len(), 10_000);
        for length in 16..=20 {
            let share = serials.iter().filter(|serial| serial.len() == length).count();
            assert!((1_800..2_200).contains(&share), "{share} of {length} octets");
        }
        assert!(serials.iter().all(|serial| (0x40..0x80).contains(&serial[0])));
        let with_reason =
            crl.iter_revoked_certificates().filter(|entry| entry.reason_code().is_some()).count();
        assert!((4_800..5_200).contains(&with_reason), "{with_reason}");
        assert!(crl.iter_revoked_certificates().all(|entry| entry.revocation_date.to_datetime() <= NOW));
    }
}
