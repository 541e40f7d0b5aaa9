//! CRLs in S3: an upload reaches every connection, and a restart needs no S3.

use std::time::{Duration, Instant};

use postern_tests::faulty::{Fault, Faulty};
use postern_tests::pki::Pki;
use postern_tests::postern::Postern;
use postern_tests::raw_tls::Version;
use postern_tests::s3::S3;
use postern_tests::stage::Stage;
use postern_tests::upstream::Upstream;
use postern_tests::wait::until;
use postern_tests::{Failure, Outcome, files, proc};

use super::{config, in_s3, pem, replace, start, tell, times_said, trust, until_status, with_crl_at};
use crate::signed_indexes::{pki as signing_pki, requiring, sign};

/// Entries of an index that takes far more memory than what else a process may take for the first time.
const BIG: u64 = 1_000_000;

/// Files that the process has open in `directory`, removed ones included.
fn open_in(postern: &Postern, directory: &std::path::Path) -> Result<usize, Failure> {
    let mut count = 0;
    for entry in std::fs::read_dir(format!("/proc/{}/fd", postern.process().id()))? {
        let target = std::fs::read_link(entry?.path()).unwrap_or_default();
        count += usize::from(target.starts_with(directory));
    }
    Ok(count)
}

#[test]
fn an_upload_reaches_new_and_open_connections_and_a_restart_needs_no_s3() -> Outcome {
    let (pki, s3) = (Pki::make()?, S3::start()?);
    let upstream = Upstream::start(&pki)?;
    let copies = files::temporary_directory()?;
    pki.issue("good2", |_| {})?;
    s3.keep_versions()?;
    s3.put("ca/intermediate.crlx", &files::read(&pki.path("crl/intermediate.crlx"))?)?;
    let config = with_crl_at(config(&pki, &upstream), &pki, &in_s3("ca/intermediate.crlx"))
        .text("sources.directory", copies.path().display());
    let stage = Stage { postern: start(&config, s3.environment())?, upstream, pki };
    let (mut stays, mut idle) =
        (stage.connect("good", Version::Tls13)?, stage.connect("good2", Version::Tls13)?);
    assert_eq!(stays.get("/")?.status, 200);
    assert_eq!(idle.get("/")?.status, 200);
    assert_eq!(open_in(&stage.postern, copies.path())?, 1, "the index of the intermediate CA");
    let generation = stage.postern.metrics()?.value("postern_trust_generation", &[])?;
    let looks = [("result", "unchanged")];
    let before = stage.postern.metrics()?.sum("postern_source_looks_total", &looks);
    stage.postern.metric_reaches("postern_source_looks_total", &looks, before + 20.0)?;
    let metrics = stage.postern.metrics()?;
    assert_eq!(
        metrics.value("postern_trust_generation", &[])?,
        generation,
        "what stays the same is not read again"
    );

    let version = || {
        let crls = trust(&stage.postern)?["crls"].clone();
        let remote = crls.as_array().into_iter().flatten().find_map(|crl| crl["version"].as_str());
        remote.map(str::to_owned).ok_or_else(|| Failure::Missing(format!("a version in {crls}")))
    };
    let first = version()?;
    stage.pki.revoke("good2")?;
    s3.put("ca/intermediate.crlx", &files::read(&stage.pki.path("crl/intermediate.crlx"))?)?;
    until_status(&stage, "good2", 0)?;
    let second = version()?;
    assert_ne!(first, second);
    stage.postern.said(&["CRL in force", &second])?;
    assert!(idle.until_closed()?.is_empty(), "without a request");
    assert_eq!(stays.get("/")?.status, 200, "everybody else's go on");
    stage.postern.said(&["CRL in force", "intermediate.crlx", "published"])?;
    let latency = |step| stage.postern.metrics()?.value("postern_crl_latency_seconds", &[("step", step)]);
    assert!(latency("published_to_fetched")? < 15.0);
    assert!(latency("fetched_to_in_force")? < 15.0);
    until("the last connection to be counted", || Ok(latency("in_force_to_last_closed").ok()))?;
    until("the old index to be closed, with connections open that began under it", || {
        Ok((open_in(&stage.postern, copies.path())? == 1).then_some(()))
    })?;

    let (environment, nothing) = (s3.environment(), files::temporary_directory()?);
    drop(s3);
    let Stage { postern, upstream, pki } = stage;
    drop(postern);
    let stage = Stage { postern: start(&config, environment.clone())?, upstream, pki };
    assert_eq!(stage.curl("good", "/").call()?.status, 200, "the copy is in force");
    assert_eq!(stage.curl("good2", "/").call()?.status, 0);
    stage.postern.said(&["kept the last good", "ca/intermediate.crlx"])?;
    assert_eq!(stage.postern.look("/readyz")?.status, 200);

    let empty = config.text("sources.directory", nothing.path().display());
    let refused = start(&empty, environment).err().map(|failure| failure.to_string()).unwrap_or_default();
    assert!(refused.contains("revocation.crls: s3://crls/ca/intermediate.crlx: "), "{refused}");
    Ok(())
}

#[test]
fn bare_crls_and_prefixes_are_proved_and_indexed() -> Outcome {
    let (pki, s3) = (Pki::make()?, S3::start()?);
    let upstream = Upstream::start(&pki)?;
    let read = |file: &str| files::read(&pki.path(file));
    // As AWS Private CA and a publisher leave them there: the index counts, not what lies beside it.
    s3.put("crl/intermediate.crl", b"what the index was made of")?;
    s3.put("crl/intermediate.crl.crlx", &read("crl/intermediate.crlx")?)?;
    s3.put("crl/intermediate.crl.json", b"{}")?;
    s3.put("crl/acm-pca-permission-test-key", b"")?;
    s3.put("crl/root.crl", &read("crl/root.crl")?)?;
    let config = config(&pki, &upstream).raw("revocation.crls", format!("[{:?}]", in_s3("crl/")));
    let stage = Stage { postern: start(&config, s3.environment())?, upstream, pki };
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    assert_eq!(stage.curl("revoked", "/").call()?.status, 0);
    let sources: Vec<_> = trust(&stage.postern)?["crls"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|crl| crl["source"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(sources.len(), 2, "{sources:?}");
    assert!(sources.contains(&in_s3("crl/root.crl")), "{sources:?}");

    // An unsigned index of somebody else's is not believed, whatever it says.
    let other = Pki::make()?;
    s3.put("crl/other.crlx", &files::read(&other.path("crl/intermediate.crlx"))?)?;
    stage.postern.said(&["kept the last good", "crl/other.crlx"])?;
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    assert!(tell(&stage.postern, "/trust/clear", "{}")?.contains("say whose"));
    Ok(())
}

#[test]
fn an_index_in_s3_counts_once_one_of_the_required_keys_signed_it() -> Outcome {
    const KEY: &str = "ca/intermediate.crlx";
    let (pki, s3) = (signing_pki()?, S3::start()?);
    sign(&pki, "old.key")?;
    let put = |pki: &Pki| s3.put(KEY, &files::read(&pki.path("crl/intermediate.crlx"))?);
    put(&pki)?;
    let upstream = Upstream::start(&pki)?;
    let config = requiring(with_crl_at(config(&pki, &upstream), &pki, &in_s3(KEY)), &pki, &["old.pub"]);
    let stage = Stage { postern: start(&config, s3.environment())?, upstream, pki };
    assert_eq!(stage.curl("good", "/").call()?.status, 200);

    stage.pki.revoke("good")?;
    put(&stage.pki)?;
    stage.postern.said(&["kept the last good", KEY, "not signed"])?;
    sign(&stage.pki, "new.key")?;
    put(&stage.pki)?;
    stage.postern.said(&["kept the last good", KEY, "none of those required"])?;
    assert_eq!(stage.curl("good", "/").call()?.status, 200, "the last good one is in force");
    sign(&stage.pki, "old.key")?;
    put(&stage.pki)?;
    until_status(&stage, "good", 0)
}

#[test]
fn everything_from_s3_is_there_after_a_restart_while_s3_says_nothing() -> Outcome {
    const ISSUERS: usize = 6;
    const TIMEOUT: Duration = Duration::from_secs(3);
    let (pki, s3, copies) = (Pki::make()?, S3::start()?, files::temporary_directory()?);
    let (upstream, way) = (Upstream::start(&pki)?, Faulty::start(&s3)?);
    pki.issue("good2", |_| {})?;
    let read = |file: &str| files::read(&pki.path(file));
    s3.put("trust/root.pem", &read("root.pem")?)?;
    let issuers = (0..ISSUERS).map(|number| format!("trust/issuer-{number}.pem")).collect::<Vec<_>>();
    issuers.iter().try_for_each(|key| s3.put(key, &read("intermediate.pem")?))?;
    let issuers: Vec<_> = issuers.iter().map(|key| in_s3(key)).collect();
    s3.put("crl/intermediate.crl", &pem(&read("crl/intermediate.crl")?))?;
    s3.put("crl/root.crl", &read("crl/root.crl")?)?;
    let config = config(&pki, &upstream)
        .text("client_auth.trust_bundle", in_s3("trust/root.pem"))
        .raw("revocation.issuers", format!("{issuers:?}"))
        .raw("revocation.crls", format!("[{:?}]", in_s3("crl/")))
        .text("sources.directory", copies.path().display());
    let stage = Stage { postern: start(&config, way.environment(&s3))?, upstream, pki };
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    assert_eq!(stage.curl("revoked", "/").call()?.status, 0, "by a CRL in PEM");

    // An anchor that goes is gone for new and for open connections.
    let mut open = stage.connect("good", Version::Tls13)?;
    assert_eq!(open.get("/")?.status, 200);
    let other = Pki::make()?;
    s3.put("trust/root.pem", &files::read(&other.path("root.pem"))?)?;
    assert!(open.until_closed()?.is_empty(), "its anchor is gone");
    assert_eq!(stage.curl("good", "/").call()?.status, 0);
    s3.put("trust/root.pem", &files::read(&stage.pki.path("root.pem"))?)?;
    until_status(&stage, "good", 200)?;

    let Stage { postern, upstream, pki } = stage;
    drop(postern);
    way.set(Fault::Silent);
    let config = config.raw("sources.timeout_ms", TIMEOUT.as_millis());
    let began = Instant::now();
    let stage = Stage { postern: start(&config, way.environment(&s3))?, upstream, pki };
    let (took, one_by_one) = (began.elapsed(), TIMEOUT * u32::try_from(ISSUERS + 2).unwrap_or(u32::MAX));
    println!("started in {took:.1?}; one by one, it is {one_by_one:?} at least");
    assert!(took < one_by_one / 2, "{took:?}");
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    assert_eq!(stage.curl("revoked", "/").call()?.status, 0);
    assert_eq!(stage.postern.look("/readyz")?.status, 200);
    stage.postern.said(&["kept the last good", &format!("{}: ", in_s3("crl/"))])?;

    way.set(Fault::None);
    stage.pki.revoke("good2")?;
    s3.put("crl/intermediate.crl", &pem(&files::read(&stage.pki.path("crl/intermediate.crl"))?))?;
    until_status(&stage, "good2", 0)?;
    until("all of it to be over", || {
        let over = times_said(&stage.postern, &["\"over\""]);
        Ok((over == times_said(&stage.postern, &["kept the last good"])).then_some(()))
    })
}

#[test]
fn what_was_proved_once_is_not_read_again() -> Outcome {
    const KEY: &str = "ca/intermediate.crlx";
    let (pki, s3, copies) = (Pki::make()?, S3::start()?, files::temporary_directory()?);
    let (upstream, way) = (Upstream::start(&pki)?, Faulty::start(&s3)?);
    let index = files::read(&pki.path("crl/intermediate.crlx"))?;
    s3.put(KEY, &index)?;
    let config = with_crl_at(config(&pki, &upstream), &pki, &in_s3(KEY))
        .text("sources.directory", copies.path().display());
    let stage = Stage { postern: start(&config, way.environment(&s3))?, upstream, pki };
    way.set(Fault::NewEtags(index));
    let before = way.requests();
    until("looks at the same under other ETags", || Ok((way.requests() >= before + 4).then_some(())))?;
    way.set(Fault::None);
    let looks =
        |result| Ok::<_, Failure>(stage.postern.metrics()?.sum("postern_source_looks_total", &[result]));
    let unchanged = looks(("result", "unchanged"))?;
    stage.postern.metric_reaches(
        "postern_source_looks_total",
        &[("result", "unchanged")],
        unchanged + 40.0,
    )?;
    assert_eq!(looks(("result", "changed"))?, 0.0, "told by its digest");

    // Another bundle may prove other CRLs: once more, and then no longer.
    let other = Pki::make()?;
    let both = [files::read(&stage.pki.path("root.pem"))?, files::read(&other.path("root.pem"))?].concat();
    let next = stage.pki.path("both.pem");
    files::write(&next, both)?;
    replace(&next, &stage.pki.path("root.pem"))?;
    stage.postern.metric_reaches("postern_trust_generation", &[], 1.0)?;
    for entry in std::fs::read_dir(copies.path())? {
        files::write(&next, "not what was proved")?;
        std::fs::rename(&next, entry?.path())?;
    }
    let root = stage.pki.path("crl/root.crlx");
    files::copy(&root, &next)?;
    replace(&next, &root)?;
    stage.postern.metric_reaches("postern_trust_generation", &[], 2.0)?;
    assert_eq!(stage.postern.metrics()?.sum("postern_trust_not_taken", &[]), 0.0);
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    assert_eq!(stage.curl("revoked", "/").call()?.status, 0);
    Ok(())
}

#[test]
fn proving_an_index_takes_no_memory_beside_the_old_one_and_the_new_one() -> Outcome {
    const KEY: &str = "ca/intermediate.crlx";
    let (pki, s3) = (Pki::make()?, S3::start()?);
    let upstream = Upstream::start(&pki)?;
    let put = |number: u64, entries: u64| {
        pki.reissue_crl_numbered(number, entries)?;
        s3.put(KEY, &files::read(&pki.path("crl/intermediate.crlx"))?)
    };
    put(100, 10)?;
    let config = with_crl_at(config(&pki, &upstream), &pki, &in_s3(KEY));
    let postern = start(&config, s3.environment())?;
    let memory = || proc::memory_bytes(postern.process().id());
    let small = memory()?;
    put(101, BIG)?;
    postern.said(&["CRL in force", &BIG.to_string()])?;
    let old = memory()? - small;
    proc::forget_peak_memory(postern.process().id())?;
    put(102, BIG + 1)?;
    postern.said(&["CRL in force", &(BIG + 1).to_string()])?;
    let (new, peak) = (memory()? - small, proc::peak_memory_bytes(postern.process().id())? - small);
    assert!(10 * peak <= 13 * (old + new), "{peak} bytes beside {old} and {new}");
    Ok(())
}
