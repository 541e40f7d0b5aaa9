//! A private API that is down, slow, broken, or not who it should be.

use std::collections::BTreeMap;
use std::net::TcpListener;

use postern_tests::curl::{Answer, Curl};
use postern_tests::pki::Pki;
use postern_tests::postern::{Config, Postern};
use postern_tests::stage::Stage;
use postern_tests::{Failure, Outcome};
use serde_json::Value;

#[test]
fn each_fault_has_its_status_problem_log_line_and_metric() -> Outcome {
    let stage = Stage::set_with(|config| config.raw("upstream.response_timeout_ms", 300))?;
    for (path, status, reason) in [
        ("/slow?ms=30000", 504, "upstream_timeout"),
        ("/never", 504, "upstream_timeout"),
        ("/malformed", 502, "upstream_malformed"),
        ("/reset", 502, "upstream_closed"),
    ] {
        for protocol in ["--http1.1", "--http2"] {
            let answer = stage.curl("good", path).arg(protocol).call()?;
            assert_problem(&stage.postern, &answer, status, reason)?;
        }
    }
    for reason in ["upstream_timeout", "upstream_malformed", "upstream_closed"] {
        let count = stage.postern.metrics()?.sum("postern_refusals_total", &[("reason", reason)]);
        assert_eq!(count, if reason == "upstream_timeout" { 4.0 } else { 2.0 }, "{reason}");
    }
    assert_eq!(stage.postern.metrics()?.sum("postern_requests_total", &[("class", "5xx")]), 8.0);
    assert_eq!(stage.curl("good", "/").call()?.status, 200);
    Ok(())
}

#[test]
fn an_upstream_that_is_down_is_502() -> Outcome {
    let Stage { postern, upstream, pki } = Stage::set()?;
    upstream.kill();
    let answer = Curl::https(&pki, postern.address(), Some("good"), "/").call()?;
    assert_problem(&postern, &answer, 502, "upstream_unreachable")
}

#[test]
fn an_upstream_that_breaks_off_breaks_the_response() -> Outcome {
    let stage = Stage::set()?;
    for (protocol, exits) in [("--http1.1", [18, 56]), ("--http2", [92, 18])] {
        let answer = stage.curl("good", "/close-early").arg(protocol).call()?;
        assert_eq!(answer.status, 200, "the head was through already");
        assert!(exits.contains(&answer.exit), "{protocol}: a short body must not look whole: {answer:?}");
    }
    let entry = stage.postern.requested("/close-early")?;
    assert_eq!(entry.text("reason"), Some("upstream_closed"), "{entry:?}");
    stage.postern.metric_reaches("postern_refusals_total", &[("reason", "upstream_closed")], 2.0)?;
    Ok(())
}

#[test]
fn an_upstream_of_another_ca_gets_no_request() -> Outcome {
    let stage = Stage::set_with(|config| {
        // The clients' CA did not sign the upstream's certificate.
        let bundle = config.value("client_auth.trust_bundle").unwrap_or_default().to_owned();
        config.raw("upstream.trust_bundle", bundle)
    })?;
    let answer = stage.curl("good", "/").call()?;
    assert_problem(&stage.postern, &answer, 502, "upstream_tls")
}

#[test]
fn an_upstream_of_another_name_gets_no_request() -> Outcome {
    let stage = Stage::set_with(|config| config.text("upstream.server_name", "elsewhere.example"))?;
    let answer = stage.curl("good", "/").call()?;
    assert_problem(&stage.postern, &answer, 502, "upstream_tls")
}

#[test]
fn an_upstream_that_accepts_and_says_nothing_is_504() -> Outcome {
    // The kernel completes the connection; nobody ever reads from it.
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let pki = Pki::make()?;
    let config = Config::new(&pki, silent.local_addr()?).raw("upstream.connect_timeout_ms", 200);
    let postern = Postern::start(&config)?;
    let answer = Curl::https(&pki, postern.address(), Some("good"), "/").call()?;
    assert_problem(&postern, &answer, 504, "upstream_timeout")
}

#[test]
fn the_private_apis_own_refusals_pass_through() -> Outcome {
    let stage = Stage::set_with(|config| {
        config.text("upstream.host", "zzzzzzzzzz.execute-api.eu-west-1.amazonaws.com")
    })?;
    let answer = stage.curl("good", "/").call()?;
    assert_eq!((answer.status, answer.text().as_str()), (403, r#"{"message":"Forbidden"}"#));
    let entry = stage.postern.requested("/")?;
    assert_eq!((entry.number("status"), entry.text("reason")), (Some(403), None), "not ours: {entry:?}");
    assert_eq!(stage.postern.metrics()?.sum("postern_refusals_total", &[]), 0.0);
    Ok(())
}

/// RFC 9457, an id that is in the log too, and nothing about the inside.
pub(crate) fn assert_problem(postern: &Postern, answer: &Answer, status: u16, reason: &str) -> Outcome {
    assert_eq!((answer.exit, answer.status), (0, status), "{reason}: {}{}", answer.error, answer.text());
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let problem: BTreeMap<String, Value> = answer.json("the problem")?;
    assert_eq!(problem.get("status"), Some(&Value::from(status)), "{problem:?}");
    let text = answer.text();
    for internal in ["127.0.0.1", "rustls", "hyper", "amazonaws", "os error"] {
        assert!(!text.contains(internal), "{internal} in {text}");
    }
    let entry = postern.logged(&format!("the line of {text}"), |entry| {
        let id = entry.text("request").unwrap_or("?");
        entry.is("request") && text.contains(id)
    })?;
    assert_eq!(entry.number("status"), Some(u64::from(status)), "{entry:?}");
    assert_eq!(entry.text("reason"), Some(reason), "{entry:?}");
    if entry.text("detail").is_none_or(str::is_empty) {
        return Err(Failure::Missing(format!("the detail of {entry:?}")));
    }
    Ok(())
}
