//! The command line of Postern: arguments, configuration, telemetry, and then [`postern::app::run`].

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use http::Request;
use postern::app::{Failure, check, run};
use postern::clock::{Clock, parse_rfc3339};
use postern::config::{Config, File, Invalid, Lines, Log, LogFormat};
use postern::explain::{Case, explain};
use postern::health::{Question, ask};
use postern::metrics::Metrics;
use postern::operate::{Operation, operate};
use postern::trust::certificates;
use rustls_pki_types::{CertificateDer, UnixTime};

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
  postern explain --config postern.toml --chain client.pem --server-name api.example.com --request 'GET /orders/7'
  postern run --config postern.toml        serve until SIGTERM
  kill -HUP PID                            read certificates, trust bundle and CRL indexes again
  postern trust --config postern.toml status      which CRLs are in force, how old, and what was not taken
  postern health --config postern.toml     is it ready? Of a container: HEALTHCHECK, or ECS healthCheck

Every key of the configuration can be set from the environment: POSTERN_LOG__LEVEL=debug is log.level.
Exit codes: 0 stopped by a signal, the check passed, the process is well, or the client is accepted; 1 the client is refused, or there
is a problem, which is said on standard error; 2 wrong arguments.";

#[derive(Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT; SIGHUP reads certificates, trust bundle and CRL indexes again
    Run {
        /// The TOML file; proxy/config.example.toml documents every key. env:NAME: the whole of it in that variable
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// How both logs look, whatever the file says
        #[arg(long, value_name = "FORMAT")]
        log_format: Option<Format>,
    },
    /// Say what becomes of a client and its request, and why; exit 0 accepted, 1 refused
    Explain {
        /// The TOML file; of its files, the trust bundle and the CRL indexes are read
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// PEM: the client's certificate, then its intermediates; a client without a certificate if not given
        #[arg(long, value_name = "FILE")]
        chain: Option<PathBuf>,
        /// The name that the client asks for (SNI and Host)
        #[arg(long, value_name = "NAME")]
        server_name: Option<String>,
        /// Method and path, such as 'GET /orders/7'
        #[arg(long, value_name = "REQUEST", value_parser = request)]
        request: Option<Box<Request<()>>>,
        /// RFC 3339, such as 2026-12-24T18:00:00Z; now if not given
        #[arg(long, value_name = "TIME", value_parser = time)]
        at: Option<UnixTime>,
        /// How the answer looks
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: Format,
    },
    /// Ask the process that runs with this configuration whether it is well: for a container's health check; exit 0 or 1
    Health {
        /// The TOML file; of it, admin.address is used
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// What to ask
        #[arg(long, value_name = "QUESTION", default_value = "ready")]
        ask: Question,
        /// How long to wait for the answer
        #[arg(long, value_name = "MS", default_value_t = 2_000)]
        timeout_ms: u64,
    },
    /// Ask the process that runs with this configuration how its trust is, or tell it what to do about it; exit 0 or 1
    Trust {
        /// The TOML file; of it, admin.address is used
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        #[command(subcommand)]
        operation: Operation,
        /// How the answer looks
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: Format,
        /// How long to wait for the answer
        #[arg(long, value_name = "MS", default_value_t = 60_000)]
        timeout_ms: u64,
    },
    /// Check the configuration and every file that it names, and report all problems at once
    Check {
        /// The TOML file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

impl Command {
    fn config(&self) -> &Path {
        match self {
            Self::Run { config, .. }
            | Self::Explain { config, .. }
            | Self::Check { config }
            | Self::Trust { config, .. }
            | Self::Health { config, .. } => config,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    let file = command.config().to_owned();
    let outcome = match command {
        Command::Run { config, log_format } => serve(&config, log_format),
        Command::Check { config } => verify(&config),
        Command::Health { config, ask, timeout_ms } => {
            inquire(&config, ask, Duration::from_millis(timeout_ms))
        }
        Command::Trust { config, operation, format, timeout_ms } => {
            operate_on(&config, &operation, format, Duration::from_millis(timeout_ms))
        }
        Command::Explain { config, chain, server_name, request, at, format } => {
            let at = at.unwrap_or_else(|| Clock::system().now());
            read_chain(chain.as_deref()).and_then(|chain| {
                let server_name = server_name.map(|name| name.to_ascii_lowercase());
                tell(&config, &Case { chain, server_name, request, at }, format)
            })
        }
    };
    let failure = match outcome {
        Ok(code) => return code,
        Err(failure) => failure,
    };
    let mut out = std::io::stderr();
    if let Failure::Invalid(problems) = &failure {
        let lines = Lines::of_file(&file);
        let mut placed: Vec<_> = problems.iter().map(|problem| (lines.find(&problem.key), problem)).collect();
        placed.sort_by_key(|(line, _)| *line);
        for (line, Invalid { key, problem, hint }) in placed {
            let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
            say(&mut out, &format!("{line}{key}: {problem}\n  hint: {hint}"));
        }
    }
    say(&mut out, &format!("postern: {failure}"));
    ExitCode::FAILURE
}

fn serve(file: &Path, log_format: Option<Format>) -> Result<ExitCode, Failure> {
    let mut config = load(file)?;
    match log_format {
        Some(Format::Text) => config.log.format = LogFormat::Text,
        Some(Format::Json) => config.log.format = LogFormat::Json,
        None => {}
    }
    start_telemetry(&config.log);
    run(config, Clock::system())?;
    Ok(ExitCode::SUCCESS)
}

fn verify(file: &Path) -> Result<ExitCode, Failure> {
    let config = load(file)?;
    check(&config, &Clock::system(), &Metrics::new(&config)?).map_err(Failure::Invalid)?;
    say(&mut std::io::stdout(), &format!("{}: good", file.display()));
    Ok(ExitCode::SUCCESS)
}

fn operate_on(
    file: &Path,
    operation: &Operation,
    format: Format,
    patience: Duration,
) -> Result<ExitCode, Failure> {
    let admin = load(file)?.admin.address;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(operate(admin, operation, patience, matches!(format, Format::Text))) {
        Ok(answer) => {
            say(&mut std::io::stdout(), &answer);
            Ok(ExitCode::SUCCESS)
        }
        Err(unhealthy) => {
            say(&mut std::io::stderr(), &format!("postern: {unhealthy}"));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn inquire(file: &Path, question: Question, patience: Duration) -> Result<ExitCode, Failure> {
    let admin = load(file)?.admin.address;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(ask(admin, question, patience)) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(unhealthy) => {
            say(&mut std::io::stderr(), &format!("postern: {unhealthy}"));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn tell(file: &Path, case: &Case, format: Format) -> Result<ExitCode, Failure> {
    let explanation = explain(&load(file)?, case).map_err(Failure::Invalid)?;
    let text = match format {
        Format::Text => explanation.text(),
        Format::Json => serde_json::to_string(&explanation).unwrap_or_default(),
    };
    say(&mut std::io::stdout(), &text);
    Ok(if explanation.reason.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read_chain(file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let Some(file) = file else { return Ok(Vec::new()) };
    certificates(&File::new("--chain", file)).map_err(|problem| Failure::Invalid(vec![problem]))
}

fn request(text: &str) -> Result<Box<Request<()>>, String> {
    let (method, target) = text.split_once(' ').ok_or("not METHOD PATH, such as 'GET /orders/7'")?;
    Request::builder().method(method).uri(target).body(()).map(Box::new).map_err(|error| error.to_string())
}

fn time(text: &str) -> Result<UnixTime, &'static str> {
    parse_rfc3339(text).ok_or("not an RFC 3339 time such as 2026-12-24T18:00:00Z")
}

fn load(path: &Path) -> Result<Config, Failure> {
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Config::load(path, environment).map_err(Failure::Invalid)
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
