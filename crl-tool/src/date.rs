//! Times as RFC 5280 §5.1.2.4 to §5.1.2.6 asks for them.

use crate::der::{self, Element};
use crate::problem::{Flaw, Problem};
use time::{Date, Month, OffsetDateTime, Time};

/// A point in time by its digits, known to exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
}

impl Moment {
    /// Reads a `Time`: UTCTime through the year 2049 and GeneralizedTime from 2050, to the second, ending in `Z`.
    pub(crate) fn read(element: &Element<'_>) -> Result<Moment, Flaw> {
        let moment = match element.tag {
            der::UTC_TIME => Moment::utc(element.content),
            der::GENERALIZED_TIME => match Moment::generalized(element.content) {
                // RFC 5280 §5.1.2.4: dates through 2049 MUST be UTCTime.
                Ok(moment) if moment.year < 2050 => Err("a GeneralizedTime before 2050"),
                other => other,
            },
            tag => return Err(element.flaw(Problem::Unexpected { wanted: "a time", tag })),
        };
        moment.map_err(|why| element.flaw(Problem::Time(why)))
    }

    /// Reads the content of a UTCTime, `YYMMDDHHMMSSZ`.
    #[inline(always)]
    pub(crate) fn utc(digits: &[u8]) -> Result<Moment, &'static str> {
        let &[y1, y2, ref rest @ ..] = digits else { return Err("too short") };
        let year = u16::from(pair(y1, y2)?);
        // RFC 5280 §4.1.2.5.1: 50 and above are the twentieth century.
        Moment::after_year(if year >= 50 { 1900 + year } else { 2000 + year }, rest)
    }

    /// Reads the content of a GeneralizedTime of any year, `YYYYMMDDHHMMSSZ`.
    pub(crate) fn generalized(digits: &[u8]) -> Result<Moment, &'static str> {
        let &[y1, y2, y3, y4, ref rest @ ..] = digits else { return Err("too short") };
        Moment::after_year(u16::from(pair(y1, y2)?) * 100 + u16::from(pair(y3, y4)?), rest)
    }

    #[inline(always)]
    fn after_year(year: u16, digits: &[u8]) -> Result<Moment, &'static str> {
        let &[mo1, mo2, d1, d2, h1, h2, mi1, mi2, s1, s2, b'Z'] = digits else {
            return Err("seconds and a final Z are required, fractions and offsets are not allowed");
        };
        let [month, day, hour, minute] = pairs([mo1, mo2, d1, d2, h1, h2, mi1, mi2])?;
        let second = pair(s1, s2)?;
        if day == 0 || day > days_in(month, year) {
            return Err("no such day");
        }
        if hour > 23 || minute > 59 || second > 59 {
            return Err("no such time of day");
        }
        Ok(Moment { year, month, day, hour, minute, second })
    }

    /// The same point in time for the outside.
    pub(crate) fn to_date_time(self) -> OffsetDateTime {
        let date = Month::try_from(self.month)
            .and_then(|month| Date::from_calendar_date(i32::from(self.year), month, self.day));
        let time = Time::from_hms(self.hour, self.minute, self.second);
        // Every `Moment` exists, see `after_year`; the epoch is never returned.
        date.and_then(|date| time.map(|time| date.with_time(time).assume_utc()))
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

fn pair(tens: u8, ones: u8) -> Result<u8, &'static str> {
    if tens.is_ascii_digit() && ones.is_ascii_digit() {
        Ok((tens - b'0') * 10 + (ones - b'0'))
    } else {
        Err("not a digit")
    }
}

/// Four pairs at once: a big CRL has millions of times.
#[inline(always)]
fn pairs(digits: [u8; 8]) -> Result<[u8; 4], &'static str> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let digits = u64::from_le_bytes(digits) ^ (0x30 * EACH);
    // Digits are 0 to 9 now: their upper halves are zero, and stay so when 6 is added.
    if (digits | digits.wrapping_add(6 * EACH)) & (0xf0 * EACH) != 0 {
        return Err("not a digit");
    }
    // No octet exceeds 99, so that none carries into the next one.
    let [first, _, second, _, third, _, fourth, _] = (digits * 10 + (digits >> 8)).to_le_bytes();
    Ok([first, second, third, fourth])
}

/// Zero for a month that does not exist, so that no day is in it.
fn days_in(month: u8, year: u16) -> u8 {
    let leap = || year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u8::from(leap()),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn read(tag: u8, text: &str) -> Option<OffsetDateTime> {
        let element = Element { tag, raw: text.as_bytes(), content: text.as_bytes(), offset: 0 };
        Moment::read(&element).ok().map(Moment::to_date_time)
    }

    #[test]
    fn utc_time_pivots_at_50() {
        assert_eq!(read(der::UTC_TIME, "491231235959Z"), Some(datetime!(2049-12-31 23:59:59 UTC)));
        assert_eq!(read(der::UTC_TIME, "500101000000Z"), Some(datetime!(1950-01-01 0:00 UTC)));
    }

    #[test]
    fn generalized_time_starts_in_2050() {
        assert_eq!(read(der::GENERALIZED_TIME, "20500101000000Z"), Some(datetime!(2050-01-01 0:00 UTC)));
        assert_eq!(read(der::GENERALIZED_TIME, "20491231235959Z"), None);
    }

    #[test]
    fn eight_digits_at_once_are_as_two_at_a_time() {
        for (place, octet) in (0..8).flat_map(|place| (0..=255).map(move |octet| (place, octet))) {
            let mut digits = *b"98765432";
            digits[place] = octet;
            let one_by_one: Result<Vec<u8>, _> = digits.chunks(2).map(|it| pair(it[0], it[1])).collect();
            assert_eq!(pairs(digits).map(Vec::from), one_by_one, "{digits:?}");
        }
    }

    #[test]
    fn odd_times_are_refused() {
        for text in [
            "2601010000Z",
            "260101000000",
            "260101000000+0000",
            "26010100000Z0",
            "261301000000Z",
            "260001000000Z",
            "260230000000Z",
            "260101240000Z",
            "260101006000Z",
            "260101000060Z",
            "26010100 000Z",
            "230229000000Z",
            "",
            "260100000000Z",
            "260101000000.5Z",
        ] {
            assert_eq!(read(der::UTC_TIME, text), None, "{text}");
        }
        assert!(read(der::UTC_TIME, "240229000000Z").is_some());
        assert!(read(der::GENERALIZED_TIME, "21000229000000Z").is_none(), "2100 is no leap year");
        assert!(read(0x04, "260101000000Z").is_none());
    }
}
