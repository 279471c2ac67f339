//! What is different on Windows: paths, names that mean devices, files that other programs hold open.

#![cfg(windows)]
#![allow(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

mod common;

use std::fs::{self, File};
use std::os::windows::fs::OpenOptionsExt;
use std::path::Path;

use common::{Place, photo, rows, trained};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn drive_letters_and_both_slashes_lead_to_the_same_photos() {
    let place = trained();
    let absolute = place.path(r"photos\red\000.ppm");
    assert!(text(&absolute).as_bytes()[1..].starts_with(br":\"), "{}", absolute.display());
    let model = place.path("topwork-run");
    let answer = |model: &str, photo: &str| {
        let run = place.run(&["predict", "--model", model, "--format", "csv", "--top", "1", photo]).expect(0);
        let row = rows(&run.stdout).remove(1);
        (row[0].clone(), row[2..4].to_vec())
    };
    let (name, expected) = answer("topwork-run", "photos/red/000.ppm");
    assert_eq!(name, "photos/red/000.ppm");
    let slashes = text(&absolute).replace('\\', "/");
    let verbatim = format!(r"\\?\{}", text(&absolute));
    for photo in [r"photos\red\000.ppm", r".\photos/red\000.ppm", r"PHOTOS\Red\000.PPM", text(&absolute)] {
        assert_eq!(answer(text(&model), photo).1, expected, "{photo}");
    }
    for photo in [&slashes, &verbatim] {
        assert_eq!(answer(r"topwork-run\model.safetensors", photo).1, expected, "{photo}");
    }
    assert_eq!(answer(text(&model), text(&absolute)).0, slashes);
    let run = place.run(&[
        "predict",
        "--model",
        text(&model),
        "--format",
        "csv",
        "--top",
        "1",
        r"photos\*\00?.ppm",
    ]);
    assert_eq!(rows(&run.expect(0).stdout).len(), 1 + 20);
}

#[test]
fn names_that_were_written_lead_back() {
    let place = trained();
    let absolute = place.path(r"photos\red\000.ppm");
    let written = [
        text(&absolute).to_owned(),
        text(&absolute).replace('\\', "/"),
        r"photos\red\001.ppm".to_owned(),
        "photos/red/002.ppm".to_owned(),
    ];
    let mut list = written.join("\r\n");
    list += "\r\n";
    let arguments = ["predict", "--model", "topwork-run", "--format", "csv", "--top", "1", "-"];
    let run = place.run_with_input(&arguments, list.as_bytes()).expect(0);
    assert_eq!(rows(&run.stdout).len(), 1 + written.len());
    // As `dir /b /s > list` writes it in PowerShell.
    let wide: Vec<u8> = format!("\u{feff}{list}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let again = place.run_with_input(&arguments, &wide).expect(0);
    assert_eq!(again.stdout, run.stdout);
    let names: String = rows(&run.stdout)[1..].iter().map(|row| format!("{}\n", row[0])).collect();
    let third = place.run_with_input(&arguments, names.as_bytes()).expect(0);
    assert_eq!(third.stdout, run.stdout);
}

#[test]
fn umlauts_spaces_and_signs_survive() {
    let place = Place::new();
    let classes = ["Käfer grün", "猫 & Co", "100 % $x"];
    place.photos("my photos", &classes, 8, 0);
    let run = place.run(&["train", "my photos", "--out", "my run"]).expect(0);
    assert!(run.stdout.contains(r#"--model "my run""#), "{}", run.stdout);
    let split = rows(&place.read("my run/split.csv"));
    for class in classes {
        assert!(split.iter().any(|row| row[0] == format!("{class}/000.ppm") && row[2] == class), "{class}");
    }
    let photo = place.path("my photos").join(classes[1]).join("001.ppm");
    place.run(&["predict", "--model", "my run", text(&photo)]).expect(0);
}

#[test]
fn paths_longer_than_260_characters_are_read_and_written() {
    let place = Place::new();
    let deep = vec!["a folder with a long name"; 14].join("\\");
    let photos = format!("{deep}\\photos");
    place.photos(&photos, &["a", "b"], 8, 0);
    let (photos, out) = (place.path(&photos), place.path(&format!("{deep}\\run")));
    assert!(text(&out).len() > 350);
    let store = place.path(&format!("{deep}\\store"));
    let arguments = ["train", text(&photos), "--out", text(&out), "--store", text(&store)];
    let run = place.run(&arguments).expect(0);
    assert!(!run.stderr.contains("warning: the feature store"), "{}", run.stderr);
    assert!(out.join("report.html").is_file() && store.join("features.redb").is_file());
    let run = place.run(&["evaluate", "--model", text(&out), text(&photos)]).expect(0);
    assert!(run.stdout.contains("accuracy"), "{}", run.stdout);
}

#[test]
fn names_of_devices_end_with_a_message() {
    let place = trained();
    for name in ["CON", "NUL", "AUX", "COM1", r"photos\CON", "con.ppm", "photos/red/NUL.ppm"] {
        let run = place.run(&["predict", "--model", "topwork-run", "--format", "csv", name]);
        assert!([1, 3].contains(&run.status), "{name}: {} {}", run.status, run.stderr);
        assert!(!run.stderr.contains("panicked"), "{name}: {}", run.stderr);
    }
    for name in ["CON", "NUL"] {
        let run = place.run(&["check", name]).expect(1);
        assert!(run.stderr.contains(name), "{name}: {}", run.stderr);
        let run = place.run(&["train", "photos", "--out", name]);
        assert!(!run.stderr.contains("panicked"), "{name}: {}", run.stderr);
        assert!([0, 1].contains(&run.status), "{name}: {} {}", run.status, run.stderr);
    }
    let table: String = (0..12).map(|at| format!("{at:03}.ppm,red\r\n")).collect();
    place.write(
        "photos/red/table.csv",
        format!("filename,label\r\n{table}NUL,blue\r\nCON.ppm,blue\r\n").as_bytes(),
    );
    let run = place.run(&["check", r"photos\red\table.csv"]);
    assert!(
        !run.stderr.contains("panicked") && [0, 1].contains(&run.status),
        "{} {}",
        run.status,
        run.stderr
    );
}

#[test]
fn names_that_differ_in_case_are_one_file() {
    let place = Place::new();
    place.photos("photos", &["a", "b"], 8, 0);
    let mut table = "filename,label\r\n".to_owned();
    for class in ["a", "b"] {
        table += &(0..8).map(|at| format!("{class}\\{at:03}.PPM,{class}\r\n")).collect::<String>();
    }
    place.write("table.csv", table.as_bytes());
    let run = place.run(&["train", "table.csv", "--photos", "PHOTOS"]).expect(0);
    assert!(run.stdout.contains("no file skipped"), "{}", run.stdout);

    // The same file under two names is one photo.
    place.write("table.csv", format!("{table}A\\000.ppm,a\r\n").as_bytes());
    let run = place.run(&["check", "table.csv", "--photos", "photos"]).expect(0);
    assert!(run.stdout.contains("duplicate"), "{}", run.stdout);

    // Sets and classes keep their names whatever the case in which the folder is asked for.
    let lower = place.run(&["check", "photos"]).expect(0).stdout;
    let upper = place.run(&["check", "PHOTOS"]).expect(0).stdout;
    assert_eq!(lower.replace("photos", "PHOTOS"), upper);
}

#[test]
fn tables_with_windows_line_ends_and_marks_are_read() {
    let place = Place::new();
    place.photos("photos", &["a", "b"], 8, 0);
    let mut table = "filename;label\r\n".to_owned();
    for class in ["a", "b"] {
        table += &(0..8).map(|at| format!("{class}\\{at:03}.ppm;{class}\r\n")).collect::<String>();
    }
    let wide: Vec<u8> = format!("\u{feff}{table}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (name, bytes) in [("marked.csv", format!("\u{feff}{table}").into_bytes()), ("wide.csv", wide)] {
        place.write(&format!("photos/{name}"), &bytes);
        let file = format!("photos\\{name}");
        let run = place.run(&["train", &file, "--out", name.trim_end_matches(".csv")]).expect(0);
        assert!(run.stdout.contains("no file skipped"), "{name}: {}", run.stdout);
    }
    assert_eq!(place.read("marked/split.csv"), place.read("wide/split.csv"));
}

fn set_read_only(path: &Path, read_only: bool) {
    let mut permissions = fs::metadata(path).unwrap().permissions();
    #[allow(clippy::permissions_set_readonly_false, reason = "Windows has no other bit")]
    permissions.set_readonly(read_only);
    fs::set_permissions(path, permissions).unwrap();
}

#[test]
fn read_only_photos_are_photos_and_a_read_only_store_stops_nothing() {
    let place = Place::new();
    place.photos("photos", &["a", "b"], 8, 0);
    let photos: Vec<_> = common::contents(&place.path("photos")).into_iter().map(|(path, _)| path).collect();
    photos.iter().for_each(|path| set_read_only(path, true));
    let run = place.run(&["train", "photos"]).expect(0);
    assert!(run.stdout.contains("no file skipped"), "{}", run.stdout);

    let store = place.path("cache/features.redb");
    set_read_only(&store, true);
    place.run(&["train", "photos", "--out", "again"]).expect(0);
    assert_eq!(
        fs::read(place.path("topwork-run/model.safetensors")).unwrap(),
        fs::read(place.path("again/model.safetensors")).unwrap()
    );
    set_read_only(&store, false);
    photos.iter().for_each(|path| set_read_only(path, false));
    place.run(&["store", "clear"]).expect(0);
    assert!(!store.exists());
}

#[test]
fn a_photo_that_a_program_holds_open_is_skipped_and_read_the_next_time() {
    let place = Place::new();
    place.photos("photos", &["a", "b"], 8, 0);
    let path = place.write("photos/a/held.ppm", &photo(0, 90));
    let held = File::options().read(true).write(true).share_mode(0).open(&path).unwrap();
    place.run(&["train", "photos", "--max-skipped", "0.5"]).expect(0);
    let skipped = rows(&place.read("topwork-run/skipped.csv"));
    assert_eq!(skipped.len(), 2, "{skipped:?}");
    assert_eq!(skipped[1][0], "a/held.ppm");
    drop(held);
    let run = place.run(&["train", "photos", "--out", "again"]).expect(0);
    assert!(run.stdout.contains("no file skipped"), "{}", run.stdout);
}

#[test]
fn a_store_that_a_program_holds_open_stops_nothing_and_is_not_deleted() {
    let place = trained();
    let store = place.path("cache/features.redb");
    let held = File::options().read(true).write(true).share_mode(0).open(&store).unwrap();
    place.run(&["train", "photos", "--out", "again"]).expect(0);
    let run = place.run(&["store", "clear"]).expect(1);
    assert!(run.stderr.contains("features.redb"), "{}", run.stderr);
    place.run(&["store", "size"]).expect(0);
    drop(held);
    place.run(&["store", "clear"]).expect(0);
}

#[test]
fn results_go_to_the_next_free_folder_where_a_program_holds_the_last_open() {
    let place = trained();
    let report = place.path("topwork-run/report.html");
    let before = fs::read(&report).unwrap();
    let held = File::options().read(true).share_mode(0).open(&report).unwrap();
    let run = place.run(&["train", "photos"]).expect(0);
    assert!(run.stdout.contains("topwork-run-2"), "{}", run.stdout);
    drop(held);
    assert_eq!(fs::read(&report).unwrap(), before);
}
