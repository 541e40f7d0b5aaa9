//! The bar of long work: on a terminal, and nowhere else.

use crate::der::entry;
use crate::forge::Crl;
use crate::stage::{Stage, code, stderr};
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const SLOWLY: [&str; 7] = ["build", "--crl", "pipe", "--issuer", "ca.pem", "--out", "ca.crlx"];

/// A stage with a pipe, and a CRL that does not fit into it at once.
fn stage() -> (Stage, Vec<u8>) {
    let stage = Stage::set();
    let entries: Vec<Vec<u8>> =
        (0..20_000_u32).map(|number| entry(&[&[0x40], &number.to_be_bytes()[..]].concat(), &[])).collect();
    let crl = Crl::of(&stage.ca).entries(&entries).signed_by(&stage.ca);
    assert!(Command::new("mkfifo").arg(stage.path("pipe")).status().unwrap().success());
    (stage, crl)
}

/// Writes the CRL into the pipe, so that reading it takes over half a second.
fn write_slowly(stage: &Stage, crl: &[u8]) {
    let mut pipe = File::options().write(true).open(stage.path("pipe")).unwrap();
    let started = Instant::now();
    pipe.write_all(&crl[..crl.len() / 2]).unwrap();
    // The half second that a bar waits for is what is tested.
    while started.elapsed() < Duration::from_millis(700) {
        std::thread::yield_now();
    }
    pipe.write_all(&crl[crl.len() / 2..]).unwrap();
}

/// What a terminal shows of a build.
fn on_a_terminal(options: &str) -> String {
    let (stage, crl) = stage();
    let command = format!("{} {} {options}", env!("CARGO_BIN_EXE_crl-tool"), SLOWLY.join(" "));
    let mut script = Command::new("script");
    script.current_dir(stage.directory.path()).args(["-qec", &command, "/dev/null"]).env("TERM", "xterm");
    let mut child = script.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    write_slowly(&stage, &crl);
    let mut shown = String::new();
    child.stdout.take().unwrap().read_to_string(&mut shown).unwrap();
    assert!(child.wait().unwrap().success(), "{shown}");
    shown
}

#[test]
fn a_terminal_shows_how_far_long_work_has_come() {
    let shown = on_a_terminal("");
    assert!(shown.contains("reading") && shown.contains("/s"), "{shown:?}");
    // It is gone before the answer.
    let (_, after) = shown.split_once("20000 revoked").unwrap();
    assert!(!after.contains("reading"), "{shown:?}");
    assert!(!on_a_terminal("--quiet").contains("reading"));
}

#[test]
fn what_is_no_terminal_sees_no_bar() {
    let (stage, crl) = stage();
    let child = stage.command(&SLOWLY).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    write_slowly(&stage, &crl);
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), &*stderr(&output)), (0, ""));
}
