//! The index reader, behind a checksum that is made to fit: no file makes opening, lookups or a proof panic.
#![no_main]

use crl_tool::{EntriesError, Index, Serial};
use libfuzzer_sys::fuzz_target;
use std::os::unix::fs::FileExt;
use std::path::Path;
use xxhash_rust::xxh3::Xxh3;

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.to_vec();
    seal(&mut bytes);
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(&bytes, 0).unwrap();
    let Ok(index) = Index::from_file(file, Path::new("fuzz")) else { return };
    for hex in ["0", "1", "1001", "-1", "ffffffffffffffffffffffffffffffff"] {
        let _ = index.lookup(&Serial::from_hex(hex).unwrap());
    }
    let _ = index.check_crl();
    let _ = index.verify_by(&[]);
    let _ = index.each_entry(|revoked| {
        index.listed_of(revoked.issuer, &revoked.serial).map(drop).map_err(EntriesError::from)
    });
});

/// Writes the length and the checksum that FORMAT.md asks for into the header.
fn seal(bytes: &mut [u8]) {
    let length = u64::try_from(bytes.len()).unwrap();
    if bytes.len() < 256 {
        return;
    }
    bytes[24..32].copy_from_slice(&length.to_le_bytes());
    bytes[16..24].fill(0);
    let field = |at: usize| -> usize {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()).try_into().unwrap()
    };
    let (crl, start, end) = (256 + field(44), 256 + field(48), 256 + field(52));
    let mut sum = Xxh3::new();
    for part in [0..256, 256..start, end..crl, crl..bytes.len()] {
        sum.update(bytes.get(part).unwrap_or_default());
    }
    let sum = sum.digest();
    bytes[16..24].copy_from_slice(&sum.to_le_bytes());
}
