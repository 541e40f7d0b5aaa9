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
