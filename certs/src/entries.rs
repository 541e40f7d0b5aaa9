//! Where the entries of a CRL come from.

use std::io::{self, Write};

use time::{Duration, OffsetDateTime};

use crate::{Reason, der};

/// A source of revoked certificates for a [`crate::Crl`].
pub trait Entries {
    /// Writes the entries one after the other, DER. It is called more than once and has to write the same each time.
    ///
    /// # Errors
    /// Those of `out`, or of where the entries are read from.
    fn write(&self, out: &mut dyn Write) -> io::Result<()>;

    /// How many octets [`Entries::write`] writes.
    ///
    /// # Errors
    /// As [`Entries::write`].
    fn size(&self) -> io::Result<u64> {
        let mut counter = Counter(0);
        self.write(&mut counter)?;
        Ok(counter.0)
    }
}

struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0 += der::octets(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One revoked certificate.
#[derive(Clone, Debug)]
pub struct Revoked {
    /// The serial number, big-endian; it is encoded as a positive INTEGER.
    pub serial: Vec<u8>,
    /// When it was revoked.
    pub date: OffsetDateTime,
    /// Why.
    pub reason: Reason,
}

impl Entries for Revoked {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        // RFC 5280 §5.3.1: the extension should be absent instead of saying "unspecified".
        let reason =
            if self.reason == Reason::Unspecified { Vec::new() } else { reason_extension(self.reason) };
        out.write_all(&der::sequence(&[&der::unsigned(&self.serial), &der::time(self.date), &reason]))
    }
}

/// `crlEntryExtensions` with nothing but a reasonCode.
fn reason_extension(reason: Reason) -> Vec<u8> {
    const CRL_REASON: &[u8] = b"\x55\x1d\x15";
    der::sequence(&[&der::extension(CRL_REASON, &der::element(der::ENUMERATED, &[reason.code()]))])
}

/// Random entries that belong to no certificate, to make a CRL big: serials of 16 to 20 octets, revoked within the
/// year before `until`, about half of them with a reason. The same values give the same entries in every version.
#[derive(Clone, Copy, Debug)]
pub struct Padding {
    /// How many.
    pub entries: u64,
    /// Which ones.
    pub seed: u64,
    /// The latest revocation date.
    pub until: OffsetDateTime,
}

impl Entries for Padding {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let dates: Vec<_> =
            (0..365).map(|day| der::time(self.until.saturating_sub(Duration::days(day)))).collect();
        let reasons = [
            Reason::KeyCompromise,
            Reason::AffiliationChanged,
            Reason::Superseded,
            Reason::CessationOfOperation,
            Reason::PrivilegeWithdrawn,
        ]
        .map(reason_extension);

        let mut random = SplitMix64(self.seed);
        let mut entry = Vec::new();
        for _ in 0..self.entries {
            let [a, b, c, choice] = [random.next(), random.next(), random.next(), random.next()];
            // The first octet is between 0x40 and 0x7f, so that no serial is negative or begins with a zero.
            let serial = [(a >> 2) | (1 << 62), b, c].map(u64::to_be_bytes);
            let serial = serial.as_flattened().iter().take(16 + index(choice, 5));
            let date = pick(&dates, choice >> 8);
            let reason = if choice & 0x80 == 0 { &[] } else { pick(&reasons, choice >> 32) };

            // Both lengths are far below 128, where DER changes its form.
            entry.clear();
            entry.extend([der::SEQUENCE, short(2 + serial.len() + date.len() + reason.len())]);
            entry.extend([der::INTEGER, short(serial.len())]);
            entry.extend(serial);
            entry.extend_from_slice(date);
            entry.extend_from_slice(reason);
            out.write_all(&entry)?;
        }
        Ok(())
    }
}

/// A length octet of DER's short form.
fn short(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}

/// A random number below `bound`.
fn index(random: u64, bound: usize) -> usize {
    u64::try_from(bound)
        .ok()
        .and_then(|bound| random.checked_rem(bound))
        .and_then(|index| index.try_into().ok())
        .unwrap_or(0)
}

/// A random element.
fn pick(list: &[Vec<u8>], random: u64) -> &[u8] {
    list.get(index(random, list.len())).map_or(&[], Vec::as_slice)
}

/// Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014. Ours, as the random number
/// crates do not promise the same numbers from one version to the next, and a seed shall name one CRL for good.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::{SHA256, digest};
    use time::macros::datetime;

    use super::*;

    #[test]
    fn splitmix_agrees_with_the_published_numbers() {
        let mut random = SplitMix64(1_234_567);
        assert_eq!([random.next(), random.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn a_seed_names_the_same_entries_in_every_version() {
        let mut entries = Vec::new();
        let until = datetime!(2026-11-21 12:00:00 UTC);
        Padding { entries: 1000, seed: 42, until }.write(&mut entries).unwrap();
        let hash: String =
            digest(&SHA256, &entries).as_ref().iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(hash, "0a3dd5b8f806e4cd9a383c7c0d11805a5d0b0302c2d18355cade8b3b51f86951");
    }
}
