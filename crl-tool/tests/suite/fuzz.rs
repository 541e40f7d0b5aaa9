//! The bodies of the fuzz targets, over the checked-in inputs and some thousand deterministic changes of each. The fuzzer
//! itself needs a nightly compiler and time: `make fuzz`.

#[path = "../../fuzz/bodies.rs"]
mod bodies;

use std::fs;
use std::path::Path;

/// Changed inputs of each target.
const CHANGED: usize = 4000;

/// What the target `name` starts from: its own inputs, and the golden files.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for directory in [root.join("fuzz/seeds").join(name), root.join("tests/golden")] {
        files.extend(fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()));
    }
    // In one order everywhere, so that a failure can be repeated.
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// Numbers without a pattern, the same in every run (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap()
    }

    fn below(&mut self, bound: usize) -> usize {
        self.next() % bound.max(1)
    }
}

/// Changes `bytes` in one to four places: as a fuzzer does, and with the values that DER and sizes turn on.
fn change(mut bytes: Vec<u8>, others: &[Vec<u8>], numbers: &mut Numbers) -> Vec<u8> {
    const TELLING: [u8; 12] = [0, 1, 0x02, 0x03, 0x17, 0x30, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xff];
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len());
        let end = (at + 1 + numbers.below(16)).min(bytes.len());
        match numbers.below(7) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << numbers.below(8),
            1 if !bytes.is_empty() => bytes[at] = TELLING[numbers.below(TELLING.len())],
            2 => bytes.truncate(at),
            3 => bytes.insert(at, TELLING[numbers.below(TELLING.len())]),
            4 => drop(bytes.drain(at..end)),
            5 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            _ => {
                let other = &others[numbers.below(others.len())];
                let from = numbers.below(other.len());
                let part = other[from..(from + 64).min(other.len())].to_vec();
                let end = (at + part.len()).min(bytes.len());
                bytes.splice(at..end, part);
            }
        }
    }
    bytes
}

fn exercise(name: &str, body: fn(&[u8])) {
    let seeds = seeds(name);
    assert!(seeds.len() > 5, "{name}: the inputs are missing");
    seeds.iter().for_each(|seed| body(seed));
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for _ in 0..CHANGED {
        let seed = seeds[numbers.below(seeds.len())].clone();
        body(&change(seed, &seeds, &mut numbers));
    }
}

#[test]
fn no_crl_makes_the_reader_panic() {
    exercise("crl", bodies::crl);
}

#[test]
fn no_delta_crl_makes_the_reader_panic() {
    exercise("delta", bodies::delta);
}

#[test]
fn no_certificate_or_key_makes_the_reader_panic() {
    exercise("certificate", bodies::certificate);
}

/// Otherwise no changed index would ever be looked into.
#[test]
fn indexes_get_past_the_checksum() {
    for name in ["empty", "small", "overflow", "indirect", "signed"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.crlx"));
        let whole = fs::read(path).unwrap();
        let mut damaged = whole.clone();
        damaged[16] ^= 1;
        assert_eq!(bodies::with_checksum(&damaged), whole, "{name}");
    }
}

#[test]
fn no_index_makes_the_reader_panic() {
    exercise("index", bodies::index);
}
