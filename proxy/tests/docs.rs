//! What operators read says what the code does.

use std::collections::BTreeSet;

/// The quoted words in `source` that start with `prefix` and end with `suffix`.
fn quoted<'a>(source: &'a str, prefix: &str, suffix: &str) -> BTreeSet<&'a str> {
    let word = |text: &'a str| {
        let end = text.find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'))?;
        let (word, rest) = text.split_at_checked(end)?;
        (rest.starts_with(suffix) && !word.is_empty()).then_some(word)
    };
    source.split(prefix).skip(1).filter_map(word).collect()
}

#[test]
fn every_refusal_is_documented_and_no_other() {
    let table = include_str!("../src/refusal.rs")
        .split_once("fn row(")
        .unwrap()
        .1
        .split_once("pub fn label")
        .unwrap()
        .0;
    let in_code = quoted(table, "(\"", "\"");
    let in_docs = quoted(include_str!("../../docs/refusals.md"), "\n| `", "` |");
    assert!(in_code.len() > 20, "{in_code:?}");
    assert_eq!(in_code, in_docs);
}

#[test]
fn every_metric_is_documented_and_no_other() {
    let in_code = quoted(include_str!("../src/metrics.rs"), "\"postern_", "\"");
    let in_docs = quoted(include_str!("../../docs/metrics.md"), "\n| `postern_", "` |");
    assert!(in_code.len() > 10, "{in_code:?}");
    assert_eq!(in_code, in_docs);
}
