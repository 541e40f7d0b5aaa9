//! SIGHUP: what is read again, and what stays when the new file is bad.

use postern_tests::curl::Curl;
use postern_tests::pki::Pki;
use postern_tests::postern::{Config, Postern};
use postern_tests::raw_tls::{RawTls, Version, resuming_config};
use postern_tests::stage::Stage;
use postern_tests::upstream::Upstream;
use postern_tests::{Failure, Outcome, files, proc};

use crate::identity_headers::echo_of;

/// The trust bundle, the server's certificate and its key in a directory of their own, to be replaced there.
const LIVE: [(&str, &str); 3] = [
    ("root.pem", "client_auth.trust_bundle"),
    ("server.pem", "tls.certificate"),
    ("server.key", "tls.private_key"),
];

struct Live {
    stage: Stage,
    directory: tempfile::TempDir,
}

impl Live {
    fn set() -> Result<Self, Failure> {
        Self::set_with(|config| config)
    }

    fn set_with(change: impl FnOnce(Config) -> Config) -> Result<Self, Failure> {
        let directory = files::temporary_directory()?;
        let pki = Pki::make()?;
        let upstream = Upstream::start(&pki)?;
        let mut config = Config::new(&pki, upstream.address());
        for (file, key) in LIVE {
            files::copy(&pki.path(file), &directory.path().join(file))?;
            config = config.text(key, directory.path().join(file).display());
        }
        Ok(Self { stage: Stage { postern: Postern::start(&change(config))?, upstream, pki }, directory })
    }

    fn replace(&self, file: &str, contents: &[u8]) -> Outcome {
        files::write(&self.directory.path().join(file), contents)?;
        Ok(())
    }

    /// A reload that must not change anything: it is counted and logged as failed, and names the file.
    fn reload_in_vain(&self, file: &str) -> Outcome {
        let failures = || {
            Ok::<_, Failure>(
                self.stage.postern.metrics()?.sum("postern_reloads_total", &[("result", "kept_last_good")]),
            )
        };
        let before = failures()?;
        self.stage.postern.reload()?;
        assert_eq!(failures()?, before + 1.0);
        self.stage.postern.said(&[file])?;
        assert_eq!(self.stage.curl("good", "/").call()?.status, 200, "the last good one is in force");
        assert_eq!(self.stage.curl("stranger", "/").call()?.status, 0);
        assert_eq!(self.stage.postern.look("/readyz")?.status, 200);
        Ok(())
    }
}

#[test]
fn a_new_server_certificate_is_presented() -> Outcome {
    let live = Live::set()?;
    let address = live.stage.postern.address();
    let mut open = live.stage.connect("good", Version::Tls13)?;
    assert_eq!(open.get("/")?.status, 200);
    let sessions = resuming_config(&live.stage.pki, "good", Version::Tls13)?;
    assert_eq!(RawTls::connect_with(sessions.clone(), address)?.get("/")?.status, 200);
    let renewed = Pki::make()?;
    for file in ["server.pem", "server.key"] {
        live.replace(file, &files::read(&renewed.path(file))?)?;
    }
    live.stage.postern.reload()?;
    let call = |root: &Pki| {
        Curl::https(&live.stage.pki, live.stage.postern.address(), Some("good"), "/")
            .arg("--cacert")
            .arg(root.path("root.pem"))
            .call()
    };
    assert_eq!(call(&renewed)?.status, 200);
    assert_eq!(call(&live.stage.pki)?.exit, 60, "the old one is gone");
    assert_eq!(open.get("/")?.status, 200, "open connections go on");
    assert!(RawTls::connect_with(sessions, address)?.is_resumed(), "and so do sessions");
    assert_eq!(live.stage.postern.metrics()?.sum("postern_reloads_total", &[("result", "applied")]), 1.0);
    Ok(())
}

#[test]
fn a_new_trust_bundle_changes_who_is_believed() -> Outcome {
    let live = Live::set()?;
    let other = Pki::make()?;
    let mut open = live.stage.connect("good", Version::Tls13)?;
    assert_eq!(open.get("/")?.status, 200);
    live.replace("root.pem", &files::read(&other.path("root.pem"))?)?;
    live.stage.postern.reload()?;
    assert_eq!(live.stage.curl("good", "/").call()?.status, 0);
    live.stage.postern.refused("unknown_issuer")?;
    assert!(open.until_closed()?.is_empty(), "open connections too");
    Ok(())
}

#[test]
fn a_key_that_does_not_match_is_kept_out() -> Outcome {
    let live = Live::set()?;
    live.replace("server.key", &files::read(&Pki::make()?.path("server.key"))?)?;
    live.reload_in_vain("server.key")
}

#[test]
fn empty_and_broken_files_are_kept_out() -> Outcome {
    let live = Live::set()?;
    for (file, _) in LIVE {
        let good = files::read(&live.directory.path().join(file))?;
        let half = &good[..good.len() / 2];
        for bad in [&b""[..], b"not PEM at all\n", half] {
            live.replace(file, bad)?;
            live.reload_in_vain(file)?;
        }
        live.replace(file, &good)?;
    }
    live.stage.postern.reload()?;
    assert_eq!(live.stage.postern.metrics()?.sum("postern_reloads_total", &[("result", "applied")]), 1.0);
    Ok(())
}

#[test]
fn a_missing_file_is_kept_out() -> Outcome {
    let live = Live::set()?;
    std::fs::remove_file(live.directory.path().join("root.pem"))?;
    live.reload_in_vain("root.pem")
}

#[test]
fn an_older_crl_is_not_taken_back() -> Outcome {
    let stage = Stage::set()?;
    let index = stage.pki.path("crl/intermediate.crlx");
    let old = files::read(&index)?;
    stage.pki.revoke("good")?;
    stage.postern.reload()?;
    assert_eq!(stage.curl("good", "/").call()?.status, 0);
    files::write(&index, old)?;
    stage.postern.reload()?;
    assert_eq!(stage.curl("good", "/").call()?.status, 0, "RFC 5280 §5.2.3: an older number is a replay");
    assert_eq!(stage.postern.metrics()?.sum("postern_reloads_total", &[("result", "kept_last_good")]), 1.0);
    Ok(())
}

#[test]
fn an_older_crl_is_not_taken_back_by_way_of_another_file() -> Outcome {
    let stage = Stage::set()?;
    let [intermediate, root] = [stage.pki.path("crl/intermediate.crlx"), stage.pki.path("crl/root.crlx")];
    let old = files::read(&intermediate)?;
    stage.pki.revoke("good")?;
    stage.postern.reload()?;
    assert_eq!(stage.curl("good", "/").call()?.status, 0);
    files::write(&intermediate, files::read(&root)?)?;
    files::write(&root, old)?;
    stage.postern.reload()?;
    assert_eq!(
        stage.curl("good", "/").call()?.status,
        0,
        "it is the issuer's CRL that counts, not the file's name"
    );
    assert_eq!(stage.postern.metrics()?.sum("postern_reloads_total", &[("result", "kept_last_good")]), 1.0);
    Ok(())
}

#[test]
fn the_wrong_index_in_a_file_changes_nothing() -> Outcome {
    let stage = Stage::set()?;
    let intermediate = stage.pki.path("crl/intermediate.crlx");
    files::write(&intermediate, files::read(&stage.pki.path("crl/root.crlx"))?)?;
    stage.postern.reload()?;
    stage.postern.said(&["are both for"])?;
    assert_eq!(stage.curl("good", "/").call()?.status, 200, "the last good one is in force");
    assert_eq!(stage.curl("revoked", "/").call()?.status, 0);
    Ok(())
}

#[test]
fn the_upstream_is_told_the_path_that_counts_now() -> Outcome {
    const CHAIN: &str = "client-cert-chain";
    let live = Live::set_with(|config| config.raw("identity_headers.client_cert_chain", true))?;
    let (mut http1, mut http2) =
        (live.stage.connect("good", Version::Tls13)?, live.stage.connect_http2("good")?);
    let mut told = || -> Result<[usize; 2], Failure> {
        let echoes = [echo_of(&http1.get("/")?.body)?, echo_of(&http2.get("/")?.1)?];
        Ok(echoes.map(|echo| echo.values(CHAIN).len()))
    };
    assert_eq!(told()?, [1, 1], "the intermediate leads to the anchor");
    live.replace("root.pem", &files::read(&live.stage.pki.path("intermediate.pem"))?)?;
    live.stage.postern.reload()?;
    assert_eq!(told()?, [0, 0], "it is the anchor");
    Ok(())
}

#[test]
fn a_thread_that_reads_steps_back_behind_those_that_answer() -> Outcome {
    let stage = Stage::set()?;
    stage.postern.reload()?;
    let threads = proc::niceness(stage.postern.process().id())?;
    let own = |name: &str| threads.iter().find(|(it, _)| it.starts_with(name)).map(|&(_, nice)| nice);
    let (Some(main), Some(worker)) = (own("postern"), own("worker-")) else { panic!("{threads:?}") };
    assert_eq!(worker, main, "{threads:?}");
    let readers = threads.iter().filter(|&&(_, nice)| nice == (main + 10).min(19));
    assert!(readers.count() > 0, "{threads:?}");
    Ok(())
}
