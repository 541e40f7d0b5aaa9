//! Lines of the access log.

use serde_json::Value;

use crate::Failure;

/// One JSON line.
#[derive(Clone, Debug)]
pub struct Entry(Value);

impl Entry {
    /// Reads a line; none if it is not a JSON object.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok().filter(Value::is_object).map(Self)
    }

    /// The text at `key`.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str()
    }

    /// The text at `key`, which the scenario needs.
    ///
    /// # Errors
    ///
    /// [`Failure::Missing`] with the whole line.
    pub fn expect_text(&self, key: &str) -> Result<&str, Failure> {
        self.text(key).ok_or_else(|| Failure::Missing(format!("text `{key}` in {}", self.0)))
    }

    /// Whether `key` is there and true.
    #[must_use]
    pub fn is_true(&self, key: &str) -> bool {
        self.0.get(key).and_then(Value::as_bool) == Some(true)
    }

    /// The whole number at `key`.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<u64> {
        self.0.get(key)?.as_u64()
    }

    /// `request` or `refused`.
    #[must_use]
    pub fn is(&self, kind: &str) -> bool {
        self.text("kind") == Some(kind)
    }

    /// All keys.
    #[must_use]
    pub fn keys(&self) -> Vec<&str> {
        self.0.as_object().map(|object| object.keys().map(String::as_str).collect()).unwrap_or_default()
    }
}
