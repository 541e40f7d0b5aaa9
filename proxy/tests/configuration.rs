//! The list of keys in docs/configuration.md is that of config.example.toml.

use std::fmt::Write as _;
use std::io::Write as _;

const HEADING: &str =
    "## Every key\n\nFrom `proxy/config.example.toml`; a key without a default is marked with a dash.\n";

/// The reference: a heading and what is said of each table, and a row for each of its keys.
fn reference() -> String {
    let (mut out, mut said, mut in_table) = (String::new(), Vec::new(), false);
    for line in include_str!("../config.example.toml").lines() {
        let optional = line.starts_with("#: ");
        let line = line.strip_prefix("#: ").unwrap_or(line).trim();
        if line.is_empty() {
            said.clear();
        } else if let Some(comment) = line.strip_prefix('#') {
            said.push(comment.trim().to_owned());
        } else if line.starts_with('[') {
            let about = std::mem::take(&mut said).join(" ");
            let _ = writeln!(out, "\n### `{line}`\n");
            if !about.is_empty() {
                let _ = writeln!(out, "{about}\n");
            }
            in_table = false;
        } else if let Some((key, value)) = line.split_once('=') {
            if !in_table {
                out.push_str("key | default | meaning\n---|---|---\n");
                in_table = true;
            }
            let (value, remark) = split_remark(value.trim());
            said.extend(remark);
            let about = std::mem::take(&mut said).join(" ").replace('|', "\\|");
            let default = if optional || about.starts_with("required") || about.contains("Required") {
                format!("– (such as `{value}`)")
            } else {
                format!("`{value}`")
            };
            let _ = writeln!(out, "`{}` | {} | {about}", key.trim(), default.replace('|', "\\|"));
        }
    }
    out
}

/// The value and what stands behind it as a comment.
fn split_remark(value: &str) -> (&str, Option<String>) {
    let mut quoted = false;
    let at = value.find(|c| {
        quoted ^= c == '"';
        c == '#' && !quoted
    });
    match at.map(|at| value.split_at(at)) {
        Some((value, remark)) => (value.trim(), Some(remark.trim_start_matches('#').trim().to_owned())),
        None => (value, None),
    }
}

#[test]
fn every_key_is_documented_and_no_other() {
    let document = include_str!("../../docs/configuration.md");
    let (prose, listed) = document.split_once(HEADING).expect("the heading");
    let reference = reference();
    assert!(reference.matches("\n`").count() > 40, "{reference}");
    if std::env::var_os("POSTERN_WRITE_DOCS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
        let mut file = std::fs::File::create(path).unwrap();
        write!(file, "{prose}{HEADING}{reference}").unwrap();
        return;
    }
    assert_eq!(
        listed, reference,
        "POSTERN_WRITE_DOCS=1 cargo test -p postern --test configuration writes it anew"
    );
}
