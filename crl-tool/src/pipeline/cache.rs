//! The JSON caches that Lambda authorizers read.

use crl_tool::{EntriesError, Index};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use std::io::{BufWriter, Write};

/// A cache, as the published authorizers know it by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Form {
    /// `<key>.json`
    #[value(name = "json")]
    Json,
    /// `<key>.cache.json`: the same by another name
    #[value(name = "cache.json")]
    CacheJson,
    /// `<key>.json.zip`: compressed with zlib
    #[value(name = "json.zip")]
    JsonZip,
}

impl Form {
    /// All of them.
    #[cfg(any(test, feature = "lambda"))]
    pub(crate) const ALL: [Form; 3] = [Form::Json, Form::CacheJson, Form::JsonZip];

    /// What its key ends with, after the CRL's key.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Form::Json => ".json",
            Form::CacheJson => ".cache.json",
            Form::JsonZip => ".json.zip",
        }
    }

    /// Writes it.
    pub(crate) fn write(self, index: &Index, out: impl Write) -> Result<(), EntriesError> {
        let mut out = BufWriter::new(out);
        match self {
            Form::Json | Form::CacheJson => index.write_json_cache(&mut out)?,
            Form::JsonZip => {
                let mut encoder = ZlibEncoder::new(&mut out, Compression::default());
                index.write_json_cache(&mut encoder)?;
                encoder.finish()?;
            }
        }
        Ok(out.flush()?)
    }
}
