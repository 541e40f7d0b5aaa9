//! The command line of Postern: arguments, configuration, telemetry, and then [`postern::app::run`].

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use postern::app::{Failure, check, run};
use postern::clock::Clock;
use postern::config::{Config, Invalid, Log, LogFormat};

/// A mutual-TLS edge proxy for private APIs: verifies client certificates, looks them up in preprocessed CRLs, and forwards.
#[derive(Parser)]
#[command(version, propagate_version = true, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  crl-tool build --crl intermediate.crl --issuer intermediate.pem --out intermediate.crlx
  postern check --config postern.toml      all problems at once; exit 0 or 1
  postern run --config postern.toml        serve until SIGTERM
  kill -HUP PID                            read certificates, trust bundle and CRL indexes again

Every key of the configuration can be set from the environment: POSTERN_LOG__LEVEL=debug is log.level.
Exit codes: 0 stopped by a signal, or the check passed; 1 a problem, said on standard error; 2 wrong arguments.";

#[derive(Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT; SIGHUP reads certificates, trust bundle and CRL indexes again
    Run {
        /// The TOML file; proxy/config.example.toml documents every key
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// How both logs look, whatever the file says
        #[arg(long, value_name = "FORMAT")]
        log_format: Option<Format>,
    },
    /// Check the configuration and every file that it names, and report all problems at once
    Check {
        /// The TOML file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

fn main() -> ExitCode {
    let failure = match Arguments::parse().command {
        Command::Run { config, log_format } => match load(&config) {
            Ok(mut config) => {
                match log_format {
                    Some(Format::Text) => config.log.format = LogFormat::Text,
                    Some(Format::Json) => config.log.format = LogFormat::Json,
                    None => {}
                }
                start_telemetry(&config.log);
                run(config, Clock::system()).err()
            }
            Err(problems) => Some(Failure::Invalid(problems)),
        },
        Command::Check { config } => {
            let result = load(&config).and_then(|config| check(&config, &Clock::system()).map(|_| ()));
            if result.is_ok() {
                say(&mut std::io::stdout(), &format!("{}: good", config.display()));
            }
            result.err().map(Failure::Invalid)
        }
    };
    let Some(failure) = failure else { return ExitCode::SUCCESS };
    let mut out = std::io::stderr();
    if let Failure::Invalid(problems) = &failure {
        for problem in problems {
            say(&mut out, &format!("{}: {}\n  hint: {}", problem.key, problem.problem, problem.hint));
        }
    }
    say(&mut out, &format!("postern: {failure}"));
    ExitCode::FAILURE
}

fn load(path: &std::path::Path) -> Result<Config, Vec<Invalid>> {
    Config::load(
        path,
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
    )
}

/// The operational log goes to standard error; standard output is the access log's alone.
fn start_telemetry(log: &Log) {
    let builder =
        tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(log.level).with_target(false);
    match log.format {
        LogFormat::Json => builder.json().flatten_event(true).init(),
        LogFormat::Text => builder.with_ansi(false).init(),
    }
}

fn say(out: &mut dyn std::io::Write, line: &str) {
    // If nobody can hear it, nothing can be said about that either.
    let _ = writeln!(out, "{line}");
}
