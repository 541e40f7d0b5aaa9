//! Sets of revocation reasons.

use crate::der::Element;
use crate::problem::{Flaw, Problem};
use std::fmt;

/// The reasons that a CRL or a distribution point is about (`ReasonFlags`, RFC 5280 §4.2.1.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reasons(u16);

/// Bit numbers 1 to 8 of `ReasonFlags`. Bit 0 has no meaning.
const NAMES: [&str; 8] = [
    "keyCompromise",
    "cACompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "certificateHold",
    "privilegeWithdrawn",
    "aACompromise",
];

impl Reasons {
    /// No reason at all.
    pub const NONE: Reasons = Reasons(0);
    /// All reasons: only then does absence from CRLs mean that a certificate is not revoked.
    pub const ALL: Reasons = Reasons(0x1fe);

    /// Reads a BIT STRING, whatever its tag is.
    pub(crate) fn read(flags: &Element<'_>) -> Result<Reasons, Flaw> {
        let octets = match *flags.content {
            [unused @ 0..8, first] if first.trailing_zeros() >= u32::from(unused) => [first, 0],
            [unused @ 0..8, first, second] if second.trailing_zeros() >= u32::from(unused) => [first, second],
            _ => return Err(flags.flaw(Problem::Malformed { what: "reason flags" })),
        };
        let bits = u16::from_be_bytes(octets).reverse_bits();
        // A reason that is defined some day must not be taken for one of these.
        if bits > Reasons::ALL.0 | 1 {
            return Err(flags.flaw(Problem::Malformed { what: "reason flags" }));
        }
        Ok(Reasons(bits & Reasons::ALL.0))
    }

    /// The reasons that are in either set.
    #[must_use]
    pub fn union(self, other: Reasons) -> Reasons {
        Reasons(self.0 | other.0)
    }

    /// The reasons that are in both sets.
    #[must_use]
    pub fn intersection(self, other: Reasons) -> Reasons {
        Reasons(self.0 & other.0)
    }

    /// Whether no reason is missing.
    #[must_use]
    pub fn is_all(self) -> bool {
        self == Reasons::ALL
    }

    /// The names that the standard gives them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.into_iter().zip(1..).filter(move |(_, bit)| self.0 >> bit & 1 == 1).map(|(name, _)| name)
    }
}

impl fmt::Display for Reasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.names().collect();
        f.write_str(if names.is_empty() { "none" } else { "" })?;
        f.write_str(&names.join(", "))
    }
}
