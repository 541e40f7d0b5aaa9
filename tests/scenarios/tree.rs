//! The repository is as ARCHITECTURE.md says, and its files stay short.

use std::path::{Path, PathBuf};

use postern_tests::Outcome;
use postern_tests::files;

/// Longer files are two files.
const MOST_LINES: usize = 400;

/// Where the product's code is; tests may be longer.
const SOURCES: [&str; 5] = ["certs/src", "crl-tool/src", "proxy/src", "tests/src", "tests/bench"];

#[test]
fn the_tree_is_as_architecture_md_says() -> Outcome {
    let text = files::read(&root().join("ARCHITECTURE.md"))?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let paths = [tree_paths(&text), quoted_paths(&text)].concat();
    assert!(paths.len() > 20, "it names the parts of the repository: {paths:?}");
    let missing: Vec<_> = paths.iter().filter(|path| !root().join(path).exists()).collect();
    assert!(missing.is_empty(), "named in ARCHITECTURE.md, but not there: {missing:#?}");

    let unnamed: Vec<_> = SOURCES
        .iter()
        .filter_map(|directory| directory.split('/').next())
        .filter(|directory| !paths.iter().any(|path| path.starts_with(directory)))
        .collect();
    assert!(unnamed.is_empty(), "not named in ARCHITECTURE.md: {unnamed:?}");
    Ok(())
}

#[test]
fn files_stay_short() -> Outcome {
    let mut long = Vec::new();
    for directory in SOURCES {
        for file in rust_files(&root().join(directory)) {
            let text = files::read(&file)?;
            let text = String::from_utf8_lossy(&text).into_owned();
            let lines = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
            if lines > MOST_LINES {
                long.push((file, lines));
            }
        }
    }
    assert!(long.is_empty(), "over {MOST_LINES} lines before their tests: {long:#?}");
    Ok(())
}

/// The paths of the fenced trees: the first word of each line, below the less indented line before it that ends in `/`.
fn tree_paths(text: &str) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for block in text.split("```").skip(1).step_by(2) {
        let mut parents: Vec<(usize, &str)> = Vec::new();
        for line in block.lines().skip(1).filter(|line| !line.trim().is_empty()) {
            let indent = line.len() - line.trim_start().len();
            let name = line.split_whitespace().next().unwrap_or_default();
            parents.retain(|(depth, _)| *depth < indent);
            if parents.is_empty() && indent > 0 || !is_path(name) {
                continue;
            }
            paths.push(parents.iter().map(|(_, parent)| *parent).chain([name]).collect());
            if name.ends_with('/') {
                parents.push((indent, name));
            }
        }
    }
    paths
}

/// Code spans that are paths: they hold a `/` and begin in a directory or file of the repository.
fn quoted_paths(text: &str) -> Vec<PathBuf> {
    let prose: String = text.split("```").step_by(2).collect();
    let spans = prose.split('`').skip(1).step_by(2);
    spans.filter(|span| span.contains('/') && is_path(span)).map(PathBuf::from).collect()
}

/// Letters, digits and `._-/`, a file ending or a slash, and nothing absolute.
fn is_path(word: &str) -> bool {
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    plain
        && !word.starts_with('/')
        && (word.contains('/') || word.contains('.') || word == "Makefile" || word == "LICENSE")
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    entries
        .flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
