//! The `crl-tool` command line.

mod cli;
#[cfg(any(test, feature = "lambda"))]
mod lambda;
mod pipeline;

use clap::Parser;
use cli::Arguments;
use cli::failure::{self, Failure};
use cli::style::Style;
use std::process::ExitCode;

fn main() -> ExitCode {
    // As a Lambda function's `bootstrap`, there are no arguments.
    #[cfg(feature = "lambda")]
    if std::env::args_os().len() == 1 && std::env::var_os(lambda::RUNTIME_API).is_some() {
        return ended(lambda::run().map(|()| ExitCode::SUCCESS), Style::JSON);
    }
    let arguments = Arguments::parse();
    let style = arguments.style();
    ended(cli::run(arguments), style)
}

fn ended(result: Result<ExitCode, Failure>, style: Style) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(failure) => {
            failure.report(style);
            ExitCode::from(failure::CODE)
        }
    }
}
