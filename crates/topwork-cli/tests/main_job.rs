//! The main job on real photos, where they are: the accuracy that the project promises, and a warm store.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

mod common;

use std::fs;

use common::{Place, shared_data};

#[test]
fn cats_and_dogs_reach_985() {
    let Some(data) = shared_data("cats-and-dogs") else { return };
    let place = Place::new();
    let run = place.run(&["train", data.to_str().unwrap()]).expect(0);
    println!("{}", run.stdout);
    let metrics = place.json("topwork-run/metrics.json");
    let test = &metrics["sets"]["test"];
    assert!(test["n"].as_u64().unwrap() >= 990, "{}", test["n"]);
    assert!(test["accuracy"].as_f64().unwrap() >= 0.985, "{}", test["accuracy"]);

    place.run(&["train", data.to_str().unwrap()]).expect(0);
    let again = place.json("topwork-run-2/run.json");
    assert_eq!(again["features"]["extracted"], 0, "the second run must find every photo in the store");
    for file in ["model.safetensors", "metrics.json", "predictions.csv", "split.csv", "history.csv"] {
        let of = |run: &str| fs::read(place.path(&format!("{run}/{file}"))).unwrap();
        assert!(of("topwork-run") == of("topwork-run-2"), "{file} differs between a cold and a warm run");
    }

    let photo = data.join("test_set/dogs/dog.4001.jpg");
    let run = place
        .run(&["predict", "--model", "topwork-run", photo.to_str().unwrap(), "--format", "csv"])
        .expect(0);
    assert!(run.stdout.contains("dogs"), "{}", run.stdout);
}

#[test]
fn cat_breeds_reach_66_in_five_folds() {
    let Some(data) = shared_data("cat-breeds/labels.csv") else { return };
    let place = Place::new();
    let run = place.run(&["train", data.to_str().unwrap(), "--folds", "5"]).expect(0);
    println!("{}", run.stdout);
    let metrics = place.json("topwork-run/metrics.json");
    let folds = &metrics["sets"]["cross_validation"];
    assert!(folds["n"].as_u64().unwrap() >= 950, "{}", folds["n"]);
    assert!(folds["accuracy"].as_f64().unwrap() >= 0.66, "{}", folds["accuracy"]);
}
