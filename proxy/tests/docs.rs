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
    let table = include_str!("../src/refusal/table.rs")
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
    let sources = [
        include_str!("../src/metrics.rs"),
        include_str!("../src/metrics/trust.rs"),
        include_str!("../src/metrics/upstream.rs"),
    ]
    .concat();
    let in_code = quoted(&sources, "\"postern_", "\"");
    let in_docs = quoted(include_str!("../../docs/metrics.md"), "\n| `postern_", "` |");
    assert!(in_code.len() > 10, "{in_code:?}");
    assert_eq!(in_code, in_docs);
}

#[test]
fn every_identity_header_is_documented_with_its_key_and_no_other() {
    let source = include_str!("../src/config/identity_headers/names.rs");
    let in_code: BTreeSet<_> = source
        .split(".name(\"")
        .skip(1)
        .map(|call| {
            let mut words = call.split('"');
            (words.next().unwrap().to_owned(), words.nth(1).unwrap().to_owned())
        })
        .collect();
    let table = include_str!("../../docs/identity-headers.md").split("Two more headers").next().unwrap();
    let in_docs: BTreeSet<_> = table
        .split("\n| `")
        .skip(1)
        .map(|row| {
            let (header, rest) = row.split_once("` | `").unwrap();
            (rest.split_once('`').unwrap().0.to_owned(), header.to_lowercase())
        })
        .collect();
    assert!(in_code.len() > 15, "{in_code:?}");
    assert_eq!(in_code, in_docs);
}
