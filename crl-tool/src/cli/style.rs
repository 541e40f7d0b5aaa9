//! How answers are printed: for people, for programs, or not at all.

use super::failure::Failure;
use clap::{Args, ValueEnum};
use serde_json::Value;
use std::fmt::Display;
use std::io::{self, Write};

/// The options that every command has.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Style {
    /// For people or for programs: one JSON object a line, errors on standard error included
    #[arg(long, value_enum, default_value_t = Format::Text, global = true)]
    format: Format,

    /// Print no answer: the exit code tells. Errors are still printed
    #[arg(long, short, global = true)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

impl Style {
    /// For programs.
    #[cfg(feature = "lambda")]
    pub(crate) const JSON: Style = Style { format: Format::Json, quiet: false };

    /// Whether only errors are printed.
    pub(crate) fn is_quiet(self) -> bool {
        self.quiet
    }

    /// Whether programs read it.
    pub(crate) fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// Prints an answer to standard output, as `text` or as `json`.
    pub(crate) fn say(self, text: impl Display, json: &Value) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match self.format {
            _ if self.quiet => Ok(()),
            Format::Text => Ok(writeln!(out, "{text}")?),
            Format::Json => Ok(writeln!(out, "{json}")?),
        }
    }
}
