//! What the program says when something is odd: small data, data that cannot be used, a reader that has left.

mod common;

#[cfg(feature = "heic")]
use std::path::Path;
use std::process::Stdio;

use common::Place;

#[test]
fn folds_are_suggested_only_where_they_fit() {
    let place = Place::new();
    place.photos("three", &["a", "b"], 3, 0);
    let run = place.run(&["train", "three"]).expect(0);
    assert!(run.stderr.contains("--folds 3"), "{}", run.stderr);
    place.run(&["train", "three", "--folds", "3"]).expect(0);

    place.photos("one", &["a"], 4, 0);
    place.write("one/b/0.ppm", &common::photo(1, 0));
    let run = place.run(&["train", "one"]).expect(0);
    assert!(!run.stderr.contains("--folds"), "{}", run.stderr);
}

#[test]
fn a_run_without_held_out_photos_says_that_its_accuracy_is_unknown() {
    let place = Place::new();
    place.photos("photos", &["a", "b"], 4, 0);
    let run = place.run(&["train", "photos", "--val", "0"]).expect(0);
    assert!(run.stderr.contains("accuracy is unknown"), "{}", run.stderr);

    place.photos("test", &["a", "b"], 2, 500);
    let run = place.run(&["train", "photos", "--val", "0", "--test", "test"]).expect(0);
    assert!(!run.stderr.contains("unknown"), "{}", run.stderr);
}

#[test]
fn a_split_that_folds_would_ignore_is_refused() {
    let place = Place::new();
    let run = place.run(&["train", "photos", "--split", "keras", "--folds", "3"]).expect(2);
    assert!(run.stderr.contains("--split") && run.stderr.contains("--folds"), "{}", run.stderr);
}

#[test]
fn check_shows_the_files_that_keep_training_from_starting() {
    let place = Place::new();
    place.photos("photos", &["a"], 4, 0);
    place.write("photos/b/broken.jpg", b"no photo");
    let run = place.run(&["check", "photos"]).expect(1);
    for part in ["training", "b/broken.jpg", "not-an-image"] {
        assert!(run.stdout.contains(part), "no {part:?} in:\n{}", run.stdout);
    }
    assert!(run.stderr.contains("no photo to train on"), "{}", run.stderr);
}

/// A grey PNM of 16 bits whose values use the lowest `bits`.
fn grey_of_sixteen_bits(seed: u32, bits: u32) -> Vec<u8> {
    let mut bytes = b"P5 40 30 65535\n".to_vec();
    let value =
        |at: u32| (at.wrapping_mul(2_654_435_761).wrapping_add(seed * 31_337) >> 9) & ((1 << bits) - 1);
    bytes.extend((0..1_200).flat_map(|at| (value(at) as u16).to_be_bytes()));
    bytes
}

#[test]
fn photos_of_16_bits_are_read_in_the_range_that_they_use() {
    let place = Place::new();
    for seed in 0..12 {
        let class = ["a", "b"][seed as usize % 2];
        place.write(&format!("photos/{class}/{seed}.pgm"), &grey_of_sixteen_bits(seed, 12));
    }
    let run = place.run(&["check", "photos"]).expect(0);
    assert!(
        run.stdout.contains("12 photos of 16 bits use 12 of them: 0 is black, 4095 white"),
        "{}",
        run.stdout
    );
    assert!(!run.stdout.contains("nearly black"), "{}", run.stdout);
    let run = place.run(&["train", "photos"]).expect(0);
    assert!(run.stderr.contains("use 12 of them"), "{}", run.stderr);
    assert!(!run.stderr.contains("nearly black"), "{}", run.stderr);

    let (level, out) = ("0,65535", "dark");
    let run = place.run(&["check", "photos", "--level", level]).expect(0);
    assert!(
        run.stdout.contains("warning: 12 of 12 photos are nearly black, such as \"a/0.pgm\""),
        "{}",
        run.stdout
    );
    let run = place.run(&["train", "photos", "--level", level, "--out", out]).expect(0);
    assert!(run.stderr.contains("12 of 12 photos are nearly black"), "{}", run.stderr);
    assert!(place.read("dark/report.html").contains("nearly black"));
    let run = place.run(&["train", "photos", "--level", "9"]).expect(2);
    assert!(run.stderr.contains("like 500,4000"), "{}", run.stderr);

    // The model keeps its range: a photo of 8 bits with the upper ones gets the same answer.
    let photo = grey_of_sixteen_bits(99, 12);
    let (header, samples) = photo.split_at(15);
    let mut eight = String::from_utf8_lossy(header).replace("65535", "255").into_bytes();
    eight.extend(samples.as_chunks::<2>().0.iter().map(|pair| (u16::from_be_bytes(*pair) >> 4) as u8));
    place.write("sixteen.pgm", &photo);
    place.write("eight.pgm", &eight);
    let answers = |model: &str| {
        let run = place.run(&["predict", "--model", model, "--format", "csv", "sixteen.pgm", "eight.pgm"]);
        let answer = |name: &str| {
            let lines = run.stdout.lines().filter(|line| line.starts_with(name));
            lines.map(|line| line.trim_start_matches(name).to_owned()).collect::<Vec<_>>()
        };
        (answer("sixteen.pgm"), answer("eight.pgm"))
    };
    let (sixteen, eight) = answers("topwork-run");
    assert!(sixteen.len() == 2 && sixteen == eight, "{sixteen:?} {eight:?}");
    let (sixteen, eight) = answers("dark");
    assert_ne!(sixteen, eight);
}

#[test]
fn many_photos_of_one_colour_are_worth_a_warning() {
    let place = Place::new();
    place.photos("photos", &["a", "b"], 30, 0);
    for number in 0..9 {
        let mut photo = b"P6 30 30 255\n".to_vec();
        photo.extend((0..900).flat_map(|at| [200 + at as u8 % 3, 90, number]));
        place.write(&format!("photos/b/grey{number}.ppm"), &photo);
    }
    let warning =
        "9 of 69 photos are of one colour, such as \"b/grey0.ppm\", \"b/grey1.ppm\", \"b/grey2.ppm\"";
    let run = place.run(&["check", "photos"]).expect(0);
    assert!(run.stdout.contains(warning), "{}", run.stdout);
    place.run(&["train", "photos"]).expect(0);
    // The features come from the store now, and what is known with them.
    let run = place.run(&["train", "photos", "--out", "again"]).expect(0);
    assert!(run.stderr.contains(warning), "{}", run.stderr);
    let run = place.run(&["evaluate", "--model", "again", "photos"]).expect(0);
    assert!(run.stderr.contains(warning), "{}", run.stderr);
}

/// A public set of faces: the table beside the folder of photos, classes in two spellings, a photo with two labels.
#[test]
fn a_table_with_odd_labels_goes_with_the_options_that_messages_name() {
    let place = Place::new();
    let mut table = "user.id,image,emotion\n".to_owned();
    for number in 0..24 {
        place.write(&format!("images/{number}.ppm"), &common::photo(number % 2, number as u32));
        let class = ["anger", "joy", "ANGER", "joy"][number % 4];
        table += &format!("{},{number}.ppm,{class}\n", number / 5);
    }
    place.write("data/legend.csv", format!("{table}0,5.ppm,anger\n").as_bytes());
    let run = place.run(&["train", "data/legend.csv"]).expect(1);
    assert!(
        run.stderr.contains("\"../images/5.ppm\" is \"joy\" in line 7 and \"anger\" in line 26"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("--conflicts skip"), "{}", run.stderr);
    let run = place.run(&["check", "data/legend.csv"]).expect(0);
    for part in [
        "25 files of the table found in \"../images\"",
        "training stops unless you add --conflicts skip",
        "conflict: ../images/5.ppm (\"joy\" in line 7 and \"anger\" in line 26)",
    ] {
        assert!(run.stdout.contains(part), "no {part:?} in:\n{}{}", run.stdout, run.stderr);
    }
    let twins = "\"ANGER\" (6), \"anger\" (6); --merge-case merges them";
    assert!(run.stdout.contains(twins), "{}", run.stdout);
    place.write("data/legend.csv", table.as_bytes());
    let run = place.run(&["train", "data/legend.csv", "--merge-case", "--photos", "images"]).expect(0);
    assert!(run.stderr.contains("6 of \"anger\" into \"ANGER\""), "{}", run.stderr);
    let evaluate = ["evaluate", "--model", "topwork-run", "data/legend.csv", "--merge-case"];
    place.run(&evaluate).expect(0);
    place.run(&evaluate[..4]).expect(1);
    let run = place.run(&["check", "data/legend.csv", "--label-column", "feeling"]).expect(1);
    assert!(run.stderr.contains("--label-column") && run.stderr.contains("\"emotion\""), "{}", run.stderr);
}

#[test]
fn check_takes_the_options_of_training() {
    let place = Place::new();
    place.photos("photos", &["a", "b"], 4, 0);
    let options =
        ["--folds", "3", "--out", "run", "--head", "64", "--seed", "7", "--no-store", "--features", "last"];
    place.run(&[&["check", "photos"], &options[..]].concat()).expect(0);
    assert!(!place.path("run").exists());
    place.run(&["check", "photos", "--val", "2"]).expect(2);
    let help = place.run(&["check", "--help"]).expect(0).stdout;
    assert!(
        help.contains("--merge-case") && help.contains("--level") && !help.contains("--epochs"),
        "{help}"
    );
    assert!(help.contains("topwork check PHOTOS") && !help.contains("topwork train"), "{help}");
}

#[test]
fn training_says_what_it_did_not_use() {
    let place = Place::new();
    place.photos("photos", &["a", "b"], 4, 0);
    for name in ["a/notes.txt", "b/0.xmp", "readme.md"] {
        place.write(&format!("photos/{name}"), b"x");
    }
    let run = place.run(&["train", "photos"]).expect(0);
    assert!(run.stderr.contains("not used: 3 files not named like photos"), "{}", run.stderr);
}

/// As much of a file as tells its format, another one for each number.
fn of_format(start: &[u8], number: u8) -> Vec<u8> {
    [start, &[number; 40]].concat()
}

#[test]
fn formats_that_are_not_decoded_are_counted_with_the_way_out() {
    const AVIF: &[u8] = b"\0\0\0\x18ftypavif\0\0\0\0mif1avif";
    let place = Place::new();
    for class in ["a", "b"] {
        for number in 0..3 {
            let content = of_format(AVIF, number + if class == "a" { 0 } else { 10 });
            place.write(&format!("all/{class}/{number}.avif"), &content);
            place.write(&format!("mixed/{class}/{number}.avif"), &content);
            place.write(&format!("mixed/{class}/{number}.psd"), &of_format(b"8BPS\0\x01", content[30]));
        }
    }
    let run = place.run(&["train", "all"]).expect(1);
    for part in ["all 6 photos are AVIF, a format that topwork does not decode", "convert to JPEG with `sips"]
    {
        assert!(run.stderr.contains(part), "no {part:?} in:\n{}", run.stderr);
    }
    let run = place.run(&["train", "mixed"]).expect(1);
    for part in ["all 12 photos", "6 AVIF, 6 Photoshop", "AVIF: convert", "Photoshop: convert"] {
        assert!(run.stderr.contains(part), "no {part:?} in:\n{}", run.stderr);
    }

    place.photos("some", &["a", "b"], 4, 0);
    for number in 0..2 {
        place.write(&format!("some/a/x{number}.avif"), &of_format(AVIF, number));
        place.write(&format!("some/b/x{number}.raf"), &of_format(b"FUJIFILMCCD-RAW ", number));
    }
    place.write("some/b/x.jxl", &of_format(b"\xff\x0a", 0));
    let warnings = [
        "warning: 2 photos are AVIF, a format that topwork does not decode; convert",
        "warning: 2 photos are camera RAW, a format that topwork does not decode; export",
        "warning: 1 photo is JPEG XL, a format that topwork does not decode; convert",
    ];
    let run = place.run(&["train", "some", "--max-skipped", "0.9"]).expect(0);
    warnings.iter().for_each(|line| assert!(run.stderr.contains(line), "no {line:?} in:\n{}", run.stderr));
    let run = place.run(&["evaluate", "--model", "topwork-run", "some", "--max-skipped", "0.9"]).expect(0);
    warnings.iter().for_each(|line| assert!(run.stderr.contains(line), "no {line:?} in:\n{}", run.stderr));
    let run = place.run(&["check", "some", "--max-skipped", "0.9"]).expect(0);
    warnings.iter().for_each(|line| assert!(run.stdout.contains(line), "no {line:?} in:\n{}", run.stdout));
    let run = place.run(&["predict", "some/a/x0.avif"]).expect(3);
    assert!(run.stdout.contains("AVIF is not decoded here; convert"), "{}", run.stdout);
}

#[test]
#[cfg(feature = "heic")]
fn photos_of_a_phone_are_read() {
    let place = Place::new();
    let photos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../reference/decode/photos");
    for name in ["grid.heic", "opacity.heic"] {
        place.write(name, &std::fs::read(photos.join(name)).unwrap());
    }
    place.run(&["predict", "grid.heic", "opacity.heic"]).expect(0);
}

#[test]
fn messages_that_nobody_reads_stop_nothing() {
    let place = Place::new();
    place.photos("photos", &["a", "b"], 4, 0);
    let mut child = place
        .command(&["train", "photos"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stderr.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert!(place.path("topwork-run/report.html").exists());
}
