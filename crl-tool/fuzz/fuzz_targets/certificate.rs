//! What is read of a certificate, its distribution points among it.
#![no_main]

use crl_tool::{Issuer, Subject};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Subject::from_file_content(bytes);
    let _ = Issuer::from_file_content(bytes);
});
