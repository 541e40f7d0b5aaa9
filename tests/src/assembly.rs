//! What `deploy/synth.sh` made of the examples: CloudFormation templates, and the proxy's configuration in them.

use std::path::PathBuf;

use serde_json::Value;

use crate::{Failure, files};

/// Stands for what is known only when the template is deployed.
const UNKNOWN: &str = "unknown";

/// The configuration that the proxy's container of each Region of this example gets, as TOML.
///
/// # Errors
///
/// [`Failure::NotBuilt`] says how to make the templates.
pub fn configurations(variant: &str) -> Result<Vec<String>, Failure> {
    let directory = directory()?.join(variant);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&directory)?.flatten() {
        if entry.file_name().to_string_lossy().ends_with(".template.json") {
            let template = files::read(&entry.path())?;
            let template: Value = serde_json::from_slice(&template).map_err(|source| Failure::Json {
                what: "a template",
                source,
                text: entry.path().display().to_string(),
            })?;
            let resources = template.get("Resources").and_then(Value::as_object).into_iter().flatten();
            found.extend(resources.filter_map(|(_, resource)| configuration(resource)));
        }
    }
    Ok(found)
}

fn configuration(resource: &Value) -> Option<String> {
    let containers = resource.pointer("/Properties/ContainerDefinitions")?.as_array()?;
    let variables =
        containers.iter().filter_map(|container| container.get("Environment")?.as_array()).flatten();
    let mut named = variables.filter(|it| it.get("Name").is_some_and(|name| name == "CONFIGURATION"));
    named.next()?.get("Value").map(text)
}

/// The text of a value: the literal parts of an `Fn::Join`, and a word for every reference.
fn text(value: &Value) -> String {
    match (value.as_str(), value.pointer("/Fn::Join/1").and_then(Value::as_array)) {
        (Some(text), _) => text.to_owned(),
        (None, Some(parts)) => parts.iter().map(text).collect(),
        (None, None) => UNKNOWN.to_owned(),
    }
}

fn directory() -> Result<PathBuf, Failure> {
    let here = std::env::current_exe()?;
    let found = here.ancestors().map(|above| above.join("cdk")).find(|candidate| candidate.is_dir());
    found.ok_or(Failure::NoTool { name: "the templates of deploy/" })
}
