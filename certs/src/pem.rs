//! PEM, RFC 7468.

use std::io::{self, Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use x509_parser::pem::Pem;

const CERTIFICATE: &str = "CERTIFICATE";

/// Certificates one after the other.
pub(crate) fn certificates(chain: &[Vec<u8>]) -> String {
    let mut text = Vec::new();
    for certificate in chain {
        // Reading a slice and writing to a Vec do not fail.
        let _infallible = write(CERTIFICATE, certificate.as_slice(), &mut text);
    }
    String::from_utf8(text).unwrap_or_default()
}

/// The DER of the first certificate in `text`.
pub(crate) fn first_certificate(text: &str) -> Option<Vec<u8>> {
    Pem::iter_from_buffer(text.as_bytes())
        .map_while(Result::ok)
        .find(|block| block.label == CERTIFICATE)
        .map(|block| block.contents)
}

/// Copies `der` to `out` as one PEM block, however long it is.
pub(crate) fn write(label: &str, mut der: impl Read, out: &mut dyn Write) -> io::Result<()> {
    // 48 octets make a line of 64 characters.
    const LINE: usize = 48;
    const CHUNK: u64 = 48 * 1024;
    let mut chunk = Vec::new();
    let mut line = String::new();
    writeln!(out, "-----BEGIN {label}-----")?;
    while (&mut der).take(CHUNK).read_to_end(&mut chunk)? > 0 {
        for octets in chunk.chunks(LINE) {
            line.clear();
            STANDARD.encode_string(octets, &mut line);
            line.push('\n');
            out.write_all(line.as_bytes())?;
        }
        chunk.clear();
    }
    writeln!(out, "-----END {label}-----")
}
