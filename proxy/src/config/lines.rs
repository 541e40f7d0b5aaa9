//! On which line of the file a key is.

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::{DeTable, DeValue};

/// The line of every key and table, counted from 1.
#[derive(Debug, Default)]
pub struct Lines(BTreeMap<String, usize>);

impl Lines {
    /// Of the file at `path`; nothing is known of one that cannot be read.
    pub fn of_file(path: &Path) -> Self {
        std::fs::read_to_string(path).map(|text| Self::of_text(&text)).unwrap_or_default()
    }

    fn of_text(text: &str) -> Self {
        let mut lines = Self::default();
        if let Ok(table) = DeTable::parse(text) {
            lines.add("", table.get_ref(), text);
        }
        lines
    }

    /// The line of `key`, or else that of the table that lacks it.
    pub fn find(&self, key: &str) -> Option<usize> {
        let table = key.rsplit_once('.').and_then(|(table, _)| self.0.get(table));
        self.0.get(key).or(table).copied()
    }

    fn add(&mut self, prefix: &str, table: &DeTable<'_>, text: &str) {
        let line = |at| text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
        for (name, value) in table {
            let key = if prefix.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{prefix}.{}", name.get_ref())
            };
            self.0.insert(key.clone(), line(name.span().start));
            match value.get_ref() {
                DeValue::Table(inner) => self.add(&key, inner, text),
                DeValue::Array(items) => {
                    for (nth, item) in (1..).zip(items.iter()) {
                        if let DeValue::Table(inner) = item.get_ref() {
                            let key = format!("{key}[{nth}]");
                            self.0.insert(key.clone(), line(item.span().start));
                            self.add(&key, inner, text);
                        }
                    }
                }
                DeValue::String(_)
                | DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_tables_have_lines() {
        let lines = Lines::of_text("[a]\nb = 1\n\n[[r]]\nn = 1\n[r.in]\nd = 2\n[[r]]\nn = [\n1,\n]\n");
        for (key, line) in [
            ("a", 1),
            ("a.b", 2),
            ("a.missing", 1),
            ("r[1].n", 5),
            ("r[1].in.d", 7),
            ("r[2]", 8),
            ("r[2].missing", 8),
            ("r[2].n", 9),
        ] {
            assert_eq!(lines.find(key), Some(line), "{key}");
        }
        assert_eq!(lines.find("c.d"), None);
    }
}
