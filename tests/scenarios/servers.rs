//! Several servers on one listener, told apart by SNI, each with its own idea of whom to believe.

use postern_tests::curl::{Answer, Curl};
use postern_tests::pki::Pki;
use postern_tests::postern::{self, Config, Postern};
use postern_tests::raw_tls::Version;
use postern_tests::s_client::s_client;
use postern_tests::upstream::Upstream;
use postern_tests::{Failure, Outcome, binary, files, process};

/// The default server with one PKI, `partner.example` and `*.open.example` with another.
pub(crate) struct Servers {
    pub(crate) postern: Postern,
    pub(crate) ours: Pki,
    pub(crate) partner: Pki,
    config: Config,
    _upstream: Upstream,
}

/// For everybody.
const PUBLIC: &str = "[[route]]\nname = 'public'\npath_prefix = '/public'\ndanger_allow_anonymous = true\n";

/// Whom `*.open.example` lets in is for the scenario to say.
pub(crate) fn servers(open_mode: &str) -> Result<Servers, Failure> {
    let ours = Pki::make()?;
    let partner = Pki::make_with(&[
        "--san",
        "partner.example",
        "--san",
        "*.open.example",
        "--san",
        "exact.open.example",
    ])?;
    let upstream = Upstream::start(&ours)?;
    let indexes = [ours.indexes(), partner.indexes()].concat();
    let file = |name: &str| format!("{:?}", partner.path(name).display());
    let (certificate, key, root) = (file("server.pem"), file("server.key"), file("root.pem"));
    let server = |names: &str, mode: &str, bundle: &str| {
        format!(
            "[[server]]\nnames = {names}\ncertificate = {certificate}\nprivate_key = {key}\n\
             [server.client_auth]\nmode = {mode:?}\n{bundle}\n"
        )
    };
    let bundle = format!("trust_bundle = {root}");
    let config = Config::new(&ours, upstream.address())
        .raw("revocation.crls", format!("{indexes:?}"))
        .list(&server("['partner.example', 'exact.open.example']", "required", &bundle))
        .list(&server("['*.open.example']", open_mode, if open_mode == "off" { "" } else { &bundle }))
        .list(
            "[[route]]\nname = 'all'\n\
             [[route]]\nname = 'partners'\nhosts = ['partner.example']\npath_prefix = '/deals'\n",
        )
        .list(if open_mode == "required" { "" } else { PUBLIC });
    Ok(Servers { postern: Postern::start(&config)?, ours, partner, config, _upstream: upstream })
}

impl Servers {
    /// curl at `name` with the certificate of a client of `pki`.
    fn curl(&self, name: &str, client: Option<(&Pki, &str)>, path: &str) -> Curl {
        let curl = Curl::https_as(&self.partner, name, self.postern.address(), None, path)
            .arg("--cacert")
            .arg(if name == "localhost" { &self.ours } else { &self.partner }.path("root.pem"));
        match client {
            Some((pki, client)) => curl
                .arg("--cert")
                .arg(pki.path(&format!("clients/{client}.pem")))
                .arg("--key")
                .arg(pki.path(&format!("clients/{client}.key"))),
            None => curl,
        }
    }

    fn good(&self, name: &str, path: &str) -> Result<Answer, Failure> {
        self.curl(name, Some((&self.partner, "good")), path).call()
    }
}

#[test]
fn every_server_has_its_certificate_and_its_clients() -> Outcome {
    let servers = servers("required")?;
    for protocol in ["--http1.1", "--http2"] {
        for (name, client, status) in [
            ("localhost", (&servers.ours, "good"), 200),
            ("localhost", (&servers.partner, "good"), 0),
            ("partner.example", (&servers.partner, "good"), 200),
            ("PARTNER.example", (&servers.partner, "good"), 200),
            ("partner.example", (&servers.ours, "good"), 0),
            ("partner.example", (&servers.partner, "revoked"), 0),
            ("x.open.example", (&servers.partner, "good"), 200),
        ] {
            let answer = servers.curl(name, Some(client), "/a").arg(protocol).call()?;
            assert_eq!(answer.status, status, "{protocol} {name}: {}", answer.error);
        }
    }
    servers.postern.refused("unknown_issuer")?;
    servers.postern.refused("certificate_revoked")?;
    for server in ["default", "partner.example", "*.open.example"] {
        let logged = |entry: &postern_tests::access_log::Entry| entry.text("server") == Some(server);
        servers.postern.logged(&format!("a request on {server}"), logged)?;
        let metrics = servers.postern.metrics()?;
        let expiry = metrics.sum("postern_server_certificate_expiry_seconds", &[("server", server)]);
        assert!(expiry > 0.0, "{server}");
    }
    Ok(())
}

#[test]
fn another_host_on_a_connection_is_misdirected() -> Outcome {
    let servers = servers("optional")?;
    for protocol in ["--http1.1", "--http2"] {
        for (name, host, status) in [
            ("partner.example", "partner.example:8443", 200),
            ("partner.example", "Partner.Example.", 200),
            ("partner.example", "localhost", 421),
            ("partner.example", "exact.open.example", 421),
            ("x.open.example", "y.open.example", 421),
            ("x.open.example", "partner.example", 421),
            ("localhost", "partner.example", 421),
        ] {
            let pki = if name == "localhost" { &servers.ours } else { &servers.partner };
            let answer = servers
                .curl(name, Some((pki, "good")), "/deals/1")
                .arg(protocol)
                .header(&format!("Host: {host}"))
                .call()?;
            assert_eq!(answer.status, status, "{protocol} {name} {host}");
        }
    }
    // Without SNI it is the default server's connection, whatever the Host says.
    let mut connection = postern_tests::raw_tls::RawTls::connect(
        &servers.ours,
        servers.postern.address(),
        "good",
        Version::Tls13,
    )?;
    for (host, status) in [("partner.example", 421), ("x.open.example", 421), ("127.0.0.1", 200)] {
        connection.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"))?;
        assert_eq!(connection.response()?.status, status, "{host}; the connection goes on");
    }
    connection.send("GET https://partner.example/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")?;
    assert_eq!(connection.response()?.status, 400);
    Ok(())
}

#[test]
fn a_host_has_routes_that_others_have_not() -> Outcome {
    let servers = servers("required")?;
    assert_eq!(servers.good("partner.example", "/deals/1")?.status, 200);
    assert_eq!(servers.good("x.open.example", "/deals/1")?.status, 200);
    for (name, route) in [("partner.example", "partners"), ("*.open.example", "all")] {
        servers.postern.logged(&format!("{name} by {route}"), |entry| {
            entry.text("server") == Some(name) && entry.text("route") == Some(route)
        })?;
    }
    Ok(())
}

#[test]
fn who_needs_no_certificate_reaches_only_routes_that_say_so() -> Outcome {
    for mode in ["optional", "off"] {
        let servers = servers(mode)?;
        for protocol in ["--http1.1", "--http2"] {
            let call = |path: &str| servers.curl("x.open.example", None, path).arg(protocol).call();
            let echo = call("/public/x")?.echo()?;
            for name in echo.names() {
                assert!(
                    !name.starts_with("client-cert") && !name.starts_with("x-client-cert"),
                    "{mode}: {name}"
                );
            }
            for path in ["/", "/public.", "/publicx", "/deals/1"] {
                let answer = call(path)?;
                assert_eq!(answer.status, 403, "{mode} {path}");
                assert_eq!(
                    servers.postern.requested(path)?.expect_text("reason")?,
                    "client_certificate_missing"
                );
            }
            // Neither the strict names of the same certificate nor the default server are any easier.
            for name in ["exact.open.example", "partner.example", "localhost"] {
                assert_eq!(
                    servers.curl(name, None, "/public/x").arg(protocol).call()?.status,
                    0,
                    "{mode} {name}"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn an_optional_certificate_has_to_be_good() -> Outcome {
    let servers = servers("optional")?;
    let spoofed = servers
        .curl("x.open.example", None, "/public/x")
        .header("Client-Cert: :AAAA:")
        .header("X-Client-Cert-Sub: CN=good")
        .call()?;
    assert!(!spoofed.text().contains("AAAA") && !spoofed.text().contains("CN=good"), "{}", spoofed.text());
    assert_eq!(servers.good("x.open.example", "/")?.echo()?.values("client-cert").len(), 1);
    for client in ["revoked", "stranger", "expired", "wrong-eku"] {
        let answer = servers.curl("x.open.example", Some((&servers.partner, client)), "/public/x").call()?;
        assert_eq!(answer.status, 0, "{client}: no certificate is better than a bad one, and still none");
    }
    // And goes on having to.
    servers.partner.revoke("good")?;
    servers.postern.reload()?;
    assert_eq!(servers.good("x.open.example", "/public/x")?.status, 0);
    Ok(())
}

#[test]
fn unknown_names_meet_the_default_server_or_nobody() -> Outcome {
    let client = |servers: &Servers, name: &str| {
        s_client(&servers.ours, servers.postern.address(), Some("good"), &["-servername", name, "-brief"])
    };
    let lenient = servers("required")?;
    assert!(client(&lenient, "elsewhere.example")?.stderr.contains("CONNECTION ESTABLISHED"));
    let config = lenient.config.clone().text("tls.unknown_names", "refuse");
    let strict = Servers { postern: Postern::start(&config)?, ..lenient };
    for (name, known) in [("elsewhere.example", false), ("localhost", true), ("a.b.open.example", false)] {
        let said = client(&strict, name)?.stderr;
        assert_eq!(said.contains("CONNECTION ESTABLISHED"), known, "{name}: {said}");
        assert_eq!(said.contains("unrecognized name"), !known, "{name}: {said}");
    }
    let entry = strict.postern.refused("unknown_server_name")?;
    assert!(entry.expect_text("detail")?.contains("elsewhere.example"));
    Ok(())
}

#[test]
fn one_servers_files_are_reloaded_without_touching_anothers_clients() -> Outcome {
    let servers = servers("required")?;
    let mut open = postern_tests::raw_tls::RawTls::connect(
        &servers.ours,
        servers.postern.address(),
        "good",
        Version::Tls13,
    )?;
    assert_eq!(open.get("/")?.status, 200);
    let bundle = servers.partner.path("root.pem");
    let good = files::read(&bundle)?;
    files::write(&bundle, "not PEM")?;
    servers.postern.reload()?;
    servers.postern.said(&["server[1].client_auth.trust_bundle", "kept the last good"])?;
    files::write(&bundle, files::read(&servers.ours.path("root.pem"))?)?;
    servers.postern.reload()?;
    let answer = servers.curl("partner.example", Some((&servers.partner, "good")), "/");
    files::write(&bundle, good)?;
    assert_eq!(answer.call()?.status, 0, "its clients are others' now");
    assert_eq!(open.get("/")?.status, 200, "the default server's clients stay");
    Ok(())
}

#[test]
fn explain_says_which_server_and_which_route() -> Outcome {
    let servers = servers("optional")?;
    let directory = files::temporary_directory()?;
    let path = directory.path().join("postern.toml");
    servers.config.write(&path)?;
    let explain = |pki: Option<&Pki>, arguments: &[&str]| {
        let mut command = binary::command("postern")?;
        command.arg("explain").arg("--config").arg(&path).args(arguments);
        if let Some(pki) = pki {
            command.arg("--chain").arg(pki.path("clients/good.pem"));
        }
        process::run("postern explain", &mut command)
    };
    let deals = ["--server-name", "partner.example", "--request", "GET /deals/7?x"];
    let said = explain(Some(&servers.partner), &deals)?;
    assert_eq!(said.code(), 0, "{}", said.stdout);
    for line in ["server partner.example", "route partners", "amazonaws.com/deals/7?x"] {
        assert!(said.stdout.contains(line), "{line} in {}", said.stdout);
    }
    for (pki, arguments, reason) in [
        (Some(&servers.ours), &deals[..], "unknown_issuer"),
        (None, &deals[..], "certificate_required"),
        (None, &["--server-name", "x.open.example", "--request", "GET /"], "client_certificate_missing"),
        (Some(&servers.ours), &["--request", "GET /a/../b"], "ambiguous_path"),
    ] {
        let said = explain(pki, arguments)?;
        assert_eq!(said.code(), 1, "{}", said.stdout);
        assert!(said.stdout.contains(reason), "{reason} in {}", said.stdout);
    }
    Ok(())
}

#[test]
fn what_a_server_lacks_is_named() -> Outcome {
    let servers = servers("required")?;
    let config = servers.config.list("[[server]]\nnames = []\n");
    let checked = postern::check(&config)?;
    assert_eq!(checked.code(), 1);
    for words in ["server[3].names", "server[3].certificate", "server[3].client_auth.trust_bundle"] {
        assert!(checked.stderr.contains(words), "{words} in {}", checked.stderr);
    }
    Ok(())
}
