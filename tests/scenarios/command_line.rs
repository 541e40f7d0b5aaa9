//! What the binaries say about themselves.

use postern_tests::process::{Finished, run};
use postern_tests::{Failure, Outcome, binary};

const BINARIES: [&str; 3] = ["postern", "crl-tool", "certs"];

#[test]
fn every_binary_has_a_version_and_a_help() -> Outcome {
    for name in BINARIES {
        let version = call(name, &["--version"])?.success()?.stdout;
        assert!(version.contains(env!("CARGO_PKG_VERSION")), "{name}: {version}");
        let help = call(name, &["--help"])?.success()?.stdout;
        assert!(help.contains("Usage:") && help.lines().count() > 8, "{name}: {help}");
    }
    Ok(())
}

#[test]
fn the_help_of_postern_teaches() -> Outcome {
    let help = call("postern", &["--help"])?.stdout;
    for word in ["run", "check", "SIGHUP", "SIGTERM", "POSTERN_"] {
        assert!(help.contains(word), "{word} in\n{help}");
    }
    Ok(())
}

#[test]
fn unknown_arguments_are_usage_errors() -> Outcome {
    for name in BINARIES {
        let finished = call(name, &["--no-such-flag"])?;
        assert_eq!(finished.code(), 2, "{name}: {}", finished.stderr);
        assert!(finished.stderr.contains("--no-such-flag"), "{name}: {}", finished.stderr);
    }
    Ok(())
}

fn call(name: &'static str, arguments: &[&str]) -> Result<Finished, Failure> {
    run(name, binary::command(name)?.args(arguments))
}
