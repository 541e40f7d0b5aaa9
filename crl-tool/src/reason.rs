//! Why a certificate was revoked.

use std::fmt;

/// A revocation reason (`CRLReason`, RFC 5280 §5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No reason was given, and the CA said so explicitly (0).
    Unspecified,
    /// The subject's private key was compromised (1).
    KeyCompromise,
    /// The CA's private key was compromised (2).
    CaCompromise,
    /// The subject's name or affiliation changed (3).
    AffiliationChanged,
    /// The certificate was replaced (4).
    Superseded,
    /// The certificate is no longer needed (5).
    CessationOfOperation,
    /// The certificate is suspended (6). A suspended certificate is refused like a revoked one.
    CertificateHold,
    /// A hold was released or the certificate expired (8). Delta CRLs only.
    RemoveFromCrl,
    /// A privilege the certificate carried was withdrawn (9).
    PrivilegeWithdrawn,
    /// The attribute authority was compromised (10).
    AaCompromise,
}

impl Reason {
    /// The reason for a `CRLReason` code; `None` for 7, which the standard leaves unused, and for codes above 10.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Reason> {
        match code {
            0 => Some(Reason::Unspecified),
            1 => Some(Reason::KeyCompromise),
            2 => Some(Reason::CaCompromise),
            3 => Some(Reason::AffiliationChanged),
            4 => Some(Reason::Superseded),
            5 => Some(Reason::CessationOfOperation),
            6 => Some(Reason::CertificateHold),
            8 => Some(Reason::RemoveFromCrl),
            9 => Some(Reason::PrivilegeWithdrawn),
            10 => Some(Reason::AaCompromise),
            _ => None,
        }
    }

    /// The name the standard gives the reason, such as `keyCompromise`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Reason::Unspecified => "unspecified",
            Reason::KeyCompromise => "keyCompromise",
            Reason::CaCompromise => "cACompromise",
            Reason::AffiliationChanged => "affiliationChanged",
            Reason::Superseded => "superseded",
            Reason::CessationOfOperation => "cessationOfOperation",
            Reason::CertificateHold => "certificateHold",
            Reason::RemoveFromCrl => "removeFromCRL",
            Reason::PrivilegeWithdrawn => "privilegeWithdrawn",
            Reason::AaCompromise => "aACompromise",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
