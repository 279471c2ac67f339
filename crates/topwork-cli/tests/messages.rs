//! What the program says when something is odd: small data, data that cannot be used, a reader that has left.

mod common;

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
