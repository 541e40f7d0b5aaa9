//! A certificate as text that fits into a header.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::clock::rfc3339;

/// RFC 7468 §2: base64 lines of 64 characters.
const LINE: usize = 64;

/// RFC 9440 §2.1: a certificate is a Byte Sequence of RFC 8941 §3.3.5.
pub(super) fn byte_sequence(der: &[u8]) -> String {
    format!(":{}:", STANDARD.encode(der))
}

/// PEM, percent-encoded. The characters of base64 that are not letters or digits stay as they are where `safe` has them:
/// Envoy encodes them, the ALB does not.
pub(super) fn pem(der: &[u8], safe: &str) -> String {
    let base64 = STANDARD.encode(der);
    let mut text = String::from("-----BEGIN%20CERTIFICATE-----%0A");
    for (index, character) in base64.chars().enumerate() {
        if index > 0 && index % LINE == 0 {
            text.push_str("%0A");
        }
        if character.is_ascii_alphanumeric() || safe.contains(character) {
            text.push(character);
        } else {
            percent(&mut text, character);
        }
    }
    text + "%0A-----END%20CERTIFICATE-----%0A"
}

/// A distinguished name in ASCII: RFC 4514 §2.4 lets any octet be written as a backslash and two digits. Field values of
/// other characters do not pass everywhere (RFC 9110 §5.5).
pub(super) fn ascii_name(name: &str) -> String {
    escaped(name, |byte| !byte.is_ascii_graphic() && byte != b' ')
}

/// As [`ascii_name`], to stand between double quotes: it holds neither a double quote nor a backslash before one, so that
/// no reader can take its end for elsewhere.
pub(super) fn quotable_name(name: &str) -> String {
    // The escapes of RFC 4514 that stand for these two characters, in its other way to write them.
    ascii_name(&name.replace("\\\\", "\\5C").replace("\\\"", "\\22"))
}

/// A URI, with what must not stand in one percent-encoded.
pub(super) fn uri(uri: &str) -> String {
    let mut text = String::with_capacity(uri.len());
    for character in uri.chars() {
        if character.is_ascii_graphic() && !matches!(character, '"' | '\\' | '<' | '>') {
            text.push(character);
        } else {
            percent(&mut text, character);
        }
    }
    text
}

/// The number without the octet that keeps it positive, as OpenSSL prints it.
pub(super) fn serial(octets: &[u8]) -> String {
    let octets = match octets {
        [0, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    };
    octets.iter().fold(String::new(), |mut text, octet| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02X}");
        text
    })
}

/// As the ALB writes it, from seconds since the Unix epoch.
pub(super) fn validity(not_before: i64, not_after: i64) -> String {
    format!("NotBefore={};NotAfter={}", rfc3339(not_before), rfc3339(not_after))
}

fn percent(text: &mut String, character: char) {
    let mut utf8 = [0; 4];
    for octet in character.encode_utf8(&mut utf8).bytes() {
        let _ = write!(text, "%{octet:02X}");
    }
}

fn escaped(name: &str, escape: impl Fn(u8) -> bool) -> String {
    name.bytes().fold(String::with_capacity(name.len()), |mut text, byte| {
        if escape(byte) {
            let _ = write!(text, "\\{byte:02X}");
        } else {
            text.push(char::from(byte));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_ascii_without_loss() {
        assert_eq!(
            ascii_name("CN=Jürgen \\\"J\\\" O'Neil\\, Jr.,O=Müller & Söhne"),
            "CN=J\\C3\\BCrgen \\\"J\\\" O'Neil\\, Jr.,O=M\\C3\\BCller & S\\C3\\B6hne"
        );
    }

    #[test]
    fn a_quotable_name_cannot_end_its_quotes() {
        // CN is  a";URI=spiffe://admin\  in the certificate.
        let name = "CN=a\\\"\\;URI=spiffe://admin\\\\";
        assert_eq!(quotable_name(name), "CN=a\\22\\;URI=spiffe://admin\\5C");
        // Backslashes before a quote, in a row.
        let tricky = quotable_name("CN=\\\\\\\"\\\\\\\\\\\"");
        assert_eq!(tricky, "CN=\\5C\\22\\5C\\5C\\22");
    }

    #[test]
    fn a_serial_has_no_sign_octet() {
        assert_eq!(serial(&[0, 0xfe, 0xf2]), "FEF2");
        assert_eq!(serial(&[3, 0xa5]), "03A5");
        assert_eq!(serial(&[0]), "00");
    }

    #[test]
    fn pem_breaks_its_lines_where_base64_does() {
        let text = pem(&[0xfb; 60], "+=/");
        assert_eq!(text.matches("%0A").count(), 4);
        assert!(text.contains("+/v7") && !text.contains("%2B"));
        assert!(pem(&[0xfb; 60], "").contains("%2B%2Fv7"));
        // 48 octets are one whole line: no empty one behind it.
        assert_eq!(pem(&[0; 48], "").matches("%0A").count(), 3);
    }

    #[test]
    fn what_no_uri_holds_is_percent_encoded() {
        assert_eq!(uri("spiffe://a/b\"; \u{fc}"), "spiffe://a/b%22;%20%C3%BC");
    }
}
