//! The saved classifier: what is written comes back, the same bytes every time, and nothing else is believed.
#![allow(clippy::unwrap_used)]

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use topwork::backbone::backbone;
use topwork::classifier::MODEL_FORMAT;
use topwork::features::Tap;
use topwork::head::Head;
use topwork::head::Linear;
use topwork::{Classifier, DEFAULT_BACKBONE, Error, ErrorKind, Extractor, Isa, PhotoSource, Precision};

/// Set, it writes the fixture of the current format anew.
const RECORD: &str = "TOPWORK_RECORD_MODEL";

/// The photos whose probabilities are recorded beside a fixture.
const PHOTOS: [&str; 3] = ["baseline-420.jpg", "rgba.png", "plain.ppm"];

fn photo(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../reference/decode/photos");
    std::fs::read(folder.join(name)).unwrap()
}

/// Two classes on numbers that need no training.
fn classifier() -> Classifier {
    classifier_in(Precision::Int8)
}

fn classifier_in(precision: Precision) -> Classifier {
    let extractor = Extractor::with_tap(backbone(DEFAULT_BACKBONE, precision, Isa::best()).unwrap());
    let weight = (0..extractor.feature_dim()).map(|index| (index * 37 % 101) as f32 / 500.0 - 0.1).collect();
    let head = Head::Linear(Linear::new(2, weight, vec![0.25]).unwrap());
    let settings = json!({"strength": 0.01, "head": "linear"});
    let layer = extractor.layout().tap().unwrap().layer.clone();
    let tap = Some(Tap { layer, factor: 0.5 });
    Classifier::new(extractor, head, tap, vec!["cat".to_owned(), "dog".to_owned()], settings).unwrap()
}

/// A model file taken apart.
#[derive(Clone)]
struct Parts {
    record: Value,
    tensors: Vec<(String, Vec<usize>, Vec<f32>)>,
}

impl Parts {
    fn of(bytes: &[u8]) -> Parts {
        let file = SafeTensors::deserialize(bytes).unwrap();
        let tensors = file.iter().map(|(name, view)| {
            let values = view.data().as_chunks::<4>().0.iter().map(|value| f32::from_le_bytes(*value));
            (name.to_owned(), view.shape().to_vec(), values.collect())
        });
        Parts { record: serde_json::from_str(&record_text(bytes)).unwrap(), tensors: tensors.collect() }
    }

    fn assembled(&self) -> Vec<u8> {
        let bytes: Vec<Vec<u8>> = self
            .tensors
            .iter()
            .map(|(_, _, values)| values.iter().flat_map(|value| value.to_le_bytes()).collect())
            .collect();
        let views = self.tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
            (name.clone(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
        });
        let metadata = HashMap::from([("topwork".to_owned(), self.record.to_string())]);
        safetensors::serialize(views, Some(metadata)).unwrap()
    }

    fn tensor(&mut self, name: &str) -> &mut (String, Vec<usize>, Vec<f32>) {
        self.tensors.iter_mut().find(|tensor| tensor.0 == name).unwrap()
    }
}

fn record_text(bytes: &[u8]) -> String {
    let (_, header) = SafeTensors::read_metadata(bytes).unwrap();
    header.metadata().as_ref().unwrap()["topwork"].clone()
}

fn refused(bytes: &[u8]) -> Error {
    match Classifier::from_bytes(bytes, Isa::best()) {
        Ok(_) => panic!("a wrong model is believed"),
        Err(error) => error,
    }
}

fn probabilities(classifier: &Classifier, name: &str) -> Vec<f64> {
    let answer = classifier.answer(name, &PhotoSource::Bytes(photo(name).into()));
    assert_eq!(answer.error, None, "{name}");
    answer.probabilities
}

#[test]
fn what_is_saved_comes_back() {
    let before = classifier();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.safetensors");
    before.save(&file).unwrap();
    // By the file, and by the run folder that holds it.
    for path in [file.as_path(), folder.path()] {
        let after = Classifier::open(path, Isa::best()).unwrap();
        assert_eq!(after.record(), before.record());
        assert_eq!(after.head(), before.head());
        for name in PHOTOS {
            assert_eq!(probabilities(&after, name), probabilities(&before, name));
        }
        assert_eq!(after.to_bytes().unwrap(), std::fs::read(&file).unwrap());
    }
    // Every instruction set gives the recorded features.
    for isa in Isa::available() {
        Classifier::open(&file, isa).unwrap();
    }
    let missing = folder.path().join("none.safetensors");
    let error = Classifier::open(&missing, Isa::best()).err().unwrap();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Io, Some(missing.as_path())));
    std::fs::write(&missing, "no model").unwrap();
    let error = Classifier::open(&missing, Isa::best()).err().unwrap();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Model, Some(missing.as_path())));
}

#[test]
fn the_same_classifier_has_the_same_bytes_with_sorted_keys() {
    let bytes = classifier().to_bytes().unwrap();
    assert_eq!(bytes, classifier().to_bytes().unwrap());
    let record = record_text(&bytes);
    let keys = [
        "backbone",
        "digest",
        "name",
        "classes",
        "format",
        "precision",
        "preprocess",
        "ranges",
        "readable_since",
        "settings",
        "head",
        "strength",
    ];
    // The preprocessing between them has keys and names of its own.
    let mut from = 0;
    for key in keys {
        let found = record[from..].find(&format!("\"{key}\":"));
        from += found.unwrap_or_else(|| panic!("{key} does not stand in its place: {record}"));
    }
}

#[test]
fn a_file_that_was_cut_off_is_refused() {
    let bytes = classifier().to_bytes().unwrap();
    for end in 0..bytes.len() {
        assert_eq!(refused(&bytes[..end]).kind(), ErrorKind::Model, "cut off after {end} bytes");
    }
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    type Change = fn(&mut Parts);
    let cases: [(&str, Change, &str, &str); 21] = [
        (
            "not a number",
            |parts| parts.tensor("linear.weight").2[7] = f32::NAN,
            "linear.weight holds a value that is not finite",
            "",
        ),
        (
            "an infinite probe",
            |parts| parts.tensor("self_test.features").2[0] = f32::INFINITY,
            "self_test.features holds a value that is not finite",
            "",
        ),
        ("another shape", |parts| parts.tensor("linear.weight").1 = vec![2, 976], "has shape [2, 976]", ""),
        (
            "half the features",
            |parts| {
                let weight = parts.tensor("linear.weight");
                (weight.1, weight.2) = (vec![1, 640], weight.2[..640].to_vec());
            },
            "a head for 640 features",
            "",
        ),
        ("a class more", |parts| parts.record["classes"] = json!(["a", "b", "c"]), "linear.weight", ""),
        ("no class", |parts| parts.record["classes"] = json!([]), "linear.weight", ""),
        ("a class twice", |parts| parts.record["classes"] = json!(["a", "a"]), "stands twice", ""),
        (
            "another tensor",
            |parts| parts.tensors.push(("extra".to_owned(), vec![1], vec![1.0])),
            "unknown tensor extra",
            "",
        ),
        ("no head", |parts| parts.tensors.retain(|tensor| tensor.0 != "linear.bias"), "linear.bias", ""),
        (
            "no self-test",
            |parts| parts.tensors.retain(|tensor| tensor.0 != "self_test.features"),
            "self_test.features is missing",
            "",
        ),
        (
            "a newer format",
            |parts| {
                // Of a newer record only the number and the version are understood.
                let newer = MODEL_FORMAT + 1;
                parts.record =
                    json!({"format": newer, "readable_since": "7.8.9", "classes": {"new": "shape"}});
            },
            "the model has format",
            "7.8.9",
        ),
        (
            "a record without classes",
            |parts| drop(parts.record.as_object_mut().unwrap().remove("classes")),
            "no topwork model",
            "",
        ),
        (
            "other weights",
            |parts| parts.record["backbone"]["digest"] = json!("00".repeat(32)),
            "other weights",
            "train again",
        ),
        (
            "another preprocessing",
            |parts| parts.record["preprocess"]["mean"] = json!([0.0, 0.0, 0.0]),
            "another preprocessing",
            "train again",
        ),
        (
            "an unknown precision",
            |parts| parts.record["precision"] = json!("int4"),
            "int4 arithmetic",
            "newer topwork",
        ),
        (
            "other ranges",
            |parts| parts.record["ranges"] = json!("00".repeat(32)),
            "other ranges",
            "train again",
        ),
        (
            "a layer that the network does not offer",
            |parts| parts.record["tap"]["layer"] = json!("_blocks.9._depthwise_conv"),
            "a head on the layer \"_blocks.9._depthwise_conv\"",
            "",
        ),
        (
            "a layer that counts nothing",
            |parts| parts.record["tap"]["factor"] = json!(0.0),
            "counts 0 times",
            "",
        ),
        (
            "no layer for the head's inputs",
            |parts| drop(parts.record.as_object_mut().unwrap().remove("tap")),
            "a head for 1952 features on a network that gives 1280",
            "",
        ),
        (
            "an unknown backbone",
            |parts| parts.record["backbone"]["name"] = json!("resnet_9000"),
            "resnet_9000",
            "",
        ),
        (
            "another result of the probe",
            |parts| {
                let probe = &mut parts.tensor("self_test.features").2;
                probe[700] = probe[700].next_up();
            },
            "the self-test failed",
            "TOPWORK_ISA=scalar",
        ),
    ];
    let whole = Parts::of(&classifier().to_bytes().unwrap());
    assert!(Classifier::from_bytes(&whole.assembled(), Isa::best()).is_ok());
    let mut failures = Vec::new();
    for (name, change, message, hint) in cases {
        let mut parts = whole.clone();
        change(&mut parts);
        let error = refused(&parts.assembled());
        let said = format!("{error}");
        if error.kind() != ErrorKind::Model
            || !said.contains(message)
            || !error.remedy().map(ToString::to_string).unwrap_or_default().contains(hint)
        {
            failures.push(format!("{name}: {error:?} (hint: {:?})", error.remedy()));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// A model of every format that was ever released lies in `tests/fixtures`, and beside it what it answered.
#[test]
fn models_of_all_releases_still_answer() {
    for precision in Precision::ALL {
        let current =
            fixtures().join(format!("model-format-{MODEL_FORMAT}-{}.safetensors", precision.as_str()));
        if std::env::var_os(RECORD).is_some() {
            let classifier = classifier_in(precision);
            classifier.save(&current).unwrap();
            let answer = |name: &&str| format!("{name} {:.6}\n", probabilities(&classifier, name)[1]);
            let answers: Vec<String> = PHOTOS.iter().map(answer).collect();
            std::fs::write(current.with_extension("txt"), answers.concat()).unwrap();
        }
        let missing = "no model of this format is kept";
        assert!(current.is_file(), "{missing}: {RECORD}=1 cargo test -p topwork --test classifier");
    }
    let files = fixtures().read_dir().unwrap().map(|entry| entry.unwrap().path());
    for file in files.filter(|path| path.extension().is_some_and(|extension| extension == "safetensors")) {
        let name = file.display();
        let classifier = Classifier::open(&file, Isa::best()).unwrap();
        assert_eq!(classifier.record().classes, ["cat", "dog"], "{name}");
        let tolerance = match classifier.record().precision {
            // The last digit that is recorded.
            Precision::Int8 => 0.51e-6,
            Precision::F32 => 1e-3,
        };
        let answers = std::fs::read_to_string(file.with_extension("txt")).unwrap();
        for line in answers.lines() {
            let (photo_name, recorded) = line.split_once(' ').unwrap();
            let recorded: f64 = recorded.parse().unwrap();
            let found = probabilities(&classifier, photo_name);
            assert!(
                (found[1] - recorded).abs() <= tolerance,
                "{name}, {photo_name}: {found:?}, not {recorded}"
            );
            assert!((found[0] + found[1] - 1.0).abs() < 1e-12, "{found:?}");
        }
        assert_eq!(answers.lines().count(), PHOTOS.len());
    }
}
