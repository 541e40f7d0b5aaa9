//! Things that are found by the name that a client asks for.

use std::collections::HashMap;

use crate::config::HostPattern;

/// Values by name: exact ones, and those of a wildcard, which stands for one label as in certificates (RFC 9525 §6.3).
#[derive(Debug)]
pub struct ByName<T> {
    exact: HashMap<Box<str>, T>,
    /// By what follows the first label.
    wildcard: HashMap<Box<str>, T>,
}

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self { exact: HashMap::new(), wildcard: HashMap::new() }
    }
}

impl<T: Default> ByName<T> {
    /// The value of `pattern`, made if there is none.
    pub fn entry(&mut self, pattern: &HostPattern) -> &mut T {
        match pattern {
            HostPattern::Exact(name) => self.exact.entry(name.as_str().into()).or_default(),
            HostPattern::Wildcard(name) => self.wildcard.entry(name.as_str().into()).or_default(),
        }
    }
}

impl<T> ByName<T> {
    /// What is said of `name`, which is in lower case: most specific first.
    pub fn find(&self, name: &str) -> impl Iterator<Item = &T> {
        let parent = name.split_once('.').map(|(_, parent)| parent);
        let wildcard = parent.and_then(|parent| self.wildcard.get(parent));
        self.exact.get(name).into_iter().chain(wildcard)
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.wildcard.is_empty()
    }
}
