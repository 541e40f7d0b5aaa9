//! The commands, one file each.

mod build;
pub(crate) mod failure;
mod file;
mod inspect;
mod lookup;
mod merge;
mod verify;

use clap::{Parser, Subcommand};
use failure::Failure;
use std::process::ExitCode;

/// Verifies certificate revocation lists (CRLs) and turns them into indexes (.crlx) that answer in microseconds.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, after_help = OVERVIEW)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const OVERVIEW: &str = "\
Example, from the CA's files to an answer:
  crl-tool build --crl ca.crl --issuer ca.pem --out ca.crlx
  crl-tool inspect ca.crlx
  crl-tool lookup ca.crlx --cert client.pem && echo good

A FILE can be `-`: standard input where it is read, standard output where it is written.

Exit codes: 0 done (lookup: not revoked), 1 revoked and 3 not covered (lookup only), 2 failed or wrong usage, and
standard error says why.";

#[derive(Debug, Subcommand)]
enum Command {
    Build(build::Build),
    Inspect(inspect::Inspect),
    Lookup(lookup::Lookup),
    Merge(merge::Merge),
    Verify(verify::Verify),
}

/// Runs the command that was asked for.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    match arguments.command {
        Command::Build(build) => build.run(),
        Command::Inspect(inspect) => inspect.run(),
        Command::Lookup(lookup) => lookup.run(),
        Command::Merge(merge) => merge.run(),
        Command::Verify(verify) => verify.run(),
    }
}
