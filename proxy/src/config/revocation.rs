//! `[revocation]`: who is out.

use std::path::PathBuf;
use std::time::Duration;

use super::section::Section;

/// Each handshake looks at all of them.
const MOST_SIGNERS: usize = 64;

/// Which certificates of a verified path are looked up in a CRL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The leaf and every intermediate.
    Chain,
    /// The leaf alone.
    Leaf,
    /// None: no revocation checking at all.
    Off,
}

/// `[revocation]`
#[derive(Debug, Clone, PartialEq)]
pub struct Revocation {
    /// Which certificates are checked.
    pub depth: Depth,
    /// The CRL indexes that `crl-tool build` made, one an issuer.
    pub crls: Vec<PathBuf>,
    /// PEM files of the keys of which one must have signed each index; none if unsigned indexes will do.
    pub require_signature_by: Vec<PathBuf>,
    /// PEM files, each of a key that signs CRLs about certificates of another key: its certificate, then the CAs above it, the
    /// trust anchor last.
    pub crl_signers: Vec<PathBuf>,
    /// How long after its nextUpdate a CRL still counts.
    pub grace: Duration,
    /// Whether clients that the CRLs would refuse are let in, counted and logged.
    pub report_only: bool,
}

impl Revocation {
    pub(super) fn read(revocation: &mut Section<'_>) -> Self {
        let expected = "\"chain\", \"leaf\" or \"off\"";
        let depth = revocation.parsed("depth", Depth::Chain, expected, |text| match text {
            "chain" => Some(Depth::Chain),
            "leaf" => Some(Depth::Leaf),
            "off" => Some(Depth::Off),
            _ => None,
        });
        let crls = revocation.files("crls");
        if crls.is_empty() && depth != Depth::Off {
            revocation.problem(
                "crls",
                "empty, so every client would be refused",
                "list the .crlx file of each issuer, or set revocation.depth = \"off\"",
            );
        }
        let require_signature_by = revocation.files("require_signature_by");
        let crl_signers = revocation.files("crl_signers");
        if crl_signers.len() > MOST_SIGNERS {
            let problem = format!("{} files, where {MOST_SIGNERS} are the most", crl_signers.len());
            revocation.problem("crl_signers", problem, "name the signers of CRLs that are in use");
        }
        let grace = Duration::from_secs(revocation.number("grace_seconds", 0, 0..=31_536_000));
        let report_only = revocation.boolean("report_only", false);
        Self { depth, crls, require_signature_by, crl_signers, grace, report_only }
    }
}
