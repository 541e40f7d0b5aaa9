//! The commands, one file each.

mod build;
mod completions;
mod convert;
mod diff;
pub(crate) mod failure;
pub(crate) mod file;
mod inspect;
pub(crate) mod issuers;
mod lookup;
mod merge;
mod progress;
mod publish;
mod sign;
pub(crate) mod signer;
pub(crate) mod style;
pub(crate) mod transfer;
mod verify;

use clap::{Parser, Subcommand};
use failure::Failure;
use std::process::ExitCode;
use style::Style;

/// Verifies certificate revocation lists (CRLs) and turns them into indexes (.crlx) that answer in microseconds.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, after_help = OVERVIEW)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    style: Style,
}

impl Arguments {
    /// How to print answers and errors.
    pub(crate) fn style(&self) -> Style {
        self.style
    }
}

const OVERVIEW: &str = "\
Example, from the CA's files to an answer:
  crl-tool build --crl ca.crl --issuer ca.pem --out ca.crlx
  crl-tool inspect ca.crlx
  crl-tool lookup ca.crlx --cert client.pem && echo good

A FILE can be `-`: standard input where it is read, standard output where it is written. A FILE that is read can also be
an address, https://..., http://... or s3://BUCKET/KEY, from which no more is taken than --max-bytes and --timeout allow.
Certificates are not read over http: nothing would prove them. s3:// and AWS Private CA need a build with --features aws,
and take region, credentials and endpoints from where the aws command takes them.

Exit codes: 0 done (lookup: not revoked), 1 revoked and 3 not covered (lookup only), 2 failed or wrong usage, and
standard error says why.";

#[derive(Debug, Subcommand)]
enum Command {
    Build(build::Build),
    Completions(completions::Completions),
    Convert(convert::Convert),
    Diff(diff::Diff),
    Inspect(inspect::Inspect),
    /// Serve as an AWS Lambda function, as this program does without arguments when Lambda starts it
    #[cfg(feature = "lambda")]
    Lambda,
    Lookup(lookup::Lookup),
    Merge(merge::Merge),
    Publish(publish::Publish),
    Sign(sign::Sign),
    Verify(verify::Verify),
}

/// Runs the command that was asked for.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let style = arguments.style;
    match arguments.command {
        Command::Build(build) => build.run(style),
        Command::Completions(completions) => completions.run(),
        Command::Convert(convert) => convert.run(style),
        Command::Diff(diff) => diff.run(style),
        Command::Inspect(inspect) => inspect.run(style),
        #[cfg(feature = "lambda")]
        Command::Lambda => crate::lambda::run().map(|()| ExitCode::SUCCESS),
        Command::Lookup(lookup) => lookup.run(style),
        Command::Merge(merge) => merge.run(style),
        Command::Publish(publish) => publish.run(style),
        Command::Sign(sign) => sign.run(style),
        Command::Verify(verify) => verify.run(style),
    }
}
