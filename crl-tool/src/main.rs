//! The `crl-tool` command line.

mod cli;

use clap::Parser;
use cli::{Arguments, failure};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let style = arguments.style();
    match cli::run(arguments) {
        Ok(code) => code,
        Err(failure) => {
            failure.report(style);
            ExitCode::from(failure::CODE)
        }
    }
}
