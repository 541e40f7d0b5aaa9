//! One table of the document, and what typed values can be read out of it.

use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use toml::Value;

use super::fields::Fields;
use super::file::File;
use super::source::{Kind, Place, Source};

/// A table being read. Every getter takes the name of a key and answers with the default when it is absent.
pub(super) struct Section<'a> {
    fields: &'a mut Fields,
    path: String,
    /// The table whose values stand in for those that this one lacks.
    inherits: Option<String>,
    /// What is not inherited.
    disowned: Vec<&'static str>,
}

impl<'a> Section<'a> {
    pub(super) fn new(fields: &'a mut Fields, path: String) -> Self {
        Self { fields, path, inherits: None, disowned: Vec::new() }
    }

    /// The table `[this.name]`, whether it is there or not.
    pub(super) fn section(&mut self, name: &str) -> Section<'_> {
        let path = self.key(name);
        let inherits = self.inherits.as_ref().map(|table| format!("{table}.{name}"));
        Section { fields: self.fields, path, inherits, disowned: Vec::new() }
    }

    /// The table `[this.name]`; what it lacks is taken from the table `[from]`.
    pub(super) fn heir(&mut self, name: &str, from: &str) -> Section<'_> {
        let path = self.key(name);
        Section { fields: self.fields, path, inherits: Some(from.to_owned()), disowned: Vec::new() }
    }

    /// What `read` makes of each table `[[name]]`, which are counted from 1.
    pub(super) fn sections<T>(&mut self, name: &str, mut read: impl FnMut(&mut Section<'_>) -> T) -> Vec<T> {
        let path = self.key(name);
        let count = self.fields.tables(&path);
        let all = (1..=count).map(|nth| read(&mut self.section(&format!("{name}[{nth}]")))).collect();
        // One that is not there: its keys become known, so that a slip of the hand is recognised.
        let problems = self.fields.problem_count();
        read(&mut self.section(&format!("{name}[{}]", count + 1)));
        self.fields.forget_problems(problems);
        all
    }

    /// Whether the table itself sets `name`.
    pub(super) fn sets(&self, name: &str) -> bool {
        self.fields.value(&self.key(name)).is_some()
    }

    /// Where the table is in the document.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The dotted key of `name`.
    pub(super) fn key(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Inherits none of `names` from now on.
    pub(super) fn disown(&mut self, names: &[&'static str]) {
        self.disowned.extend(names);
    }

    /// The key that the value of `name` comes from.
    fn origin(&self, name: &str) -> String {
        let inherits = self.inherits.as_ref().filter(|_| !self.sets(name) && !self.disowned.contains(&name));
        let inherited = inherits.map(|table| format!("{table}.{name}"));
        inherited.filter(|key| self.fields.value(key).is_some()).unwrap_or_else(|| self.key(name))
    }

    /// Notes a problem with the value of `name`.
    pub(super) fn problem(&mut self, name: &str, problem: impl Into<String>, hint: impl Into<String>) {
        let key = self.origin(name);
        self.fields.problem(key, problem, hint);
    }

    pub(super) fn boolean(&mut self, name: &str, default: bool) -> bool {
        self.read(name, "true or false", Value::as_bool).unwrap_or(default)
    }

    pub(super) fn optional_string(&mut self, name: &str) -> Option<String> {
        self.read(name, "a string in quotes, not empty", |value| {
            value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
        })
    }

    /// A string that must be there.
    pub(super) fn string(&mut self, name: &str, hint: &str) -> String {
        let absent = self.fields.value(&self.origin(name)).is_none();
        let value = self.optional_string(name);
        if absent {
            self.problem(name, "missing", hint);
        }
        value.unwrap_or_default()
    }

    pub(super) fn strings(&mut self, name: &str) -> Vec<String> {
        self.read(name, "a list of strings, such as [\"a\", \"b\"]", |value| {
            value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
        })
        .unwrap_or_default()
    }

    /// A list of whole numbers from `range`, both ends included.
    pub(super) fn numbers(&mut self, name: &str, range: RangeInclusive<u16>) -> Vec<u16> {
        let expected = format!("a list of whole numbers from {} to {}", range.start(), range.end());
        let number =
            |item: &Value| item.as_integer()?.try_into().ok().filter(|number| range.contains(number));
        self.read(name, &expected, |value| value.as_array()?.iter().map(number).collect()).unwrap_or_default()
    }

    pub(super) fn optional_file(&mut self, name: &str) -> Option<File> {
        let file = self.optional_string(name)?;
        Some(File::new(self.origin(name), self.fields.file(&file)))
    }

    /// A place that must be named.
    pub(super) fn source(&mut self, name: &str, kind: Kind, hint: &str) -> Source {
        let text = self.string(name, hint);
        let place = self.place(name, &text, kind);
        Source { key: self.origin(name), place: place.unwrap_or(Place::File(PathBuf::new())) }
    }

    /// A place that may be named.
    pub(super) fn optional_source(&mut self, name: &str, kind: Kind) -> Option<Source> {
        let text = self.optional_string(name)?;
        let place = self.place(name, &text, kind)?;
        Some(Source { key: self.origin(name), place })
    }

    /// Any number of places.
    pub(super) fn sources(&mut self, name: &str, kind: Kind) -> Vec<Source> {
        let texts = self.strings(name);
        let places: Vec<_> = texts.iter().filter_map(|text| self.place(name, text, kind)).collect();
        places.into_iter().map(|place| Source { key: self.origin(name), place }).collect()
    }

    fn place(&mut self, name: &str, text: &str, kind: Kind) -> Option<Place> {
        let place = Place::parse(text, &self.fields.file(""), kind);
        place.map_err(|(problem, hint)| self.problem(name, problem, hint)).ok()
    }

    /// A whole number from `range`, both ends included.
    pub(super) fn number<T>(&mut self, name: &str, default: T, range: RangeInclusive<T>) -> T
    where
        T: TryFrom<i64> + PartialOrd + fmt::Display,
    {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        self.read(name, &expected, |value| {
            let number = value.as_integer().and_then(|number| T::try_from(number).ok());
            number.filter(|number| range.contains(number))
        })
        .unwrap_or(default)
    }

    /// From no time to a day; none for no time.
    pub(super) fn optional_milliseconds(&mut self, name: &str, default: u64) -> Option<Duration> {
        Some(self.milliseconds_from(name, default, 0)).filter(|time| !time.is_zero())
    }

    /// From one millisecond to a day.
    pub(super) fn milliseconds(&mut self, name: &str, default: u64) -> Duration {
        self.milliseconds_from(name, default, 1)
    }

    /// From `least` milliseconds to a day.
    pub(super) fn milliseconds_from(&mut self, name: &str, default: u64, least: u64) -> Duration {
        Duration::from_millis(self.number(name, default, least..=86_400_000))
    }

    /// A value that `parse` makes of a string; `expected` says what it should look like.
    pub(super) fn parsed<T>(
        &mut self,
        name: &str,
        default: T,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> T {
        self.read(name, expected, |value| value.as_str().and_then(&parse)).unwrap_or(default)
    }

    /// An IP address and a port.
    pub(super) fn address(&mut self, name: &str, default: SocketAddr) -> SocketAddr {
        let expected = "an IP address and a port, such as \"127.0.0.1:8443\"";
        self.parsed(name, default, expected, |text| text.parse().ok())
    }

    fn read<T>(&mut self, name: &str, expected: &str, take: impl Fn(&Value) -> Option<T>) -> Option<T> {
        self.fields.learn(&self.key(name));
        if let Some(table) = &self.inherits {
            self.fields.learn(&format!("{table}.{name}"));
        }
        let key = self.origin(name);
        let value = self.fields.value(&key)?;
        let taken = take(value);
        if taken.is_none() {
            // The value itself is not repeated: it may be a secret put under the wrong key.
            let problem = format!("not a value for this key: found {}", kind(value));
            self.fields.problem(key, problem, format!("expected {expected}"));
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
