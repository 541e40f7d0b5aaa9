//! Addresses, as users write them where a file could stand.

use super::fault::DownloadFault;
use std::fmt;
use std::path::Path;

/// Something that is not a file of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    /// `https://…` or `http://…`.
    Web {
        /// The address, which may hold secrets: show the location instead.
        url: String,
    },
    /// `s3://bucket/key`.
    S3 {
        /// The bucket.
        bucket: String,
        /// The key, as it is: nothing in it is decoded.
        key: String,
    },
    /// The certificate of a CA of AWS Private CA.
    PrivateCa {
        /// The CA's ARN.
        arn: String,
        /// The region it names.
        region: String,
    },
    /// A secret of AWS Secrets Manager.
    Secret {
        /// Its ARN.
        arn: String,
        /// The region it names.
        region: String,
    },
}

impl Location {
    /// The location that `path` names; `None` if it is the path of a file.
    ///
    /// # Errors
    /// It has a scheme, but no location of a kind that is read here.
    pub fn named_by(path: &Path) -> Result<Option<Location>, DownloadFault> {
        let Some((scheme, rest)) = path.to_str().and_then(|text| text.split_once("://")) else {
            return Ok(None);
        };
        if scheme.is_empty() || !scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) {
            return Ok(None);
        }
        match scheme.to_ascii_lowercase().as_str() {
            scheme @ ("http" | "https") if rest.starts_with(|c: char| c.is_alphanumeric() || c == '[') => {
                Ok(Some(Location::Web { url: format!("{scheme}://{rest}") }))
            }
            "http" | "https" => Err(DownloadFault::Address("it names no host")),
            "s3" => match rest.split_once('/') {
                Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => {
                    Ok(Some(Location::S3 { bucket: bucket.to_owned(), key: key.to_owned() }))
                }
                _ => Err(DownloadFault::Address("s3://BUCKET/KEY has both")),
            },
            _ => Err(DownloadFault::Scheme),
        }
    }

    /// The CA of AWS Private CA that has this ARN.
    ///
    /// # Errors
    /// It is no ARN of a CA.
    pub fn private_ca(arn: &str) -> Result<Location, DownloadFault> {
        match *arn.split(':').collect::<Vec<_>>() {
            ["arn", _partition, "acm-pca", region, _account, resource]
                if !region.is_empty() && resource.starts_with("certificate-authority/") =>
            {
                Ok(Location::PrivateCa { arn: arn.to_owned(), region: region.to_owned() })
            }
            _ => Err(DownloadFault::Address(
                "arn:aws:acm-pca:REGION:ACCOUNT:certificate-authority/ID has all that",
            )),
        }
    }

    /// The secret of AWS Secrets Manager that has this ARN.
    ///
    /// # Errors
    /// It is no ARN of a secret.
    pub fn secret(arn: &str) -> Result<Location, DownloadFault> {
        match *arn.split(':').collect::<Vec<_>>() {
            ["arn", _partition, "secretsmanager", region, _account, "secret", _name]
                if !region.is_empty() =>
            {
                Ok(Location::Secret { arn: arn.to_owned(), region: region.to_owned() })
            }
            _ => {
                Err(DownloadFault::Address("arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME has all that"))
            }
        }
    }
}

/// Without what may be a secret: a password, or a query, which is where presigned addresses carry their signature.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Web { url } => f.write_str(&without_secrets(url)),
            Location::S3 { bucket, key } => write!(f, "s3://{bucket}/{key}"),
            Location::PrivateCa { arn, .. } | Location::Secret { arn, .. } => f.write_str(arn),
        }
    }
}

/// `url` with neither user nor query.
pub(super) fn without_secrets(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) = match rest.find(['/', '?', '#']) {
        Some(end) => rest.split_at(end),
        None => (rest, ""),
    };
    let host = authority.rsplit_once('@').map_or(authority, |(_user, host)| host);
    match path.split_once(['?', '#']) {
        Some((path, _secret)) => format!("{scheme}://{host}{path}?..."),
        None => format!("{scheme}://{host}{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Result<Option<Location>, DownloadFault> {
        Location::named_by(Path::new(text))
    }

    #[test]
    fn files_stay_files() {
        for file in
            ["ca.crl", "-", "/tmp/ca.crl", "c:ca.crl", "./http://example.com/ca.crl", "://x", "http:/x"]
        {
            assert_eq!(named(file).unwrap(), None, "{file}");
        }
    }

    #[test]
    fn addresses_are_told_apart() {
        let web = |url: &str| Location::Web { url: url.to_owned() };
        assert_eq!(
            named("HTTP://crl.example.com/ca.crl").unwrap(),
            Some(web("http://crl.example.com/ca.crl"))
        );
        assert_eq!(named("https://[::1]:8443/").unwrap(), Some(web("https://[::1]:8443/")));
        let object = Location::S3 { bucket: "crls".to_owned(), key: "crl/a b%20c//d.crl".to_owned() };
        assert_eq!(named("s3://crls/crl/a b%20c//d.crl").unwrap(), Some(object));
    }

    #[test]
    fn other_addresses_are_refused() {
        assert!(matches!(named("ldap://directory/cn=CA"), Err(DownloadFault::Scheme)));
        for address in ["http://", "https:///ca.crl", "s3://", "s3://bucket", "s3://bucket/", "s3:///key"] {
            assert!(matches!(named(address), Err(DownloadFault::Address(_))), "{address}");
        }
    }

    #[test]
    fn arns_of_other_things_are_refused() {
        let arn = "arn:aws-cn:acm-pca:cn-north-1:123456789012:certificate-authority/63dad2bc";
        let known = Location::PrivateCa { arn: arn.to_owned(), region: "cn-north-1".to_owned() };
        assert_eq!(Location::private_ca(arn).unwrap(), known);
        for other in [
            "",
            "63dad2bc",
            "arn:aws:kms:eu-west-1:123456789012:key/63dad2bc",
            &arn.replace("cn-north-1", ""),
        ] {
            assert!(matches!(Location::private_ca(other), Err(DownloadFault::Address(_))), "{other}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        for (url, shown) in [
            ("https://u:p@example.com/ca.crl", "https://example.com/ca.crl"),
            ("https://example.com/ca.crl?X-Amz-Signature=1", "https://example.com/ca.crl?..."),
            ("https://example.com?token=1", "https://example.com?..."),
            ("https://example.com/@me#token", "https://example.com/@me?..."),
        ] {
            assert_eq!(Location::Web { url: url.to_owned() }.to_string(), shown);
        }
    }
}
