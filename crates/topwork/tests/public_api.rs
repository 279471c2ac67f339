//! What is public is meant to be: the listing in `public_api.txt` beside this file, made from the source. A change of it is a change
//! of the interface, to be seen in a review.
//!
//!     TOPWORK_RECORD_API=1 cargo test -p topwork --test public_api
//!
//! writes it anew.
#![allow(clippy::unwrap_used)]

use std::path::Path;

/// The heads of public items of a file, each on one line, as far as its module can be reached.
fn items(path: &Path, module: &str, out: &mut Vec<String>) {
    let source = std::fs::read_to_string(path).unwrap();
    let source = source.split("#[cfg(test)]\nmod tests").next().unwrap();
    let mut lines = source.lines().peekable();
    let mut owner = String::new();
    while let Some(line) = lines.next() {
        if !line.starts_with(' ') {
            let line = line.trim_end();
            if line.starts_with("impl")
                || line.starts_with("pub trait")
                || line.starts_with("pub struct")
                || line.starts_with("pub enum")
            {
                owner = line.trim_end_matches(['{', ' ']).to_owned();
            }
        }
        let text = line.trim_start();
        let is_item = [
            "pub fn ",
            "pub const ",
            "pub static ",
            "pub struct ",
            "pub enum ",
            "pub trait ",
            "pub type ",
            "pub use ",
        ]
        .iter()
        .any(|start| text.starts_with(start));
        let is_field = text.starts_with("pub ") && !text.starts_with("pub(") && !text.starts_with("pub mod ");
        if !is_item && !is_field {
            continue;
        }
        let mut item = text.to_owned();
        // A head goes on until its body, its end or its value.
        while !item.contains(['{', ';', '=']) && !item.ends_with(',') {
            let Some(next) = lines.next() else { break };
            item = format!("{item} {}", next.trim());
        }
        if item.starts_with("pub use ") {
            while !item.contains(';') {
                let Some(next) = lines.next() else { break };
                item = format!("{item} {}", next.trim());
            }
        } else {
            item = item.split(['{', '=', ';']).next().unwrap().trim_end_matches([' ', ',']).to_owned();
        }
        let within = if line.starts_with(' ') { format!(" [{owner}]") } else { String::new() };
        out.push(format!("{module}: {item}{within}"));
    }
}

fn walk(folder: &Path, module: &str, out: &mut Vec<String>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let module = match stem.as_str() {
            "lib" | "mod" => module.to_owned(),
            _ => format!("{module}::{stem}"),
        };
        if path.is_dir() {
            walk(&path, &module, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !stem.ends_with("tests") {
            items(&path, &module, out);
        }
    }
}

#[test]
fn the_public_interface_is_the_one_that_is_written_down() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    walk(&here.join("src"), "topwork", &mut found);
    let root: Vec<&String> = found.iter().filter(|item| item.starts_with("topwork: pub use")).collect();
    let names: usize = root.iter().map(|item| item.matches(',').count() + 1).sum();
    assert!(names <= 20, "{names} names at the root: {root:?}");
    let text = found.join("\n") + "\n";
    let file = here.join("tests/public_api.txt");
    if std::env::var_os("TOPWORK_RECORD_API").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap();
    let new: Vec<&str> = text.lines().filter(|line| !expected.lines().any(|known| known == *line)).collect();
    let gone: Vec<&str> = expected.lines().filter(|line| !text.lines().any(|known| known == *line)).collect();
    assert!(new.is_empty() && gone.is_empty(), "new: {new:#?}\ngone: {gone:#?}");
}
