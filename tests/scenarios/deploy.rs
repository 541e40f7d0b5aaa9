//! The configuration that `deploy/` renders is one that the proxy takes, and serves with.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::sync::Arc;

use postern_tests::pki::Pki;
use postern_tests::postern::{self, Config, Postern};
use postern_tests::proxy_header::{health_check, relayed};
use postern_tests::raw_tls::{RawTls, Version, client_config};
use postern_tests::upstream::{HOST, Upstream};
use postern_tests::wait::PATIENCE;
use postern_tests::{Failure, Outcome, assembly, binary};
use serde_json::json;
use toml::{Table, Value};

use crate::signed_indexes;

const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 7), 40_000);
const VARIANTS: [(&str, usize); 4] =
    [("single-account", 1), ("cross-account", 1), ("two-regions", 2), ("comparison", 1)];

#[test]
fn every_rendered_configuration_passes_the_check() -> Outcome {
    let pki = signed()?;
    let upstream = Upstream::start(&pki)?;
    for (variant, regions) in VARIANTS {
        let rendered = assembly::configurations(variant)?;
        assert_eq!(rendered.len(), regions, "{variant}");
        for toml in rendered {
            let checked = postern::check(&here(&toml, &pki, &upstream)?)?;
            assert_eq!((checked.code(), checked.stderr.as_str()), (0, ""), "{variant}:\n{toml}");
        }
    }
    Ok(())
}

#[test]
fn every_rendered_configuration_serves_behind_a_load_balancer() -> Outcome {
    let pki = signed()?;
    let upstream = Upstream::start(&pki)?;
    for (variant, _) in VARIANTS {
        for toml in assembly::configurations(variant)? {
            let postern = Postern::start(&here(&toml, &pki, &upstream)?)?;
            let mut probe = TcpStream::connect(postern.address())?;
            probe.write_all(&health_check())?;

            let mut socket = TcpStream::connect(postern.address())?;
            socket.set_read_timeout(Some(PATIENCE))?;
            socket.write_all(&relayed(CLIENT, "vpce-0123456789abcdef0"))?;
            let mut client = RawTls::connect_on(
                socket,
                Arc::new(client_config(&pki, "good", Version::Tls13, b"http/1.1")?),
            )?;
            assert_eq!(client.get("/orders")?.status, 200, "{variant}");
            let entry = postern.requested("/orders")?;
            assert_eq!(entry.text("vpce"), Some("vpce-0123456789abcdef0"), "{variant}");
            assert!(entry.keys().contains(&"duration_ms"), "what the latency alarm measures: {entry:?}");
            assert_eq!(postern.look("/readyz")?.status, 200);
        }
    }
    Ok(())
}

#[test]
fn the_configuration_can_come_from_one_variable() -> Outcome {
    let pki = Pki::make()?;
    let upstream = Upstream::start(&pki)?;
    let config = Config::new(&pki, upstream.address()).render();
    let check = |variable: &str| {
        let mut command = binary::command("postern")?;
        command.args(["check", "--config", "env:CONFIGURATION"]).env(variable, &config);
        postern_tests::process::run("postern check", &mut command)
    };
    assert_eq!(check("CONFIGURATION")?.code(), 0);
    let missing = check("ANOTHER")?;
    assert!(missing.code() == 1 && missing.stderr.contains("no such variable"), "{}", missing.stderr);
    Ok(())
}

/// The indexes are signed, as KMS does it.
fn signed() -> Result<Pki, Failure> {
    let pki = signed_indexes::pki()?;
    signed_indexes::sign(&pki, "new.key")?;
    Ok(pki)
}

/// The same configuration with this machine's addresses, files and private API in place of AWS's.
fn here(toml: &str, pki: &Pki, upstream: &Upstream) -> Result<Config, Failure> {
    let table =
        toml.parse::<Table>().map_err(|error| Failure::Missing(format!("TOML ({error}) in\n{toml}")))?;
    let mut rendered = Config::default();
    for (section, value) in &table {
        rendered = laid_out(rendered, section, value);
    }
    for (key, start) in [
        ("tls.certificate", "\"arn:"),
        ("tls.private_key", "\"arn:"),
        ("client_auth.trust_bundle", "\"s3://"),
    ] {
        let named = rendered.value(key).is_some_and(|value| value.starts_with(start));
        assert!(named, "{key} is not {start}…: {toml}");
    }
    // The one variant whose pipeline signs what it makes is the one whose proxy asks for it.
    if rendered.value("revocation.require_signature_by") != Some("[]") {
        let key = "\"s3://postern-trust-111111111111-eu-west-1/signers/indexes.pem\"";
        assert_eq!(rendered.value("revocation.require_signature_by"), Some(format!("[{key}]").as_str()));
        rendered = signed_indexes::requiring(rendered, pki, &["new.pub"]);
    }
    // There is nobody here to ask for a zone, or for credentials, and no volume.
    let mut config =
        rendered.without("upstream.zone").without("upstream.sigv4.region").without("sources.directory");
    let local = Config::new(pki, upstream.address());
    for key in [
        "listen.address",
        "admin.address",
        "tls.certificate",
        "tls.private_key",
        "client_auth.trust_bundle",
        "revocation.crls",
        "upstream.address",
        "upstream.host",
        "upstream.server_name",
        "upstream.trust_bundle",
    ] {
        config = config.raw(key, local.value(key).unwrap_or_default());
    }
    assert_eq!(config.value("upstream.host"), Some(format!("{HOST:?}").as_str()));
    Ok(config.raw("listen.proxy_protocol.trusted", "[\"127.0.0.0/8\"]"))
}

/// Every key with its dots, since a test changes single ones.
fn laid_out(config: Config, key: &str, value: &Value) -> Config {
    let Some(table) = value.as_table() else {
        // TOML writes texts, numbers and lists of them as JSON does.
        return config.raw(key, json!(value));
    };
    table.iter().fold(config, |config, (inner, value)| laid_out(config, &format!("{key}.{inner}"), value))
}
