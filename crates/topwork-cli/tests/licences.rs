//! Every dependency has a licence of the list in `deny.toml`, also where `cargo deny` is not installed.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

use std::path::Path;
use std::process::Command;

#[test]
fn all_dependencies_are_allowed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let policy = std::fs::read_to_string(root.join("deny.toml")).unwrap();
    let list = policy.split("allow = [").nth(1).unwrap().split(']').next().unwrap();
    let allowed: Vec<&str> = list.split(',').map(|name| name.trim().trim_matches('"')).collect();
    assert!(allowed.contains(&"MIT") && !allowed.contains(&"GPL-3.0"));

    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--manifest-path"])
        .arg(root.join("Cargo.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 20);
    let refused: Vec<String> = packages
        .iter()
        .filter(|package| !package["license"].as_str().is_some_and(|licence| satisfied(licence, &allowed)))
        .map(|package| format!("{} ({})", package["name"], package["license"]))
        .collect();
    assert!(refused.is_empty(), "not in the list of deny.toml: {refused:?}");
}

/// Whether an SPDX expression can be met: one side of each OR, both sides of each AND.
fn satisfied(expression: &str, allowed: &[&str]) -> bool {
    let split = |operator: &str| -> Option<Vec<String>> {
        let mut depth = 0;
        let mut parts = vec![String::new()];
        for word in expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ").split_whitespace()
        {
            depth += i32::from(word == "(") - i32::from(word == ")");
            match parts.last_mut() {
                Some(_) if depth == 0 && word == operator => parts.push(String::new()),
                Some(part) => *part += &format!("{word} "),
                None => {}
            }
        }
        (parts.len() > 1).then_some(parts)
    };
    let expression = expression.trim();
    if let Some(parts) = split("OR") {
        return parts.iter().any(|part| satisfied(part, allowed));
    }
    if let Some(parts) = split("AND") {
        return parts.iter().all(|part| satisfied(part, allowed));
    }
    match expression.strip_prefix('(').and_then(|inside| inside.strip_suffix(')')) {
        Some(inside) => satisfied(inside, allowed),
        None => allowed.contains(&expression),
    }
}

#[test]
fn expressions_are_understood() {
    let allowed = ["MIT", "Zlib"];
    for good in ["MIT", "MIT OR GPL-3.0", "GPL-3.0/MIT", "(MIT OR X) AND Zlib", "MIT AND (X OR Zlib)"] {
        assert!(satisfied(good, &allowed), "{good}");
    }
    for bad in ["GPL-3.0", "MIT AND GPL-3.0", "(MIT OR Zlib) AND X", ""] {
        assert!(!satisfied(bad, &allowed), "{bad}");
    }
}
