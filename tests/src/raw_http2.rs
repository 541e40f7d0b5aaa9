//! HTTP/2 by hand: the frames that no good client sends. RFC 9113, and as much of RFC 7541 as it takes.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::Failure;
use crate::pki::Pki;
use crate::raw_tls::{RawTls, Version, client_config};

/// RFC 9113 §6: the types of frames.
pub mod kind {
    /// A piece of a body.
    pub const DATA: u8 = 0;
    /// The head of a message, or its trailers.
    pub const HEADERS: u8 = 1;
    /// The end of a stream.
    pub const RST_STREAM: u8 = 3;
    /// What the sender can take.
    pub const SETTINGS: u8 = 4;
    /// Are you there?
    pub const PING: u8 = 6;
    /// The end of the connection.
    pub const GOAWAY: u8 = 7;
    /// Room for more of a body.
    pub const WINDOW_UPDATE: u8 = 8;
    /// More of a head.
    pub const CONTINUATION: u8 = 9;
}

/// The flag of HEADERS and DATA that ends the stream, and of SETTINGS and PING that acknowledges.
pub const END_STREAM: u8 = 1;
/// The flag of HEADERS and CONTINUATION that ends the head.
pub const END_HEADERS: u8 = 4;
/// RFC 9113 §7: the error that says "too much of something".
pub const ENHANCE_YOUR_CALM: u32 = 11;

/// An open connection.
pub struct RawHttp2(RawTls);

/// A frame from the server.
#[derive(Debug)]
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// What its type makes of them.
    pub flags: u8,
    /// Whose it is; 0 for the connection's.
    pub stream: u32,
    /// The rest.
    pub payload: Vec<u8>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With this status.
    Status(u16),
    /// RST_STREAM with this error.
    Reset(u32),
    /// GOAWAY with this error.
    GoAway(u32),
    /// The connection closed without a word.
    Closed,
}

impl RawHttp2 {
    /// Connects as `client` with TLS 1.3 and sends the preface.
    ///
    /// # Errors
    ///
    /// When the handshake fails.
    pub fn connect(pki: &Pki, address: SocketAddr, client: &str) -> Result<Self, Failure> {
        let config = client_config(pki, client, Version::Tls13, b"h2")?;
        let mut connection = Self(RawTls::connect_with(Arc::new(config), address)?);
        connection.0.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")?;
        connection.send(&frame(kind::SETTINGS, 0, 0, &[]))?;
        Ok(connection)
    }

    /// Sends bytes as they are, usually frames.
    ///
    /// # Errors
    ///
    /// When the connection is gone.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.0.send(bytes)
    }

    /// Waits for the answer to a ping: what was sent before has been read.
    ///
    /// # Errors
    ///
    /// When the connection is gone.
    pub fn ping(&mut self) -> Result<(), Failure> {
        self.send(&frame(kind::PING, 0, 0, &[7; 8]))?;
        while self.receive()?.kind != kind::PING {}
        Ok(())
    }

    /// The next frame.
    ///
    /// # Errors
    ///
    /// When the connection ends before.
    pub fn receive(&mut self) -> Result<Frame, Failure> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head)?;
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = head;
        let length = u32::from_be_bytes([0, l0, l1, l2]);
        let mut payload = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        self.0.read_exact(&mut payload)?;
        Ok(Frame { kind, flags, stream: u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]), payload })
    }

    /// Reads until the request on `stream` has ended, or the connection has.
    ///
    /// # Errors
    ///
    /// [`Failure::Deadline`] when neither happens.
    pub fn end_of(&mut self, stream: u32) -> Result<End, Failure> {
        loop {
            let frame = match self.receive() {
                Ok(frame) => frame,
                Err(Failure::Connection(error)) if crate::raw_tls::is_timeout(&error) => {
                    return Err(Failure::Connection(error));
                }
                Err(_) => return Ok(End::Closed),
            };
            match frame.kind {
                kind::HEADERS if frame.stream == stream => {
                    let missing = || Failure::Missing(format!("a status in {:02x?}", frame.payload));
                    return Ok(End::Status(status(&frame.payload).ok_or_else(missing)?));
                }
                kind::RST_STREAM if frame.stream == stream => {
                    return Ok(End::Reset(number_at(&frame.payload, 0)));
                }
                kind::GOAWAY => return Ok(End::GoAway(number_at(&frame.payload, 4))),
                _ => {}
            }
        }
    }
}

/// A frame as the wire has it.
#[must_use]
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    let [_, l0, l1, l2] = length;
    let mut bytes = vec![l0, l1, l2, kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// The head of a request to `path` in one frame, its usual fields and then `fields`.
#[must_use]
pub fn request(stream: u32, flags: u8, method: &str, path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let usual = [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path)];
    head(stream, flags, &[&usual[..], fields].concat())
}

/// The head of a message in one frame, with exactly `fields`.
#[must_use]
pub fn head(stream: u32, flags: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(kind::HEADERS, flags | END_HEADERS, stream, &block(fields))
}

/// RFC 7541 §6.2.2: literal fields without indexing, names and values as they are.
#[must_use]
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            length(&mut block, text.len());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// RFC 7541 §5.1: an integer with a prefix of seven bits.
fn length(block: &mut Vec<u8>, length: usize) {
    let Some(mut rest) = length.checked_sub(127) else {
        return block.push(u8::try_from(length).unwrap_or_default());
    };
    block.push(127);
    while rest >= 128 {
        block.push(u8::try_from(rest % 128).unwrap_or_default() | 128);
        rest /= 128;
    }
    block.push(u8::try_from(rest).unwrap_or_default());
}

/// The status of a response's head, which is its first field: indexed (RFC 7541 §A), or a literal of three digits.
fn status(block: &[u8]) -> Option<u16> {
    const STATIC: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    match block {
        [index @ 0x88..=0x8e, ..] => STATIC.get(usize::from(index - 0x88)).copied(),
        // A literal with the name of entry 8, Huffman-coded: 0 to 2 have five bits, 3 to 9 have six.
        [0x48 | 0x08, 0x82 | 0x83, digits @ ..] => {
            let bits: Vec<bool> =
                digits.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect();
            let (mut at, mut status) = (0, 0);
            for _ in 0..3 {
                let code = |length| {
                    bits.get(at..at + length)
                        .map(|bits| bits.iter().fold(0, |code, bit| code * 2 + u16::from(*bit)))
                };
                let short = code(5)?;
                let (digit, length) =
                    if short <= 2 { (short, 5) } else { (code(6)?.checked_sub(0b01_1001)? + 3, 6) };
                (at, status) = (at + length, status * 10 + digit);
            }
            Some(status)
        }
        [0x48 | 0x08, 3, digits @ ..] => std::str::from_utf8(digits.get(..3)?).ok()?.parse().ok(),
        _ => None,
    }
}

fn number_at(payload: &[u8], at: usize) -> u32 {
    let bytes = payload.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(u32::MAX, u32::from_be_bytes)
}
