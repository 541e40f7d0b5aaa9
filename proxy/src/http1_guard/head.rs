//! One request head: RFC 9112 §2 to §6, without the leniency.

use super::HeadLimits;
use super::chunked::Chunked;
use crate::refusal::Refusal;

/// What the next bytes of a connection are.
#[derive(Debug)]
pub(super) enum Framing {
    /// A request head.
    Head,
    /// What the answer to an upgrade makes of them.
    Undecided,
    /// Another protocol's.
    Tunnel,
    /// This many bytes of body.
    Length(u64),
    /// A chunked body.
    Chunked(Chunked),
}

/// What the bytes at the start of a message are.
#[derive(Debug)]
pub(super) enum Head {
    /// Not all there.
    Incomplete,
    /// All there, and fit to pass.
    Complete {
        /// Bytes, blank line included.
        length: usize,
        /// What follows.
        body: Framing,
    },
}

impl Head {
    /// Reads the head at the start of `bytes`.
    pub(super) fn scan(bytes: &[u8], limits: HeadLimits) -> Result<Self, Refusal> {
        let too_large = || Refusal::HeadersTooLarge { limit: format!("{} bytes", limits.bytes) };
        let mut fields = Fields::default();
        let mut at = 0;
        let mut seen_request_line = false;
        let mut seen_empty_line = false;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
                return if bytes.len() > limits.bytes { Err(too_large()) } else { Ok(Self::Incomplete) };
            };
            at += end + 1;
            if at > limits.bytes {
                return Err(too_large());
            }
            let line = rest.get(..end).unwrap_or_default();
            let line = line.strip_suffix(b"\r").ok_or_else(|| malformed("a line ends in LF without CR"))?;
            match (line, seen_request_line) {
                // RFC 9112 §2.2: an empty line before the request line is to be ignored; hyper does. More have no reason.
                ([], false) if !std::mem::replace(&mut seen_empty_line, true) => {}
                ([], false) => return Err(malformed("more than one empty line before the request line")),
                ([], true) => {
                    return Ok(Self::Complete { length: at, body: fields.framing(limits.upgrades)? });
                }
                (line, false) => {
                    fields.http11 = request_line(line)? == b"HTTP/1.1";
                    fields.get = line.starts_with(b"GET ");
                    seen_request_line = true;
                }
                (line, true) => {
                    fields.count += 1;
                    if fields.count > limits.count {
                        return Err(Refusal::HeadersTooLarge {
                            limit: format!("{} header fields", limits.count),
                        });
                    }
                    fields.add(line)?;
                }
            }
        }
    }
}

fn malformed(detail: &'static str) -> Refusal {
    Refusal::MalformedRequest { detail: detail.into() }
}

fn conflict(detail: &'static str) -> Refusal {
    Refusal::ConflictingLength { detail }
}

/// RFC 9112 §3: method SP request-target SP HTTP-version, single spaces, nothing else.
///
/// Answers with the version.
fn request_line(line: &[u8]) -> Result<&[u8], Refusal> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(malformed("the request line is not METHOD TARGET VERSION"));
    };
    if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) {
        return Err(malformed("the method is not a token"));
    }
    if target.is_empty() || !target.iter().all(u8::is_ascii_graphic) {
        return Err(malformed("the request target holds bytes that are not allowed in a URI"));
    }
    // RFC 9112 §3.2: origin-form, absolute-form, or `*`. authority-form is for CONNECT, which is refused later, by name.
    let scheme =
        |scheme: &[u8]| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    let path = target.starts_with(b"/") || (method, target) == (b"OPTIONS", b"*");
    if !(path || scheme(b"http://") || scheme(b"https://") || method == b"CONNECT") {
        return Err(malformed("the request target is neither a path nor a URI"));
    }
    if !matches!(version, b"HTTP/1.1" | b"HTTP/1.0") {
        return Err(malformed("the version is neither HTTP/1.1 nor HTTP/1.0"));
    }
    Ok(version)
}

/// The fields that say where a message ends and where it goes.
#[derive(Default)]
struct Fields {
    count: usize,
    length: Option<u64>,
    chunked: bool,
    host: bool,
    http11: bool,
    get: bool,
    upgrade: bool,
}

impl Fields {
    fn add(&mut self, line: &[u8]) -> Result<(), Refusal> {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            // RFC 9112 §5.2: obs-fold.
            return Err(malformed("a header line is folded"));
        }
        let colon = line
            .iter()
            .position(|byte| *byte == b':')
            .ok_or_else(|| malformed("a header line has no colon"))?;
        let (name, value) = line.split_at_checked(colon).unwrap_or_default();
        if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
            // RFC 9112 §5.1: white space before the colon is how a header hides from one parser and not from the next.
            return Err(malformed("a header name is not a token"));
        }
        let value = value.get(1..).unwrap_or_default();
        if value.iter().any(|byte| matches!(byte, 0 | b'\r')) {
            return Err(malformed("a header value holds NUL or CR"));
        }
        let value = value.trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            self.content_length(value)?;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            // RFC 9112 §6.1: chunked is the one coding that says where the body ends. Lists and others are not forwarded.
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(conflict("Transfer-Encoding is anything but one \"chunked\""));
            }
            self.chunked = true;
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            self.upgrade = true;
        } else if name.eq_ignore_ascii_case(b"host") && std::mem::replace(&mut self.host, true) {
            // RFC 9112 §3.2.
            return Err(malformed("more than one Host"));
        }
        if self.chunked && self.length.is_some() {
            return Err(conflict("both Content-Length and Transfer-Encoding"));
        }
        Ok(())
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.length.is_some() {
            return Err(conflict("more than one Content-Length"));
        }
        // Digits alone: no sign, no list, no white space inside.
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let length = std::str::from_utf8(value).ok().filter(|_| digits).and_then(|text| text.parse().ok());
        self.length = Some(length.ok_or_else(|| conflict("Content-Length is not a number"))?);
        Ok(())
    }

    fn framing(self, upgrades: bool) -> Result<Framing, Refusal> {
        if self.chunked && !self.http11 {
            // RFC 9112 §6.1: HTTP/1.0 has no Transfer-Encoding, so somebody on the way did not read it.
            return Err(conflict("Transfer-Encoding in an HTTP/1.0 request"));
        }
        if self.http11 && !self.host {
            // RFC 9112 §3.2.
            return Err(malformed("HTTP/1.1 without Host"));
        }
        Ok(match (self.chunked, self.length) {
            (true, _) => Framing::Chunked(Chunked::default()),
            (false, Some(length)) if length > 0 => Framing::Length(length),
            (false, _) if upgrades && self.upgrade && self.http11 && self.get => Framing::Undecided,
            (false, _) => Framing::Head,
        })
    }
}

/// RFC 9110 §5.6.2.
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(head: &str) -> Result<Head, &'static str> {
        let limits = HeadLimits { bytes: 200, count: 10, time: std::time::Duration::ZERO, upgrades: false };
        Head::scan(head.as_bytes(), limits).map_err(|refusal| refusal.label())
    }

    #[test]
    fn a_plain_head_passes_and_says_what_follows() {
        let head = "POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n";
        let Ok(Head::Complete { length, body: Framing::Length(12) }) = scan(head) else {
            panic!("not passed")
        };
        assert_eq!(length, head.len());
        assert!(matches!(
            scan("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: Chunked\r\n\r\n"),
            Ok(Head::Complete { body: Framing::Chunked(_), .. })
        ));
        assert!(matches!(scan("GET / HTTP/1.1\r\nHost: x\r\n\r"), Ok(Head::Incomplete)));
    }

    #[test]
    fn shapes_that_two_parsers_read_differently_are_refused_by_name() {
        for (fields, label) in [
            ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "conflicting_length"),
            ("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "conflicting_length"),
            ("Content-Length: 3\r\nContent-Length: 3\r\n", "conflicting_length"),
            ("Content-Length: 3, 3\r\n", "conflicting_length"),
            ("Content-Length: +3\r\n", "conflicting_length"),
            ("Content-Length: 99999999999999999999999\r\n", "conflicting_length"),
            ("Transfer-Encoding: gzip, chunked\r\n", "conflicting_length"),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "conflicting_length"),
            ("Transfer-Encoding : chunked\r\n", "malformed_request"),
            ("Transfer-Encoding:\n chunked\r\n", "malformed_request"),
            ("A: b\r\n folded\r\n", "malformed_request"),
            ("A: b\nC: d\r\n", "malformed_request"),
            ("A: b\rc\r\n", "malformed_request"),
            ("A: b\0c\r\n", "malformed_request"),
            ("no colon\r\n", "malformed_request"),
            ("Host: b\r\n", "malformed_request"),
        ] {
            assert_eq!(
                scan(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).unwrap_err(),
                label,
                "{fields:?}"
            );
        }
    }

    #[test]
    fn request_lines_are_strict() {
        for line in [
            "GET  / HTTP/1.1",
            "GET /\tHTTP/1.1",
            "G(T / HTTP/1.1",
            "GET / HTTP/1.2",
            "GET /",
            " GET / HTTP/1.1",
            "\r\n\r\nGET / HTTP/1.1",
            "GET example.com HTTP/1.1",
            "GET * HTTP/1.1",
        ] {
            assert_eq!(scan(&format!("{line}\r\n\r\n")).unwrap_err(), "malformed_request", "{line:?}");
        }
    }

    #[test]
    fn the_limit_counts_complete_and_incomplete_heads() {
        let long = "a".repeat(300);
        assert_eq!(scan(&format!("GET /{long}")).unwrap_err(), "headers_too_large");
        assert_eq!(scan(&format!("GET / HTTP/1.1\r\nX: {long}\r\n\r\n")).unwrap_err(), "headers_too_large");
        let many = "a: b\r\n".repeat(11);
        assert_eq!(scan(&format!("GET / HTTP/1.1\r\n{many}\r\n")).unwrap_err(), "headers_too_large");
    }
}
