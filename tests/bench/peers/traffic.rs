//! CPU time for connections, requests and bodies.

use postern_tests::Failure;

use super::{Ground, in_turns};
use crate::arena::{Subject, measure};
use crate::comparison::{Bar, Comparison, Measured};
use crate::contestant::Who;
use crate::lists::Lists;
use crate::load::{BULK_BYTES, Load, Mode};
use crate::report::microseconds;

pub(super) fn compare(
    ground: &Ground<'_>,
    lists: &mut Lists<'_>,
    modes: &[Mode],
) -> Result<Vec<Comparison>, Failure> {
    if modes.is_empty() {
        return Ok(Vec::new());
    }
    let list = lists.make(10, None)?;
    let post = ground.post(&list);
    let mut all = Vec::new();
    for who in Who::all() {
        all.push((who.name(), who.start(&post)?));
    }
    let mut compared = Vec::new();
    for &mode in modes {
        let operations = (ground.effort.operations / mode.weight()).max(1);
        let rounds = in_turns(ground.effort.rounds, &mut all, |proxy| {
            cost(ground, proxy.subject(), mode, operations)
        })?;
        let (what, unit, bar) = named(mode);
        compared.push(Comparison::new(what, unit, bar, rounds));
    }
    Ok(compared)
}

/// CPU time of one operation, in the mode's unit.
pub(super) fn cost(
    ground: &Ground<'_>,
    subject: Subject,
    mode: Mode,
    operations: u32,
) -> Result<Measured, Failure> {
    let load = Load { pki: ground.pki, mode, connections: None, operations };
    let sample = measure(ground.runtime, subject, &load)?;
    let each = microseconds(sample.cpu);
    let value = match mode {
        Mode::Handshake | Mode::Resumed | Mode::Http1 | Mode::Http2 => each,
        Mode::Download | Mode::Upload => each / 1e3 * BODIES_IN_A_GIB,
    };
    Ok(Measured { value, operations, errors: sample.tally.errors, first_error: sample.tally.first_error })
}

const BODIES_IN_A_GIB: f64 = 102.4;
const _: () = assert!(BULK_BYTES == 10 << 20);

fn named(mode: Mode) -> (&'static str, &'static str, Option<Bar>) {
    match mode {
        Mode::Handshake => ("full handshake and a request", "µs", Bar::of("envoy", 0.65)),
        Mode::Resumed => ("resumed handshake and a request", "µs", Bar::of("envoy", 0.75)),
        Mode::Http1 => ("keep-alive HTTP/1.1 request", "µs", Bar::of("nginx", 1.0)),
        Mode::Http2 => ("HTTP/2 request", "µs", Bar::of("haproxy", 1.0)),
        Mode::Download => ("download of a GiB", "ms", Bar::of_the_best(0.85)),
        Mode::Upload => ("upload of a GiB", "ms", Bar::of_the_best(0.85)),
    }
}
