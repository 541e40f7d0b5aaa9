//! One line for each request and each refused connection, for machines and for people.

use postern_tests::Outcome;
use postern_tests::process::Process;
use postern_tests::raw_tls::Version;
use postern_tests::stage::Stage;
use postern_tests::{binary, files};

const REQUEST_KEYS: [&str; 17] = [
    "kind",
    "time",
    "connection",
    "request",
    "client",
    "subject",
    "issuer",
    "serial",
    "fingerprint",
    "tls",
    "protocol",
    "method",
    "path",
    "status",
    "duration_ms",
    "bytes_in",
    "bytes_out",
];

#[test]
fn a_request_has_one_line_with_every_key() -> Outcome {
    let stage = Stage::set()?;
    stage.curl("good", "/orders?page=2").args(&["--data-raw", "hello"]).call()?;
    let entry = stage.postern.requested("/orders")?;
    for key in REQUEST_KEYS {
        assert!(entry.keys().contains(&key), "{key} of {entry:?}");
    }
    assert_eq!((entry.text("method"), entry.number("status")), (Some("POST"), Some(200)));
    assert_eq!(entry.number("bytes_in"), Some(5), "{entry:?}");
    assert_eq!(entry.text("fingerprint").map(str::len), Some(64), "SHA-256 in hex: {entry:?}");
    Ok(())
}

#[test]
fn requests_of_one_connection_share_its_id() -> Outcome {
    let stage = Stage::set()?;
    let mut connection = stage.connect("good", Version::Tls13)?;
    connection.get("/first")?;
    connection.get("/second")?;
    stage.connect("good", Version::Tls13)?.get("/third")?;
    let [first, second, third] = ["/first", "/second", "/third"].map(|path| stage.postern.requested(path));
    let (first, second, third) = (first?, second?, third?);
    let id = |entry: &postern_tests::access_log::Entry, key| {
        format!("{:?}{:?}", entry.text(key), entry.number(key))
    };
    assert_eq!(id(&first, "connection"), id(&second, "connection"));
    assert_ne!(id(&first, "connection"), id(&third, "connection"));
    assert_ne!(id(&first, "request"), id(&second, "request"));
    Ok(())
}

#[test]
fn every_line_is_json_whatever_the_client_sends() -> Outcome {
    let stage = Stage::set()?;
    for target in ["/%22%0a%0d%00", "/caf%C3%A9", "/\"quoted\"", "/back\\slash", "/{}[]|^`"] {
        let mut connection = stage.connect("good", Version::Tls13)?;
        connection.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"))?;
        // Some of these are no URIs; what matters is the line.
        connection.response()?;
    }
    stage.curl("good", "/last").call()?;
    stage.postern.requested("/last")?;
    let lines = stage.postern.process().stdout().all();
    assert_eq!(lines.len(), 6, "{lines:#?}");
    assert_eq!(stage.postern.access_log().len(), 6, "{lines:#?}");
    Ok(())
}

#[test]
fn a_client_that_leaves_in_the_middle_is_written_down() -> Outcome {
    let stage = Stage::set()?;
    let mut upload = stage.connect("good", Version::Tls13)?;
    upload.send("POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nonly this")?;
    drop(upload);
    let entry = stage.postern.requested("/upload")?;
    assert!(entry.text("detail").is_some(), "{entry:?}");
    assert_ne!(entry.number("status"), Some(200), "{entry:?}");

    let mut download = stage.connect("good", Version::Tls13)?;
    download.send("GET /bytes/50000000 HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    download.first_bytes()?;
    drop(download);
    let entry = stage.postern.requested("/bytes/50000000")?;
    assert!(entry.text("detail").is_some(), "{entry:?}");
    assert!(entry.number("bytes_out") < Some(50_000_000), "{entry:?}");
    Ok(())
}

#[test]
fn text_is_for_people() -> Outcome {
    let stage = Stage::set()?;
    let directory = files::temporary_directory()?;
    let path = directory.path().join("postern.toml");
    postern_tests::postern::Config::new(&stage.pki, stage.upstream.address()).write(&path)?;
    let mut command = binary::command("postern")?;
    let process = Process::spawn(
        "postern --log-format text",
        command.arg("run").arg("--config").arg(&path).args(["--log-format", "text"]),
    )?;
    let address = process.stderr().find("the listening line", postern_tests::postern::text_address)?;
    let call =
        |client, path| postern_tests::curl::Curl::https(&stage.pki, address, Some(client), path).call();
    call("good", "/orders")?;
    call("revoked", "/")?;
    let request =
        process.stdout().find("the request", |line| line.contains("/orders").then(|| line.to_owned()))?;
    assert!(request.contains("GET") && request.contains("200") && !request.starts_with('{'), "{request}");
    let refusal = process
        .stdout()
        .find("the refusal", |line| line.contains("certificate_revoked").then(|| line.to_owned()))?;
    assert!(refusal.contains("CN=revoked") && !refusal.starts_with('{'), "{refusal}");
    assert!(!process.output().contains('\u{1b}'), "no colours into a file");
    Ok(())
}
