//! Why a download failed, each with the way out.

use crate::problem::Problem;
use std::io;
use std::time::Duration;

/// What is wrong with a download.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadFault {
    /// The feature that reads such addresses was left out.
    #[error("this crl-tool was built without {what}")]
    NotBuilt {
        /// What cannot be read.
        what: &'static str,
        /// The feature that reads it.
        feature: &'static str,
    },
    /// An address of another kind, such as `ldap://`.
    #[error("an address of a kind that crl-tool does not read")]
    Scheme,
    /// An address without one of its parts.
    #[error("not a complete address: {0}")]
    Address(&'static str),
    /// Plain http, where what arrives is believed.
    #[error("plain http, on which anybody on the way can change what arrives")]
    NotAuthenticated,
    /// The server answered without the file.
    #[error("the server answered with status {status}{}", .after.as_ref().map(|url| format!(", redirected to {url}")).unwrap_or_default())]
    Status {
        /// The HTTP status.
        status: u16,
        /// Where redirects had led.
        after: Option<String>,
    },
    /// Redirects without end.
    #[error("over {limit} redirects")]
    Redirects {
        /// The most that are followed.
        limit: u32,
    },
    /// The server announces more than may be read.
    #[error("{size} bytes, and the limit is {limit}")]
    Announced {
        /// What it announces.
        size: u64,
        /// The most that may be read.
        limit: u64,
    },
    /// More arrived than may be read.
    #[error("over the limit of {limit} bytes")]
    TooLarge {
        /// The most that may be read.
        limit: u64,
    },
    /// More objects than may be.
    #[error("over {limit} objects")]
    TooMany {
        /// The most that may be.
        limit: usize,
    },
    /// The connection ended early.
    #[error("cut off after {received} bytes{}", .announced.map(|size| format!(" of {size}")).unwrap_or_default())]
    CutOff {
        /// What arrived.
        received: u64,
        /// What was announced, if anything was.
        announced: Option<u64>,
    },
    /// No connection, or nothing on it.
    #[error("{what} for {} s", .limit.as_secs())]
    Silence {
        /// What did not happen.
        what: &'static str,
        /// For how long.
        limit: Duration,
    },
    /// Not finished in the time there was.
    #[error("not finished within {} s", .limit.as_secs())]
    Late {
        /// The time there was.
        limit: Duration,
    },
    /// The server's name leads nowhere.
    #[error("no address is known for the server's name")]
    UnknownHost,
    /// The server is not who it should be, or speaks no TLS.
    #[error("tls: {0}")]
    Tls(String),
    /// The environment names no AWS region.
    #[error("no AWS region is configured")]
    NoRegion,
    /// AWS refused.
    #[error("{code}: {message}")]
    Aws {
        /// AWS's name for the reason.
        code: String,
        /// AWS's explanation.
        message: String,
    },
    /// A key of another kind.
    #[error("a KMS key that cannot sign indexes")]
    KmsKey,
    /// A secret that is bytes.
    #[error("a secret without text")]
    NoText,
    /// AWS was not reached, or was not asked for want of something.
    #[error("cannot ask AWS: {0}")]
    AwsCall(String),
    /// Anything else between here and the server.
    #[error("cannot download: {0}")]
    Broken(String),
}

impl DownloadFault {
    /// How to go on, in one sentence.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            DownloadFault::NotBuilt { feature: "aws", .. } => {
                "get the file with the `aws` command and pass that, or build crl-tool with --features aws"
            }
            DownloadFault::NotBuilt { .. } => {
                "download it first (`curl -fsS URL -o FILE`), or build crl-tool with --features http"
            }
            DownloadFault::Scheme => {
                "pass an https://, http:// or s3:// address, or download it first and pass the file"
            }
            DownloadFault::Address(_) => {
                "write it as https://HOST/PATH, http://HOST/PATH or s3://BUCKET/KEY, and ARNs as AWS shows them"
            }
            DownloadFault::NotAuthenticated => {
                "pass the CA's certificate as a file, or an address that starts with https://"
            }
            DownloadFault::Status { .. } | DownloadFault::Redirects { .. } => {
                "open the address with `curl -vL` to see what the server says; CAs move their CRLs at times"
            }
            DownloadFault::Announced { .. } | DownloadFault::TooLarge { .. } => {
                "raise --max-bytes if a file of this size is expected there"
            }
            DownloadFault::TooMany { .. } => {
                "raise sources.max_objects if there are to be so many, or name another prefix"
            }
            DownloadFault::CutOff { .. } | DownloadFault::Silence { .. } => {
                "try again: the server or the network gave up"
            }
            DownloadFault::Late { .. } => "try again, or raise --timeout if the network is that slow",
            DownloadFault::UnknownHost => "check the address for typing mistakes, and the resolver",
            DownloadFault::Tls(_) => {
                "check the address; a server with a CA of its own needs SSL_CERT_FILE=CA.pem in the environment"
            }
            DownloadFault::NoRegion => "set AWS_REGION, or a region in the profile that AWS_PROFILE names",
            DownloadFault::Aws { .. } => {
                "check the bucket and key or the ARN, AWS_PROFILE and AWS_REGION, and what these credentials may do"
            }
            DownloadFault::KmsKey => {
                "make one for SIGN_VERIFY with the spec ECC_NIST_P256, ECC_NIST_P384 or ECC_NIST_EDWARDS25519"
            }
            DownloadFault::NoText => "keep PEM in the secret, as text",
            DownloadFault::AwsCall(_) => {
                "check the credentials (`aws sts get-caller-identity`), AWS_REGION and AWS_ENDPOINT_URL"
            }
            DownloadFault::Broken(_) => {
                "check that the server can be reached from here (HTTPS_PROXY and NO_PROXY are honoured)"
            }
        }
    }
}

/// So that it passes through readers in between unharmed.
impl From<DownloadFault> for io::Error {
    fn from(fault: DownloadFault) -> io::Error {
        io::Error::other(Problem::Download(fault))
    }
}
