//! What operators read about CRLs says what the code says.

use std::fs;
use std::path::Path;

/// Every `.rs` file below `directory`, as one text on one line.
fn source(directory: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &source(&path);
        } else {
            text += &fs::read_to_string(path).unwrap();
        }
    }
    text
}

#[test]
fn quoted_messages_are_in_the_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let code = source(&root.join("src")) + &source(&root.join("../proxy/src/trust"));
    let docs = fs::read_to_string(root.join("../docs/crl.md")).unwrap();
    let quoted: Vec<&str> = docs.split('"').skip(1).step_by(2).collect();
    assert!(quoted.len() > 20, "{quoted:?}");
    for message in quoted {
        assert!(code.contains(message), "no message has `{message}`");
    }
}

#[test]
fn the_permissions_of_the_function_are_those_of_the_code_and_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("aws-permissions.json")).unwrap();
    let file: serde_json::Value = serde_json::from_str(&text).unwrap();
    let docs = fs::read_to_string(root.join("../docs/pipeline.md")).unwrap();
    let mut actions = Vec::new();
    for permission in file["lambda"].as_array().unwrap() {
        let field = |name: &str| permission[name].as_str().unwrap().to_owned();
        let row = format!("| `{}` | `{}` | `{}` |", field("action"), field("on"), field("when"));
        assert!(docs.contains(&row), "docs/pipeline.md has no row {row}");
        actions.push(field("action"));
    }
    actions.sort();
    actions.dedup();
    assert_eq!(actions, crl_tool::AWS_ACTIONS);
}

#[test]
fn the_variables_of_the_function_are_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let code = fs::read_to_string(root.join("src/lambda/settings.rs")).unwrap();
    let list = code.split("VARIABLES: [").nth(1).and_then(|rest| rest.split("];").next()).unwrap();
    let variables: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
    assert!(variables.len() >= 9, "{variables:?}");
    let docs = fs::read_to_string(root.join("../docs/pipeline.md")).unwrap();
    for variable in variables {
        assert!(docs.contains(&format!("| `{variable}` |")), "docs/pipeline.md has no row for {variable}");
    }
}
