//! A ticket is good for the server and the name that it was given for, and names nobody but the client of its session.

use postern_tests::pki::Pki;
use postern_tests::process::Finished;
use postern_tests::s_client::s_client_get;
use postern_tests::{Failure, Outcome};

use super::tickets;
use crate::servers::{Servers, servers};

const VERSIONS: [&str; 2] = ["-tls1_2", "-tls1_3"];

/// openssl at `name`, with one request.
fn ask(
    servers: &Servers,
    name: &str,
    client: Option<(&Pki, &str)>,
    more: &[&str],
) -> Result<Finished, Failure> {
    let (pki, client) = client.map_or((&servers.ours, None), |(pki, client)| (pki, Some(client)));
    let arguments = [&["-servername", name], more].concat();
    s_client_get(pki, servers.postern.address(), client, &arguments)
}

#[test]
fn a_ticket_of_one_server_is_nothing_to_another() -> Outcome {
    let servers = servers("optional")?;
    let session = servers.ours.path("session").display().to_string();
    for version in VERSIONS {
        // Ours is nobody to the partner's server, and the partner's to ours.
        for (client, home, away) in [
            (&servers.ours, "localhost", "partner.example"),
            (&servers.partner, "partner.example", "localhost"),
        ] {
            let first = ask(&servers, home, Some((client, "good")), &[version, "-sess_out", &session])?;
            assert!(first.stdout.contains("New, TLS"), "{first:?}");
            let back = ask(&servers, home, Some((client, "good")), &[version, "-sess_in", &session])?;
            assert!(back.stdout.contains("Reused, TLS"), "{back:?}");
            let other = ask(&servers, away, Some((client, "good")), &[version, "-sess_in", &session])?;
            assert!(!other.stdout.contains("Reused, TLS"), "{other:?}");
            assert!(other.stderr.contains("alert unknown ca"), "{other:?}");
        }
    }
    assert_eq!(tickets(&servers.postern, "unreadable")?, 4.0);
    Ok(())
}

#[test]
fn an_anonymous_session_stays_anonymous_and_lets_nobody_in_elsewhere() -> Outcome {
    let servers = servers("optional")?;
    let session = servers.ours.path("session").display().to_string();
    for version in VERSIONS {
        let first = ask(&servers, "a.open.example", None, &[version, "-sess_out", &session])?;
        assert!(first.stdout.contains("New, TLS"), "{first:?}");
        let again = ask(&servers, "a.open.example", None, &[version, "-sess_in", &session])?;
        assert!(again.stdout.contains("Reused, TLS"), "{again:?}");
        let elsewhere = ask(&servers, "partner.example", None, &[version, "-sess_in", &session])?;
        assert!(!elsewhere.stdout.contains("Reused, TLS"), "{elsewhere:?}");
    }
    assert!(servers.postern.access_log().iter().all(|entry| entry.text("subject").is_none()));
    servers.postern.refused("certificate_required")?;
    Ok(())
}

#[test]
fn a_ticket_that_was_shown_and_not_used_lends_its_client_to_nobody() -> Outcome {
    let servers = servers("optional")?;
    let [stolen, made] = ["stolen", "made"].map(|name| servers.ours.path(name).display().to_string());
    for (version, tls) in VERSIONS.into_iter().zip(["1.2", "1.3"]) {
        let client = Some((&servers.partner, "good"));
        ask(&servers, "a.open.example", client, &[version, "-sess_out", &stolen])?;
        servers.postern.logged("the client", |entry| {
            entry.text("subject").is_some() && entry.text("tls") == Some(tls)
        })?;
        let named = || servers.postern.access_log().iter().filter(|it| it.text("subject").is_some()).count();
        let before = named();
        // The same server and another name: the ticket opens, and the session is not resumed for it.
        let other =
            ask(&servers, "b.open.example", None, &[version, "-sess_in", &stolen, "-sess_out", &made])?;
        assert!(other.stdout.contains("New, TLS"), "{other:?}");
        // Whatever ticket that gave, it is not the client's.
        ask(&servers, "b.open.example", None, &[version, "-sess_in", &made])?;
        servers.postern.metric_reaches("postern_tickets_total", &[("result", "unused")], 1.0)?;
        assert_eq!(named(), before, "{:?}", servers.postern.access_log());
    }
    assert_eq!(tickets(&servers.postern, "unused")?, 2.0);
    Ok(())
}
