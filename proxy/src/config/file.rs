//! A file that the configuration names.

use std::path::{Path, PathBuf};

/// Where a file is, and which key says so: what is wrong with the file is reported under that key.
#[derive(Debug, Clone)]
pub struct File {
    /// The dotted key.
    pub key: String,
    /// The file.
    pub path: PathBuf,
}

impl File {
    /// A file that `key` names.
    pub fn new(key: impl Into<String>, path: impl AsRef<Path>) -> Self {
        Self { key: key.into(), path: path.as_ref().to_owned() }
    }
}

/// Two keys that name one file name the same.
impl PartialEq for File {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}
