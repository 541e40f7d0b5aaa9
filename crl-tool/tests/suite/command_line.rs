//! The binary: exit codes, streams, and that a file is replaced as a whole or not at all.

use crate::forge::{Ca, pem};
use crate::stage::{BUILD, Stage, code, stderr, stdout};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn lookup_answers_by_its_exit_code() {
    let stage = Stage::set();
    assert_eq!(code(&stage.run(&BUILD)), 0);
    let revoked = stage.run(&["lookup", "ca.crlx", "--serial", "0x01"]);
    assert_eq!(
        (code(&revoked), &*stdout(&revoked)),
        (1, "revoked: 01, keyCompromise, since 2026-01-02T03:04:05Z\n")
    );
    let revoked = stage.run(&["lookup", "ca.crlx", "--serial", "2"]);
    assert_eq!(
        (code(&revoked), &*stdout(&revoked)),
        (1, "revoked: 02, no reason given, since 2026-01-02T03:04:05Z\n")
    );
    let good = stage.run(&["lookup", "ca.crlx", "--serial", "03"]);
    assert_eq!((code(&good), &*stdout(&good)), (0, "not revoked: 03\n"));
    assert_eq!(code(&stage.run(&["lookup", "ca.crlx", "--serial", "-1"])), 0);
    for bad in [
        &["lookup", "ca.crlx", "--serial", "zz"][..],
        &["lookup", "ca.crlx"],
        &["lookup", "ca.crl", "--serial", "1"],
        &["lookup", "absent.crlx", "--serial", "1"],
        &["lookup", "ca.crlx", "--cert", "ca.crl"],
        &["lookup", "ca.crlx", "--serial", "1", "--cert", "ca.pem"],
    ] {
        let output = stage.run(bad);
        assert_eq!(code(&output), 2, "{bad:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{bad:?}");
    }
}

#[test]
fn a_certificate_is_looked_up_with_its_own_issuer_only() {
    let stage = Stage::set();
    assert_eq!(code(&stage.run(&BUILD)), 0);
    // The CA signed itself, so that it is its own issuer.
    assert_eq!(code(&stage.run(&["lookup", "ca.crlx", "--cert", "ca.pem"])), 0);
    let other = Ca::with_params(rcgen::KeyPair::generate().unwrap(), stage.ca.algorithm, |params| {
        params.use_authority_key_identifier_extension = true;
    });
    stage.write("other.pem", other.pem().as_bytes());
    let refused = stage.run(&["lookup", "ca.crlx", "--cert", "other.pem"]);
    assert_eq!(code(&refused), 2);
    assert!(stderr(&refused).contains("another key"), "{}", stderr(&refused));
}

#[test]
fn a_sidecar_is_built_beside_its_crl_only() {
    let stage = Stage::set();
    let build = ["build", "--crl", "ca.crl", "--issuer", "ca.pem", "--sidecar", "--out"];
    let refused = stage.run(&[&build[..], &["other.crlx"]].concat());
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("other.crl"), "{refused:?}");
    assert!(!stage.path("other.crlx").exists());

    assert_eq!(stage.run(&[&build[..], &["ca.crlx"]].concat()).status.code(), Some(0));
    assert!(stage.read("ca.crlx").len() < 256 + 64 + 2 * 4 + 1);
    assert_eq!(stage.run(&["lookup", "ca.crlx", "--serial", "1"]).status.code(), Some(1));
    assert_eq!(stage.run(&["verify", "ca.crlx", "--issuer", "ca.pem"]).status.code(), Some(0));
}

#[test]
fn every_file_may_be_a_stream() {
    let stage = Stage::set();
    assert_eq!(code(&stage.run(&BUILD)), 0);
    let expected = stage.read("ca.crlx");
    let crl = stage.crl();
    let text = pem("X509 CRL", &stage.read("ca.crl"));
    for stdin in [stage.read("ca.crl"), text.into_bytes()] {
        let built = stage.run_with(&stdin, &["build", "--crl", "-", "--issuer", "ca.pem", "--out", "-"]);
        assert_eq!(code(&built), 0, "{}", stderr(&built));
        assert_eq!(built.stdout, expected);
        let verified = stage.run_with(&stdin, &["verify", "-", "--issuer", "ca.pem"]);
        assert_eq!(code(&verified), 0, "{}", stderr(&verified));
    }
    let issuer = stage.ca.pem();
    let arguments = ["build", "--crl", "ca.crl", "--issuer", "-", "--out", "again.crlx"];
    assert_eq!(code(&stage.run_with(issuer.as_bytes(), &arguments)), 0);
    assert_eq!(stage.read("again.crlx"), expected);
    assert_eq!(code(&stage.run_with(&expected, &["lookup", "-", "--serial", "1"])), 1);
    assert_eq!(code(&stage.run_with(&expected, &["inspect", "-"])), 0);
    assert_eq!(code(&stage.run_with(&expected, &["verify", "-", "--issuer", "ca.pem"])), 0);
    let twice = stage.run_with(&crl, &["build", "--crl", "-", "--issuer", "-", "--out", "x.crlx"]);
    assert_eq!(code(&twice), 2);
}

#[test]
fn the_json_cache_is_that_of_the_authorizers() {
    let stage = Stage::set();
    let built = stage.run(&[&BUILD[..], &["--json", "ca.json"]].concat());
    assert_eq!(code(&built), 0, "{}", stderr(&built));
    assert_eq!(stage.read("ca.json"), b"{\"0x1\": \"\", \"0x2\": \"\"}");
}

#[test]
fn inspect_shows_the_metadata() {
    let stage = Stage::set();
    assert_eq!(code(&stage.run(&BUILD)), 0);
    let text = stdout(&stage.run(&["inspect", "ca.crlx"]));
    assert!(text.contains("issuer        CN=Forge\n") && text.contains("crl number    4097\n"), "{text}");
    let json = stage.run(&["inspect", "ca.crlx", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["entries"], 2);
    assert_eq!(json["next_update"], "2027-01-01T00:00:00Z");
}

#[test]
fn inspect_says_that_a_bare_crl_is_not_proved() {
    let stage = Stage::set();
    let text = stdout(&stage.run(&["inspect", "ca.crl"]));
    assert!(text.starts_with("signature     NOT CHECKED") && text.contains("listed        2\n"), "{text}");
    let piped = stage.run_with(pem("X509 CRL", &stage.read("ca.crl")).as_bytes(), &["inspect", "-"]);
    assert_eq!(stdout(&piped), stdout(&stage.run(&["inspect", "ca.crl"])));
    let json = stage.run(&["inspect", "ca.crl", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["signature_checked"], false);
    assert_eq!(json["algorithm"], "ECDSA with SHA-256");
    assert_eq!(json["crl_number"], "4097");
    // One that nobody signed, and one that is none.
    let mut crl = stage.crl();
    let last = crl.len() - 1;
    crl[last] ^= 1;
    stage.write("forged.crl", &crl);
    assert_eq!(code(&stage.run(&["inspect", "forged.crl"])), 0);
    stage.write("cut.crl", &crl[..last]);
    let refused = stage.run(&["inspect", "cut.crl"]);
    assert_eq!(code(&refused), 2);
    assert!(stderr(&refused).contains("1 bytes early"), "{}", stderr(&refused));
}

#[test]
fn a_failure_leaves_the_old_index_and_nothing_else() {
    let stage = Stage::set();
    assert_eq!(code(&stage.run(&BUILD)), 0);
    let (before, names) = (stage.read("ca.crlx"), stage.names());
    let mut crl = stage.crl();
    let last = crl.len() - 1;
    crl[last] ^= 1;
    stage.write("ca.crl", &crl);
    let failed = stage.run(&[&BUILD[..], &["--json", "ca.json"]].concat());
    assert_eq!(code(&failed), 2);
    let message = stderr(&failed);
    assert!(message.starts_with("crl-tool: ca.crl: ") && message.contains("signature"), "{message}");
    assert!(message.contains("\n  hint: "), "{message}");
    assert_eq!((stage.read("ca.crlx"), stage.names()), (before, names));
}

#[test]
fn errors_name_the_input_and_the_byte() {
    let stage = Stage::set();
    let crl = stage.crl();
    stage.write("ca.crl", &crl[..crl.len() - 10]);
    let message = stderr(&stage.run(&BUILD));
    assert!(message.contains("ca.crl: byte ") && message.contains("10 bytes early"), "{message}");
    stage.write("ca.crl", b"");
    assert!(stderr(&stage.run(&BUILD)).contains("empty"));
    for missing in ["--crl", "--issuer"] {
        let mut arguments = BUILD;
        let at = arguments.iter().position(|argument| *argument == missing).unwrap() + 1;
        arguments[at] = "absent";
        let output = stage.run(&arguments);
        assert_eq!(code(&output), 2);
        assert!(stderr(&output).contains("absent: "), "{}", stderr(&output));
    }
    let nowhere = stage.run(&["build", "--crl", "ca.crl", "--issuer", "ca.pem", "--out", "no/such/ca.crlx"]);
    assert!(stderr(&nowhere).contains("no/such/ca.crlx: cannot write"), "{}", stderr(&nowhere));
}

#[test]
fn readers_never_see_a_part_of_a_file() {
    let stage = Stage::set();
    assert_eq!(code(&stage.run(&BUILD)), 0);
    let before = stage.read("ca.crlx");
    // A build that waits for the rest of its CRL, and is killed.
    let mut child = stage
        .command(&["build", "--crl", "-", "--issuer", "ca.pem", "--out", "ca.crlx"])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&stage.crl()[..100]).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(stage.read("ca.crlx"), before);
    // Whatever a killed build leaves behind does not stop the next one.
    assert_eq!(code(&stage.run(&BUILD)), 0);
    assert_eq!(stage.read("ca.crlx"), before);
    assert_eq!(mode(&stage.path("ca.crlx")) & 0o200, 0o200);
}

fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions())
}

#[test]
fn usage_errors_exit_with_2_and_help_with_0() {
    let stage = Stage::set();
    assert_eq!(code(&stage.run(&["build"])), 2);
    assert_eq!(code(&stage.run(&["frobnicate"])), 2);
    for command in ["build", "completions", "convert", "diff", "inspect", "lookup", "merge", "sign", "verify"]
    {
        let help = stage.run(&[command, "--help"]);
        assert_eq!(code(&help), 0);
        assert!(stdout(&help).contains("Exit codes:"), "{command}");
    }
    assert!(stdout(&stage.run(&["--version"])).starts_with("crl-tool "));
}

#[test]
fn a_pipe_is_written_to_and_a_link_stays_a_link() {
    let stage = Stage::set();
    let build = |out: &str| stage.run(&["build", "--crl", "ca.crl", "--issuer", "ca.pem", "--out", out]);
    assert_eq!(code(&build("ca.crlx")), 0);

    let pipe = stage.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read(pipe).unwrap()
    });
    assert_eq!(code(&build("pipe")), 0);
    assert_eq!(reader.join().unwrap(), stage.read("ca.crlx"));
    assert!(!pipe.is_file(), "a file took the pipe's place");

    let link = stage.path("link.crlx");
    std::os::unix::fs::symlink("old.crlx", &link).unwrap();
    stage.write("old.crlx", b"old");
    assert_eq!(code(&build("link.crlx")), 0);
    assert!(link.is_symlink(), "a file took the link's place");
    assert_eq!(stage.read("old.crlx"), stage.read("ca.crlx"));
}
