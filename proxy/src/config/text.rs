//! Where the text of a configuration comes from: a file, or one variable of the environment, for containers that have no file of their own.

use std::path::Path;

use super::Invalid;

/// Of a path that is none.
const VARIABLE: &str = "env:";

/// The text at `path`, or of the variable that `env:NAME` names.
pub(super) fn read(path: &Path, environment: &[(String, String)]) -> Result<String, Invalid> {
    let Some(name) = path.to_str().and_then(|path| path.strip_prefix(VARIABLE)) else {
        return std::fs::read_to_string(path).map_err(|error| {
            let hint = "give a readable TOML file; config.example.toml is one to start from";
            Invalid::new(path.display().to_string(), format!("cannot be read: {error}"), hint)
        });
    };
    let found = environment.iter().find(|(variable, _)| variable == name).map(|(_, text)| text.clone());
    found.ok_or_else(|| {
        let hint = "set the variable to the whole configuration, as TOML";
        Invalid::new(path.display().to_string(), "there is no such variable, or it is not UTF-8", hint)
    })
}
