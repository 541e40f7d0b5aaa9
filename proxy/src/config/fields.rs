//! The document being read: what was asked for, what is wrong, and what nobody asked for.
//!
//! serde stops at the first problem. An operator who has five wants to hear of five, so the document is taken apart
//! key by key: each reader notes what it asked for, and what nobody asked for at the end is an unknown key.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::section::Section;
use super::spelling::nearest;

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Where: the dotted key, such as `limits.handshake_timeout_ms`. The tables of an array are counted from 1.
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

/// A document being read, section by section.
pub(super) struct Fields {
    document: Table,
    base: PathBuf,
    known: BTreeSet<String>,
    problems: Vec<Invalid>,
}

impl Fields {
    /// Reads `document`; file names in it are relative to `base`.
    pub(super) fn new(document: Table, base: &Path) -> Self {
        Self { document, base: base.to_owned(), known: BTreeSet::new(), problems: Vec::new() }
    }

    /// The document itself.
    pub(super) fn root(&mut self) -> Section<'_> {
        Section::new(self, String::new())
    }

    /// How many tables `[[name]]` there are.
    pub(super) fn tables(&mut self, name: &str) -> usize {
        match self.document.get(name) {
            None => 0,
            Some(Value::Array(tables)) if tables.iter().all(Value::is_table) => tables.len(),
            Some(_) => {
                self.problem(name, "not a list of tables", format!("begin each with [[{name}]]"));
                self.document.remove(name);
                0
            }
        }
    }

    pub(super) fn problem_count(&self) -> usize {
        self.problems.len()
    }

    /// Forgets all problems but the first `count`.
    pub(super) fn forget_problems(&mut self, count: usize) {
        self.problems.truncate(count);
    }

    /// Notes a problem that only a comparison of several values shows.
    pub(super) fn problem(
        &mut self,
        key: impl Into<String>,
        problem: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let problem = Invalid::new(key, problem, hint);
        // Of a value that several tables inherit: once.
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Every problem there was, unknown keys included, and the keys that somebody asked for.
    pub(super) fn finish(mut self) -> (Vec<Invalid>, BTreeSet<String>) {
        for key in leaves("", &self.document) {
            let plain = without_numbers(&key);
            // An empty table is as good as none.
            let table = format!("{plain}.");
            if self.known.contains(&plain) || self.known.iter().any(|known| known.starts_with(&table)) {
                continue;
            }
            let hint = match nearest(&plain, &self.known) {
                Some(near) => format!("did you mean {near}?"),
                None => "remove it; config.example.toml lists every key".to_owned(),
            };
            self.problems.push(Invalid::new(key, "unknown key", hint));
        }
        (self.problems, self.known)
    }

    /// Notes that there is such a key.
    pub(super) fn learn(&mut self, key: &str) {
        self.known.insert(without_numbers(key));
    }

    /// The value at a dotted key.
    pub(super) fn value(&self, key: &str) -> Option<&Value> {
        let (table, name) = key.rsplit_once('.')?;
        let mut inner = &self.document;
        for step in table.split('.') {
            let (step, nth) = match step.strip_suffix(']').and_then(|step| step.split_once('[')) {
                Some((step, nth)) => (step, Some(nth.parse::<usize>().ok()?.checked_sub(1)?)),
                None => (step, None),
            };
            let value = inner.get(step)?;
            inner = match nth {
                Some(nth) => value.as_array()?.get(nth)?.as_table()?,
                None => value.as_table()?,
            };
        }
        inner.get(name)
    }

    /// Where a file of that name is.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.base.join(name)
    }
}

/// `route[2].name` is the key `route.name`.
pub(super) fn without_numbers(key: &str) -> String {
    let mut inside = false;
    key.chars()
        .filter(|c| {
            let number = inside || *c == '[';
            inside = number && *c != ']';
            !number
        })
        .collect()
}

/// The dotted keys of everything in `table` that is not a table itself. An empty table counts as a key.
pub(super) fn leaves(prefix: &str, table: &Table) -> Vec<String> {
    let mut keys = Vec::new();
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(inner) if !inner.is_empty() => keys.extend(leaves(&key, inner)),
            Value::Array(items) if items.iter().any(Value::is_table) => {
                for (item, nth) in items.iter().zip(1..) {
                    keys.extend(
                        item.as_table()
                            .map(|item| leaves(&format!("{key}[{nth}]"), item))
                            .unwrap_or_default(),
                    );
                }
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        Fields::new(text.parse().unwrap(), Path::new(""))
    }

    #[test]
    fn every_problem_is_reported_and_a_slip_of_the_hand_is_recognised() {
        let mut fields = fields("[a]\nnumber = 'x'\nflag = 3\nlisten_adress = 'y'\n[b]\nother = 1");
        let mut root = fields.root();
        let mut a = root.section("a");
        assert_eq!(a.number("number", 7, 1..=9), 7);
        assert!(a.boolean("flag", true));
        assert_eq!(a.string("listen_address", "give one"), "");
        let (problems, _) = fields.finish();
        let keys: Vec<_> = problems.iter().map(|p| p.key.as_str()).collect();
        assert_eq!(keys, ["a.number", "a.flag", "a.listen_address", "a.listen_adress", "b.other"]);
        assert_eq!(problems[3].hint, "did you mean a.listen_address?");
    }

    #[test]
    fn a_number_outside_its_range_names_the_range() {
        let mut fields = fields("[a]\nport = 70000");
        fields.root().section("a").number::<u16>("port", 1, 1..=65535);
        assert_eq!(fields.finish().0[0].hint, "expected a whole number from 1 to 65535");
    }

    #[test]
    fn tables_in_tables_and_lists_of_tables_are_read_and_counted_from_one() {
        let mut fields =
            fields("[[r]]\nname = 'one'\n[r.in]\ndeep = 1\n[[r]]\nnam = 'two'\n[a.b]\n[c]\n[d.e]\n");
        let names = fields
            .root()
            .sections("r", |r| (r.string("name", "give one"), r.section("in").number("deep", 0, 0..=9)));
        assert_eq!(names, [("one".to_owned(), 1), (String::new(), 0)]);
        fields.root().section("a").section("b").boolean("c", true);
        let problems = fields.finish().0;
        let found: Vec<_> = problems.iter().map(|p| (p.key.as_str(), p.problem.as_str())).collect();
        let unknown = "unknown key";
        assert_eq!(
            found,
            [("r[2].name", "missing"), ("c", unknown), ("d.e", unknown), ("r[2].nam", unknown)]
        );
        assert_eq!(problems[3].hint, "did you mean r.name?");
    }

    #[test]
    fn keys_of_tables_that_are_not_there_are_known_all_the_same() {
        let mut fields = fields("[r]\nname = 'one'");
        assert!(fields.root().sections("r", |r| r.string("name", "give one")).is_empty());
        let (problems, known) = fields.finish();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].hint, "begin each with [[r]]");
        assert!(known.contains("r.name"));
    }
}
