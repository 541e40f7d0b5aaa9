//! `bench instructions`: how many instructions an operation takes, beside how many it took when that was last recorded.
//!
//! Under valgrind, time stands still and instructions are counted one by one: what others do on the machine does not matter. Each kind of operation is
//! counted twice, few times and many times, in processes that do nothing else; the difference is that of the operations.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use postern_tests::pki::Pki;
use postern_tests::postern::{Config, Postern};
use postern_tests::process::{Process, mortal};
use postern_tests::{Failure, binary, files, tools};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::load::{Load, Mode};
use crate::report::{self, table};
use crate::rival::Rival;

/// What was recorded: instructions by mode.
const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/instructions.json");
/// More than what was recorded by so much is a failure; less, a reason to record anew.
const TOLERANCE: f64 = 0.03;

/// What to count, and what to do with it.
#[derive(Args, Clone)]
pub(crate) struct Instructions {
    /// What to count; repeat for more. All of them by default
    #[arg(long = "mode", value_enum)]
    modes: Vec<Mode>,
    /// Requests to count; as many handshakes and bodies as cost about as much
    #[arg(long, default_value_t = 1_000)]
    operations: u32,
    /// Take what is counted now as what is expected from now on
    #[arg(long)]
    record: bool,
    /// Leave callgrind's profiles of the longer run of each mode in this directory
    #[arg(long, value_name = "DIRECTORY")]
    profiles: Option<PathBuf>,
    /// Also write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(crate) fn run(runtime: &Runtime, effort: &Instructions) -> Result<(), Failure> {
    let modes = if effort.modes.is_empty() { Mode::value_variants() } else { &effort.modes };
    let pki = Pki::make()?;
    let upstream = Rival::upstream(&pki)?;
    let mut recorded = recorded()?;
    let mut counted = BTreeMap::new();
    let mut rows = table(["operation", "instructions", "recorded", "over it", ""]);
    let mut more = Vec::new();
    for &mode in modes {
        let name = mode.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let few = (effort.operations / mode.weight() / 5).max(1);
        let many = few * 5;
        let [short, long] = [few, many].map(|operations| {
            // One connection: several would share system calls, now more and now less.
            let load = Load { pki: &pki, mode, connections: Some(1), operations };
            count(
                runtime,
                &load,
                &upstream,
                effort.profiles.as_deref().map(|it| it.join(format!("{name}.callgrind"))),
            )
        });
        let each = (long? - short?) / f64::from(many - few);
        let before = recorded.get(&name).copied();
        let ratio = before.map(|before| each / before);
        let verdict = match ratio {
            Some(ratio) if ratio > 1.0 + TOLERANCE => {
                more.push(name.clone());
                "more than recorded"
            }
            Some(ratio) if ratio < 1.0 - TOLERANCE => "less: worth recording",
            Some(_) => "as recorded",
            None => "not recorded yet",
        };
        let shown = |figure: Option<f64>, decimals| {
            figure.map(|figure| format!("{figure:.decimals$}")).unwrap_or_default()
        };
        rows.add_row([
            name.clone(),
            shown(Some(each), 0),
            shown(before, 0),
            shown(ratio, 3),
            verdict.to_owned(),
        ]);
        counted.insert(name, each.round());
    }
    println!("{rows}\ninstructions of the whole process for one operation, by callgrind");
    if let Some(path) = &effort.json {
        report::write(path, &json!({ "counted": counted, "recorded": recorded }))?;
    }
    if effort.record {
        recorded.append(&mut counted);
        return files::write(Path::new(RECORD), format!("{:#}\n", json!(recorded)));
    }
    if more.is_empty() {
        return Ok(());
    }
    let why = "if they have to be, `bench instructions --record` takes them as they are";
    Err(Failure::Missing(format!("as few instructions as recorded ({}: {why})", more.join(", "))))
}

fn recorded() -> Result<BTreeMap<String, f64>, Failure> {
    let text = match files::read(Path::new(RECORD)) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        // Nothing has been recorded yet.
        Err(_) => return Ok(BTreeMap::new()),
    };
    serde_json::from_str(&text).map_err(|source| Failure::Json {
        what: "recorded instructions",
        source,
        text,
    })
}

/// Instructions of a whole process: start, load, and end.
fn count(
    runtime: &Runtime,
    load: &Load<'_>,
    upstream: &Rival,
    profile: Option<PathBuf>,
) -> Result<f64, Failure> {
    let home = files::temporary_directory()?;
    let out = home.path().join("callgrind");
    let mut command = mortal(&tools::path("valgrind")?);
    command.args(["--tool=callgrind", "--quiet"]).arg(format!("--callgrind-out-file={}", out.display()));
    command.arg(binary::path("postern")?);
    let config = Config::new(load.pki, upstream.address)
        .raw("listen.workers", 1)
        // What happens by the clock happens more often the slower it goes.
        .raw("sources.files_interval_ms", 0)
        .raw("limits.handshake_timeout_ms", 120_000)
        .raw("limits.header_timeout_ms", 120_000);
    let postern = Postern::start_as(&config, &mut command, Process::spawn)?;
    let tally = runtime.block_on(load.run(postern.address()))?;
    if let Some(error) = tally.first_error {
        let lines = postern.process().stdout().all();
        let last = lines.last().map(String::as_str).unwrap_or_default();
        let what =
            format!("{:?}, {} operations: {error}; the last line of log: {last}", load.mode, load.operations);
        return Err(Failure::Missing(format!("an answer under valgrind ({what})")));
    }
    postern.terminate()?;
    postern.finish()?.success()?;
    if let Some(profile) = profile {
        files::copy(&out, &profile)?;
    }
    let text = String::from_utf8_lossy(&files::read(&out)?).into_owned();
    // At the end of callgrind's output stands `totals: N`.
    let totals = text.lines().rev().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok());
    totals.ok_or_else(|| Failure::Missing(format!("`totals:` in {}", out.display())))
}
