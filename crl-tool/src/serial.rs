//! What a serial number is: decided here, for the CRL's side and for the certificate's side.

use std::fmt;

/// The most content octets a serial may have. RFC 5280 §4.1.2.2 allows 20; longer ones from CAs that break the rule
/// are told apart up to this length, because one odd entry should not take a whole CRL out of service.
pub const MAX_SERIAL_OCTETS: usize = 32;

/// A certificate serial number: the minimal two's-complement content octets of its DER INTEGER.
///
/// Zero and negative serials exist (RFC 5280 §4.1.2.2 asks to handle them gracefully) and are compared like any other.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Serial {
    length: u8,
    // Octets past `length` are zero, so that derived equality and hashing hold.
    octets: [u8; MAX_SERIAL_OCTETS],
}

/// Why something is not a serial number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SerialError {
    /// An INTEGER without content.
    #[error("a serial number without octets")]
    Empty,
    /// A superfluous leading octet: the same number would have two encodings.
    #[error("a serial number that is not encoded minimally")]
    NotMinimal,
    /// Longer than [`MAX_SERIAL_OCTETS`].
    #[error("a serial number of {octets} octets, where {MAX_SERIAL_OCTETS} is the most")]
    TooLong {
        /// Its length.
        octets: usize,
    },
    /// Not hexadecimal.
    #[error("`{character}` in a serial number, where hexadecimal digits are expected")]
    NotHex {
        /// The first character that is no digit.
        character: char,
    },
}

impl Serial {
    /// A serial from the content octets of a DER INTEGER, as certificates and CRLs carry it.
    ///
    /// # Errors
    /// Refuses what is empty, longer than [`MAX_SERIAL_OCTETS`] or not minimal.
    pub fn from_der_content(content: &[u8]) -> Result<Serial, SerialError> {
        check(content)?;
        let mut octets = [0; MAX_SERIAL_OCTETS];
        for (octet, &value) in octets.iter_mut().zip(content) {
            *octet = value;
        }
        let length = u8::try_from(content.len())
            .map_err(|_too_long| SerialError::TooLong { octets: content.len() })?;
        Ok(Serial { length, octets })
    }

    /// A serial from hexadecimal as people write it: either case, leading zeros, `0x` and colons allowed, `-` for a
    /// negative number. It is the number that counts, so `0xFF`, `ff` and `00:FF` are one serial.
    ///
    /// # Errors
    /// Refuses what is empty, too long or not hexadecimal.
    pub fn from_hex(text: &str) -> Result<Serial, SerialError> {
        let text = text.trim();
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let text = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
        let mut digits = Vec::new();
        for character in text.chars().filter(|&character| character != ':') {
            let digit = character.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            digits.push(digit.ok_or(SerialError::NotHex { character })?);
        }
        if digits.is_empty() {
            return Err(SerialError::Empty);
        }
        if digits.len() % 2 == 1 {
            digits.insert(0, 0);
        }
        // A zero octet in front leaves room for the sign, whatever the number is.
        let mut octets = vec![0];
        octets.extend(digits.chunks(2).map(|pair| pair.iter().fold(0, |octet, digit| (octet << 4) | digit)));
        if negative {
            negate(&mut octets);
        }
        Serial::from_der_content(minimal(&octets))
    }

    /// The content octets of its DER INTEGER.
    #[must_use]
    pub fn as_der_content(&self) -> &[u8] {
        self.octets.get(..usize::from(self.length)).unwrap_or(&self.octets)
    }
}

/// Checks that `content` is the one encoding of a serial number.
pub(crate) fn check(content: &[u8]) -> Result<(), SerialError> {
    if content.len() > MAX_SERIAL_OCTETS {
        return Err(SerialError::TooLong { octets: content.len() });
    }
    match *content {
        [] => Err(SerialError::Empty),
        // X.690 §8.3.2: the first nine bits are neither all zero nor all one.
        [0x00, second, ..] if second < 0x80 => Err(SerialError::NotMinimal),
        [0xff, second, ..] if second >= 0x80 => Err(SerialError::NotMinimal),
        [_, ..] => Ok(()),
    }
}

fn minimal(mut octets: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = octets
        && check_first_nine_bits(*first, rest)
    {
        octets = rest;
    }
    octets
}

fn check_first_nine_bits(first: u8, rest: &[u8]) -> bool {
    rest.first().is_some_and(|&second| (first == 0 && second < 0x80) || (first == 0xff && second >= 0x80))
}

fn negate(octets: &mut [u8]) {
    let mut carry = true;
    for octet in octets.iter_mut().rev() {
        (*octet, carry) = (!*octet).overflowing_add(u8::from(carry));
    }
}

/// Lower-case hexadecimal of the number, two digits an octet, without a sign octet; `-` before a negative number.
impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut magnitude = self.as_der_content().to_vec();
        if magnitude.first().is_some_and(|&first| first >= 0x80) {
            magnitude.insert(0, 0xff);
            negate(&mut magnitude);
            f.write_str("-")?;
        }
        let leading = magnitude.iter().take_while(|&&octet| octet == 0).count();
        let leading = leading.min(magnitude.len().saturating_sub(1));
        magnitude.iter().skip(leading).try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_is_read_as_a_number() {
        for (text, content) in [
            ("0", &[0x00][..]),
            ("0x7f", &[0x7f]),
            ("FF", &[0x00, 0xff]),
            ("00:ff", &[0x00, 0xff]),
            ("0000001", &[0x01]),
            ("abc", &[0x0a, 0xbc]),
            ("-1", &[0xff]),
            ("-80", &[0x80]),
            ("-81", &[0xff, 0x7f]),
        ] {
            assert_eq!(Serial::from_hex(text).unwrap().as_der_content(), content, "{text}");
        }
    }

    #[test]
    fn display_reads_back() {
        for content in
            [&[0x00][..], &[0x00, 0xff], &[0x80], &[0xff], &[0xff, 0x7f], &[0x12, 0x34], &[0x80; 20]]
        {
            let serial = Serial::from_der_content(content).unwrap();
            assert_eq!(Serial::from_hex(&serial.to_string()), Ok(serial), "{serial}");
        }
        assert_eq!(Serial::from_der_content(&[0x00, 0x80]).unwrap().to_string(), "80");
        assert_eq!(Serial::from_der_content(&[0x80]).unwrap().to_string(), "-80");
    }

    #[test]
    fn only_the_minimal_encoding_is_a_serial() {
        for content in [&[0x00, 0x01][..], &[0xff, 0x80], &[0x00, 0x00]] {
            assert_eq!(Serial::from_der_content(content), Err(SerialError::NotMinimal));
        }
        assert_eq!(Serial::from_der_content(&[]), Err(SerialError::Empty));
        assert_eq!(Serial::from_der_content(&[1; 33]), Err(SerialError::TooLong { octets: 33 }));
        assert_eq!(Serial::from_hex("12g4"), Err(SerialError::NotHex { character: 'g' }));
        assert_eq!(Serial::from_hex("0x"), Err(SerialError::Empty));
        assert!(Serial::from_hex(&"f".repeat(100)).is_err());
    }
}
