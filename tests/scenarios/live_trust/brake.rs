//! A CRL that changes too much waits for an operator.

use postern_tests::pki::Pki;
use postern_tests::postern::Postern;
use postern_tests::process::run;
use postern_tests::stage::Stage;
use postern_tests::upstream::Upstream;
use postern_tests::{Failure, Outcome, binary, files, ports};
use time::{Duration, OffsetDateTime};

use super::{config, replace, tell, times_said, trust, until_status, with_crl_at};

fn reissue(pki: &Pki, entries: u64) -> Outcome {
    let now = OffsetDateTime::now_utc();
    pki.reissue_crl(now - Duration::hours(1), now + Duration::hours(1), entries)
}

#[test]
fn a_crl_that_drops_too_many_is_held_until_it_is_approved() -> Outcome {
    let (pki, directory) = (Pki::make()?, files::temporary_directory()?);
    let (upstream, [admin]) = (Upstream::start(&pki)?, ports::free()?);
    reissue(&pki, 100)?;
    let config = config(&pki, &upstream)
        .text("admin.address", format!("127.0.0.1:{admin}"))
        .raw("revocation.brake.max_dropped_percent", 20);
    let file = directory.path().join("postern.toml");
    config.write(&file)?;
    let stage = Stage { postern: Postern::start(&config)?, upstream, pki };
    let entries = |least| stage.postern.metric_reaches("postern_crl_entries", &[], least);
    reissue(&stage.pki, 85)?;
    stage.postern.metric_reaches("postern_trust_generation", &[], 1.0)?;
    reissue(&stage.pki, 60)?;
    stage.postern.said(&["kept the last good", "held: it drops"])?;
    assert!(entries(85.0)? >= 85.0, "the last good one stays");
    assert_eq!(stage.postern.metrics()?.sum("postern_trust_not_taken", &[("reason", "held")]), 1.0);
    let ready = stage.postern.look("/readyz")?;
    assert_eq!((ready.status, ready.text().contains("\"held\":true")), (200, true));
    assert_eq!(stage.curl("good", "/").call()?.status, 200);

    let postern = |arguments: &[&str]| {
        let mut command = binary::command("postern")?;
        command.args(["trust", "--config"]).arg(&file).args(arguments);
        run("postern trust", &mut command)
    };
    let status = postern(&["status"])?.success()?.stdout;
    assert!(status.contains("not taken (held)") && status.contains("fresh"), "{status}");
    let nobody = postern(&["approve", "CN=nobody"])?.success()?.stdout;
    assert_eq!(nobody.trim(), "nothing is held");
    let approved = postern(&["approve"])?.success()?.stdout;
    assert!(approved.starts_with("approved: "), "{approved}");
    assert_eq!(trust(&stage.postern)?["not_taken"].as_array().map(Vec::len), Some(0));
    stage.postern.said(&["\"over\"", "held: it drops"])?;
    let cleared = postern(&["clear", "CN=nobody"])?.success()?.stdout;
    assert_eq!(cleared.trim(), "nothing is known of CN=nobody");
    assert_eq!(
        times_said(&stage.postern, &["kept the last good"]),
        1,
        "once, however often it was looked at"
    );
    Ok(())
}

#[test]
fn a_crl_that_revokes_too_many_clients_is_held() -> Outcome {
    let pki = Pki::make()?;
    let upstream = Upstream::start(&pki)?;
    let clients = ["good", "good2", "good3", "good4"];
    for client in &clients[1..] {
        pki.issue(client, |_| {})?;
    }
    let directory = files::temporary_directory()?;
    let (index, published) = (pki.path("crl/intermediate.crlx"), directory.path().join("ca.crlx"));
    files::copy(&index, &published)?;
    let config = with_crl_at(config(&pki, &upstream), &pki, &published.display().to_string())
        .raw("revocation.brake.max_revoked_clients_percent", 50)
        .raw("revocation.brake.least_revoked_clients", 2);
    let stage = Stage { postern: Postern::start(&config)?, upstream, pki };
    for client in clients {
        assert_eq!(stage.curl(client, "/").call()?.status, 200);
    }
    stage.pki.revoke("good")?;
    replace(&index, &published)?;
    until_status(&stage, "good", 0)?;
    // All of the others at once.
    for client in &clients[1..] {
        stage.pki.revoke(client)?;
    }
    replace(&index, &published)?;
    stage.postern.said(&["kept the last good", "held: it revokes 3 of the 4 clients seen last"])?;
    assert_eq!(stage.curl("good4", "/").call()?.status, 200, "the last good one is in force");
    tell(&stage.postern, "/trust/approve", "{}")?;
    until_status(&stage, "good4", 0)
}

#[test]
fn an_operator_speaks_from_this_machine_and_in_json() -> Outcome {
    let stage = Stage::set()?;
    let look = |path: &str, arguments: &[&str]| -> Result<u16, Failure> {
        Ok(postern_tests::curl::Curl::http(stage.postern.admin(), path).args(arguments).call()?.status)
    };
    assert_eq!(
        look("/trust/approve", &["--data", "issuer=CN=x"])?,
        415,
        "a form on a web page can send that"
    );
    assert_eq!(look("/trust/approve", &[])?, 404);
    assert!(tell(&stage.postern, "/trust/approve", "[]")?.starts_with("not {}"));
    assert!(tell(&stage.postern, "/trust/approve", "{}")?.contains("\"approved\":[]"));
    Ok(())
}
