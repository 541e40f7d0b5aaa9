//! The library and the binary against CRLs forged at run time, good ones and bad ones.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lint's exception for tests does not reach helpers outside of test functions"
)]

mod binding;
mod command_line;
mod commands;
mod crash;
mod damage;
mod der;
mod docs;
mod exactness;
mod forge;
mod fuzz;
mod golden;
mod indirect;
mod merge;
mod progress;
mod rfc5280;
mod scope;
mod seal;
mod sidecar;
mod stage;
