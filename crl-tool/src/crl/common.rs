//! Entries as nearly every CA writes nearly all of them, recognised by a few comparisons: a serial, a UTCTime, and
//! nothing else or a reason code. What differs in any octet takes the long way, which alone refuses.

use super::entry::Entry;
use crate::date::Moment;
use crate::der;
use crate::reason::Reason;
use crate::serial;

/// RFC 5280 §5.3.1: only in delta CRLs, so that the long way decides.
const REMOVE_FROM_CRL: u8 = 8;
/// Extensions that consist of a reason code.
const EXTENSIONS: usize = 14;
/// A UTCTime with its tag and length.
const TIME: usize = 15;
/// Extensions that consist of a reason code, up to the code itself: SEQUENCE, SEQUENCE, OBJECT IDENTIFIER 2.5.29.21,
/// OCTET STRING, ENUMERATED.
const REASON: [u8; 13] = [0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01];

impl<'a> Entry<'a> {
    /// Reads the entry at the start of `bytes` if it is a common one. It is then what [`Entry::any`] would return.
    #[inline(always)]
    pub(super) fn common(bytes: &'a [u8]) -> Option<Entry<'a>> {
        let &[der::SEQUENCE, length, der::INTEGER, octets, ref rest @ ..] = bytes else { return None };
        let (serial, rest) = rest.split_at_checked(usize::from(octets))?;
        serial::check(serial).ok()?;
        let (time, rest) = rest.split_first_chunk::<TIME>()?;
        let [der::UTC_TIME, 13, digits @ ..] = time else { return None };
        let date = Moment::utc(digits).ok()?;
        let size = 2 + usize::from(length);
        // Serials have at most 32 octets, so that a `length` in its long form agrees with neither.
        let left = size.checked_sub(4 + serial.len() + TIME)?;
        let (&[ref extensions @ .., code], _) = rest.split_first_chunk::<EXTENSIONS>()?;
        let has_extensions = left == EXTENSIONS;
        let reason = if has_extensions { Reason::from_code(code) } else { None };
        // No `&&`: about half of all entries have a reason, and a branch that cannot be predicted takes longer than
        // all of this. What follows the list's last entry is no reason, and need not be there.
        let known = (*extensions == REASON) & reason.is_some() & (code != REMOVE_FROM_CRL);
        if !((left == 0) | (has_extensions & known)) {
            return None;
        }
        Some(Entry { size, serial, date, reason, issuer: None, has_extensions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(serial: &[u8], rest: &[u8]) -> Vec<u8> {
        let fields = [&[2, u8::try_from(serial.len()).unwrap()], serial, rest].concat();
        [&[0x30, u8::try_from(fields.len()).unwrap()], fields.as_slice()].concat()
    }

    fn fields(entry: Entry<'_>) -> (usize, Vec<u8>, Moment, Option<Reason>, bool) {
        (entry.size, entry.serial.to_vec(), entry.date, entry.reason, entry.has_extensions)
    }

    #[test]
    fn common_entries_are_recognised() {
        let time = b"\x17\x0d261121083000Z";
        let entry = |serial: &[u8], rest: &[u8]| [entry(serial, rest), vec![0x30; EXTENSIONS]].concat();
        assert!(Entry::common(&entry(&[0x40; 20], time)).is_some());
        assert!(Entry::common(&entry(&[0x40; 16], &[time, &REASON[..], &[1]].concat())).is_some());
        assert!(Entry::common(&entry(&[0x40; 16], &[time, &REASON[..], &[8]].concat())).is_none());
        assert!(Entry::common(&entry(&[0x40; 16], b"\x18\x0f20261121083000Z")).is_none());
    }

    /// Whatever one octet of a common entry becomes, and wherever the input ends.
    #[test]
    fn the_short_way_never_says_what_the_long_way_would_not() {
        let time = b"\x17\x0d240229235959Z";
        for whole in [
            entry(&[0x40; 20], time),
            entry(&[0], time),
            entry(&[0, 0x80, 7], &[time, &REASON[..], &[1]].concat()),
            entry(&[0xff, 0x7f], &[time, &REASON[..], &[10]].concat()),
        ] {
            for (place, octet) in (0..whole.len()).flat_map(|place| (0..=255).map(move |it| (place, it))) {
                let mut bytes = [whole.as_slice(), &[0x30; EXTENSIONS]].concat();
                bytes[place] = octet;
                for bytes in [&bytes[..], &bytes[..place]] {
                    if let Some(common) = Entry::common(bytes) {
                        let any = Entry::any(bytes, 0).unwrap_or_else(|_| panic!("refused: {bytes:02x?}"));
                        assert_eq!(fields(common), fields(any), "{bytes:02x?}");
                    }
                }
            }
        }
    }
}
