//! Which CRL an object in S3 was made from, kept in its metadata where its content does not say.

use crate::index::metadata::Metadata;
use std::collections::HashMap;

/// The names of S3's user metadata, without `x-amz-meta-`.
mod name {
    pub(super) const ISSUER: &str = "crl-issuer-key-sha256";
    pub(super) const NUMBER: &str = "crl-number";
    pub(super) const THIS_UPDATE: &str = "crl-this-update";
    pub(super) const SHA256: &str = "crl-sha256";
}

/// A CRL, as far as it takes to tell which of two is newer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edition {
    /// SHA-256 of its issuer's key.
    issuer: String,
    /// Decimal.
    number: Option<String>,
    /// Seconds since 1970.
    this_update: i64,
    /// SHA-256 of what is signed, of a delta CRL, too.
    sha256: String,
}

impl Edition {
    /// The CRL of an index.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Edition {
        let mut sha256 = hex(&metadata.tbs_sha256);
        if let Some(delta) = &metadata.delta {
            sha256 += &hex(&delta.tbs_sha256);
        }
        Edition {
            issuer: hex(&metadata.issuer_id.spki_sha256),
            number: metadata.crl_number.map(|number| number.to_string()),
            this_update: metadata.this_update.unix_timestamp(),
            sha256,
        }
    }

    /// As [`Metadata::is_older_than`]. CRLs of different issuers are in no order.
    #[cfg_attr(not(any(test, feature = "aws")), expect(dead_code, reason = "only S3 keeps metadata"))]
    pub(super) fn is_older_than(&self, other: &Edition) -> bool {
        // Decimal numbers without leading zeros: the longer one is the larger one.
        let size = |edition: &Edition| edition.number.clone().map(|digits| (digits.len(), digits));
        self.issuer == other.issuer && (size(self) < size(other) || self.this_update < other.this_update)
    }

    /// As the metadata of an object.
    #[cfg_attr(not(any(test, feature = "aws")), expect(dead_code, reason = "only S3 keeps metadata"))]
    pub(super) fn to_metadata(&self) -> HashMap<String, String> {
        let mut metadata = HashMap::from([
            (name::ISSUER.to_owned(), self.issuer.clone()),
            (name::THIS_UPDATE.to_owned(), self.this_update.to_string()),
            (name::SHA256.to_owned(), self.sha256.clone()),
        ]);
        if let Some(number) = &self.number {
            metadata.insert(name::NUMBER.to_owned(), number.clone());
        }
        metadata
    }

    /// From the metadata of an object; `None` if somebody else wrote it.
    #[cfg_attr(not(any(test, feature = "aws")), expect(dead_code, reason = "only S3 keeps metadata"))]
    pub(super) fn from_metadata(metadata: &HashMap<String, String>) -> Option<Edition> {
        Some(Edition {
            issuer: metadata.get(name::ISSUER)?.clone(),
            number: metadata.get(name::NUMBER).cloned(),
            this_update: metadata.get(name::THIS_UPDATE)?.parse().ok()?,
            sha256: metadata.get(name::SHA256)?.clone(),
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edition(number: Option<&str>, this_update: i64) -> Edition {
        let (issuer, sha256) = ("00".to_owned(), format!("{number:?}"));
        Edition { issuer, number: number.map(str::to_owned), this_update, sha256 }
    }

    #[test]
    fn metadata_reads_back() {
        for number in [None, Some("0"), Some("1461501637330902918203684832716283019655932542975")] {
            let edition = edition(number, 1_700_000_000);
            assert_eq!(Edition::from_metadata(&edition.to_metadata()), Some(edition));
        }
        assert_eq!(Edition::from_metadata(&HashMap::new()), None);
    }

    #[test]
    fn numbers_grow_beyond_their_digits() {
        assert!(edition(Some("9"), 1).is_older_than(&edition(Some("10"), 1)));
        assert!(!edition(Some("10"), 1).is_older_than(&edition(Some("9"), 1)));
        assert!(edition(None, 1).is_older_than(&edition(Some("0"), 1)));
        assert!(edition(Some("10"), 1).is_older_than(&edition(Some("10"), 2)));
        assert!(!edition(Some("10"), 1).is_older_than(&edition(Some("10"), 1)));
        let other = Edition { issuer: "01".to_owned(), ..edition(Some("10"), 2) };
        assert!(!edition(Some("9"), 1).is_older_than(&other));
    }
}
