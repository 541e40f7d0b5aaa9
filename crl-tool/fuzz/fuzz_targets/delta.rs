//! The reader of delta CRLs, which has a walk of its own.
#![no_main]

use crl_tool::{Build, Input};
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;

fuzz_target!(|bytes: &[u8]| {
    let file = tempfile::tempfile().unwrap();
    let base = Input::from_reader("base", Cursor::new(Vec::new()));
    let delta = Input::from_reader("fuzz", Cursor::new(bytes.to_vec()));
    assert!(Build::new(&[]).merge(base, delta, &file).is_err());
});
