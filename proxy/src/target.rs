//! The path of a request: what two servers could read differently in it, and what it says when it is unambiguous.
//!
//! Routes are matched on the path that is forwarded. RFC 3986 §6.2.2 lets the next server decode and normalise that path, and
//! many do more: they take `\` or `%2F` for a slash, collapse `//`, and cut `;…` out of segments. A path that such a server
//! could read as one of another route must not get through on this one, so it is refused rather than repaired.

/// What may be wrong with a path, for people.
pub type Ambiguity = &'static str;

/// How far the path was seen to be plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plain {
    /// Some of the first segments are percent-encoded, so that they have to be [`decoded`] to be compared.
    pub escaped: bool,
}

/// Looks through `path`. In its first `depth` segments no spelling of a delimiter but the plain one passes; dot segments
/// and empty segments pass nowhere.
///
/// # Errors
///
/// What is ambiguous.
pub fn check(path: &str, depth: usize) -> Result<Plain, Ambiguity> {
    let mut rest = path.as_bytes();
    if rest.first() != Some(&b'/') {
        return Err("it does not begin with a slash");
    }
    let (mut segment, mut piece, mut plain) = (0, Piece::default(), Plain { escaped: false });
    while let [byte, after @ ..] = rest {
        rest = after;
        let deep = segment > depth;
        match byte {
            b'/' => {
                if segment > 0 {
                    piece.end()?;
                }
                piece = Piece::default();
                segment += 1;
            }
            b'\\' => return Err("a backslash"),
            b';' if !deep => return Err("a semicolon"),
            b';' => piece.parameters = true,
            b'%' => {
                let (decoded, after) = octet(rest).ok_or("a percent sign without two hexadecimal digits")?;
                rest = after;
                plain.escaped |= !deep;
                match decoded {
                    b'/' | b'\\' if deep => {
                        piece.end()?;
                        piece = Piece::default();
                    }
                    b'/' | b'\\' => return Err("an encoded slash"),
                    b';' if !deep => return Err("an encoded semicolon"),
                    b';' => piece.parameters = true,
                    0..0x20 | 0x7f => return Err("an encoded control character"),
                    // RFC 3629 §3: never in UTF-8. Decoders that take them see the dot and slash of an overlong form.
                    0xc0 | 0xc1 => return Err("an overlong UTF-8 sequence"),
                    b'%' => match octet(rest) {
                        Some((b'.', _)) => return Err("a dot that is encoded twice"),
                        Some((b'/' | b'\\' | b';' | b'%', _)) if !deep => {
                            return Err("a delimiter that is encoded twice");
                        }
                        _ => piece.add(b'%'),
                    },
                    other => piece.add(other),
                }
            }
            other => piece.add(*other),
        }
    }
    // A slash at the end is no empty segment.
    if !piece.is_empty() {
        piece.end()?;
    }
    Ok(plain)
}

/// The first `depth` segments of a path that [`check`] has passed, with their percent-encoding undone.
pub fn decoded(path: &str, depth: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let (mut rest, mut segment) = (path.as_bytes(), 0);
    while let [byte, after @ ..] = rest {
        rest = after;
        segment += usize::from(*byte == b'/');
        if segment > depth {
            break;
        }
        match octet(rest).filter(|_| *byte == b'%') {
            Some((octet, after)) => {
                out.push(octet);
                rest = after;
            }
            None => out.push(*byte),
        }
    }
    out
}

/// The octet that the two hexadecimal digits at the start of `bytes` stand for, and what follows.
fn octet(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let [high, low, after @ ..] = bytes else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some((digit(high)? << 4 | digit(low)?, after))
}

/// What stands between two slashes of whatever spelling, without `;…`.
#[derive(Default)]
struct Piece {
    dots: u8,
    others: bool,
    parameters: bool,
}

impl Piece {
    fn add(&mut self, byte: u8) {
        match byte {
            _ if self.parameters => {}
            b'.' => self.dots = self.dots.saturating_add(1),
            _ => self.others = true,
        }
    }

    fn is_empty(&self) -> bool {
        !self.others && self.dots == 0 && !self.parameters
    }

    /// RFC 3986 §5.2.4: `.` and `..` are removed on the way, with the segment before.
    fn end(&self) -> Result<(), Ambiguity> {
        match (self.others, self.dots) {
            (false, 0) => Err("an empty segment"),
            (false, 1 | 2) => Err("a dot segment"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths_pass() {
        for path in
            ["/", "/a", "/a/", "/a.b/..c/...", "/a-b_c~d/x,y=1", "/a/b/x%2Fy", "/a/b/c;v=1", "/a/b/%25x"]
        {
            assert_eq!(check(path, 2), Ok(Plain { escaped: false }), "{path}");
        }
        for path in ["/%61", "/a%7Eb/c", "/caf%C3%A9"] {
            assert_eq!(check(path, 2), Ok(Plain { escaped: true }), "{path}");
        }
    }

    #[test]
    fn dot_segments_pass_in_no_spelling_and_at_no_depth() {
        for dots in [
            ".",
            "..",
            "%2e",
            "%2E%2e",
            ".%2e",
            "..;x",
            "..;",
            "%2e%2e%3bx",
            "x%2F..",
            "..%5cx",
            "%252e%252e",
            "..%2f",
        ] {
            for path in [
                format!("/{dots}"),
                format!("/a/{dots}/b"),
                format!("/a/b/c/{dots}"),
                format!("/a/b/c/{dots}/d"),
            ] {
                assert!(check(&path, 1).is_err(), "{path}");
            }
        }
    }

    #[test]
    fn what_some_servers_take_for_slashes_passes_only_where_no_route_looks() {
        for odd in ["a%2Fb", "a%2fb", "a%5Cb", "a;b", "a%3Bb", "a%252fb", "a%253bb"] {
            assert!(check(&format!("/{odd}"), 1).is_err(), "{odd}");
            assert!(check(&format!("/x/{odd}/y"), 2).is_err(), "{odd}");
            assert!(check(&format!("/x/{odd}/y"), 1).is_ok(), "{odd}");
        }
    }

    #[test]
    fn what_has_no_one_reading_passes_nowhere() {
        for path in [
            "",
            "*",
            "a/b",
            "//",
            "/a//b",
            "/a/b/c//",
            "/a/b/;x/c",
            "/a\\b",
            "/a/b/c\\d",
            "/%",
            "/a/b/%4",
            "/a/b/%u002e",
            "/a/b/%00",
            "/a/b/%0a",
            "/a/b/%c0%ae",
            "/a/b/c%2F%2Fd",
        ] {
            assert!(check(path, 1).is_err(), "{path}");
        }
    }

    #[test]
    fn the_first_segments_are_decoded() {
        assert_eq!(decoded("/%6frders/%37/x%2fy", 2), b"/orders/7");
        assert_eq!(decoded("/%6frders", 2), b"/orders");
        assert_eq!(decoded("/", 2), b"/");
    }
}
