//! The load generator checks what it gets and counts what it should; its figures are nobody's business here.

use std::process::Command;

use postern_tests::process::run;
use postern_tests::{Failure, Outcome, files};
use serde_json::Value;

#[test]
fn every_operation_is_answered_and_counted() -> Outcome {
    let figures = bench(&["run", "--rounds", "1", "--operations", "50"])?;
    let rows = figures.as_array().cloned().unwrap_or_default();
    assert_eq!(rows.len(), 6, "{figures}");
    for row in rows {
        assert!(row["errors"] == 0 && row["operations"].as_u64() > Some(0), "{row}");
        assert!(row["cpu_us_per_operation"]["median"].as_f64() > Some(1.0), "{row}");
    }
    Ok(())
}

#[test]
fn other_proxies_do_the_same_work_beside_it() -> Outcome {
    beside_it(&["http1", "http2"])
}

#[test]
fn other_proxies_carry_the_same_bodies_beside_it() -> Outcome {
    beside_it(&["upload"])
}

fn beside_it(kinds: &[&str]) -> Outcome {
    const OTHERS: [&str; 6] = ["nginx", "haproxy", "envoy", "nginx bare", "haproxy bare", "envoy bare"];
    let only: Vec<_> = kinds.iter().map(|kind| ["--only", kind]).collect();
    let figures = bench(&[&["peers", "--rounds", "1", "--operations", "20"], only.as_flattened()].concat())?;
    for comparison in comparisons(&figures, kinds.len())? {
        assert_eq!(proxies(&comparison), [&["postern"], &OTHERS[..]].concat(), "{comparison:#}");
        all_answered(&comparison);
    }
    for make in ["nginx", "haproxy", "envoy"] {
        let version = figures.pointer(&format!("/peers/{make}")).and_then(Value::as_str).unwrap_or_default();
        assert!(version.starts_with(|first: char| first.is_ascii_digit()), "{figures:#}");
    }
    Ok(())
}

#[test]
fn other_proxies_hold_idle_connections_and_swap_lists_beside_it() -> Outcome {
    let figures = bench(
        &["peers", "--only", "idle", "--only", "crl-life", "--rounds", "1"]
            .into_iter()
            .chain(["--idle", "20", "--revoked", "1000"])
            .collect::<Vec<_>>(),
    )?;
    for comparison in comparisons(&figures, 5)? {
        assert_eq!(
            proxies(&comparison),
            ["postern", "nginx bare", "haproxy bare", "envoy bare"],
            "{comparison:#}"
        );
        all_answered(&comparison);
    }
    Ok(())
}

#[test]
fn what_was_compared_is_drawn() -> Outcome {
    let directory = files::temporary_directory()?;
    let [json, svg] = ["figures.json", "figures.svg"].map(|name| directory.path().join(name));
    let arguments = ["peers", "--only", "crl-handshake", "--rounds", "1", "--operations", "20"];
    let sizes = ["--revoked", "1000", "--most-revoked", "2000"];
    let mut peers = Command::new(env!("CARGO_BIN_EXE_bench"));
    run("bench", peers.args(arguments).args(sizes).arg("--json").arg(&json))?.success()?;
    run("bench", Command::new(env!("CARGO_BIN_EXE_bench")).arg("plot").arg(&json).arg(&svg))?.success()?;
    let drawn = String::from_utf8_lossy(&files::read(&svg)?).into_owned();
    for words in ["<svg ", "full handshake, 2,000 revoked", "nginx bare: ", "envoy bare: ", "cores, Linux"] {
        assert!(drawn.contains(words), "{words}: {drawn}");
    }
    Ok(())
}

#[test]
fn an_index_is_swapped_under_load_and_nothing_is_lost() -> Outcome {
    let figures = bench(&["swap", "--revoked", "100000", "--rounds", "1", "--before-ms", "300"])?;
    assert_eq!(figures[0]["lost"], 0, "{figures:#}");
    for figure in ["requests", "swap_ms", "memory_old", "peak_over_old_and_new"] {
        assert!(figures[0][figure].as_f64() > Some(0.0), "{figure}: {figures:#}");
    }
    Ok(())
}

/// What was compared.
fn comparisons(figures: &Value, number: usize) -> Result<Vec<Value>, Failure> {
    let compared = list(figures, "/comparisons");
    if compared.len() == number {
        return Ok(compared.to_vec());
    }
    Err(Failure::Missing(format!("{number} comparisons in {figures:#}")))
}

fn proxies(comparison: &Value) -> Vec<&str> {
    let names = list(comparison, "/figures").iter().map(|figure| figure.pointer("/proxy"));
    names.filter_map(|name| name?.as_str()).collect()
}

fn all_answered(comparison: &Value) {
    for figure in list(comparison, "/figures") {
        let number = |name| figure.pointer(name).and_then(Value::as_f64);
        assert!(number("/errors") == Some(0.0) && number("/operations") > Some(0.0), "{figure:#}");
        assert!(number("/value/median") > Some(0.0), "{figure:#}");
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.pointer(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[test]
fn the_cost_of_a_big_crl_is_a_ratio() -> Outcome {
    for mode in ["handshake", "resumed"] {
        let figures =
            bench(&["crl-cost", "--mode", mode, "--rounds", "2", "--operations", "20", "--big", "5000"])?;
        assert_eq!(figures["crls"][1]["entries"], 5000, "{figures}");
        assert_eq!(figures["crls"][1]["handshake"]["errors"], 0, "{figures}");
        assert!(figures["cpu_ratio"]["median"].as_f64() > Some(0.0), "{figures}");
    }
    Ok(())
}

#[test]
fn no_accepted_request_is_lost_when_the_proxy_stops_under_load() -> Outcome {
    let figures = bench(&["drain-soak", "--rounds", "5"])?;
    let total = &figures["total"];
    assert_eq!((&total["rounds"], &total["lost"]), (&Value::from(5), &Value::from(0)), "{figures:#}");
    assert_eq!(total["faults"].as_array().map(Vec::len), Some(0), "{figures:#}");
    assert!(total["answered_after_the_signal"].as_u64() > Some(0), "{figures:#}");
    Ok(())
}

#[test]
fn a_crowd_of_idle_and_slow_clients_leaves_the_others_served() -> Outcome {
    let figures = bench(&["crowd", "--idle", "200", "--slow", "20", "--requests", "50"])?;
    assert_eq!((&figures["idle"], &figures["slow"]), (&Value::from(200), &Value::from(40)), "{figures:#}");
    for kind in ["kept", "new"] {
        let beside = figures["beside"][kind]["p99"].as_f64();
        // Busy machines stretch a millisecond; a client that has to wait for a slow one waits for seconds.
        assert!(beside > Some(0.0) && beside < Some(1_000.0), "{kind}: {figures:#}");
    }
    Ok(())
}

#[test]
fn memory_stays_flat_while_bodies_pass() -> Outcome {
    // What the connections' buffers may take: 64 KiB here and there for each of 8, and the noise of the allocator.
    const BUFFERS_MIB: f64 = 24.0;
    let figures = bench(&["bulk", "--mib", "64", "--connections", "8"])?;
    let rows = figures.as_array().cloned().unwrap_or_default();
    assert_eq!(rows.len(), 2, "{figures}");
    for row in rows {
        let (before, most) = (row["memory_before_mib"].as_f64(), row["memory_mib"]["most"].as_f64());
        let grown = most.zip(before).map(|(most, before)| most - before);
        assert!(grown.is_some_and(|grown| grown < BUFFERS_MIB), "{row}");
    }
    Ok(())
}

#[test]
fn slow_bodies_leave_the_others_answered() -> Outcome {
    let figures = bench(&["slow-body", "--attackers", "50", "--requests", "200"])?;
    assert_eq!(figures[1]["attackers"], 50, "{figures}");
    assert!(figures[1]["p99_us"].as_f64() > Some(0.0), "{figures}");
    Ok(())
}

fn bench(arguments: &[&str]) -> Result<Value, Failure> {
    let directory = files::temporary_directory()?;
    let json = directory.path().join("figures.json");
    run("bench", Command::new(env!("CARGO_BIN_EXE_bench")).args(arguments).arg("--json").arg(&json))?
        .success()?;
    let text = String::from_utf8_lossy(&files::read(&json)?).into_owned();
    let report: Value =
        serde_json::from_str(&text).map_err(|source| Failure::Json { what: "the report", source, text })?;
    report.get("figures").cloned().ok_or_else(|| Failure::Missing(format!("figures of {report}")))
}
