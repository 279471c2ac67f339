//! What every row of [`BACKBONES`] promises, checked without a line for any of them; `docs/adding-a-backbone.md` tells how a row
//! is added. Whether a network is the published one is for the numbers of its reference to say.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::*;
use crate::features::extract::Run;
use crate::features::store::Store;
use crate::features::{Extractor, calibrate};
use crate::network::{LayerKind, definition};
use crate::weights::Checksum;

/// Height and width of the photos on which networks are computed as they are defined: small, odd and even, not square.
const SMALL: (usize, usize) = (33, 40);

/// Height and width of the photos whose stages are looked at.
const OBLONG: (usize, usize) = (97, 250);

/// Outputs of ImageNet's classifier.
const CLASSES: usize = 1000;

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn built(row: &Row, weights: &Weights, (height, width): (usize, usize)) -> (Built, LoadReport) {
    let preprocess = row.preprocess_of(weights).expect("a record of the preprocessing");
    let normalisation = Normalisation { mean: preprocess.mean, scale: preprocess.scale };
    let graph = Graph::new(height, width, normalisation);
    Reader::fill(weights, |reader| (row.build)(reader, graph))
}

#[test]
fn names_are_unique() {
    let names: BTreeSet<&str> = BACKBONES.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), BACKBONES.len());
    assert!(names.contains(DEFAULT_BACKBONE));
}

/// A folder of `reference/` belongs to the rows whose names contain its own.
#[test]
fn every_row_has_a_reference() {
    for Row { name, .. } in BACKBONES {
        let folders = repository().join("reference").read_dir().expect("the repository's");
        let folders = folders.map(|entry| entry.expect("readable").path());
        let its = |path: &PathBuf| {
            path.is_dir() && name.contains(path.file_name().and_then(|name| name.to_str()).expect("UTF-8"))
        };
        let folder = folders.into_iter().find(its);
        let folder =
            folder.unwrap_or_else(|| panic!("{name}: no folder of reference/ is called as a part of it"));
        for file in ["README.md", "make.py", "expected.json"] {
            assert!(folder.join(file).is_file(), "{name}: {} lacks {file}", folder.display());
        }
    }
}

#[test]
fn every_row_says_where_its_weights_are_from() {
    for row in BACKBONES {
        let embedded = matches!(row.origin, Origin::Embedded { .. });
        assert_eq!(row.sources().is_empty(), embedded, "{}: published files", row.name);
        for source in row.sources() {
            let place = format!("{}, {}", row.name, source.name);
            let (digits, whole) = match source.checksum {
                Checksum::Sha256(digits) => (digits, digits.len() == 64),
                Checksum::Sha256Prefix(digits) => (digits, source.file.contains(digits)),
                Checksum::Md5(digits) => (digits, digits.len() == 32),
            };
            assert!(whole && digits.bytes().all(|digit| digit.is_ascii_hexdigit()), "{place}: {digits:?}");
            assert!(!source.licence.is_empty() && !source.file.is_empty(), "{place}: no licence or file");
            assert!(source.top1.is_none_or(|percent| (50.0..100.0).contains(&percent)), "{place}: top-1");
        }
    }
}

#[test]
fn every_row_has_a_preprocessing() {
    for row in BACKBONES {
        let preprocess = row.preprocess().expect("readable");
        preprocess.check().unwrap_or_else(|error| panic!("{}: {error}", row.name));
        let size = (preprocess.height as usize, preprocess.width as usize);
        assert_eq!(size, row.input, "{}: the crop is the input", row.name);
        let json = serde_json::to_string(&preprocess).expect("JSON");
        assert_eq!(serde_json::from_str::<Preprocess>(&json).expect("JSON"), preprocess, "{}", row.name);
    }
}

#[test]
fn every_network_is_what_its_row_says() {
    for row in BACKBONES {
        let embedded =
            matches!(row.origin, Origin::Embedded { .. }).then(|| row.weights().expect("readable"));
        for weights in embedded.into_iter().chain([formula::weights(row)]) {
            every_weight_is_used_once(row, &weights);
            stages_halve_the_photo(row, &weights);
            folding_changes_only_the_rounding(row, &weights);
            a_photo_becomes_features(row, &weights);
        }
    }
}

fn every_weight_is_used_once(row: &Row, weights: &Weights) {
    let (Built { graph, top }, report) = built(row, weights, SMALL);
    report.require_exact().unwrap_or_else(|error| panic!("{}: {error}", row.name));
    let applied: BTreeSet<&String> = report.applied.iter().collect();
    assert_eq!(applied.len(), report.applied.len(), "{}: a tensor is read twice", row.name);
    let top = top.unwrap_or_else(|| panic!("{}: no classifier", row.name));
    assert_eq!((top.weights.len(), top.bias.len()), (CLASSES * row.feature_dim, CLASSES), "{}", row.name);
    let values = weights.names().filter_map(|name| weights.tensor(name)).map(|tensor| tensor.values.len());
    let used = definition::parameters(&graph) + top.weights.len() + top.bias.len();
    assert_eq!(used, values.sum::<usize>(), "{}: numbers in the network and in the file", row.name);
}

/// Five times, each rounded up, before the average.
fn stages_halve_the_photo(row: &Row, weights: &Weights) {
    let layers = built(row, weights, OBLONG).0.graph.layers();
    let (average, others) = layers.split_last().expect("layers");
    assert_eq!(
        (average.kind, average.output.channels),
        (LayerKind::GlobalAverage, row.feature_dim),
        "{}",
        row.name
    );
    let mut sizes: Vec<(usize, usize)> =
        others.iter().map(|layer| (layer.output.height, layer.output.width)).collect();
    sizes.dedup();
    let halves = [2, 4, 8, 16, 32].map(|step| (OBLONG.0.div_ceil(step), OBLONG.1.div_ceil(step)));
    assert_eq!(sizes, halves, "{}: height and width of the stages", row.name);
}

/// Of every layer, as a share of its largest value; and running the layers together changes no bit.
fn folding_changes_only_the_rounding(row: &Row, weights: &Weights) {
    const SHARE: f64 = 1e-4;
    let graph = built(row, weights, SMALL).0.graph;
    let pixels = probe(SMALL.0 * SMALL.1 * 3);
    let defined = definition::tensors(&graph, &pixels);
    let backbone = row.fit(weights, SMALL, Arithmetic::F32, Isa::best()).expect("the weights fit");
    let mut features = vec![f32::NAN; row.feature_dim];
    let mut expected = defined.iter().skip(1);
    let mut worst = 0.0f64;
    backbone.network.trace(&pixels, &mut backbone.network.arena(), &mut features, |layer, values| {
        let (found, expected) = (values.to_f32(), expected.next().expect("an operation a layer"));
        assert_eq!(found.len(), expected.len(), "{}, {}", row.name, layer.name);
        let largest = expected.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        let differences =
            found.iter().zip(expected).map(|(found, expected)| (f64::from(*found) - expected).abs());
        let difference = differences
            .fold(0.0, |largest: f64, one| if one > largest || one.is_nan() { one } else { largest });
        worst = worst.max(difference / largest);
        assert!(difference <= SHARE * largest, "{}, {}: {difference} of {largest}", row.name, layer.name);
    });
    eprintln!("{} folding {worst:.1e}", row.name);
    assert_eq!(reference::features(&backbone, &pixels), features, "{}", row.name);
}

/// Bytes → features in f32, and on bytes after the calibration that weights from a file go through, by the path that all photos
/// take.
fn a_photo_becomes_features(row: &Row, weights: &Weights) {
    const COSINE: f64 = 0.9;
    let isa = Isa::best();
    let photos = photos();
    let run = Run { threads: 1, progress: &|_| (), stop: &AtomicBool::new(false) };
    let ranges = calibrate(row, weights, &photos, isa, &run).expect("photos that can be read");
    let [float, bytes] = [Arithmetic::F32, Arithmetic::Int8(&ranges)].map(|arithmetic| {
        let backbone = row.fit(weights, row.input, arithmetic, isa).expect("weights and ranges fit");
        let extraction = Extractor::new(backbone).extract(&photos, &Store::none(), &run).expect("runs");
        let features = (0..photos.len()).map(|at| extraction.features_of(at).expect("a good photo").to_vec());
        features.collect::<Vec<_>>()
    });
    for (place, (float, bytes)) in float.iter().zip(&bytes).enumerate() {
        let photo = photos[place].display();
        assert_eq!(float.len(), row.feature_dim, "{}", row.name);
        assert!(float.iter().chain(bytes).all(|value| value.is_finite()), "{}: {photo}", row.name);
        let cosine = cosine(float, bytes);
        eprintln!("{} cosine {cosine}", row.name);
        assert!(cosine >= COSINE, "{}: the cosine of int8 and f32 is {cosine} for {photo}", row.name);
    }
    assert_ne!(float[0], float[1], "{}: two photos have the same features", row.name);
    assert!(float[0].iter().any(|value| *value != float[0][0]), "{}: all features are the same", row.name);
    eprintln!("{} between {}", row.name, cosine(&float[0], &float[1]));
}

/// A real photo where there is one, and small ones.
fn photos() -> Vec<PathBuf> {
    let small = ["large-progressive-restarts.jpg", "ycck.jpg", "rgba.png"];
    let small = small.map(|name| repository().join("reference/decode/photos").join(name));
    let elephant = repository().join("../shared/data/African_Elephant.jpg");
    elephant.is_file().then_some(elephant).into_iter().chain(small).collect()
}

fn cosine(one: &[f32], other: &[f32]) -> f64 {
    let product = |one: &[f32], other: &[f32]| {
        one.iter().zip(other).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum::<f64>()
    };
    product(one, other) / (product(one, one) * product(other, other)).sqrt()
}
