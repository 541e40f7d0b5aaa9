//! A proxy that is killed at any moment: when it is back, no revoked client is let in whose CRL took effect, and no good one is
//! refused, whatever S3 says by then.

use std::path::Path;
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use postern_tests::faulty::{Fault, Faulty};
use postern_tests::pki::Pki;
use postern_tests::postern::{Config, Postern};
use postern_tests::process::{Process, Signal};
use postern_tests::random::Random;
use postern_tests::s3::S3;
use postern_tests::stage::Stage;
use postern_tests::upstream::Upstream;
use postern_tests::wait::until;
use postern_tests::{Failure, Outcome, binary, files};
use serde_json::Value;

use super::{config, in_s3, start, trust, with_crl_at};

const KILLS: usize = 30;
/// Each revokes one client more than the one before.
const EDITIONS: usize = 10;
const KEY: &str = "ca/intermediate.crl";
/// Where the PKI has it.
const CRL: &str = "crl/intermediate.crl";

#[test]
fn a_proxy_that_is_killed_at_any_moment_takes_nothing_back() -> Outcome {
    let (pki, s3, home) = (Pki::make()?, S3::start()?, files::temporary_directory()?);
    let (upstream, way) = (Upstream::start(&pki)?, Faulty::start(&s3)?);
    let editions = editions(&pki)?;
    s3.put(KEY, &editions[0])?;
    let config = with_crl_at(config(&pki, &upstream), &pki, &in_s3(KEY))
        .raw("sources.interval_ms", 50)
        .text("sources.directory", home.path().join("copies").display())
        .text("revocation.state_file", home.path().join("floors.json").display());
    // One attempt for each look, which is enough to find S3 down.
    let mut environment = way.environment(&s3);
    environment.push(("AWS_MAX_ATTEMPTS", "1".to_owned()));
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let (mut published, mut in_force) = (0, 0);
    let (mut start_time, mut swap_time) = (Duration::ZERO, Duration::from_millis(100));
    let mut stage = Some((upstream, pki));
    for kill in 0..KILLS {
        let what_s3_does = match random.below(4) {
            0 => Fault::Down,
            1 => Fault::Instead(editions[random.below(in_force + 1)].clone()),
            2 if kill > 0 => Fault::Truncated(editions[published].clone()),
            _ => Fault::None,
        };
        // The first one has no copy yet.
        way.set(if kill == 0 { Fault::None } else { what_s3_does });
        if kill > 0 && random.below(3) == 0 {
            kill_in_its_start(&config, &environment, home.path(), random.part_of(start_time))?;
            continue;
        }
        let (upstream, pki) = stage.take().expect("put back below");
        let began = Instant::now();
        let here = Stage { postern: start(&config, environment.clone())?, upstream, pki };
        start_time = start_time.max(began.elapsed());
        in_force = stands(&here, in_force, published)?;

        way.set(Fault::None);
        published = (published + random.below(2)).min(EDITIONS - 1);
        s3.put(KEY, &editions[published])?;
        if kill == 0 {
            let began = Instant::now();
            published = 1;
            s3.put(KEY, &editions[published])?;
            until("an edition to be in force", || Ok((edition(&here.postern)? == 1).then_some(())))?;
            swap_time = began.elapsed() * 2;
        } else {
            park_timeout(random.part_of(swap_time));
        }
        here.postern.process().signal(Signal::KILL)?;
        let Stage { postern, upstream, pki } = here;
        let said = postern.finish()?.stderr;
        in_force = said.lines().filter_map(said_edition).fold(in_force, usize::max);
        assert!(kill > 0 || in_force == 1, "{said}");
        stage = Some((upstream, pki));
    }

    // It needed no help, and nothing is left of all that.
    way.set(Fault::None);
    published = EDITIONS - 1;
    s3.put(KEY, &editions[published])?;
    let (upstream, pki) = stage.take().expect("put back above");
    let here = Stage { postern: start(&config, environment.clone())?, upstream, pki };
    until("the last edition to be in force", || Ok((edition(&here.postern)? == published).then_some(())))?;
    stands(&here, published, published)?;
    let floors = files::read(&home.path().join("floors.json"))?;
    let floors: Value = serde_json::from_slice(&floors).expect("a whole file");
    assert_eq!(floors["crls"].as_array().map(Vec::len), Some(2), "{floors}");
    until("copies that nobody needs to go", || {
        let names = names(&home.path().join("copies"))?;
        // The copy and its name. One more copy may be older than what is in force.
        Ok((names.len() <= 3 && !names.iter().any(|name| name.starts_with('.'))).then_some(()))
    })
}

#[test]
fn a_copy_that_was_in_force_is_a_floor_also_beside_an_older_one() -> Outcome {
    let (pki, s3, copies) = (Pki::make()?, S3::start()?, files::temporary_directory()?);
    let (upstream, way) = (Upstream::start(&pki)?, Faulty::start(&s3)?);
    pki.issue("client1", |_| {})?;
    let old = files::read(&pki.path(CRL))?;
    s3.put(KEY, &old)?;
    // Nothing but the copies remembers.
    let config = with_crl_at(config(&pki, &upstream), &pki, &in_s3(KEY))
        .text("sources.directory", copies.path().display());
    let postern = start(&config, way.environment(&s3))?;
    let copy = names(copies.path())?.into_iter().find(|name| !name.ends_with(".place"));
    let copy = copies.path().join(copy.ok_or_else(|| Failure::Missing("a copy".to_owned()))?);
    let made = copy.metadata()?.modified()?;
    pki.revoke("client1")?;
    s3.put(KEY, &files::read(&pki.path(CRL))?)?;
    until("the new edition to be in force", || Ok((edition(&postern)? == 1).then_some(())))?;
    until("the older copy to be removed", || Ok((!copy.exists()).then_some(())))?;
    drop(postern);
    // As if it had been killed a moment before.
    files::write(&copy, &old)?;
    std::fs::File::options().write(true).open(&copy)?.set_modified(made)?;
    let (mut upstream, mut pki) = (upstream, pki);
    for (s3_is, fault) in [("older", Fault::Instead(old)), ("down", Fault::Down), ("well", Fault::None)] {
        way.set(fault);
        let stage = Stage { postern: start(&config, way.environment(&s3))?, upstream, pki };
        assert_eq!(edition(&stage.postern)?, 1, "{s3_is}");
        assert_eq!(stage.curl("client1", "/").call()?.status, 0);
        assert_eq!(stage.curl("good", "/").call()?.status, 200);
        (upstream, pki) = (stage.upstream, stage.pki);
    }
    Ok(())
}

/// CRLs of the intermediate CA, the oldest first; edition N revokes `client1` to `clientN`.
fn editions(pki: &Pki) -> Result<Vec<Vec<u8>>, Failure> {
    let mut editions = vec![files::read(&pki.path(CRL))?];
    for number in 1..EDITIONS {
        let client = format!("client{number}");
        pki.issue(&client, |_| {})?;
        pki.revoke(&client)?;
        editions.push(files::read(&pki.path(CRL))?);
    }
    Ok(editions)
}

fn kill_in_its_start(
    config: &Config,
    environment: &[(&'static str, String)],
    home: &Path,
    after: Duration,
) -> Outcome {
    let file = home.join("postern.toml");
    config.write(&file)?;
    let mut command = binary::postern_with_aws()?;
    command.arg("run").arg("--config").arg(&file).envs(environment.iter().cloned());
    let process = Process::spawn("postern", &mut command)?;
    park_timeout(after);
    // It may have found out by itself that it cannot go on.
    let _ = process.signal(Signal::KILL);
    process.finish().map(drop)
}

/// Checks what must hold whenever the proxy runs: what `took_effect` stays, and nobody is refused whom no edition so far revokes.
/// Answers which edition is in force.
fn stands(stage: &Stage, took_effect: usize, published: usize) -> Result<usize, Failure> {
    let output = || stage.postern.process().output();
    let in_force = edition(&stage.postern)?;
    assert!(in_force >= took_effect, "{in_force} after {took_effect}: {}", output());
    if took_effect > 0 {
        let revoked = format!("client{took_effect}");
        assert_eq!(stage.curl(&revoked, "/").call()?.status, 0, "{revoked}: {}", output());
    }
    assert_eq!(stage.curl("good", "/").call()?.status, 200, "{}", output());
    if published + 1 < EDITIONS {
        let not_yet = format!("client{}", published + 1);
        assert_eq!(stage.curl(&not_yet, "/").call()?.status, 200, "{not_yet}: {}", output());
    }
    Ok(in_force)
}

/// The edition in force. All of them have the entry of `revoked`.
fn edition(postern: &Postern) -> Result<usize, Failure> {
    let trust = trust(postern)?;
    let crls = trust.get("crls").and_then(Value::as_array).into_iter().flatten();
    let mut here = crls.filter(|crl| crl.get("source").is_some_and(|source| *source == in_s3(KEY)));
    let entries = here.find_map(|crl| crl.get("entries")?.as_u64());
    let entries = entries.ok_or_else(|| Failure::Missing(format!("the CRL in {trust}")))?;
    Ok(usize::try_from(entries).unwrap_or(usize::MAX) - 1)
}

/// The edition that a line of the log says to be in force.
fn said_edition(line: &str) -> Option<usize> {
    let line: Value = serde_json::from_str(line).ok()?;
    let is = |name, value: &str| line.get(name).is_some_and(|it| it == value);
    if !is("message", "CRL in force") || !is("source", &in_s3(KEY)) {
        return None;
    }
    usize::try_from(line.get("entries")?.as_u64()?).ok()?.checked_sub(1)
}

fn names(directory: &Path) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}
