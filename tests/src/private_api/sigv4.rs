//! Verifies AWS Signature Version 4 as AWS publishes it: an implementation of its own, to compare signers with.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use http::{HeaderMap, request};
use time::{Duration, OffsetDateTime, PrimitiveDateTime};

use crate::hex;

/// How far a signature's time may be from ours.
const WINDOW: Duration = Duration::minutes(5);

/// Who may sign, and for what.
#[derive(Clone, Debug)]
pub struct Verifier {
    /// Secrets, and session tokens of temporary credentials, by access key id.
    keys: BTreeMap<String, (String, Option<String>)>,
    region: String,
    service: String,
}

impl Verifier {
    /// `keys` are `ID:SECRET` or `ID:SECRET:TOKEN`.
    #[must_use]
    pub fn new(region: &str, service: &str, keys: &[String]) -> Self {
        let keys = keys.iter().filter_map(|key| {
            let mut parts = key.splitn(3, ':').map(str::to_owned);
            Some((parts.next()?, (parts.next()?, parts.next())))
        });
        Self { keys: keys.collect(), region: region.to_owned(), service: service.to_owned() }
    }

    /// Who signed a request whose body has this SHA-256.
    ///
    /// # Errors
    ///
    /// What is wrong with the signature.
    pub fn verify(&self, head: &request::Parts, body_sha256: &str) -> Result<String, String> {
        self.verify_at(head, body_sha256, OffsetDateTime::now_utc())
    }

    fn verify_at(
        &self,
        head: &request::Parts,
        body_sha256: &str,
        now: OffsetDateTime,
    ) -> Result<String, String> {
        let value = |name: &str| one(&head.headers, name);
        let authorization = value("authorization")?;
        let fields = authorization.strip_prefix("AWS4-HMAC-SHA256 ").ok_or("another algorithm")?;
        let fields: BTreeMap<_, _> =
            fields.split(',').filter_map(|field| field.trim().split_once('=')).collect();
        let field = |name: &str| fields.get(name).copied().ok_or(format!("no {name}"));
        let mut scope = field("Credential")?.split('/');
        let mut next = || scope.next().unwrap_or_default();
        let (id, day, region, service, end) = (next(), next(), next(), next(), next());
        if (region, service, end) != (self.region.as_str(), self.service.as_str(), "aws4_request") {
            return Err(format!("signed for {region}/{service}/{end}"));
        }
        let (secret, token) = self.keys.get(id).ok_or(format!("unknown access key {id}"))?;
        if token.as_deref() != value("x-amz-security-token").ok().as_deref() {
            return Err("another security token".to_owned());
        }
        let stamp = value("x-amz-date")?;
        let format = time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
        let time = PrimitiveDateTime::parse(&stamp, format).map_err(|error| error.to_string())?.assume_utc();
        if (now - time).abs() > WINDOW || !stamp.starts_with(day) {
            return Err(format!("signed at {stamp}"));
        }
        let payload = match value("x-amz-content-sha256") {
            Ok(said) if said == "UNSIGNED-PAYLOAD" && self.service != "execute-api" => said,
            _ => body_sha256.to_owned(),
        };
        let names = field("SignedHeaders")?;
        for needed in ["host", "x-amz-date"] {
            if !names.split(';').any(|name| name == needed) {
                return Err(format!("{needed} is not signed"));
            }
        }
        let mut headers = String::new();
        for name in names.split(';') {
            let values: Vec<_> = head.headers.get_all(name).iter().filter_map(|v| v.to_str().ok()).collect();
            let values: Vec<_> =
                values.iter().map(|v| v.split_ascii_whitespace().collect::<Vec<_>>().join(" ")).collect();
            headers += &format!("{name}:{}\n", values.join(","));
        }
        let canonical = format!(
            "{}\n{}\n{}\n{headers}\n{names}\n{payload}",
            head.method,
            canonical_path(head.uri.path()),
            canonical_query(head.uri.query().unwrap_or_default()),
        );
        let scope = format!("{day}/{region}/{service}/aws4_request");
        let canonical_sha256 = hex(digest(&SHA256, canonical.as_bytes()).as_ref());
        let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{canonical_sha256}");
        let mut key = format!("AWS4{secret}").into_bytes();
        for part in [day, region, service, "aws4_request"] {
            key = mac(&key, part);
        }
        if hex(&mac(&key, &to_sign)) == field("Signature")? {
            Ok(id.to_owned())
        } else {
            Err(format!("another signature; the canonical request is {canonical:?}"))
        }
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn one(headers: &HeaderMap, name: &str) -> Result<String, String> {
    let mut values = headers.get_all(name).iter();
    match (values.next().and_then(|value| value.to_str().ok()), values.next()) {
        (Some(value), None) => Ok(value.to_owned()),
        _ => Err(format!("not one {name}")),
    }
}

/// Normalized as RFC 3986 §5.2.4 has it, and each segment encoded once more, as every service but S3 wants.
fn canonical_path(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(encoded(segment.as_bytes())),
        }
    }
    let end = if path.ends_with('/') && !segments.is_empty() { "/" } else { "" };
    format!("/{}{end}", segments.join("/"))
}

/// Decoded, encoded, sorted by name and then by value.
fn canonical_query(query: &str) -> String {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<_> = pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encoded(&decoded(name)), encoded(&decoded(value)))
        })
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Only `%XX` is decoded: a `+` is a plus sign here, where others see a space.
fn decoded(text: &str) -> Vec<u8> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend(part.bytes().skip(2));
            }
            None => {
                bytes.push(b'%');
                bytes.extend(part.bytes());
            }
        }
    }
    bytes
}

fn encoded(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            text + &char::from(*byte).to_string()
        }
        other => text + &format!("%{other:02X}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    /// The cases `get-…` of the suite that AWS publishes: target, other headers, signature.
    fn check(target: &str, headers: &[(&str, &str)], signature: &str) -> Result<String, String> {
        let verifier = Verifier::new(
            "us-east-1",
            "service",
            &["AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned()],
        );
        let mut names: Vec<_> = headers.iter().map(|(name, _)| *name).chain(["host", "x-amz-date"]).collect();
        names.sort_unstable();
        names.dedup();
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders={}, Signature={signature}",
            names.join(";")
        );
        let mut request = http::Request::get(target)
            .header("host", "example.amazonaws.com")
            .header("x-amz-date", "20150830T123600Z")
            .header("authorization", authorization);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let now = time::macros::datetime!(2015-08-30 12:38:00 UTC);
        verifier.verify_at(&request.body(()).unwrap().into_parts().0, EMPTY, now)
    }

    #[test]
    fn the_published_vectors_verify() {
        for (target, headers, signature) in [
            ("/", &[][..], "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            (
                "/example1/example2/../..",
                &[],
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            ("//example//", &[], "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
            (
                "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
                &[],
                "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
            ),
            (
                "/",
                &[("my-header1", "value2"), ("my-header1", "value2"), ("my-header1", "value1")],
                "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
            ),
            (
                "/",
                &[("my-header1", " value1"), ("my-header2", " \"a   b   c\"")],
                "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
            ),
        ] {
            assert_eq!(check(target, headers, signature).as_deref(), Ok("AKIDEXAMPLE"), "{target}");
        }
    }

    #[test]
    fn another_time_or_signature_does_not() {
        let signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
        assert!(check("/?a", &[], signature).unwrap_err().contains("another signature"));
        assert!(check("/", &[], "00").is_err());
    }
}
