//! A development PKI in one command, and the pieces to build other PKIs and CRLs from in tests and benchmarks.
//!
//! [`Pki::generate`] makes everything in memory and [`Pki::write`] puts it into a directory, which is what
//! `certs dev` does; [`revoke`] is `certs revoke`. Below them, an [`Authority`] issues any certificate
//! ([`Leaf`]) and signs any [`Crl`], wrong and stale ones included. Nothing here reads the clock: whoever
//! calls says what time it is.
//!
//! ```
//! use certs::{Authority, Crl, KeyType, Leaf, Padding, Reason, Revoked, Validity};
//! use time::{Duration, OffsetDateTime};
//!
//! let now = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000);
//! let root = Authority::root("Example Root", KeyType::P256, Validity::days(now, 365))?;
//! let client = root.issue(&Leaf::client("partner-a", Validity::days(now, 30)), KeyType::P256)?;
//! let crl = Crl::new(1, now)
//!     .with(Revoked { serial: client.serial().to_vec(), date: now, reason: Reason::KeyCompromise })
//!     .with(Padding { entries: 1_000, seed: 7, until: now });
//! assert!(crl.to_der(&root)?.len() > 30_000);
//! # Ok::<(), certs::Error>(())
//! ```

mod authority;
mod crl;
mod der;
mod dev;
mod entries;
mod error;
mod files;
mod key;
mod layout;
mod leaf;
#[cfg(feature = "aws")]
pub mod pca;
mod pem;
mod published;
mod reason;
mod revoke;

pub use authority::{Authority, Identity};
pub use crl::Crl;
pub use dev::{Client, Options, Pki};
pub use entries::{Entries, Padding, Revoked};
pub use error::Error;
pub use files::Overwrite;
pub use key::KeyType;
pub use layout::Written;
pub use leaf::{AltName, Leaf, Usage, Validity};
pub use reason::Reason;
pub use revoke::{Outcome, revoke};
