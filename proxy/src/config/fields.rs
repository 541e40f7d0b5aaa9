//! Reads typed values out of a TOML document and collects everything that is wrong with it.
//!
//! serde stops at the first problem. An operator who has five wants to hear of five, so the document is taken apart
//! key by key: each reader notes what it asked for, and what nobody asked for at the end is an unknown key.

use std::collections::BTreeSet;
use std::fmt;

use toml::{Table, Value};

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Where: the dotted key, such as `limits.handshake_timeout_ms`.
    pub key: String,
    /// What is wrong there. Never holds the value of a secret.
    pub problem: String,
    /// What to do about it.
    pub hint: String,
}

impl Invalid {
    /// A problem at `key`, and the way out of it.
    pub fn new(key: impl Into<String>, problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into(), hint: hint.into() }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.key, self.problem, self.hint)
    }
}

/// A document being read. Every getter takes a dotted key `table.name` and answers with the default when it is absent.
pub(super) struct Fields {
    document: Table,
    known: BTreeSet<String>,
    problems: Vec<Invalid>,
}

impl Fields {
    pub(super) fn new(document: Table) -> Self {
        Self { document, known: BTreeSet::new(), problems: Vec::new() }
    }

    /// Notes a problem that only a comparison of several values shows.
    pub(super) fn problem(&mut self, key: &str, problem: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(Invalid::new(key, problem, hint));
    }

    pub(super) fn boolean(&mut self, key: &str, default: bool) -> bool {
        self.read(key, "true or false", |value| value.as_bool()).unwrap_or(default)
    }

    pub(super) fn optional_string(&mut self, key: &str) -> Option<String> {
        self.read(key, "a string in quotes, not empty", |value| {
            value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
        })
    }

    /// A string that must be there.
    pub(super) fn string(&mut self, key: &str, hint: &str) -> String {
        let absent = self.peek(key).is_none();
        let value = self.optional_string(key);
        if absent {
            self.problem(key, "missing", hint);
        }
        value.unwrap_or_default()
    }

    pub(super) fn strings(&mut self, key: &str) -> Vec<String> {
        self.read(key, "a list of strings, such as [\"a\", \"b\"]", |value| {
            value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
        })
        .unwrap_or_default()
    }

    /// A whole number from `range`, both ends included.
    pub(super) fn number<T>(&mut self, key: &str, default: T, range: std::ops::RangeInclusive<T>) -> T
    where
        T: TryFrom<i64> + PartialOrd + fmt::Display,
    {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        self.read(key, &expected, |value| {
            value
                .as_integer()
                .and_then(|number| T::try_from(number).ok())
                .filter(|number| range.contains(number))
        })
        .unwrap_or(default)
    }

    /// A value that `parse` makes of a string; `expected` says what it should look like.
    pub(super) fn parsed<T>(
        &mut self,
        key: &str,
        default: T,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> T {
        self.read(key, expected, |value| value.as_str().and_then(&parse)).unwrap_or(default)
    }

    /// Every problem there was, unknown keys included, and the keys that somebody asked for.
    pub(super) fn finish(mut self) -> (Vec<Invalid>, BTreeSet<String>) {
        for key in leaves("", &self.document) {
            if !self.known.contains(&key) {
                let hint = match nearest(&key, &self.known) {
                    Some(near) => format!("did you mean {near}?"),
                    None => "remove it; config.example.toml lists every key".to_owned(),
                };
                self.problems.push(Invalid::new(key, "unknown key", hint));
            }
        }
        (self.problems, self.known)
    }

    fn peek(&self, key: &str) -> Option<&Value> {
        let (table, name) = key.rsplit_once('.')?;
        self.document.get(table)?.get(name)
    }

    fn read<T>(&mut self, key: &str, expected: &str, take: impl Fn(&Value) -> Option<T>) -> Option<T> {
        self.known.insert(key.to_owned());
        let value = self.peek(key)?;
        let taken = take(value);
        if taken.is_none() {
            // The value itself is not repeated: it may be a secret put under the wrong key.
            let problem = format!("not a value for this key: found {}", kind(value));
            self.problem(key, problem, format!("expected {expected}"));
        }
        taken
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(text) if text.is_empty() => "an empty string",
        Value::String(_) => "a string that does not fit",
        Value::Integer(_) => "a number that does not fit",
        Value::Float(_) => "a fraction",
        Value::Boolean(_) => "a boolean",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list that does not fit",
        Value::Table(_) => "a table",
    }
}

/// The dotted keys of everything in `table` that is not a table itself. An empty table counts as a key.
pub(super) fn leaves(prefix: &str, table: &Table) -> Vec<String> {
    let mut keys = Vec::new();
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(inner) if !inner.is_empty() => keys.extend(leaves(&key, inner)),
            Value::Table(_) if prefix.is_empty() => {}
            Value::Table(_)
            | Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => keys.push(key),
        }
    }
    keys
}

/// The known key that is the fewest edits away from `key`, if that is few enough to be a slip of the hand.
fn nearest<'a>(key: &str, known: &'a BTreeSet<String>) -> Option<&'a str> {
    known
        .iter()
        .map(|candidate| (edits(key, candidate), candidate.as_str()))
        .min()
        .filter(|(distance, _)| *distance <= 1 + key.len() / 5)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, one row at a time.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.bytes().enumerate() {
        let mut next = vec![i + 1];
        for ((j, right), pair) in b.bytes().enumerate().zip(row.windows(2)) {
            let (diagonal, above) = match pair {
                [diagonal, above] => (*diagonal, *above),
                _ => continue,
            };
            let before = next.get(j).copied().unwrap_or(usize::MAX - 1);
            next.push((diagonal + usize::from(left != right)).min(above + 1).min(before + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        Fields::new(text.parse().unwrap())
    }

    #[test]
    fn every_problem_is_reported_and_a_slip_of_the_hand_is_recognised() {
        let mut fields = fields("[a]\nnumber = 'x'\nflag = 3\nlisten_adress = 'y'\n[b]\nother = 1");
        assert_eq!(fields.number("a.number", 7, 1..=9), 7);
        assert!(fields.boolean("a.flag", true));
        assert_eq!(fields.string("a.listen_address", "give one"), "");
        let (problems, _) = fields.finish();
        let keys: Vec<_> = problems.iter().map(|p| p.key.as_str()).collect();
        assert_eq!(keys, ["a.number", "a.flag", "a.listen_address", "a.listen_adress", "b.other"]);
        assert_eq!(problems[3].hint, "did you mean a.listen_address?");
    }

    #[test]
    fn a_number_outside_its_range_names_the_range() {
        let mut fields = fields("[a]\nport = 70000");
        fields.number::<u16>("a.port", 1, 1..=65535);
        assert_eq!(fields.finish().0[0].hint, "expected a whole number from 1 to 65535");
    }
}
