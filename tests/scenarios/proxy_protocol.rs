//! Behind a load balancer that says where clients are.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddrV4, TcpStream};
use std::sync::Arc;

use postern_tests::curl::Curl;
use postern_tests::pki::Pki;
use postern_tests::postern::{self, Config};
use postern_tests::process::Process;
use postern_tests::proxy_header::{health_check, relayed};
use postern_tests::raw_tls::{RawTls, Version, client_config};
use postern_tests::stage::Stage;
use postern_tests::wait::{PATIENCE, until};
use postern_tests::{Failure, Outcome, files, tools};

const CLIENT: SocketAddrV4 = SocketAddrV4::new(std::net::Ipv4Addr::new(192, 0, 2, 7), 40_000);
const ENDPOINT: &str = "vpce-08d2bf15fac5001c9";

#[test]
fn the_client_and_its_vpc_endpoint_are_known() -> Outcome {
    let stage = behind_a_balancer("v2")?;
    let mut client = connect_after(&stage, &relayed(CLIENT, ENDPOINT), "good")?;
    assert_eq!(client.get("/known")?.status, 200);
    let request = stage.postern.requested("/known")?;
    assert_eq!(request.text("client"), Some("192.0.2.7:40000"));
    assert_eq!(request.text("vpce"), Some(ENDPOINT));

    let mut revoked = connect_after(&stage, &relayed(CLIENT, ENDPOINT), "revoked")?;
    assert_eq!(revoked.alert()?, rustls::AlertDescription::CertificateRevoked);
    let refused = stage.postern.refused("certificate_revoked")?;
    assert_eq!(refused.text("client"), Some("192.0.2.7:40000"));
    assert_eq!(refused.text("vpce"), Some(ENDPOINT));
    Ok(())
}

#[test]
fn a_header_that_comes_in_pieces_or_with_the_first_tls_bytes_is_read() -> Outcome {
    let stage = behind_a_balancer("any")?;
    for header in [relayed(CLIENT, ENDPOINT), b"PROXY TCP4 192.0.2.7 10.0.0.1 40000 8443\r\n".to_vec()] {
        let mut socket = connect(&stage)?;
        for byte in &header {
            socket.write_all(&[*byte])?;
        }
        let mut client = RawTls::connect_on(socket, config(&stage, "good")?)?;
        assert_eq!(client.get("/pieces")?.status, 200);
    }
    // One segment: what comes after the header reaches TLS, to the byte.
    let mut client =
        rustls::ClientConnection::new(config(&stage, "good")?, postern_tests::raw_tls::server_name())?;
    let mut together = relayed(CLIENT, ENDPOINT);
    while client.wants_write() {
        client.write_tls(&mut together)?;
    }
    let mut socket = connect(&stage)?;
    socket.write_all(&together)?;
    while client.is_handshaking() {
        client.complete_io(&mut socket)?;
    }
    Ok(())
}

#[test]
fn curl_and_its_text_header_are_served() -> Outcome {
    let stage = behind_a_balancer("v1")?;
    let answer = stage.curl("good", "/text").arg("--haproxy-protocol").call()?;
    assert_eq!(answer.status, 200, "{}", answer.error);
    stage.postern.requested("/text")?;
    Ok(())
}

#[test]
fn haproxy_in_front_is_understood() -> Outcome {
    let stage = behind_a_balancer("v2")?;
    let directory = files::temporary_directory()?;
    let free = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    // It checks as a load balancer does: with a LOCAL header, and closes.
    let haproxy = format!(
        "defaults\n mode tcp\n timeout connect 5s\n timeout client 20s\n timeout server 20s\n timeout check 2s\n\
         listen front\n bind {free}\n server postern {} send-proxy-v2 proxy-v2-options crc32c,unique-id \
         check check-send-proxy inter 200ms\n",
        stage.postern.address()
    );
    let path = directory.path().join("haproxy.cfg");
    files::write(&path, haproxy)?;
    let mut command = tools::command("haproxy")?;
    let _haproxy = Process::spawn("haproxy", command.args(["-db", "-f"]).arg(&path))?;
    until("haproxy to listen", || Ok(TcpStream::connect(free).ok()))?;

    let curl = Curl::https(&stage.pki, free, Some("good"), "/balanced").args(&["--interface", "127.0.0.3"]);
    assert_eq!(curl.call()?.status, 200);
    let request = stage.postern.requested("/balanced")?;
    let client = request.expect_text("client")?;
    assert!(client.starts_with("127.0.0.3:"), "{client}");
    stage.postern.metric_reaches("postern_handshakes_total", &[("result", "probe")], 2.0)?;
    assert!(stage.postern.access_log().iter().all(|entry| !entry.is("refused")));
    Ok(())
}

#[test]
fn health_checks_and_bare_probes_are_no_refusals() -> Outcome {
    let stage = behind_a_balancer("v2")?;
    drop(connect(&stage)?);
    connect(&stage)?.write_all(&health_check())?;
    stage.postern.metric_reaches("postern_handshakes_total", &[("result", "probe")], 2.0)?;
    // A balancer may also shake hands: it speaks for itself then.
    let mut client = connect_after(&stage, &health_check(), "good")?;
    assert_eq!(client.get("/local")?.status, 200);
    assert!(stage.postern.requested("/local")?.expect_text("client")?.starts_with("127.0.0.1:"));
    assert_eq!(stage.postern.metrics()?.sum("postern_refusals_total", &[]), 0.0);
    Ok(())
}

#[test]
fn what_is_no_good_header_is_refused_by_name() -> Outcome {
    let stage = behind_a_balancer("v2")?;
    let mut checksum = relayed(CLIENT, ENDPOINT);
    checksum.splice(15..16, [checksum[15] + 7]);
    checksum.extend([3, 0, 4, 1, 2, 3, 4]);
    let twice = [relayed(CLIENT, ENDPOINT), relayed(CLIENT, "vpce-spoofed")].concat();
    let header = relayed(CLIENT, ENDPOINT);
    for (bytes, reason) in [
        (&b"\x16\x03\x01\x00\x05hello"[..], "proxy_header_missing"),
        (b"PROXY TCP4 192.0.2.7 10.0.0.1 40000 8443\r\n", "proxy_header_missing"),
        (b"\r\n\r\nGET / HTTP/1.1\r\n\r\n", "proxy_header_missing"),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff", "proxy_header_malformed"),
        (b"\r\n\r\n\0\r\nQUIT\n\x29\x11\0\x0c", "proxy_header_malformed"),
        (&checksum, "proxy_header_malformed"),
        (&header[..20], "proxy_header_truncated"),
        (&twice, "not_tls"),
    ] {
        let counted = || {
            Ok::<_, Failure>(stage.postern.metrics()?.sum("postern_refusals_total", &[("reason", reason)]))
        };
        let before = counted()?;
        let mut socket = connect(&stage)?;
        socket.write_all(bytes)?;
        // It may have been refused already.
        let _ = socket.shutdown(Shutdown::Write);
        let _ = socket.read_to_end(&mut Vec::new());
        until(&format!("{reason} for {bytes:?}"), || Ok((counted()? > before).then_some(())))?;
    }
    let spoofed = stage.postern.refused("not_tls")?;
    assert_eq!(spoofed.text("vpce"), Some(ENDPOINT), "the balancer's header counts, not the client's");
    Ok(())
}

#[test]
fn a_header_that_does_not_end_meets_the_handshake_deadline() -> Outcome {
    let stage = Stage::set_with(|config| balanced(config, "v2").raw("limits.handshake_timeout_ms", 200))?;
    let mut socket = connect(&stage)?;
    socket.write_all(&relayed(CLIENT, ENDPOINT)[..20])?;
    let _ = socket.read_to_end(&mut Vec::new());
    stage.postern.refused("handshake_timeout")?;
    Ok(())
}

#[test]
fn a_header_from_elsewhere_is_not_believed() -> Outcome {
    let elsewhere =
        |config: Config| balanced(config, "any").raw("listen.proxy_protocol.trusted", "['10.0.0.0/8']");
    let stage = Stage::set_with(elsewhere)?;
    assert!(connect_after(&stage, &relayed(CLIENT, ENDPOINT), "good").is_err());
    let refused = stage.postern.refused("proxy_untrusted")?;
    assert!(refused.expect_text("client")?.starts_with("127.0.0.1:"));
    drop(stage);

    // Where clients may come directly, a header is what it is without PROXY protocol: no TLS.
    let stage =
        Stage::set_with(|config| elsewhere(config).text("listen.proxy_protocol.untrusted", "direct"))?;
    assert_eq!(stage.curl("good", "/direct").call()?.status, 200);
    assert!(stage.postern.requested("/direct")?.expect_text("client")?.starts_with("127.0.0.1:"));
    assert!(connect_after(&stage, &relayed(CLIENT, ENDPOINT), "good").is_err());
    stage.postern.refused("not_tls")?;
    Ok(())
}

#[test]
fn without_the_setting_a_header_is_not_tls() -> Outcome {
    let stage = Stage::set()?;
    assert!(connect_after(&stage, &relayed(CLIENT, ENDPOINT), "good").is_err());
    stage.postern.refused("not_tls")?;
    Ok(())
}

#[test]
fn the_admin_port_takes_a_header_and_does_not_need_one() -> Outcome {
    let stage = Stage::set()?;
    for arguments in [&["--haproxy-protocol"][..], &[]] {
        assert_eq!(Curl::http(stage.postern.admin(), "/readyz").args(arguments).call()?.status, 200);
    }
    for header in [health_check(), relayed(CLIENT, ENDPOINT)] {
        let mut socket = TcpStream::connect(stage.postern.admin())?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.write_all(
            &[&header[..], b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"].concat(),
        )?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    Ok(())
}

#[test]
fn contradictions_are_found_by_the_check() -> Outcome {
    let pki = Pki::make()?;
    let config = Config::new(&pki, ([127, 0, 0, 1], 1).into());
    for (key, value, words) in [
        ("mode", "'v2'", "listen.proxy_protocol.trusted: empty"),
        ("mode", "'v3'", "expected \"off\", \"v1\", \"v2\" or \"any\""),
        ("trusted", "['10.0.0.0/8']", "listen.proxy_protocol.mode: \"off\", and trusted names"),
        ("trusted", "['10.1.0.0/8']", "write 10.0.0.0/8"),
        ("trusted", "['vpc']", "listen.proxy_protocol.trusted: not a network"),
        ("trust", "[]", "did you mean listen.proxy_protocol.trusted?"),
    ] {
        let checked = postern::check(&config.clone().raw(&format!("listen.proxy_protocol.{key}"), value))?;
        let said = checked.stderr.clone();
        assert_eq!(checked.code(), 1, "{said}");
        assert!(said.contains(words), "{words} in\n{said}");
    }
    Ok(())
}

fn balanced(config: Config, mode: &str) -> Config {
    config.text("listen.proxy_protocol.mode", mode).raw("listen.proxy_protocol.trusted", "['127.0.0.0/8']")
}

fn behind_a_balancer(mode: &str) -> Result<Stage, Failure> {
    Stage::set_with(|config| balanced(config, mode))
}

fn connect(stage: &Stage) -> Result<TcpStream, Failure> {
    let socket = TcpStream::connect(stage.postern.address())?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

fn config(stage: &Stage, client: &str) -> Result<Arc<rustls::ClientConfig>, Failure> {
    Ok(Arc::new(client_config(&stage.pki, client, Version::Tls13, b"http/1.1")?))
}

/// A TLS connection that begins after `header`.
fn connect_after(stage: &Stage, header: &[u8], client: &str) -> Result<RawTls, Failure> {
    let mut socket = connect(stage)?;
    socket.write_all(header)?;
    RawTls::connect_on(socket, config(stage, client)?)
}
