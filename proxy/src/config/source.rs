//! Where something comes from: a file, Amazon S3, AWS Private CA or AWS Secrets Manager.

use std::fmt;
use std::path::{Path, PathBuf};

use crl_tool::Location;

/// A place, and which key names it: what is wrong with what is there is reported under that key.
#[derive(Debug, Clone)]
pub struct Source {
    /// The dotted key.
    pub key: String,
    /// Where.
    pub place: Place,
}

/// Two keys that name one place name the same.
impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

/// Where something is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// A file of this machine.
    File(PathBuf),
    /// One thing of AWS.
    Remote(Location),
    /// The CRLs in a bucket of S3 whose keys begin so.
    Prefix {
        /// The bucket.
        bucket: String,
        /// Ends in `/`.
        prefix: String,
    },
}

/// What a place is to hold, which decides which kinds of places will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A certificate or keys.
    Keys,
    /// Certificates of CAs.
    Authorities,
    /// CRLs, or an index of one.
    Crl,
}

impl Kind {
    fn expected(self) -> &'static str {
        match self {
            Self::Keys => "expected a file, s3://BUCKET/KEY, or the ARN of a secret of AWS Secrets Manager",
            Self::Authorities => "expected a file, s3://BUCKET/KEY, or the ARN of a CA of AWS Private CA",
            Self::Crl => "expected a file, s3://BUCKET/KEY, or s3://BUCKET/PREFIX/",
        }
    }
}

impl Place {
    /// The place that `text` names for something of that kind; files are relative to `base`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and what it should look like.
    pub(super) fn parse(text: &str, base: &Path, kind: Kind) -> Result<Self, (String, &'static str)> {
        let wrong = |problem: String| (problem, kind.expected());
        if text.starts_with("arn:") {
            let location = match kind {
                Kind::Keys => Location::secret(text),
                Kind::Authorities => Location::private_ca(text),
                Kind::Crl => return Err(wrong("an ARN is no place of a CRL".to_owned())),
            };
            return location.map(Self::Remote).map_err(|error| wrong(error.to_string()));
        }
        if let Some((bucket, prefix)) = text.strip_prefix("s3://").and_then(|rest| rest.split_once('/'))
            && kind == Kind::Crl
            && !bucket.is_empty()
            && (prefix.is_empty() || prefix.ends_with('/'))
        {
            return Ok(Self::Prefix { bucket: bucket.to_owned(), prefix: prefix.to_owned() });
        }
        match Location::named_by(Path::new(text)) {
            Ok(None) => Ok(Self::File(base.join(text))),
            Ok(Some(Location::S3 { key, .. })) if key.ends_with('/') => {
                Err(wrong("a prefix, where one object is wanted".to_owned()))
            }
            Ok(Some(location @ Location::S3 { .. })) => Ok(Self::Remote(location)),
            Ok(Some(Location::Web { .. } | Location::PrivateCa { .. } | Location::Secret { .. })) => {
                Err(wrong("an address of a kind that is not read here".to_owned()))
            }
            Err(error) => Err(wrong(error.to_string())),
        }
    }

    /// Whether it is elsewhere: what comes from there is proved before it counts.
    pub fn is_remote(&self) -> bool {
        !matches!(self, Self::File(_))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Remote(location) => location.fmt(f),
            Self::Prefix { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_apart_by_how_they_are_written() {
        let parse = |text: &str, kind| Place::parse(text, Path::new("/etc"), kind).map_err(drop);
        let object = Location::S3 { bucket: "b".to_owned(), key: "ca/root.crlx".to_owned() };
        assert_eq!(parse("s3://b/ca/root.crlx", Kind::Crl), Ok(Place::Remote(object)));
        let prefix = |prefix: &str| Place::Prefix { bucket: "b".to_owned(), prefix: prefix.to_owned() };
        assert_eq!(parse("s3://b/ca/", Kind::Crl), Ok(prefix("ca/")));
        assert_eq!(parse("s3://b/", Kind::Crl), Ok(prefix("")));
        assert_eq!(parse("ca.crl", Kind::Crl), Ok(Place::File("/etc/ca.crl".into())));
        let ca = "arn:aws:acm-pca:eu-west-1:123456789012:certificate-authority/1";
        let secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:tls-AbCdEf";
        assert!(matches!(parse(ca, Kind::Authorities), Ok(Place::Remote(Location::PrivateCa { .. }))));
        assert!(matches!(parse(secret, Kind::Keys), Ok(Place::Remote(Location::Secret { .. }))));
        for (text, kind) in [
            (ca, Kind::Crl),
            (ca, Kind::Keys),
            (secret, Kind::Authorities),
            ("s3://b/ca/", Kind::Authorities),
            ("s3://b", Kind::Crl),
            ("https://ca.example.com/ca.crl", Kind::Crl),
            ("ldap://directory/ca", Kind::Crl),
        ] {
            assert_eq!(parse(text, kind), Err(()), "{text}");
        }
    }
}
