//! Whatever stops a build, and whenever: the index is the old one or the new one, whole.

use crate::der::{entry, reason};
use crate::forge::Crl;
use crate::stage::{BUILD, Stage, code, stderr};
use std::fs::{self, File};
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Builds that are killed, at moments spread over the time that one takes.
const KILLED: u32 = 60;

/// A stage whose CRL takes a while, with an index of another one in place. Answers what the index may be.
fn slow() -> (Stage, [Vec<u8>; 2], Duration) {
    let stage = Stage::set();
    assert_eq!(code(&stage.run(&BUILD)), 0);
    let old = stage.read("ca.crlx");
    let entries: Vec<Vec<u8>> = (0..20_000_u32)
        .map(|number| entry(&[&[0x40], &number.to_be_bytes()[..]].concat(), &[reason(1)]))
        .collect();
    stage.write("ca.crl", &Crl::of(&stage.ca).entries(&entries).signed_by(&stage.ca));
    let started = Instant::now();
    let built = stage.run(&[&BUILD[..6], &["new.crlx"]].concat());
    let duration = started.elapsed();
    assert_eq!(code(&built), 0, "{}", stderr(&built));
    let new = stage.read("new.crlx");
    fs::remove_file(stage.path("new.crlx")).unwrap();
    (stage, [old, new], duration)
}

fn start(stage: &Stage, arguments: &[&str]) -> Child {
    stage
        .command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Hidden files that builds left behind.
fn drafts(stage: &Stage) -> Vec<String> {
    stage.names().into_iter().filter(|name| name.ends_with(".partial")).collect()
}

#[test]
fn a_kill_at_any_moment_leaves_the_old_index_or_the_new_one() {
    let (stage, [old, new], duration) = slow();
    let mut found = [0, 0];
    for attempt in 0..KILLED {
        stage.write("ca.crlx", &old);
        let mut child = start(&stage, &BUILD);
        // The one place where time itself is what is tested: the kill comes at a moment that nothing announces.
        let deadline = Instant::now() + duration * attempt / (KILLED * 2 / 3);
        while Instant::now() < deadline {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let left = stage.read("ca.crlx");
        let which = [&old, &new].iter().position(|&whole| *whole == left);
        found[which.unwrap_or_else(|| panic!("kill {attempt}: neither the old index nor the new one"))] += 1;
    }
    // The first kills come before there is anything to publish. How many come after it depends on the machine.
    assert!(found[0] > 0, "{found:?}");
    assert_eq!(code(&stage.run(&BUILD)), 0);
    assert_eq!(stage.read("ca.crlx"), new);
    assert_eq!(drafts(&stage), [""; 0], "the next build removes what killed ones left");
}

#[test]
fn a_kill_at_any_stage_of_the_input_leaves_the_old_index() {
    let (stage, [old, new], _) = slow();
    let crl = stage.read("ca.crl");
    let streamed = ["build", "--crl", "-", "--issuer", "ca.pem", "--out", "ca.crlx"];
    for length in
        [0, 1, 10, 100, 200, crl.len() / 2, crl.len() - 300, crl.len() - 70, crl.len() - 1, crl.len()]
    {
        let mut child = start(&stage, &streamed);
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&crl[..length]).unwrap();
        // Its input has not ended, so that it cannot have either.
        assert!(child.try_wait().unwrap().is_none(), "{length}");
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(stage.read("ca.crlx"), old, "{length}");
    }
    assert_eq!(code(&stage.run_with(&crl, &streamed)), 0);
    assert_eq!(stage.read("ca.crlx"), new);
    assert_eq!(drafts(&stage), [""; 0]);
}

#[test]
fn a_build_leaves_the_draft_of_another_alone() {
    let (stage, [_, new], _) = slow();
    let crl = stage.read("ca.crl");
    let mut child = start(&stage, &["build", "--crl", "-", "--issuer", "ca.pem", "--out", "ca.crlx"]);
    let mut stdin = child.stdin.take().unwrap();
    // More than a pipe holds: it has made its draft by the time that this is written.
    stdin.write_all(&crl[..crl.len() / 2]).unwrap();
    assert_eq!(drafts(&stage).len(), 1);
    stage.write("small.crl", &stage.crl());
    let other = ["build", "--crl", "small.crl", "--issuer", "ca.pem", "--out", "ca.crlx"];
    assert_eq!(code(&stage.run(&other)), 0);
    assert_eq!(drafts(&stage).len(), 1);
    stdin.write_all(&crl[crl.len() / 2..]).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
    assert_eq!(stage.read("ca.crlx"), new);
    // What only looks like a draft of this index is somebody else's.
    let others =
        [".ca.crlx.partial", ".ca.crlxabcdefg.partial", ".other.crlxabcdef.partial", "ca.crlxabcdef.partial"];
    others.iter().for_each(|name| drop(File::create(stage.path(name)).unwrap()));
    stage.write(".ca.crlxabcdef.partial", b"left by a build that was killed");
    assert_eq!(code(&stage.run(&BUILD)), 0);
    let mut expected = others.map(str::to_owned);
    expected.sort();
    assert_eq!(drafts(&stage), expected);
}

/// Runs a build under a limit on the size of files, which is what a full disk is to it.
fn on_a_full_disk(stage: &Stage, shell: &str) -> std::process::Output {
    let mut command = Command::new("sh");
    command.current_dir(stage.directory.path()).arg("-c").arg(format!("{shell}; exec \"$0\" \"$@\""));
    command.arg(env!("CARGO_BIN_EXE_crl-tool")).args(BUILD).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn a_full_disk_leaves_the_old_index_and_nothing_else() {
    let (stage, [old, _], _) = slow();
    let names = stage.names();
    for blocks in [0, 1, 100, 600, 1000] {
        let failed = on_a_full_disk(&stage, &format!("trap '' XFSZ; ulimit -f {blocks}"));
        assert_eq!(code(&failed), 2, "{}", stderr(&failed));
        assert!(stderr(&failed).contains("ca.crlx: cannot write: File too large"), "{}", stderr(&failed));
        assert_eq!((stage.read("ca.crlx"), stage.names()), (old.clone(), names.clone()), "{blocks}");
        // Without the trap, the system kills it.
        let killed = on_a_full_disk(&stage, &format!("ulimit -f {blocks}"));
        assert!(!killed.status.success());
        assert_eq!(stage.read("ca.crlx"), old, "{blocks}");
    }
    let full = stage.run(&[&BUILD[..6], &["/dev/full"]].concat());
    assert_eq!(code(&full), 2);
    assert!(
        stderr(&full).contains("/dev/full") && stderr(&full).contains("No space left"),
        "{}",
        stderr(&full)
    );
}

#[test]
fn a_directory_that_cannot_be_written_to_is_named() {
    let stage = Stage::set();
    // Not even root makes files there.
    let refused = stage.run(&[&BUILD[..6], &["/proc/ca.crlx"]].concat());
    assert_eq!(code(&refused), 2);
    assert!(stderr(&refused).contains("/proc/ca.crlx: cannot write"), "{}", stderr(&refused));
}
