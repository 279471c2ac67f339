//! `topwork train` and `topwork evaluate` on small generated photos.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

mod common;

use std::fs;

use common::{Place, contents, photo, rows};

const RUN_FILES: [&str; 8] = [
    "history.csv",
    "metrics.json",
    "model.safetensors",
    "predictions.csv",
    "report.html",
    "run.json",
    "skipped.csv",
    "split.csv",
];

#[test]
fn a_folder_with_sets_becomes_a_run_folder() {
    let place = Place::new();
    place.photos("photos/training_set", &["blue", "red"], 20, 0);
    place.photos("photos/test_set", &["blue", "red"], 6, 1000);
    place.write("photos/training_set/red/broken.jpg", b"<html>not found</html>");
    let before = contents(&place.path("photos"));

    let run = place.run(&["train", "photos"]).expect(0);
    for line in [
        "test accuracy",
        "validation accuracy",
        "1 file skipped",
        "report.html",
        "topwork predict --model topwork-run",
    ] {
        assert!(run.stdout.contains(line), "no {line:?} in:\n{}", run.stdout);
    }
    assert_eq!(contents(&place.path("photos")), before, "photos are only read");

    let mut files: Vec<String> = fs::read_dir(place.path("topwork-run"))
        .unwrap()
        .map(|f| f.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, RUN_FILES);

    let metrics = place.json("topwork-run/metrics.json");
    assert_eq!(metrics["schema"], 1);
    let test = &metrics["sets"]["test"];
    assert_eq!(test["n"], 12);
    assert_eq!(test["accuracy"], 1.0);
    assert_eq!(test["confusion_matrix"]["labels"], serde_json::json!(["blue", "red"]));
    assert_eq!(test["confusion_matrix"]["counts"], serde_json::json!([[6, 0], [0, 6]]));
    assert_eq!(metrics["sets"]["validation"]["n"], 6);

    let split = rows(&place.read("topwork-run/split.csv"));
    assert_eq!(split[0], ["filename", "set", "label", "blake3"]);
    assert_eq!(split.len(), 1 + 52);
    assert_eq!(split.iter().filter(|row| row[1] == "training").count(), 34);

    let predictions = rows(&place.read("topwork-run/predictions.csv"));
    assert_eq!(predictions[0], ["filename", "set", "label", "predicted", "probability", "p_blue", "p_red"]);
    assert_eq!(predictions.len(), 1 + 18, "validation and test");

    let skipped = rows(&place.read("topwork-run/skipped.csv"));
    assert_eq!(skipped[0], ["filename", "reason", "detail"]);
    assert_eq!(skipped[1][..2], ["training_set/red/broken.jpg", "not-an-image"]);

    let history = rows(&place.read("topwork-run/history.csv"));
    assert_eq!(history[0], ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"]);
    assert!(history.len() > 2);

    let run_json = place.json("topwork-run/run.json");
    for key in ["command", "settings", "seed", "versions", "digests", "seconds"] {
        assert!(!run_json[key].is_null(), "run.json has no {key}");
    }
}

#[test]
fn a_run_folder_is_never_overwritten() {
    let place = Place::new();
    place.photos("photos", &["a", "b"], 8, 0);
    for name in ["topwork-run", "topwork-run-2", "topwork-run-3"] {
        let run = place.run(&["train", "photos", "--quiet"]).expect(0);
        let report = std::path::Path::new(name).join("report.html");
        assert!(run.stdout.contains(report.to_str().unwrap()), "{}", run.stdout);
        assert!(place.path(name).join("model.safetensors").exists());
    }
}

#[test]
fn the_same_seed_gives_the_same_model_whatever_the_circumstances() {
    let place = Place::new();
    place.photos("photos", &["a", "b", "c"], 10, 0);
    // The same photos, created in another order, so that the folder lists them in another order.
    for number in (0..10).rev() {
        for (index, class) in ["a", "b", "c"].iter().enumerate().rev() {
            place.write(&format!("other/{class}/{number:03}.ppm"), &photo(index, number));
        }
    }
    let runs: [(&str, &[&str]); 6] = [
        ("one", &["train", "photos", "--threads", "1", "--no-store"]),
        ("two", &["train", "photos", "--threads", "2", "--no-store"]),
        ("four", &["train", "photos", "--threads", "4"]),
        ("warm", &["train", "photos", "--threads", "2"]),
        ("other", &["train", "other", "--threads", "2"]),
        ("seed", &["train", "photos", "--seed", "7"]),
    ];
    for head in ["linear", "8,4"] {
        for (name, arguments) in runs {
            let out = format!("{name}-{head}");
            place.run(&[arguments, &["--out", &out, "--head", head, "--epochs", "5"]].concat()).expect(0);
        }
        let model = |name: &str| fs::read(place.path(&format!("{name}-{head}/model.safetensors"))).unwrap();
        for name in ["two", "four", "warm", "other"] {
            assert!(model(name) == model("one"), "{name}: another {head} model");
        }
        assert!(model("seed") != model("one"), "{head}: the seed has no effect");
        assert_eq!(
            place.read(&format!("one-{head}/metrics.json")),
            place.read(&format!("warm-{head}/metrics.json"))
        );
        assert_eq!(
            place.read(&format!("one-{head}/predictions.csv")),
            place.read(&format!("other-{head}/predictions.csv"))
        );
    }
}

#[test]
fn a_warm_store_extracts_nothing() {
    let place = Place::new();
    place.photos("photos", &["a", "b"], 10, 0);
    place.run(&["train", "photos"]).expect(0);
    assert_eq!(place.json("topwork-run/run.json")["features"]["extracted"], 20);
    // Renamed, relabelled, split otherwise, another head: nothing is recomputed; one new photo costs one photo.
    fs::rename(place.path("photos/a"), place.path("photos/z")).unwrap();
    place.write("photos/b/new.ppm", &photo(1, 500));
    place.run(&["train", "photos", "--seed", "1", "--head", "4", "--epochs", "2"]).expect(0);
    let features = &place.json("topwork-run-2/run.json")["features"];
    assert_eq!((&features["extracted"], &features["from_store"]), (&1.into(), &20.into()));
}

#[test]
fn a_table_gives_classes_and_sets() {
    let place = Place::new();
    let mut table = "\u{feff}filename;label;set\r\n".to_owned();
    for number in 0..12 {
        let class = number % 2;
        place.write(&format!("flat/{number}.ppm"), &photo(class, number as u32));
        let set = if number >= 8 { "test" } else { "train" };
        table += &format!("flat/{number}.ppm;class {class};{set}\r\n");
    }
    place.write("labels.csv", table.as_bytes());
    place.run(&["train", "labels.csv"]).expect(0);
    let metrics = place.json("topwork-run/metrics.json");
    assert_eq!(metrics["sets"]["test"]["n"], 4);
    assert_eq!(
        metrics["sets"]["test"]["confusion_matrix"]["labels"],
        serde_json::json!(["class 0", "class 1"])
    );
}

#[test]
fn folds_predict_every_training_photo() {
    let place = Place::new();
    place.photos("photos", &["a", "b"], 9, 0);
    place.run(&["train", "photos", "--folds", "3"]).expect(0);
    let metrics = place.json("topwork-run/metrics.json");
    assert_eq!(metrics["sets"]["cross_validation"]["n"], 18);
    assert!(metrics["sets"]["validation"].is_null());
    assert_eq!(rows(&place.read("topwork-run/predictions.csv")).len(), 1 + 18);
}

#[test]
fn a_small_validation_set_suggests_folds() {
    let place = Place::new();
    place.photos("photos", &["a", "b"], 9, 0);
    let run = place.run(&["train", "photos"]).expect(0);
    assert!(run.stderr.contains("--folds 5"), "{}", run.stderr);
}

#[test]
fn test_classes_are_matched_by_name() {
    let place = Place::new();
    place.photos("train", &["a", "b", "c"], 8, 0);
    // Without the first class every index would shift.
    place.write("test/b/0.ppm", &photo(1, 900));
    place.write("test/c/0.ppm", &photo(2, 900));
    place.run(&["train", "train", "--test", "test"]).expect(0);
    let test = &place.json("topwork-run/metrics.json")["sets"]["test"];
    assert_eq!(test["confusion_matrix"]["counts"], serde_json::json!([[0, 0, 0], [0, 1, 0], [0, 0, 1]]));

    place.write("test/stranger/0.ppm", &photo(0, 901));
    let run = place.run(&["train", "train", "--test", "test"]).expect(1);
    assert!(run.stderr.contains("stranger"), "{}", run.stderr);
    let run = place.run(&["evaluate", "--model", "topwork-run", "test"]).expect(1);
    assert!(run.stderr.contains("stranger"), "{}", run.stderr);
}

#[test]
fn duplicates_stay_in_the_test_set_and_conflicts_are_errors() {
    let place = Place::new();
    place.photos("photos/train", &["a", "b"], 8, 0);
    place.photos("photos/test", &["a", "b"], 2, 700);
    place.write("photos/train/a/copy.ppm", &photo(0, 700));
    place.write("photos/train/a/twin.ppm", &photo(0, 0));
    place.run(&["train", "photos"]).expect(0);
    let skipped = rows(&place.read("topwork-run/skipped.csv"));
    let named: Vec<(&str, &str)> =
        skipped[1..].iter().map(|row| (row[0].as_str(), row[1].as_str())).collect();
    assert_eq!(named, [("train/a/copy.ppm", "duplicate"), ("train/a/twin.ppm", "duplicate")]);
    assert_eq!(place.json("topwork-run/metrics.json")["sets"]["test"]["n"], 4);

    place.write("photos/train/b/other.ppm", &photo(0, 3));
    let run = place.run(&["train", "photos"]).expect(1);
    assert!(
        run.stderr.contains("train/a/003.ppm") && run.stderr.contains("train/b/other.ppm"),
        "{}",
        run.stderr
    );
    place.run(&["train", "photos", "--conflicts", "skip"]).expect(0);
}

#[test]
fn keras_split_takes_the_first_files_of_each_class() {
    let place = Place::new();
    place.photos("photos", &["a", "b"], 10, 0);
    // Keras counts only its own extensions: PPM is one, DAT is not.
    place.write("photos/a/000.dat", b"not a photo");
    place.run(&["train", "photos", "--split", "keras", "--val", "0.25"]).expect(0);
    let split = rows(&place.read("topwork-run/split.csv"));
    let validation: Vec<&str> =
        split.iter().filter(|row| row[1] == "validation").map(|row| row[0].as_str()).collect();
    assert_eq!(validation, ["a/000.ppm", "a/001.ppm", "b/000.ppm", "b/001.ppm"]);
}

#[test]
fn too_much_skipped_is_status_3_and_the_run_is_there() {
    let place = Place::new();
    place.photos("photos", &["a", "b"], 8, 0);
    for number in 0..4 {
        place.write(&format!("photos/a/bad{number}.jpg"), b"");
    }
    place.run(&["train", "photos"]).expect(3);
    assert!(place.path("topwork-run/report.html").exists());
    place.run(&["train", "photos", "--max-skipped", "20%"]).expect(0);
}

#[test]
fn data_that_cannot_be_used_is_explained() {
    let place = Place::new();
    fs::create_dir(place.path("empty")).unwrap();
    place.photos("one", &["only"], 3, 0);
    place.write("text/a/1.jpg", b"x");
    place.write("text/b/1.jpg", b"y");
    for (data, expected) in [("nowhere", "nowhere"), ("empty", "empty"), ("one", "class"), ("text", "photo")]
    {
        let run = place.run(&["train", data]).expect(1);
        assert!(run.stderr.contains("error:") && run.stderr.contains(expected), "{data}: {}", run.stderr);
        assert!(!place.path("topwork-run").exists(), "{data}: nothing may be left behind");
    }
}

#[test]
fn evaluate_gives_what_training_gave() {
    let place = Place::new();
    place.photos("photos/train", &["a", "b", "c"], 10, 0);
    place.photos("photos/test", &["a", "b", "c"], 4, 300);
    place.run(&["train", "photos"]).expect(0);
    place.run(&["evaluate", "--model", "topwork-run", "photos/test"]).expect(0);
    let trained = place.json("topwork-run/metrics.json")["sets"]["test"].clone();
    let evaluated = place.json("topwork-evaluation/metrics.json")["sets"]["evaluation"].clone();
    assert_eq!(evaluated, trained);
    assert!(place.path("topwork-evaluation/report.html").exists());
}

#[test]
fn dense_heads_train_stop_early_and_predict() {
    let place = Place::new();
    place.photos("photos", &["a", "b"], 20, 0);
    place
        .run(&["train", "photos", "--head", "16,8", "--epochs", "40", "--class-weight", "balanced"])
        .expect(0);
    let history = rows(&place.read("topwork-run/history.csv"));
    assert!((2..=41).contains(&history.len()), "{}", history.len());
    place.run(&["predict", "--model", "topwork-run", "photos/a/000.ppm"]).expect(0);
}

#[test]
fn results_among_the_photos_are_no_class() {
    let place = Place::new();
    place.photos("photos", &["a", "b"], 6, 0);
    for (out, class_like) in [("photos/topwork-run", "topwork-run"), ("photos/mine", "mine")] {
        place.run(&["train", "photos", "--out", out]).expect(0);
        let check = place.run(&["check", "photos"]).expect(0);
        assert!(check.stdout.contains(&format!("results: {class_like}")), "{}", check.stdout);
    }
    place.run(&["train", "photos"]).expect(0);
    let metrics = place.json("topwork-run/metrics.json");
    let labels = &metrics["sets"]["validation"]["confusion_matrix"]["labels"];
    assert_eq!(*labels, serde_json::json!(["a", "b"]));
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_folder_that_cannot_be_written_is_known_at_once() {
    let place = Place::new();
    place.photos("photos", &["a", "b"], 6, 0);
    let run = place.run(&["train", "photos", "--out", "/proc/topwork-run"]).expect(1);
    assert!(run.stderr.contains("/proc/topwork-run") && !run.stderr.contains("photos/"), "{}", run.stderr);
}
