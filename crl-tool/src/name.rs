//! Distinguished names for people.

use std::fmt::Write as _;
use x509_parser::prelude::{FromDer, X509Name};
use x509_parser::x509::AttributeTypeAndValue;

/// The DER `Name` as RFC 4514 writes it: most specific part first, specials escaped. `None` if it is no `Name`.
#[must_use]
pub fn rfc4514(der: &[u8]) -> Option<String> {
    let (rest, name) = X509Name::from_der(der).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let mut parts: Vec<String> = Vec::new();
    for relative in name.iter_rdn() {
        let attributes: Vec<String> = relative.iter().map(attribute).collect();
        parts.push(attributes.join("+"));
    }
    parts.reverse();
    Some(parts.join(","))
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let oid = attribute.attr_type().to_id_string();
    // RFC 4514 §3: only these types have names that every reader knows.
    let keyword = match oid.as_str() {
        "2.5.4.3" => Some("CN"),
        "2.5.4.6" => Some("C"),
        "2.5.4.7" => Some("L"),
        "2.5.4.8" => Some("ST"),
        "2.5.4.9" => Some("STREET"),
        "2.5.4.10" => Some("O"),
        "2.5.4.11" => Some("OU"),
        "0.9.2342.19200300.100.1.1" => Some("UID"),
        "0.9.2342.19200300.100.1.25" => Some("DC"),
        _ => None,
    };
    let text = attribute.as_str().ok();
    match (keyword, text) {
        (Some(keyword), Some(text)) => format!("{keyword}={}", escaped(text)),
        (None, Some(text)) => format!("{oid}={}", escaped(text)),
        // RFC 4514 §2.4: other values are the hexadecimal of their encoding; the content has to do here.
        (_, None) => format!("{oid}={}", hexadecimal(attribute.attr_value().data)),
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let last = text.chars().count().saturating_sub(1);
    for (index, character) in text.chars().enumerate() {
        let at_edge = index == 0 || index == last;
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => escaped.extend(['\\', character]),
            '#' if index == 0 => escaped.push_str("\\#"),
            ' ' if at_edge => escaped.push_str("\\ "),
            // Line breaks and the like must not reach a log line as they are.
            control if control.is_control() => {
                let mut utf8 = [0; 4];
                for octet in control.encode_utf8(&mut utf8).bytes() {
                    // Writing to a String cannot fail.
                    let _ = write!(escaped, "\\{octet:02X}");
                }
            }
            plain => escaped.push(plain),
        }
    }
    escaped
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().fold("#".to_owned(), |mut text, octet| {
        let _ = write!(text, "{octet:02X}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_reversed_and_escaped() {
        let der = [
            &[0x30, 0x22, 0x31, 0x0b, 0x30, 0x09, 0x06, 0x03, 0x55, 0x04, 0x06, 0x13, 0x02][..],
            b"DE",
            &[0x31, 0x13, 0x30, 0x11, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x0a],
            b"# Acme, \n ",
        ]
        .concat();
        assert_eq!(rfc4514(&der).as_deref(), Some("CN=\\# Acme\\, \\0A\\ ,C=DE"));
        assert_eq!(rfc4514(&[0x30, 0x01]), None);
        assert_eq!(rfc4514(&[0x30, 0x00, 0x00]), None);
        assert_eq!(rfc4514(&[0x30, 0x00]).as_deref(), Some(""));
    }
}
