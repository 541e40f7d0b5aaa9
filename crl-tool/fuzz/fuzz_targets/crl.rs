//! The CRL reader, DER and PEM: it refuses whatever it is given, without a panic, as nobody signed it.
#![no_main]

use crl_tool::{Build, Input};
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;

fuzz_target!(|bytes: &[u8]| {
    let input = Input::from_reader("fuzz", Cursor::new(bytes.to_vec()));
    assert!(Build::new(&[]).check(input).is_err());
});
