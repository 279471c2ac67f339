//! `--precision`, and that int8 answers the same on every instruction set, from the file to the probability.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

mod common;

use std::fs;
use std::path::PathBuf;

use common::{Place, shared_data};
use topwork::Isa;
use topwork::backbone::{BACKBONES, Origin};

/// Files that a run leaves whose bytes may depend on photos and settings alone.
const RESULTS: [&str; 6] =
    ["model.safetensors", "metrics.json", "predictions.csv", "split.csv", "history.csv", "skipped.csv"];

#[test]
fn every_instruction_set_leaves_the_same_files() {
    let place = Place::new();
    place.photos("photos", &["blue", "red"], 8, 0);
    let mut first: Option<Vec<Vec<u8>>> = None;
    for isa in Isa::available() {
        let out = format!("run-{}", isa.name());
        let mut command = place.command(&["train", "photos", "--no-store", "--out", &out]);
        let run = command.env("TOPWORK_ISA", isa.name()).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let files: Vec<Vec<u8>> =
            RESULTS.iter().map(|name| fs::read(place.path(&out).join(name)).unwrap()).collect();
        let json = place.json(&format!("{out}/run.json"));
        assert_eq!((&json["precision"], &json["instruction_set"]), (&"int8".into(), &isa.name().into()));
        match &first {
            None => first = Some(files),
            Some(first) => {
                for ((name, one), other) in RESULTS.iter().zip(first).zip(&files) {
                    assert!(one == other, "{name} of {} differs from that of scalar", isa.name());
                }
            }
        }
    }
}

#[test]
fn real_photos_have_the_same_probabilities_on_every_instruction_set() {
    let Some(data) = shared_data("cats-and-dogs/test_set/cats") else { return };
    let mut photos: Vec<PathBuf> = data.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    photos.sort();
    let place = Place::new();
    let mut first = None;
    for isa in Isa::available() {
        let mut command = place.command(&["predict", "--format", "csv", "--no-store", "--top", "1000"]);
        let run = command.args(&photos[..5]).env("TOPWORK_ISA", isa.name()).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        assert_eq!(run.stdout.iter().filter(|byte| **byte == b'\n').count(), 1 + 5 * 1000);
        let scalar = first.get_or_insert_with(|| run.stdout.clone());
        assert!(*scalar == run.stdout, "{} answers differently from scalar", isa.name());
    }
}

#[test]
fn the_precision_is_part_of_the_model_and_of_the_store_s_keys() {
    let place = Place::new();
    place.photos("photos", &["blue", "red"], 8, 0);
    for (precision, extracted) in [("int8", 16), ("f32", 16), ("int8", 0), ("f32", 0)] {
        let out = format!("run-{precision}-{extracted}");
        let run = place.run(&["train", "photos", "--precision", precision, "--out", &out]).expect(0);
        let json = place.json(&format!("{out}/run.json"));
        assert_eq!(json["features"]["extracted"], extracted, "{precision}: {}", run.stderr);
        assert_eq!(json["digests"]["ranges"].is_string(), precision == "int8", "{precision}");
        // The model brings its arithmetic along.
        let run =
            place.run(&["evaluate", "--model", &out, "photos", "--out", &format!("{out}-again")]).expect(0);
        assert!(run.stdout.contains("evaluation accuracy 100"), "{}", run.stdout);
        assert_eq!(place.json(&format!("{out}-again/run.json"))["precision"], precision);
    }
    let refused = place.run(&["train", "photos", "--precision", "int4"]).expect(2);
    assert!(refused.stderr.contains("int8") && refused.stderr.contains("f32"), "{}", refused.stderr);
}

/// The gate for weights from files: test accuracy on bytes within .003 of that in f32, both with 1,000 test photos.
#[test]
fn cached_weights_lose_little_on_bytes() {
    let Some(data) = shared_data("cats-and-dogs") else { return };
    for row in BACKBONES.iter().filter(|row| matches!(row.origin, Origin::File { .. })) {
        let place = Place::new();
        if !common::with_cached_weights(&place, row.name) {
            continue;
        }
        let [int8, f32] = ["int8", "f32"].map(|precision| {
            let data = data.to_str().unwrap();
            let arguments =
                ["train", data, "--backbone", row.name, "--precision", precision, "--out", precision];
            place.run(&arguments).expect(0);
            let metrics = place.json(&format!("{precision}/metrics.json"));
            metrics["sets"]["test"]["accuracy"].as_f64().unwrap()
        });
        println!("{}: int8 {int8}, f32 {f32}", row.name);
        assert!(int8 >= f32 - 0.003, "{}: int8 {int8}, f32 {f32}", row.name);
    }
}
