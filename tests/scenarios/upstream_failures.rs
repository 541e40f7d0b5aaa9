//! What is tried again, what waits, what is given up, and what is refused at once.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use postern_tests::curl::{Answer, Curl};
use postern_tests::pki::Pki;
use postern_tests::postern::{Config, Postern};
use postern_tests::process::Process;
use postern_tests::raw_tls::Version;
use postern_tests::stage::Stage;
use postern_tests::upstream::{HOST, Upstream};
use postern_tests::wait::until;
use postern_tests::{Failure, Outcome, files, tools};

use crate::upstream_faults::assert_problem;

fn stage(change: impl FnOnce(Config) -> Config) -> Result<Stage, Failure> {
    Stage::set_with(|config| change(config.raw("listen.workers", 1)))
}

fn retries(postern: &Postern, result: &str) -> Result<f64, Failure> {
    Ok(postern.metrics()?.sum("postern_upstream_retries_total", &[("result", result)]))
}

#[test]
fn what_may_be_carried_out_twice_is_sent_again() -> Outcome {
    let stage = stage(|config| config)?;
    for method in ["GET", "DELETE", "OPTIONS"] {
        let answer = stage.curl("good", &format!("/flaky/{method}")).args(&["-X", method]).call()?;
        assert_eq!(answer.status, 200, "{method}");
    }
    assert_eq!(retries(&stage.postern, "sent")?, 3.0);
    for arguments in [["-X", "POST"], ["-X", "PATCH"], ["--data", "a body"]] {
        let answer = stage.curl("good", &format!("/flaky/{}", arguments[1].len())).args(&arguments).call()?;
        assert_problem(&stage.postern, &answer, 502, "upstream_closed")?;
    }
    // PUT may be repeated, but its body is gone.
    let answer = stage.curl("good", "/flaky/put").args(&["-X", "PUT", "--data", "a body"]).call()?;
    assert_problem(&stage.postern, &answer, 502, "upstream_closed")?;
    // It fails each time: once more, and no more often.
    let answer = stage.curl("good", "/reset").call()?;
    assert_problem(&stage.postern, &answer, 502, "upstream_closed")?;
    assert_eq!(retries(&stage.postern, "sent")?, 4.0);
    Ok(())
}

#[test]
fn repeats_end_with_their_budget() -> Outcome {
    let stage =
        stage(|config| config.raw("upstream.retry.burst", 1).raw("upstream.retry.budget_percent", 0))?;
    assert_eq!(stage.curl("good", "/flaky/1").call()?.status, 200);
    assert_eq!(stage.curl("good", "/flaky/2").call()?.status, 502);
    assert_eq!((retries(&stage.postern, "sent")?, retries(&stage.postern, "over_budget")?), (1.0, 1.0));
    Ok(())
}

#[test]
fn with_no_attempts_nothing_is_sent_twice() -> Outcome {
    let stage = stage(|config| config.raw("upstream.retry.attempts", 0))?;
    assert_eq!(stage.curl("good", "/flaky/1").call()?.status, 502);
    assert_eq!(retries(&stage.postern, "sent")?, 0.0);
    Ok(())
}

#[test]
fn at_the_bound_requests_wait_for_a_connection_and_are_refused_when_none_comes() -> Outcome {
    let bound = |config: Config| config.raw("upstream.max_connections", 1).raw("upstream.max_waiting", 1);
    let patient = stage(|config| bound(config).raw("upstream.waiting_timeout_ms", 15_000))?;
    let call = |stage: &Stage, path: &str| stage.curl("good", path).call();
    std::thread::scope(|scope| -> Outcome {
        let first = scope.spawn(|| call(&patient, "/slow?ms=700"));
        patient.postern.metric_reaches("postern_upstream_connections_open", &[], 1.0)?;
        let second = scope.spawn(|| call(&patient, "/"));
        patient.postern.metric_reaches("postern_upstream_waiting", &[], 1.0)?;
        // Its place is taken.
        let third = call(&patient, "/")?;
        assert_problem(&patient.postern, &third, 503, "upstream_busy")?;
        assert_eq!(third.header("retry-after"), Some("1"));
        for answer in [first, second] {
            let answer =
                answer.join().map_err(|_panic| Failure::Missing("a thread that ends".to_owned()))??;
            assert_eq!(answer.echo()?.connection, 1, "one connection serves both");
        }
        Ok(())
    })?;
    let hasty = stage(|config| bound(config).raw("upstream.waiting_timeout_ms", 100))?;
    std::thread::scope(|scope| -> Outcome {
        scope.spawn(|| call(&hasty, "/slow?ms=3000"));
        hasty.postern.metric_reaches("postern_upstream_connections_open", &[], 1.0)?;
        assert_problem(&hasty.postern, &call(&hasty, "/")?, 503, "upstream_busy")
    })
}

#[test]
fn a_client_that_goes_away_leaves_its_connection_to_the_next_one() -> Outcome {
    // Nobody accepts yet, so that the handshake is half made when the client goes.
    let (pki, silent) = (Pki::make()?, TcpListener::bind("127.0.0.1:0")?);
    let config = Config::new(&pki, silent.local_addr()?).raw("listen.workers", 1);
    let postern = Postern::start(&config)?;
    let gone = Curl::https(&pki, postern.address(), Some("good"), "/").args(&["--max-time", "0.3"]).call()?;
    assert_eq!(gone.exit, 28);
    let (mut made, _) = silent.accept()?;
    made.set_nonblocking(true)?;
    // Had it been given up, the end would follow the hello at once.
    let mut hello = [0; 4096];
    until("the hello", || Ok(std::io::Read::read(&mut made, &mut hello).ok()))?;
    postern.requested("/")?;
    let end = std::io::Read::read(&mut made, &mut hello);
    assert_eq!(end.map_err(|error| error.kind()), Err(std::io::ErrorKind::WouldBlock));
    Ok(())
}

#[test]
fn a_body_that_stands_still_is_given_up() -> Outcome {
    let stage =
        stage(|config| config.raw("upstream.body_idle_timeout_ms", 200).raw("upstream.max_connections", 1))?;
    for (protocol, exits) in [("--http1.1", [18, 56]), ("--http2", [92, 18])] {
        let answer = stage.curl("good", "/stall").arg(protocol).call()?;
        assert_eq!(answer.status, 200, "the head was through already");
        assert!(exits.contains(&answer.exit), "{protocol}: a short body must not look whole: {answer:?}");
    }
    let entry = stage.postern.requested("/stall")?;
    assert_eq!(entry.text("reason"), Some("upstream_stalled"), "{entry:?}");
    // Its place is free, and a body that takes its time is not one that stands still.
    assert_eq!(stage.curl("good", "/bytes/3000000").call()?.body.len(), 3_000_000);
    Ok(())
}

#[test]
fn a_request_may_be_given_a_time_for_all_of_it() -> Outcome {
    let stage = stage(|config| config.raw("upstream.total_timeout_ms", 300))?;
    assert_problem(&stage.postern, &stage.curl("good", "/never").call()?, 504, "upstream_timeout")?;
    let answer = stage.curl("good", "/stall").arg("--http1.1").call()?;
    assert!([18, 56].contains(&answer.exit), "{answer:?}");
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    Ok(())
}

#[test]
fn the_circuit_breaker_opens_refuses_tries_and_closes() -> Outcome {
    let Stage { postern, upstream, pki } =
        stage(|config| config.raw("upstream.breaker.failures", 3).raw("upstream.breaker.open_ms", 700))?;
    let address = upstream.address();
    let call = || Curl::https(&pki, postern.address(), Some("good"), "/").call();
    upstream.kill();
    for _ in 0..3 {
        assert_problem(&postern, &call()?, 502, "upstream_unreachable")?;
    }
    let refused = call()?;
    assert_problem(&postern, &refused, 503, "upstream_circuit_open")?;
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(postern.metrics()?.sum("postern_upstream_breaker_open", &[("upstream", "default")]), 1.0);
    postern.said(&["circuit breaker open", "default"])?;
    // One request tries, and it stays open.
    until("a request that tries", || Ok((call()?.status == 502).then_some(())))?;
    postern.said(&["circuit breaker open again"])?;
    let _upstream = Upstream::start_at(&pki, address)?;
    until("the breaker to close", || Ok((call()?.status == 200).then_some(())))?;
    let metrics = postern.metrics()?;
    assert_eq!(metrics.sum("postern_upstream_breaker_open", &[]), 0.0);
    for to in ["open", "closed"] {
        assert_eq!(metrics.sum("postern_upstream_breaker_changes_total", &[("to", to)]), 1.0, "{to}");
    }
    Ok(())
}

#[test]
fn statuses_open_the_breaker_only_where_they_are_named() -> Outcome {
    let three = |stage: &Stage| -> Result<Vec<u16>, Failure> {
        (0..3).map(|_| Ok(stage.curl("good", "/status/503").call()?.status)).collect()
    };
    let plain = stage(|config| config.raw("upstream.breaker.failures", 2))?;
    three(&plain)?;
    assert_eq!(plain.curl("good", "/").call()?.status, 200);
    let strict =
        stage(|config| config.raw("upstream.breaker.failures", 2).raw("upstream.breaker.statuses", "[503]"))?;
    three(&strict)?;
    assert_problem(&strict.postern, &strict.curl("good", "/").call()?, 503, "upstream_circuit_open")
}

/// nginx in front of nothing, with a configuration of its own.
struct Nginx {
    _process: Process,
    address: SocketAddr,
    _directory: tempfile::TempDir,
}

impl Nginx {
    fn start(pki: &Pki, keepalive: &str) -> Result<Self, Failure> {
        let directory = files::temporary_directory()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let at = |path: &Path| path.display().to_string();
        let (home, file) = (at(directory.path()), directory.path().join("nginx.conf"));
        let [certificate, key] = ["upstream.pem", "upstream.key"].map(|file| at(&pki.path(file)));
        // What clients show is signed by the root of `pki`, or it is not served.
        let clients = at(&pki.path("root.pem"));
        let text = format!(
            "daemon off; master_process off; pid {home}/pid; error_log stderr; events {{}}\n\
             http {{ access_log off; client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;\n\
             fastcgi_temp_path {home}/fastcgi; uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;\n\
             server {{ listen {address} ssl; ssl_certificate {certificate}; ssl_certificate_key {key};\n\
             ssl_client_certificate {clients}; ssl_verify_client optional; ssl_verify_depth 3; {keepalive}\n\
             location / {{ return 200 \"$request_method $connection_requests $ssl_client_s_dn\"; }} }} }}\n"
        );
        files::write(&file, text)?;
        let process = Process::spawn(
            "nginx",
            tools::command("nginx")?.args(["-e", "stderr", "-p", &home, "-c"]).arg(&file),
        )?;
        until("nginx to listen", || Ok(std::net::TcpStream::connect(address).ok()))?;
        Ok(Self { _process: process, address, _directory: directory })
    }
}

#[test]
fn an_upstream_that_closes_its_connections_all_the_time_costs_no_request() -> Outcome {
    let pki = Pki::make()?;
    for keepalive in ["keepalive_requests 1;", "keepalive_requests 3;", "keepalive_timeout 1ms;"] {
        let nginx = Nginx::start(&pki, keepalive)?;
        let postern = Postern::start(&Config::new(&pki, nginx.address).raw("listen.workers", 1))?;
        let client =
            || postern_tests::raw_tls::RawTls::connect(&pki, postern.address(), "good", Version::Tls13);
        std::thread::scope(|scope| -> Outcome {
            let clients: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| -> Outcome {
                        let mut client = client()?;
                        for _ in 0..60 {
                            assert_eq!(client.get("/")?.status, 200, "{keepalive}");
                        }
                        Ok(())
                    })
                })
                .collect();
            for client in clients {
                client
                    .join()
                    .map_err(|_panic| Failure::Missing("a client that does not panic".to_owned()))??;
            }
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn the_upstream_is_shown_the_certificate_of_the_configuration_and_its_successor_after_a_reload() -> Outcome {
    let pki = Pki::make()?;
    let nginx = Nginx::start(&pki, "keepalive_timeout 0;")?;
    let shown = files::temporary_directory()?;
    let [certificate, key] = ["shown.pem", "shown.key"].map(|file| shown.path().join(file));
    let show = |client: &str| -> Outcome {
        files::write(&certificate, files::read(&pki.path(&format!("clients/{client}.pem")))?)?;
        files::write(&key, files::read(&pki.path(&format!("clients/{client}.key")))?)
    };
    show("good")?;
    let config = Config::new(&pki, nginx.address).text("upstream.host", HOST);
    let postern = Postern::start(
        &config
            .text("upstream.client_certificate", certificate.display())
            .text("upstream.client_key", key.display()),
    )?;
    let call =
        || -> Result<Answer, Failure> { Curl::https(&pki, postern.address(), Some("good"), "/").call() };
    assert!(call()?.text().contains("CN=good"), "{}", call()?.text());
    show("revoked")?;
    postern.reload()?;
    assert!(call()?.text().contains("CN=revoked"), "{}", call()?.text());
    // Half a pair leaves the last one in force.
    files::write(&certificate, "")?;
    postern.reload()?;
    assert!(call()?.text().contains("CN=revoked"), "{}", call()?.text());
    Ok(())
}
