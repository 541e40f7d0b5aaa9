//! The number of a CRL.

use std::fmt;
use std::str::FromStr;

/// The most octets a CRL number has (RFC 5280 §5.2.3).
const OCTETS: usize = 20;

/// A CRL number. It only grows from one CRL of an issuer to the next (RFC 5280 §5.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CrlNumber([u8; OCTETS]);

impl CrlNumber {
    /// The number in the content octets of a DER INTEGER; `None` if they are not minimal, negative or over 20 octets.
    pub(crate) fn from_der_content(content: &[u8]) -> Option<CrlNumber> {
        let magnitude = match *content {
            [] => return None,
            [first, ..] if first >= 0x80 => return None,
            [0x00, second, ..] if second < 0x80 => return None,
            [0x00, _, ..] => content.get(1..)?,
            [_, ..] => content,
        };
        let mut octets = [0; OCTETS];
        octets.get_mut(OCTETS.checked_sub(magnitude.len())?..)?.copy_from_slice(magnitude);
        Some(CrlNumber(octets))
    }
}

/// Decimal, as it is shown.
impl FromStr for CrlNumber {
    type Err = CrlNumberError;

    fn from_str(text: &str) -> Result<CrlNumber, CrlNumberError> {
        let mut octets = [0; OCTETS];
        if text.is_empty() {
            return Err(CrlNumberError);
        }
        for digit in text.chars() {
            let mut carry = digit.to_digit(10).ok_or(CrlNumberError)?;
            for octet in octets.iter_mut().rev() {
                let [.., high, low] = (u32::from(*octet) * 10 + carry).to_be_bytes();
                (*octet, carry) = (low, u32::from(high));
            }
            if carry != 0 {
                return Err(CrlNumberError);
            }
        }
        Ok(CrlNumber(octets))
    }
}

/// No decimal number of at most 20 octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a CRL number, which is decimal and has at most 20 octets")]
pub struct CrlNumberError;

/// Decimal, as long as it takes.
impl fmt::Display for CrlNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        let mut digits = Vec::new();
        while digits.is_empty() || rest.iter().any(|&octet| octet != 0) {
            let mut remainder = 0_u16;
            for octet in &mut rest {
                let value = remainder * 256 + u16::from(*octet);
                *octet = u8::try_from(value / 10).unwrap_or(u8::MAX);
                remainder = value % 10;
            }
            digits.push(remainder);
        }
        digits.iter().rev().try_for_each(|digit| write!(f, "{digit}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(content: &[u8]) -> Option<String> {
        CrlNumber::from_der_content(content).map(|number| number.to_string())
    }

    #[test]
    fn numbers_are_decimal_and_ordered() {
        assert_eq!(shown(&[0]).as_deref(), Some("0"));
        assert_eq!(shown(&[0x10, 0x01]).as_deref(), Some("4097"));
        assert_eq!(shown(&[0, 0xff]).as_deref(), Some("255"));
        let largest = shown(&[&[0][..], &[0xff; 20]].concat());
        assert_eq!(largest.as_deref(), Some("1461501637330902918203684832716283019655932542975"));
        assert!(CrlNumber::from_der_content(&[2]) < CrlNumber::from_der_content(&[1, 0]));
    }

    #[test]
    fn what_is_shown_is_read_again() {
        for content in [&[0][..], &[1], &[0x10, 0x01], &[0, 0xff], &[&[0][..], &[0xff; 20]].concat()] {
            let number = CrlNumber::from_der_content(content).unwrap();
            assert_eq!(number.to_string().parse(), Ok(number));
        }
        let over = "1461501637330902918203684832716283019655932542976";
        for text in ["", "-1", "1 ", "0x1", over] {
            assert_eq!(text.parse::<CrlNumber>(), Err(CrlNumberError), "{text}");
        }
    }

    #[test]
    fn negative_padded_and_long_numbers_are_none() {
        for content in [&[][..], &[0x80], &[0, 1], &[1; 21]] {
            assert_eq!(shown(content), None);
        }
    }
}
