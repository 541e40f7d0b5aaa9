//! Just enough DER to write CRLs, well-formed or not.

/// An element of these parts.
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut bytes = vec![tag];
    match u32::try_from(content.len()).unwrap() {
        length @ 0..0x80 => bytes.push(length.to_be_bytes()[3]),
        length => {
            let octets = length.to_be_bytes();
            let octets = &octets[octets.iter().position(|&octet| octet != 0).unwrap()..];
            bytes.push(0x80 | u8::try_from(octets.len()).unwrap());
            bytes.extend_from_slice(octets);
        }
    }
    bytes.extend(content);
    bytes
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(0x30, parts)
}

pub(crate) fn integer(content: &[u8]) -> Vec<u8> {
    element(0x02, &[content])
}

pub(crate) fn utc_time(text: &str) -> Vec<u8> {
    element(0x17, &[text.as_bytes()])
}

pub(crate) fn generalized_time(text: &str) -> Vec<u8> {
    element(0x18, &[text.as_bytes()])
}

/// An extension under id-ce (2.5.29).
pub(crate) fn extension(number: u8, critical: bool, value: &[u8]) -> Vec<u8> {
    let flag: &[u8] = if critical { &[0x01, 0x01, 0xff] } else { &[] };
    sequence(&[&element(0x06, &[&[0x55, 0x1d, number]]), flag, &element(0x04, &[value])])
}

/// An extension nobody knows: 1.2.3.4.
pub(crate) fn unknown_extension(critical: bool) -> Vec<u8> {
    let flag: &[u8] = if critical { &[0x01, 0x01, 0xff] } else { &[] };
    sequence(&[&[0x06, 0x03, 0x2a, 0x03, 0x04], flag, &[0x04, 0x02, 0x05, 0x00]])
}

/// The extension with a reason code.
pub(crate) fn reason(code: u8) -> Vec<u8> {
    extension(21, false, &[0x0a, 0x01, code])
}

/// An entry with these extensions.
pub(crate) fn entry(serial: &[u8], extensions: &[Vec<u8>]) -> Vec<u8> {
    let list = if extensions.is_empty() { vec![] } else { sequence(&[&extensions.concat()]) };
    sequence(&[&integer(serial), &utc_time("260102030405Z"), &list])
}
