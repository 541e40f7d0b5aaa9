//! The `crl-tool` command line.

mod cli;

use clap::Parser;
use cli::{Arguments, failure};
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run(Arguments::parse()) {
        Ok(code) => code,
        Err(failure) => {
            failure.report();
            ExitCode::from(failure::CODE)
        }
    }
}
