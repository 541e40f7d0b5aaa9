//! diff, convert, batch lookups, completions, and the options that every command has.

use crate::der::{entry, extension, integer, reason};
use crate::forge::Crl;
use crate::stage::{BUILD, Stage, code, stderr, stdout};
use serde_json::{Value, json};
use std::io::Read;
use std::process::Output;

fn parsed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn diff_tells_released_from_dropped() {
    let stage = Stage::set();
    let build = |name: &str, entries: &[Vec<u8>]| {
        stage.write("ca.crl", &Crl::of(&stage.ca).entries(entries).signed_by(&stage.ca));
        let mut arguments = BUILD;
        arguments[6] = name;
        assert_eq!(code(&stage.run(&arguments)), 0);
    };
    build("old.crlx", &[entry(&[1], &[reason(1)]), entry(&[2], &[reason(6)]), entry(&[3], &[])]);
    build("new.crlx", &[entry(&[1], &[reason(1)]), entry(&[4], &[reason(4)]), entry(&[5], &[])]);
    let text = stdout(&stage.run(&["diff", "old.crlx", "new.crlx"]));
    assert_eq!(text, "newly revoked  2\nreleased       1\ndropped        1\n");
    let counts = parsed(&stage.run(&["diff", "old.crlx", "new.crlx", "--format", "json"]));
    assert_eq!(counts, json!({ "newly_revoked": 2, "released": 1, "dropped": 1 }));
    let list = parsed(&stage.run(&["--format", "json", "diff", "old.crlx", "new.crlx", "--list"]));
    assert_eq!(list["newly_revoked"][0]["serial"], "04");
    assert_eq!(list["newly_revoked"][0]["reason"], "superseded");
    assert_eq!(list["released"][0]["serial"], "02");
    assert_eq!(list["dropped"], json!([{ "serial": "03", "reason": null, "date": "2026-01-02T03:04:05Z" }]));
    let text = stdout(&stage.run(&["diff", "old.crlx", "new.crlx", "--list"]));
    assert!(text.contains("released       1\n  02, certificateHold, since 2026-01-02"), "{text}");
    assert!(stdout(&stage.run(&["diff", "new.crlx", "new.crlx"])).starts_with("newly revoked  0\n"));
    // Another issuer's.
    let other = Stage::set();
    assert_eq!(code(&other.run(&BUILD)), 0);
    stage.write("other.crlx", &other.read("ca.crlx"));
    assert_eq!(code(&stage.run(&["diff", "old.crlx", "other.crlx"])), 2);
}

#[test]
fn convert_gives_the_crl_back() {
    let stage = Stage::set();
    assert_eq!(code(&stage.run(&BUILD)), 0);
    for (out, kind) in [("back.crl", "der"), ("back.pem", "pem")] {
        let converted = stage.run(&["convert", "ca.crlx", "--out", out]);
        assert_eq!(code(&converted), 0, "{}", stderr(&converted));
        let streamed = stage.run(&["convert", "ca.crlx", "--to", kind, "--out", "-"]);
        assert_eq!(streamed.stdout, stage.read(out));
        let mut arguments = BUILD;
        (arguments[2], arguments[6]) = (out, "again.crlx");
        assert_eq!(code(&stage.run(&arguments)), 0);
        assert_eq!(stage.read("again.crlx"), stage.read("ca.crlx"), "{kind}");
    }
    assert_eq!(stage.read("back.crl"), stage.read("ca.crl"));
    assert!(stage.read("back.pem").split(|&octet| octet == b'\n').all(|line| line.len() <= 64));
    let unnamed = stage.run(&["convert", "ca.crlx", "--out", "back"]);
    assert_eq!(code(&unnamed), 2);
    assert!(stderr(&unnamed).contains("--to"), "{}", stderr(&unnamed));
}

#[test]
fn convert_writes_the_caches_of_authorizers() {
    let stage = Stage::set();
    assert_eq!(code(&stage.run(&BUILD)), 0);
    let expected = b"{\"0x1\": \"\", \"0x2\": \"\"}";
    for out in ["ca.crl.json", "ca.crl.cache.json", "ca.crl.json.zip"] {
        assert_eq!(code(&stage.run(&["convert", "ca.crlx", "--out", out])), 0);
    }
    assert_eq!(stage.read("ca.crl.json"), expected);
    assert_eq!(stage.read("ca.crl.cache.json"), expected);
    let mut unpacked = Vec::new();
    flate2::read::ZlibDecoder::new(&*stage.read("ca.crl.json.zip")).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, expected);
}

#[test]
fn convert_tells_the_two_crls_of_a_merged_index_apart() {
    let stage = Stage::set();
    let delta = Crl::of(&stage.ca).entries(&[entry(&[2], &[reason(8)]), entry(&[3], &[])]).change(|crl| {
        crl.extensions[1] = extension(20, false, &integer(&[0x10, 0x02]));
        crl.extensions.push(extension(27, true, &integer(&[0x10, 0x01])));
    });
    stage.write("delta.crl", &delta.signed_by(&stage.ca));
    let merge =
        ["merge", "--base", "ca.crl", "--delta", "delta.crl", "--issuer", "ca.pem", "--out", "m.crlx"];
    assert_eq!(code(&stage.run(&merge)), 0);
    assert_eq!(code(&stage.run(&["convert", "m.crlx", "--out", "x.crl"])), 2);
    for part in ["base", "delta"] {
        assert_eq!(code(&stage.run(&["convert", "m.crlx", "--part", part, "--out", "x.crl"])), 0);
        let file = if part == "base" { "ca.crl" } else { "delta.crl" };
        assert_eq!(stage.read("x.crl"), stage.read(file), "{part}");
    }
    assert_eq!(code(&stage.run(&["convert", "m.crlx", "--out", "m.json"])), 0);
    assert_eq!(stage.read("m.json"), b"{\"0x1\": \"\", \"0x3\": \"\"}");
    assert_eq!(code(&stage.run(&BUILD)), 0);
    let differences = parsed(&stage.run(&["diff", "ca.crlx", "m.crlx", "--format", "json"]));
    assert_eq!(differences, json!({ "newly_revoked": 1, "released": 0, "dropped": 1 }));
}

#[test]
fn many_serials_are_looked_up_at_once() {
    let stage = Stage::set();
    assert_eq!(code(&stage.run(&BUILD)), 0);
    stage.write("some.txt", b"# issued\n03\n\n0x2\r\n1\n");
    let output = stage.run(&["lookup", "ca.crlx", "--serials", "some.txt"]);
    assert_eq!(code(&output), 1);
    let lines: Vec<String> = stdout(&output).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0], "not revoked: 03");
    assert!(lines[1].starts_with("revoked: 02, ") && lines[2].starts_with("revoked: 01, "), "{lines:?}");
    let good = stage.run_with(b"3\n4\n", &["lookup", "ca.crlx", "--serials", "-"]);
    assert_eq!((code(&good), &*stdout(&good)), (0, "not revoked: 03\nnot revoked: 04\n"));
    stage.write("some.txt", b"03\nzz\n");
    let broken = stage.run(&["lookup", "ca.crlx", "--serials", "some.txt"]);
    assert_eq!(code(&broken), 2);
    assert!(stderr(&broken).contains("some.txt: line 2") && broken.stdout.is_empty(), "{}", stderr(&broken));
}

#[test]
fn every_answer_is_also_json_or_silent() {
    let stage = Stage::set();
    let commands: [(&[&str], i32); 6] = [
        (&BUILD, 0),
        (&["verify", "ca.crlx", "--issuer", "ca.pem"], 0),
        (&["inspect", "ca.crlx"], 0),
        (&["lookup", "ca.crlx", "--serial", "1"], 1),
        (&["diff", "ca.crlx", "ca.crlx"], 0),
        (&["convert", "ca.crlx", "--out", "ca.json"], 0),
    ];
    for (arguments, expected) in commands {
        let output = stage.run(&[arguments, &["--format", "json"]].concat());
        assert_eq!(code(&output), expected, "{}", stderr(&output));
        assert!(parsed(&output).is_object());
        let output = stage.run(&[arguments, &["--quiet"]].concat());
        assert_eq!((code(&output), &*stdout(&output), &*stderr(&output)), (expected, "", ""));
    }
    let answer = parsed(&stage.run(&["lookup", "ca.crlx", "--serial", "1", "--format", "json"]));
    let expected = json!({
        "serial": "01", "status": "revoked", "reason": "keyCompromise", "date": "2026-01-02T03:04:05Z"
    });
    assert_eq!(answer, expected);
    // Errors are never silent.
    let failed = stage.run(&["inspect", "absent", "--quiet", "--format", "json"]);
    assert_eq!(code(&failed), 2);
    let error: Value = serde_json::from_slice(&failed.stderr).unwrap();
    assert!(error["error"].as_str().unwrap().starts_with("absent: "), "{error}");
}

#[test]
fn every_shell_has_completions() {
    let stage = Stage::set();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = stage.run(&["completions", shell]);
        assert_eq!(code(&output), 0, "{shell}");
        assert!(stdout(&output).contains("lookup"), "{shell}");
    }
}
