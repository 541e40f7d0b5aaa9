//! Just enough of HTTP/1.1 for servers of one request a connection.

use std::io::{self, BufRead, Read};

/// A request line with its headers.
pub(crate) struct Head {
    /// Such as `GET`.
    pub(crate) method: String,
    /// The path with its query, as it came.
    pub(crate) target: String,
    /// All of it, up to the empty line, which is left out.
    pub(crate) lines: Vec<String>,
}

impl Head {
    /// Reads one; `None` at the end of the connection.
    pub(crate) fn read(stream: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            let line = line.trim_end().to_owned();
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        let mut words = lines.first().map(String::as_str).unwrap_or_default().split(' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        Ok(Some(Self { method: word(), target: word(), lines }))
    }

    /// The first header of that name, in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let is_it =
            |line: &&String| line.split_once(':').is_some_and(|(of, _)| of.eq_ignore_ascii_case(name));
        let line = self.lines.iter().find(is_it)?;
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    }

    /// Reads the body that Content-Length announces.
    pub(crate) fn body(&self, stream: &mut impl BufRead) -> io::Result<String> {
        let length = self.header("content-length").and_then(|length| length.parse().ok());
        let mut body = String::new();
        stream.take(length.unwrap_or(0)).read_to_string(&mut body)?;
        Ok(body)
    }
}
