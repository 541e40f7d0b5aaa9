//! `POSTERN_TABLE__KEY=value` sets `table.key`, and `POSTERN_TABLE__INNER__KEY` sets `table.inner.key`.

use toml::{Table, Value};

use super::Invalid;

const PREFIX: &str = "POSTERN_";

/// What Kubernetes sets in every container for a Service that is named postern.
const KUBERNETES: [&str; 2] = ["SERVICE_", "PORT"];

/// Lays the `POSTERN_…` variables over `document`. A name that is no key shows up later as an unknown key.
pub(super) fn overlay(
    document: &mut Table,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Vec<Invalid> {
    let mut problems = Vec::new();
    for (name, text) in variables {
        let Some(path) = name.strip_prefix(PREFIX) else { continue };
        if KUBERNETES.iter().any(|prefix| path.starts_with(prefix)) && !path.contains("__") {
            continue;
        }
        let path = path.to_lowercase();
        let Some((tables, key)) = path.rsplit_once("__") else {
            let hint = "write POSTERN_TABLE__KEY with two underscores, such as POSTERN_LOG__LEVEL";
            problems.push(Invalid::new(&name, "names no key", hint));
            continue;
        };
        match descend(document, tables) {
            Some(table) => drop(table.insert(key.to_owned(), value(text))),
            None => {
                let hint = "set it in the file: a variable reaches keys of tables, not of lists of tables";
                problems.push(Invalid::new(&name, "names no key", hint));
            }
        }
    }
    problems
}

/// The table at `path`, made if it is not there; `None` where something else is in its place.
fn descend<'a>(document: &'a mut Table, path: &str) -> Option<&'a mut Table> {
    path.split("__").try_fold(document, |table, step| {
        table.entry(step).or_insert_with(|| Value::Table(Table::new())).as_table_mut()
    })
}

/// Numbers, booleans and lists as TOML writes them; anything else is a string as it stands.
fn value(text: String) -> Value {
    match format!("value = {text}").parse::<Table>().ok().and_then(|mut table| table.remove("value")) {
        Some(value @ (Value::Integer(_) | Value::Boolean(_) | Value::Array(_))) => value,
        _ => Value::String(text),
    }
}
