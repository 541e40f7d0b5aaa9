//! `bench run`: what each kind of operation costs.

use clap::ValueEnum;
use postern_tests::Failure;
use postern_tests::pki::Pki;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::Effort;
use crate::arena::Arena;
use crate::load::{Load, Mode};
use crate::report::{self, Row};
use crate::rival::Rival;

pub(crate) fn run(runtime: &Runtime, modes: &[Mode], effort: &Effort) -> Result<(), Failure> {
    let modes = if modes.is_empty() { Mode::value_variants() } else { modes };
    let pki = Pki::make()?;
    let upstream = Rival::upstream(&pki)?;
    let arena = Arena::set_before(&pki, upstream.address, |config| config)?;
    let mut rows = Vec::new();
    for &mode in modes {
        let operations = (effort.operations / mode.weight()).max(1);
        let load = Load { pki: &pki, mode, connections: effort.connections, operations };
        let samples =
            (0..effort.rounds).map(|_| arena.measure(runtime, &load)).collect::<Result<Vec<_>, _>>()?;
        let name = mode.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        rows.push(Row::new(name, operations, &samples));
    }
    report::print(&rows);
    effort.json.as_ref().map_or(Ok(()), |path| report::write(path, &json!(rows)))
}
