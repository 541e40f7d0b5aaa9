//! `[revocation]`: who is out.

use std::path::PathBuf;
use std::time::Duration;

use super::section::Section;
use super::source::{Kind, Source};

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

/// What becomes of a CRL as it ages, and of certificates without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ladder {
    /// How long before its nextUpdate a CRL is worth a warning.
    pub warn: Duration,
    /// How long after its nextUpdate a CRL still counts.
    pub grace: Duration,
    /// Certificates that no CRL is there for are let in.
    pub allow_missing: bool,
    /// So are those whose CRL cannot be read.
    pub allow_unreadable: bool,
    /// A CRL counts for ever.
    pub allow_stale: bool,
}

/// `[revocation.brake]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brake {
    /// Of the entries of the CRL in force, so many may be missing in the next one. 100: all.
    pub max_dropped_percent: u32,
    /// Fewer may always be missing.
    pub least_dropped: u64,
    /// Of the clients seen last, so many may be on the next CRL that are not on this one. 100: all.
    pub max_revoked_clients_percent: u8,
    /// Fewer may always be.
    pub least_revoked_clients: usize,
    /// How many clients are remembered.
    pub recent_clients: usize,
}

impl Brake {
    fn read(brake: &mut Section<'_>) -> Self {
        Self {
            max_dropped_percent: brake.number("max_dropped_percent", 100, 0..=100),
            least_dropped: brake.number("least_dropped", 10, 1..=4_294_967_295),
            max_revoked_clients_percent: brake.number("max_revoked_clients_percent", 100, 0..=100),
            least_revoked_clients: brake.number("least_revoked_clients", 3, 1..=100_000),
            recent_clients: brake.number("recent_clients", 1_000, 1..=100_000),
        }
    }
}

/// `[revocation]`
#[derive(Debug, Clone, PartialEq)]
pub struct Revocation {
    /// Which certificates are checked.
    pub depth: Depth,
    /// CRLs and indexes of CRLs.
    pub crls: Vec<Source>,
    /// PEM files of the keys of which one must have signed each index; none if unsigned indexes will do.
    pub require_signature_by: Vec<Source>,
    /// CAs that are no trust anchors, and whose CRLs are proved here.
    pub issuers: Vec<Source>,
    /// PEM files, each of a key that signs CRLs about certificates of another key: its certificate, then the CAs above it, the
    /// trust anchor last.
    pub crl_signers: Vec<Source>,
    /// What becomes of a CRL as it ages, and without one.
    pub ladder: Ladder,
    /// Where the floors of CRLs are kept; none if they go with the process.
    pub state_file: Option<PathBuf>,
    /// Which changes wait for an operator.
    pub brake: Brake,
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
        let crls = revocation.sources("crls", Kind::Crl);
        if crls.is_empty() && depth != Depth::Off {
            revocation.problem(
                "crls",
                "empty, so every client would be refused",
                "list the CRL of each issuer, or its index, or set revocation.depth = \"off\"",
            );
        }
        let require_signature_by = revocation.sources("require_signature_by", Kind::Keys);
        let issuers = revocation.sources("issuers", Kind::Authorities);
        let crl_signers = revocation.sources("crl_signers", Kind::Authorities);
        if crl_signers.len() > MOST_SIGNERS {
            let problem = format!("{} files, where {MOST_SIGNERS} are the most", crl_signers.len());
            revocation.problem("crl_signers", problem, "name the signers of CRLs that are in use");
        }
        let mut seconds =
            |name, default| Duration::from_secs(revocation.number(name, default, 0..=31_536_000));
        let (warn, grace) = (seconds("warn_seconds", 86_400), seconds("grace_seconds", 0));
        let ladder = Ladder {
            warn,
            grace,
            allow_missing: revocation.boolean("danger_allow_missing_crl", false),
            allow_unreadable: revocation.boolean("danger_allow_unreadable_crl", false),
            allow_stale: revocation.boolean("danger_allow_stale_crl", false),
        };
        let state_file = revocation.optional_file("state_file").map(|file| file.path);
        let brake = Brake::read(&mut revocation.section("brake"));
        let report_only = revocation.boolean("report_only", false);
        Self {
            depth,
            crls,
            require_signature_by,
            issuers,
            crl_signers,
            ladder,
            state_file,
            brake,
            report_only,
        }
    }
}
