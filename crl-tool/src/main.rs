//! `crl-tool`.
fn main() {}
