//! Objects in S3, and where what is made of them goes.

use crl_tool::Location;
use std::fmt;
use std::path::PathBuf;

/// An object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Object {
    pub(crate) bucket: String,
    /// As it is: nothing in it is encoded.
    pub(crate) key: String,
}

impl Object {
    /// The object at an address, if it is one of S3.
    pub(crate) fn of(location: Location) -> Option<Object> {
        match location {
            Location::S3 { bucket, key } => Some(Object { bucket, key }),
            Location::Web { .. } | Location::PrivateCa { .. } | Location::Secret { .. } => None,
        }
    }

    pub(crate) fn location(&self) -> Location {
        Location::S3 { bucket: self.bucket.clone(), key: self.key.clone() }
    }

    /// Its address, where a command takes a path.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(self.to_string())
    }

    /// The one beside it whose key has `suffix` in addition.
    pub(crate) fn with(&self, suffix: &str) -> Object {
        Object { bucket: self.bucket.clone(), key: format!("{}{suffix}", self.key) }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

/// A bucket, and what keys in it start with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    bucket: String,
    prefix: String,
}

impl Target {
    /// `s3://BUCKET` or `s3://BUCKET/PREFIX`.
    pub(crate) fn parse(address: &str) -> Result<Target, String> {
        let rest = address.strip_prefix("s3://").unwrap_or_default();
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(format!("{address:?} is not s3://BUCKET or s3://BUCKET/PREFIX"));
        }
        Ok(Target { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }

    /// Where things made of `crl` have their names from.
    pub(crate) fn place(&self, crl: &Object) -> Object {
        Object { bucket: self.bucket.clone(), key: format!("{}{}", self.prefix, crl.key) }
    }
}
