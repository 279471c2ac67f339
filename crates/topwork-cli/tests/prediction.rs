//! `topwork predict`, `check`, `store`, `demo`, `completions` and what every command shares.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

mod common;

use std::fs;
use std::io::Read;
use std::process::Stdio;

use common::{Place, contents, photo, rows, shared_data, trained};

#[test]
fn csv_has_one_row_a_class_asked_for() {
    let place = trained();
    place.write("bad.jpg", b"junk");
    let run = place
        .run(&["predict", "--model", "topwork-run", "photos/red/000.ppm", "bad.jpg", "--format", "csv"])
        .expect(3);
    let rows = rows(&run.stdout);
    assert_eq!(rows[0], ["filename", "rank", "class", "probability", "wnid", "error"]);
    assert_eq!(rows.len(), 1 + 2 + 1);
    assert_eq!(rows[1][..2], ["photos/red/000.ppm", "1"]);
    assert_eq!(rows[2][1], "2");
    assert_eq!(rows[3][0], "bad.jpg");
    assert!(rows[3][5].contains("not-an-image"), "{:?}", rows[3]);
    let sum: f64 = rows[1..3].iter().map(|row| row[3].parse::<f64>().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-6, "{sum}");
}

#[test]
fn json_says_the_same_as_csv() {
    let place = trained();
    let csv = place.run(&["predict", "--model", "topwork-run", "photos", "--format", "csv"]).expect(0).stdout;
    let json =
        place.run(&["predict", "--model", "topwork-run", "photos", "--format", "json"]).expect(0).stdout;
    let rows = rows(&csv);
    assert_eq!(rows.len() - 1, json.lines().count());
    for (row, line) in rows[1..].iter().zip(json.lines()) {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(object["filename"], row[0].as_str());
        assert_eq!(object["rank"].to_string(), row[1]);
        assert_eq!(object["class"], row[2].as_str());
        assert_eq!(object["probability"].as_f64().unwrap(), row[3].parse::<f64>().unwrap());
    }
}

#[test]
fn photos_come_from_folders_patterns_and_standard_input() {
    let place = trained();
    let predict = |photos: &str| {
        place.run(&["predict", "--model", "topwork-run", photos, "--format", "csv", "--top", "1"])
    };
    assert_eq!(rows(&predict("photos/red").expect(0).stdout).len(), 1 + 12);
    assert_eq!(rows(&predict("photos/*/00?.ppm").expect(0).stdout).len(), 1 + 20);
    let list = "\u{feff}photos/red/000.ppm\nphotos/blue/000.ppm\r\n\n";
    let in_units = |unit: fn(u16) -> [u8; 2]| list.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
    for list in [list.as_bytes().to_vec(), in_units(u16::to_le_bytes), in_units(u16::to_be_bytes)] {
        let run = place
            .run_with_input(
                &["predict", "--model", "topwork-run", "-", "--format", "csv", "--top", "1"],
                &list,
            )
            .expect(0);
        assert_eq!(rows(&run.stdout).len(), 1 + 2);
    }
    let run = predict("photos/none*.jpg").expect(1);
    assert!(run.stderr.contains("none"), "{}", run.stderr);
    let run = predict("gone.jpg").expect(3);
    assert!(run.stdout.contains("gone.jpg") && run.stdout.contains("missing"), "{}", run.stdout);
}

#[test]
fn predictions_equal_those_of_training() {
    let place = Place::new();
    place.photos("photos/train", &["blue", "red"], 12, 0);
    place.photos("photos/test", &["blue", "red"], 5, 400);
    place.run(&["train", "photos"]).expect(0);
    let trained = rows(&place.read("topwork-run/predictions.csv"));
    let run = place
        .run(&[
            "predict",
            "--model",
            "topwork-run",
            "photos/test",
            "--format",
            "csv",
            "--top",
            "1",
            "--no-store",
        ])
        .expect(0);
    let mut compared = 0;
    for row in &rows(&run.stdout)[1..] {
        let name = row[0].strip_prefix("photos/").unwrap();
        let same = trained.iter().find(|trained| trained[0] == name).unwrap();
        assert_eq!((&row[2], &row[3]), (&same[3], &same[4]), "{name}");
        compared += 1;
    }
    assert_eq!(compared, 10);
}

#[test]
fn without_a_model_the_elephant_is_an_elephant() {
    let place = Place::new();
    let Some(elephant) = shared_data("African_Elephant.jpg") else { return };
    let run = place.run(&["predict", elephant.to_str().unwrap(), "--format", "csv"]).expect(0);
    let rows = rows(&run.stdout);
    assert_eq!(rows.len(), 1 + 5);
    assert!(
        ["n02504458", "n02504013", "n01871265"].contains(&rows[1][4].as_str()),
        "African elephant, Indian elephant or tusker first, not {:?}",
        rows[1]
    );
    assert!(run.stderr.contains("ImageNet"), "{}", run.stderr);
}

#[test]
fn a_run_that_lies_here_is_named() {
    let place = trained();
    let run = place.run(&["predict", "photos/red/000.ppm"]).expect(0);
    assert!(run.stderr.contains("ImageNet") && run.stderr.contains("--model topwork-run"), "{}", run.stderr);
}

#[cfg(unix)]
#[test]
fn names_survive() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let place = Place::new();
    let names: [&[u8]; 7] = [
        b"new\nline.ppm",
        b"quo\"te,comma.ppm",
        b"<script>alert(1)</script>.ppm".split(|b| *b == b'/').next().unwrap(),
        b"=CMD().ppm",
        b"\x1b[31mred.ppm",
        b"latin\xe9.ppm",
        "snow\u{2603}.ppm".as_bytes(),
    ];
    place.photos("photos", &["a", "<b>&\"c\""], 8, 0);
    for (index, name) in names.iter().enumerate() {
        let path = place.path("photos/a").join(OsStr::from_bytes(name));
        fs::write(path, photo(0, 50 + index as u32)).unwrap();
    }
    let run = place.run(&["train", "photos", "--folds", "2"]).expect(0);
    assert!(
        !run.stdout.contains('\x1b') && !run.stderr.contains('\x1b'),
        "control characters on the terminal"
    );
    let split = rows(&place.read("topwork-run/split.csv"));
    for name in [
        "a/new\nline.ppm",
        "a/quo\"te,comma.ppm",
        "a/latin\\xe9.ppm",
        "a/snow\u{2603}.ppm",
        "a/\x1b[31mred.ppm",
    ] {
        assert!(split.iter().any(|row| row[0] == name), "{name:?} is not in split.csv");
    }
    let page = place.read("topwork-run/report.html");
    assert!(!page.contains("<script") && !page.contains("<b>&\""), "a name became markup");

    // The names as written go in again.
    let list = split[1..]
        .iter()
        .map(|row| format!("photos/{}\n", row[0]))
        .filter(|name| !name.contains("new\nline"));
    let input: String = list.collect();
    let count = input.lines().count();
    let run = place
        .run_with_input(
            &["predict", "--model", "topwork-run", "-", "--format", "csv", "--top", "1"],
            input.as_bytes(),
        )
        .expect(0);
    assert_eq!(rows(&run.stdout).len(), 1 + count);
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let place = trained();
    let mut command = place.command(&["predict", "--model", "topwork-run", "photos", "--format", "json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{stderr}");
    assert!(!stderr.contains("error"), "{stderr}");
}

#[test]
fn a_store_that_cannot_be_used_is_said_once() {
    let place = trained();
    place.photos("many", &["red"], 600, 0);
    place.write("file", b"not a folder");
    let run = place.run(&["predict", "--model", "topwork-run", "--store", "file", "many"]).expect(0);
    assert_eq!(run.stderr.matches("warning: no feature store").count(), 1, "{}", run.stderr);
    assert_eq!(run.stdout.matches("many/red/").count(), 600);
}

#[test]
fn a_damaged_or_newer_model_is_refused() {
    let place = trained();
    let model = fs::read(place.path("topwork-run/model.safetensors")).unwrap();
    let predict = |file: &str| place.run(&["predict", "--model", file, "photos/red/000.ppm"]);
    for cut in [0, 7, 8, 100, model.len() - 1] {
        place.write("cut.safetensors", &model[..cut]);
        let run = predict("cut.safetensors").expect(1);
        assert!(
            run.stderr.contains("cut.safetensors") && run.stderr.contains("hint:"),
            "{cut}: {}",
            run.stderr
        );
    }
    let text = model
        .windows(12)
        .position(|part| part == br#"\"format\":2,"#.get(..12).unwrap())
        .expect("the format number");
    let mut newer = model.clone();
    newer[text + 11] = b'9';
    place.write("newer.safetensors", &newer);
    let run = predict("newer.safetensors").expect(1);
    assert!(run.stderr.contains("format 9") && run.stderr.contains("0.1.0"), "{}", run.stderr);
    predict("nowhere").expect(1);
    predict("photos").expect(1);
}

#[test]
fn check_shows_what_was_understood_and_writes_nothing() {
    let place = Place::new();
    place.photos("photos/train", &["a", "b"], 5, 0);
    place.photos("photos/val", &["a", "b"], 2, 300);
    place.photos("photos/test", &["a"], 2, 600);
    place.write("photos/train/a/bad.png", b"\x89PNG\r\n\x1a\n");
    place.write("photos/train/b/twin.ppm", &photo(1, 0));
    place.write("photos/train/a/.hidden.jpg", b"");
    place.write("photos/train/a/Thumbs.db", b"");
    let before = contents(&place.path(""));
    let run = place.run(&["check", "photos"]).expect(0);
    for part in [
        "a",
        "b",
        "training",
        "validation",
        "test",
        "bad.png",
        "truncated",
        "twin.ppm",
        "duplicate",
        "ignored",
    ] {
        assert!(run.stdout.contains(part), "no {part:?} in:\n{}", run.stdout);
    }
    assert_eq!(contents(&place.path("")), before);
}

#[test]
fn the_store_has_a_place_a_size_and_an_end() {
    let place = trained();
    let path = place.run(&["store", "path"]).expect(0).stdout;
    assert!(path.trim().starts_with(place.path("cache").to_str().unwrap()), "{path}");
    let size = place.run(&["store", "size"]).expect(0).stdout;
    assert!(size.contains("24 photos"), "{size}");
    place.run(&["store", "clear"]).expect(0);
    let size = place.run(&["store", "size"]).expect(0).stdout;
    assert!(size.contains("0 photos"), "{size}");
}

#[test]
fn the_demo_runs_and_says_what_it_proves() {
    let place = Place::new();
    let run = place.run(&["demo"]).expect(0);
    assert!(run.stdout.contains("only shows that everything works"), "{}", run.stdout);
    assert!(place.path("topwork-demo/run/report.html").exists());
}

#[test]
fn completions_and_wrong_usage() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(place.run(&["completions", shell]).expect(0).stdout.contains("topwork"));
    }
    for wrong in [
        &["train"][..],
        &["fly"],
        &["train", "x", "--val", "2"],
        &["train", "x", "--folds", "1"],
        &["predict"],
    ] {
        place.run(wrong).expect(2);
    }
    for command in ["train", "evaluate", "predict", "check", "demo", "store", "completions"] {
        assert!(place.run(&[command, "--help"]).expect(0).stdout.contains("Examples:"), "{command}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupt_keeps_what_is_done() {
    let place = Place::new();
    place.photos("photos", &["a", "b"], 300, 0);
    let mut child = place
        .command(&["train", "photos", "--threads", "1"])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // The store exists as soon as extraction starts, and commits every second.
    while !place.path("cache/features.redb").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be interrupted");
    }
    std::thread::sleep(std::time::Duration::from_millis(1300));
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{stderr}");
    assert!(!place.path("topwork-run/model.safetensors").exists());
    place.run(&["train", "photos"]).expect(0);
    let kept = place.json("topwork-run/run.json")["features"]["from_store"].as_u64().unwrap();
    assert!(kept > 0, "nothing was kept");
}

#[test]
fn an_unknown_instruction_set_is_an_error() {
    let place = Place::new();
    place.write("a.ppm", &photo(0, 0));
    let output = place.command(&["predict", "a.ppm"]).env("TOPWORK_ISA", "quantum").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("quantum") && stderr.contains("scalar"), "{stderr}");
}
