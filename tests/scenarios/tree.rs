//! The repository is as ARCHITECTURE.md says, and its files stay short.

use std::path::{Path, PathBuf};

use postern_tests::{Failure, Outcome, files};

/// Longer files are two files.
const MOST_LINES: usize = 400;

/// Where the product's code is; tests may be longer.
const SOURCES: [&str; 5] = ["certs/src", "crl-tool/src", "proxy/src", "tests/src", "tests/bench"];

/// What ARCHITECTURE.md's paths are relative to.
const BASES: [&str; 4] = ["", "proxy/src", "crl-tool", "tests"];

#[test]
fn what_architecture_md_names_is_there() -> Outcome {
    let named = named_paths()?;
    assert!(named.len() > 20, "it names the parts of the repository: {named:?}");
    let is_there = |path: &String| BASES.iter().any(|base| root().join(base).join(path).exists());
    let missing: Vec<_> = named.iter().filter(|path| !is_there(path)).collect();
    assert!(missing.is_empty(), "named in ARCHITECTURE.md, but not there: {missing:?}");
    Ok(())
}

#[test]
fn what_is_there_is_named_in_architecture_md() -> Outcome {
    let named = named_paths()?;
    let crates = entries(&root()).into_iter().filter(|path| path.join("Cargo.toml").exists());
    let phases = entries(&root().join("proxy/src"));
    let unnamed: Vec<_> = crates
        .chain(phases)
        .filter_map(|path| {
            let slash = if path.is_dir() { "/" } else { "" };
            Some(format!("{}{slash}", path.file_name()?.to_str()?))
        })
        .filter(|name| !["lib.rs", "main.rs"].contains(&name.as_str()) && !named.contains(name))
        .collect();
    assert!(unnamed.is_empty(), "there, but not named in ARCHITECTURE.md: {unnamed:?}");
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

/// The code spans of ARCHITECTURE.md that are paths: files of ours, and folders with their slash.
fn named_paths() -> Result<Vec<String>, Failure> {
    let text = files::read(&root().join("ARCHITECTURE.md"))?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let prose: String = text.split("```").step_by(2).collect();
    Ok(prose.split('`').skip(1).step_by(2).filter(|span| is_path(span)).map(str::to_owned).collect())
}

fn is_path(span: &str) -> bool {
    let plain =
        span.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c)) && !span.starts_with('/');
    plain && [".rs", ".md", ".toml", ".sh", "/"].iter().any(|end| span.ends_with(end))
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    entries(directory)
        .into_iter()
        .flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
