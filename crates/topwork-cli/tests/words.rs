//! Everything that the program says, in one file that a person can read through: `words.txt` beside this one.
//!
//!     TOPWORK_RECORD_WORDS=1 cargo test -p topwork-cli --test words
//!
//! writes it anew.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as expected")]
#![cfg(unix)]

mod common;

use std::path::Path;

use common::Place;

/// Figures that differ from run to run or from machine to machine.
fn steady(text: &str, place: &Place) -> String {
    let folder = place.path("");
    let text = text.replace(folder.to_str().unwrap().trim_end_matches('/'), "PLACE");
    let mut lines = Vec::new();
    for line in text.lines() {
        // "1.2 s: list 0.0, weights 0.0, …"
        let is_times = line.contains(" s: ") && line.contains(", features ");
        lines.push(if is_times { "SECONDS".to_owned() } else { line.trim_end().to_owned() });
    }
    lines.join("\n")
}

fn everything() -> String {
    let place = Place::new();
    let mut text = String::new();
    let mut say = |place: &Place, arguments: &[&str]| {
        let run = place.run(arguments);
        text += &format!("$ topwork {}\n", arguments.join(" "));
        for part in [&run.stderr, &run.stdout] {
            if !part.trim().is_empty() {
                text += &format!("{}\n", steady(part, place).trim_end());
            }
        }
        text += "\n";
    };
    for help in [
        &["--help"][..],
        &["train", "--help"],
        &["evaluate", "--help"],
        &["predict", "--help"],
        &["check", "--help"],
        &["demo", "--help"],
        &["backbones", "--help"],
        &["store", "--help"],
        &["weights", "--help"],
        &["weights", "list", "--help"],
        &["weights", "get", "--help"],
        &["weights", "add", "--help"],
        &["weights", "verify", "--help"],
        &["bench", "--help"],
        &["completions", "--help"],
    ] {
        say(&place, help);
    }
    place.photos("photos", &["blue", "red"], 12, 0);
    place.photos("few", &["blue", "red"], 2, 0);
    place.photos("one", &["blue"], 3, 0);
    place.photos("case", &["Red", "red", "blue"], 4, 0);
    for name in ["photos/red/notes.txt", "case/red/notes.txt", "readme.txt"] {
        place.write(name, b"x");
    }
    place.write("case/red/broken.jpg", b"\xff\xd8\xff\xe0");
    place.write("case/blue/empty.jpg", b"");
    let twin = std::fs::read(place.path("case/blue/000.ppm")).unwrap();
    place.write("case/red/twin.ppm", &twin);
    place.write("model.safetensors", b"not a model");
    for command in [
        &["train", "photos"][..],
        &["train", "photos", "--folds", "3", "--out", "folds"],
        &["train", "few", "--val", "0"],
        &["train", "one"],
        &["train", "case"],
        &["train", "absent"],
        &["train", "photos", "--test", "photos"],
        &["train", "photos", "--folds", "40"],
        &["train", "photos", "--backbone", "resnet50"],
        &["train", "photos", "--val", "2"],
        &["check", "photos"],
        &["check", "case"],
        &["evaluate", "--model", "topwork-run", "photos"],
        &["evaluate", "--model", "topwork-run", "few"],
        &["evaluate", "--model", "model.safetensors", "photos"],
        &["predict", "--model", "topwork-run", "photos/red/000.ppm", "readme.txt", "absent.jpg"],
        &["predict", "--model", "topwork-run", "*.jpg"],
        &["predict", "--model", "absent", "readme.txt"],
        &["store", "path"],
        &["weights", "get", "resnet51"],
        &["weights", "get", "efficientnet_lite0"],
        &["weights", "add", "readme.txt"],
        &["weights", "verify"],
        &["backbones"],
    ] {
        say(&place, command);
    }
    text
}

#[test]
fn the_program_says_what_is_written_down() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/words.txt");
    let found = everything();
    if std::env::var_os("TOPWORK_RECORD_WORDS").is_some() {
        std::fs::write(&file, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap();
    let differing = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
    assert!(
        found == expected,
        "the program says something else (TOPWORK_RECORD_WORDS=1 writes it down): {differing:?}"
    );
}
