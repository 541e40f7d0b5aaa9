//! The images as they are deployed: small, without a shell, and run by nobody, who may write to one directory alone.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use postern_tests::access_log::Entry;
use postern_tests::container::{self, Container, Image};
use postern_tests::curl::Curl;
use postern_tests::lambda::Function;
use postern_tests::pki::Pki;
use postern_tests::postern::{Config, Postern};
use postern_tests::process::{Process, run};
use postern_tests::raw_tls::{RawTls, Version};
use postern_tests::upstream::Upstream;
use postern_tests::{Failure, Outcome, files, ports, tools};
use serde_json::{Value, json};

use crate::aws_lambda::stage::{Stage, uploaded};

/// Who runs in the containers.
const NOBODY: &str = "65532:65532";

/// Of an image, as it lies on a disk.
const MOST_BYTES: u64 = 15 << 20;

#[test]
fn an_image_holds_the_program_and_no_other() -> Outcome {
    for (image, program) in [(Image::Proxy, "postern"), (Image::CrlTool, "crl-tool")] {
        let list = format!("/usr/share/sbom/{program}.cdx.json");
        let files = image.files()?;
        let expected = [&format!("/{program}"), "/etc/ssl/certs/ca-certificates.crt", &list];
        assert_eq!(files.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected.into());
        assert_eq!(files.values().copied().collect::<BTreeSet<_>>(), [0o644, 0o755].into());

        let known = image.inspect()?;
        let size = known["Size"].as_u64().unwrap_or(u64::MAX);
        assert!(size < MOST_BYTES, "{program}: {size} bytes");
        assert_eq!(known["Config"]["User"], NOBODY, "{program}");
        assert_eq!(known["Config"]["Entrypoint"], json!([format!("/{program}")]));
    }
    assert_eq!(Image::Proxy.inspect()?["Config"]["Volumes"], json!({ "/var/lib/postern": {} }));
    Ok(())
}

#[test]
fn an_image_lists_what_it_is_made_of() -> Outcome {
    let lock = files::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock"))?;
    let lock: toml::Table = String::from_utf8_lossy(&lock).parse().expect("TOML");
    let locked: BTreeSet<_> =
        lock["package"].as_array().into_iter().flatten().map(name_and_version).collect();
    for (image, program, linked) in [
        (Image::Proxy, "postern", ["rustls", "aws-sdk-s3", "crl-tool"]),
        (Image::CrlTool, "crl-tool", ["lambda_runtime", "aws-sdk-kms", "x509-parser"]),
    ] {
        let text = image.read(&format!("/usr/share/sbom/{program}.cdx.json"))?;
        let list: Value = serde_json::from_slice(&text).expect("JSON");
        assert_eq!(list["metadata"]["component"]["name"], program);
        let components = list["components"].as_array().expect("components");
        let named = |wanted: &str| components.iter().find(|one| one["name"] == wanted);
        for crates in linked {
            assert!(named(crates).is_some(), "{program}: {crates}");
        }
        assert!(named("proptest").is_none() && named("serde_derive").is_none(), "neither tests nor macros");
        let crates = components
            .iter()
            .filter(|one| one["purl"].as_str().is_some_and(|it| it.starts_with("pkg:cargo/")));
        let listed: BTreeSet<_> = crates
            .map(|one| [&one["name"], &one["version"]].map(|it| it.as_str().unwrap_or_default().to_owned()))
            .collect();
        assert!(listed.len() > 100 && listed.is_subset(&locked), "{:?}", listed.difference(&locked));
        assert_eq!(validate(&text)?, "None\n", "{program}");
    }
    Ok(())
}

#[test]
fn the_proxy_serves_from_a_read_only_container_and_drains() -> Outcome {
    let pki = Pki::make()?;
    let upstream = Upstream::start(&pki)?;
    let [admin] = ports::free()?;
    let directory = files::temporary_directory()?;
    Config::new(&pki, upstream.address())
        .text("admin.address", format!("127.0.0.1:{admin}"))
        .text("revocation.state_file", "/var/lib/postern/floors.json")
        .text("log.format", "json")
        .write(&directory.path().join("postern.toml"))?;
    let container = Container::new();
    let certificates = pki.path("");
    let readable =
        [(certificates.as_path(), certificates.as_path()), (directory.path(), Path::new("/etc/postern"))];
    let process = Process::spawn("the container", &mut container.command(Image::Proxy, &readable, &[])?)?;
    let postern = Postern::listening(process)?;
    assert!(container.is_healthy()?);

    let answer = Curl::https(&pki, postern.address(), Some("good"), "/orders").call()?;
    assert_eq!(answer.status, 200, "{}", answer.error);
    let refused = Curl::https(&pki, postern.address(), Some("revoked"), "/orders").arg("--http1.1").call()?;
    assert!(refused.error.contains("certificate revoked"), "{}", refused.error);

    let process_id = container.process_id()?;
    let status = files::read(format!("/proc/{process_id}/status").as_ref())?;
    let status = String::from_utf8_lossy(&status).into_owned();
    let field =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
    assert_eq!(field("Uid:").split_whitespace().collect::<BTreeSet<_>>(), ["65532"].into(), "{status}");
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        assert_eq!(u64::from_str_radix(field(set), 16), Ok(0), "{set} {status}");
    }
    // What it keeps lies in the volume, which is its own although the image's root may not be written.
    assert!(
        !files::read(format!("/proc/{process_id}/root/var/lib/postern/floors.json").as_ref())?.is_empty()
    );

    let mut slow = RawTls::connect(&pki, postern.address(), "good", Version::Tls13)?;
    slow.send("GET /slow?ms=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    postern.metric_reaches("postern_connections_open", &[], 1.0)?;
    postern.terminate()?;
    let response = slow.response()?;
    assert_eq!((response.status, response.header("connection")), (200, Some("close")));
    let finished = postern.finish()?;
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    let slow = |line: Entry| line.text("path").is_some_and(|path| path.starts_with("/slow"));
    let logged = finished.stdout.lines().filter_map(Entry::parse).any(slow);
    assert!(logged, "{}", finished.stdout);
    Ok(())
}

#[test]
fn the_function_publishes_from_its_image() -> Outcome {
    let stage = Stage::new(1)?;
    let container = Container::new();
    let command = container.command(Image::CrlTool, &[], &["AWS_*", "NO_PROXY"])?;
    publishes(&stage, Function::start_as(command, &stage.s3.environment())?)
}

#[test]
fn the_function_publishes_from_its_zip_file() -> Outcome {
    let stage = Stage::new(1)?;
    let directory = files::temporary_directory()?;
    // As Lambda does it: files have the modes that are in the zip file, and `bootstrap` is started without arguments.
    const UNPACK: &str = "import os, sys, zipfile
zip = zipfile.ZipFile(sys.argv[1])
for entry in zip.infolist():
    os.chmod(zip.extract(entry, sys.argv[2]), entry.external_attr >> 16)
    print(entry.filename)";
    let mut python = Command::new(tools::path("python")?);
    python.args(["-c", UNPACK]).arg(container::zip_file()?).arg(directory.path());
    assert_eq!(run("python", &mut python)?.success()?.stdout, "bootstrap\n");
    let command = Command::new(directory.path().join("bootstrap"));
    publishes(&stage, Function::start_as(command, &stage.s3.environment())?)
}

fn publishes(stage: &Stage, mut function: Function) -> Outcome {
    stage.certify("a.crl")?;
    stage.upload(0, "a.crl")?;
    assert_eq!(function.invoke(&uploaded(&["a.crl"]))?.done()?, json!({ "published": 1 }));
    stage.assert_published(0, "a.crl")
}

/// What CycloneDX's own library says is wrong with a list; `None` if nothing is.
fn validate(list: &[u8]) -> Result<String, Failure> {
    const PROGRAM: &str = "import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
print(JsonStrictValidator(SchemaVersion.V1_5).validate_str(open(sys.argv[1]).read()))";
    let directory = files::temporary_directory()?;
    let file = directory.path().join("list.json");
    files::write(&file, list)?;
    let mut python = Command::new(tools::path("python")?);
    Ok(run("python", python.args(["-c", PROGRAM]).arg(&file))?.success()?.stdout)
}

fn name_and_version(package: &toml::Value) -> [String; 2] {
    ["name", "version"]
        .map(|key| package.get(key).and_then(toml::Value::as_str).unwrap_or_default().to_owned())
}
