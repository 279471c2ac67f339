//! What every row of [`BACKBONES`] promises, checked without a line for any of them; `docs/adding-a-backbone.md` tells how a row
//! is added. Whether a network is the published one is for the numbers of its reference to say.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::*;
use crate::execution::Execution;
use crate::features::store::Store;
use crate::features::{Extractor, calibrate};
use crate::network::{Encoding, LayerKind, definition};
use crate::photo::PhotoSource;
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

#[test]
fn every_row_keeps_its_record() {
    let names: BTreeSet<&str> = BACKBONES.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), BACKBONES.len(), "a name stands twice");
    assert!(names.contains(DEFAULT_BACKBONE));
    for row in BACKBONES {
        a_reference_belongs_to(row);
        published_files_are_recorded(row);
        preprocessing_is_sound(row);
    }
}

#[test]
fn every_network_is_what_its_row_says() {
    for row in BACKBONES {
        let embedded = row.sources().is_empty().then(|| row.weights().expect("readable"));
        for weights in embedded.into_iter().chain([formula::weights(row)]) {
            every_weight_is_used_once(row, &weights);
            match row.architecture.family {
                Family::Convolutional => stages_halve_the_photo(row, &weights),
            }
            folding_changes_only_the_rounding(row, &weights);
            photos_become_features(row, &weights);
        }
    }
}

/// A folder of `reference/` belongs to the rows whose names contain its own.
fn a_reference_belongs_to(BackboneSpec { name, .. }: &BackboneSpec) {
    let folders = repository().join("reference").read_dir().expect("the repository's");
    let mut folders = folders.map(|entry| entry.expect("readable").path()).filter(|path| path.is_dir());
    let folder = folders.find(|path| name.contains(&*path.file_name().expect("a name").to_string_lossy()));
    let folder = folder.unwrap_or_else(|| panic!("{name}: no folder of reference/ has a part of this name"));
    for file in ["README.md", "make.py", "expected.json"] {
        assert!(folder.join(file).is_file(), "{name}: {} lacks {file}", folder.display());
    }
}

fn published_files_are_recorded(row: &BackboneSpec) {
    let embedded = matches!(row.origin, Origin::Embedded { .. });
    assert_eq!(row.sources().is_empty(), embedded, "{}: no published file", row.name);
    for source in row.sources() {
        let place = format!("{}, {}", row.name, source.name);
        let (digits, whole) = match source.checksum {
            Checksum::Sha256(digits) => (digits, digits.len() == 64),
            Checksum::Sha256Prefix(digits) => (digits, source.file.contains(digits)),
            Checksum::Md5(digits) => (digits, digits.len() == 32),
        };
        assert!(whole && digits.bytes().all(|digit| digit.is_ascii_hexdigit()), "{place}: checksum {digits}");
        assert!(!source.licence.is_empty() && !source.file.is_empty(), "{place}: no licence or file");
        assert!(source.top1.is_none_or(|percent| (50.0..100.0).contains(&percent)), "{place}: top-1");
    }
}

fn preprocessing_is_sound(row: &BackboneSpec) {
    let preprocess = row.preprocess().expect("readable");
    preprocess.check().unwrap_or_else(|error| panic!("{}: {error}", row.name));
    let size = (preprocess.height as usize, preprocess.width as usize);
    assert_eq!(size, row.architecture.input, "{}: the crop is not the input", row.name);
    let json = serde_json::to_string(&preprocess).expect("JSON");
    assert_eq!(serde_json::from_str::<Preprocess>(&json).expect("JSON"), preprocess, "{}", row.name);
}

fn built(row: &BackboneSpec, weights: &Weights, (height, width): (usize, usize)) -> (Built, LoadReport) {
    let preprocess = row.preprocess_of(weights).expect("a record of the preprocessing");
    let normalisation = Normalisation { mean: preprocess.mean, scale: preprocess.scale };
    let graph = Graph::new(height, width, normalisation);
    Reader::fill(weights, |reader| row.built(reader, graph))
}

fn every_weight_is_used_once(row: &BackboneSpec, weights: &Weights) {
    let (Built { graph, top }, report) = built(row, weights, SMALL);
    report.require_exact().unwrap_or_else(|error| panic!("{}: {error}", row.name));
    let applied: BTreeSet<&String> = report.applied.iter().collect();
    assert_eq!(applied.len(), report.applied.len(), "{}: a tensor is read twice", row.name);
    let top = top.unwrap_or_else(|| panic!("{}: no classifier", row.name));
    let found = (top.weights.len(), top.bias.len());
    assert_eq!(
        found,
        (CLASSES * row.architecture.feature_dim, CLASSES),
        "{}: size of the classifier",
        row.name
    );
    let used = definition::parameters(&graph) + top.weights.len() + top.bias.len();
    let tensors = weights.names().filter_map(|name| weights.tensor(name));
    let given = tensors.map(|tensor| tensor.values.len()).sum::<usize>();
    assert_eq!(used, given, "{}: the file has other numbers than the network", row.name);
}

/// What a convolutional family promises: five times, each rounded up, before the average.
fn stages_halve_the_photo(row: &BackboneSpec, weights: &Weights) {
    let layers = built(row, weights, OBLONG).0.graph.layers();
    let (average, others) = layers.split_last().expect("layers");
    let end = (average.kind, average.output.channels);
    assert_eq!(end, (LayerKind::GlobalAverage, row.architecture.feature_dim), "{}: the last layer", row.name);
    let mut sizes: Vec<(usize, usize)> =
        others.iter().map(|layer| (layer.output.height, layer.output.width)).collect();
    sizes.dedup();
    let halves = [2, 4, 8, 16, 32].map(|step| (OBLONG.0.div_ceil(step), OBLONG.1.div_ceil(step)));
    assert_eq!(sizes, halves, "{}: height and width of the stages", row.name);
}

/// In every layer, as a share of its largest value; and layers that run together change no bit.
fn folding_changes_only_the_rounding(row: &BackboneSpec, weights: &Weights) {
    const SHARE: f64 = 1e-4;
    let pixels = probe(SMALL.0 * SMALL.1 * 3);
    let defined = definition::tensors(&built(row, weights, SMALL).0.graph, &pixels);
    let backbone = row.instantiate(weights, SMALL, Arithmetic::F32, Isa::best()).expect("the weights fit");
    let mut features = vec![f32::NAN; row.architecture.feature_dim];
    let mut defined = defined.iter().skip(1);
    backbone.network.trace(&pixels, &mut backbone.network.arena(), &mut features, |layer, values| {
        let (found, expected) = (values.to_f32(), defined.next().expect("an operation a layer"));
        assert_eq!(found.len(), expected.len(), "{}, {}", row.name, layer.name);
        let largest = expected.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        for (found, expected) in found.iter().zip(expected) {
            let close = (f64::from(*found) - expected).abs() <= SHARE * largest;
            assert!(close, "{}, {}: {found} instead of {expected}", row.name, layer.name);
        }
    });
    assert_eq!(reference::features(&backbone, &pixels), features, "{}", row.name);
}

/// Bytes → features in f32, and on bytes after the calibration that weights from a file go through, by the path that all photos
/// take.
fn photos_become_features(row: &BackboneSpec, weights: &Weights) {
    // So few photos, most of them small, calibrate badly: the bound finds a wrong layer, not a lost digit.
    const COSINE: f64 = 0.5;
    // Lite0's own weights reach .995 on the first.
    const COSINE_OF_FIRST: f64 = 0.9;
    let isa = Isa::best();
    let photos = photos();
    let sources = PhotoSource::files(&photos);
    let ranges = calibrate(row, weights, &sources, Execution::default()).expect("photos that can be read");
    let [float, bytes] = [Arithmetic::F32, Arithmetic::Int8(&ranges)].map(|arithmetic| {
        let backbone = row
            .instantiate(weights, row.architecture.input, arithmetic, isa)
            .expect("weights and ranges fit");
        let extraction = Extractor::new(backbone);
        let extraction =
            extraction.extract(&sources, &Store::none(), Execution::default(), &|_| {}).expect("runs");
        let features = (0..photos.len()).map(|at| extraction.features_of(at).expect("a good photo"));
        features.collect::<Vec<_>>()
    });
    let network = row
        .instantiate(weights, row.architecture.input, Arithmetic::Int8(&ranges), isa)
        .expect("fits")
        .network;
    sums_fit(row, &network);
    for (photo, (float, bytes)) in photos.iter().zip(float.iter().zip(&bytes)) {
        let place = format!("{}, {}", row.name, photo.display());
        assert_eq!(float.len(), row.architecture.feature_dim, "{place}");
        assert!(float.iter().chain(bytes).all(|value| value.is_finite()), "{place}: not finite");
        assert!(float.iter().any(|value| *value != float[0]), "{place}: all features are the same");
        let cosine = cosine(float, bytes);
        let bound = if *photo == photos[0] { COSINE_OF_FIRST } else { COSINE };
        assert!(cosine >= bound, "{place}: the cosine of int8 and f32 is {cosine}");
    }
    assert_ne!(float[0], float[1], "{}: two photos have the same features", row.name);
}

/// The maps that are averaged are layers of the network, and sums of maps in which every byte is 255 come back.
fn sums_fit(row: &BackboneSpec, network: &Network) {
    let layout = network.layout();
    let tap =
        layout.tap().unwrap_or_else(|| panic!("{}: no layer is called {}", row.name, row.architecture.tap));
    for (part, layer) in layout.parts().iter().zip([None, Some(&tap.layer)]) {
        let pixels = match layer {
            Some(name) => network.layers().iter().find(|layer| layer.name == *name).map(|layer| layer.output),
            None => network.layers().last().map(|layer| layer.input),
        };
        let pixels = pixels.map(|map| map.height * map.width).expect("a layer");
        let Encoding::Sum { size, zero, factor } = part.encoding else { panic!("{}: not sums", row.name) };
        assert!((255 * pixels) >> (8 * size) == 0, "{}: {pixels} pixels in {size} bytes", row.name);
        let largest = 255 * pixels as u32;
        let (mut bytes, mut averages) = (vec![0; part.bytes()], vec![0.0; part.channels]);
        part.write_sums(&vec![largest; part.channels], &mut bytes);
        part.read(&bytes, &mut averages);
        let expected = (largest as i32 - zero) as f32 * factor;
        assert!(averages.iter().all(|average| *average == expected), "{}: {}", row.name, part.layer);
    }
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

/// Rows that break the contract in one place each, made of Lite2's.
mod broken {
    use super::*;
    use crate::network::{Activation, BatchNorm, Convolution, Groups, Padding};

    fn lite2() -> BackboneSpec {
        spec("efficientnet_lite2").expect("a row").clone()
    }

    /// Lite2 on an architecture that differs.
    fn with(change: impl FnOnce(&mut Architecture)) -> BackboneSpec {
        let mut architecture = efficientnet_lite::LITE2.clone();
        change(&mut architecture);
        BackboneSpec { architecture: Box::leak(Box::new(architecture)), ..lite2() }
    }

    #[test]
    #[should_panic(expected = "no folder of reference/ has a part of this name")]
    fn without_a_reference() {
        a_reference_belongs_to(&BackboneSpec { name: "efficientnet_lite9", ..lite2() });
    }

    #[test]
    #[should_panic(expected = "no published file")]
    fn without_a_published_file() {
        let origin = Origin::File { preprocess: efficientnet_lite::LITE2_PREPROCESS, sources: &[] };
        published_files_are_recorded(&BackboneSpec { origin, ..lite2() });
    }

    #[test]
    #[should_panic(expected = "the crop is not the input")]
    fn with_another_crop() {
        preprocessing_is_sound(&with(|architecture| architecture.input = (224, 224)));
    }

    #[test]
    #[should_panic(expected = "size of the classifier")]
    fn with_another_width() {
        let row = with(|architecture| architecture.feature_dim = 1281);
        every_weight_is_used_once(&row, &formula::weights(&row));
    }

    #[test]
    #[should_panic(expected = "1 missing")]
    fn with_a_tensor_that_the_file_lacks() {
        let row = with(|architecture| architecture.build = reads_one_more);
        every_weight_is_used_once(&row, &formula::weights(&lite2()));
    }

    #[test]
    #[should_panic(expected = "1 unused")]
    fn without_a_tensor_of_the_file() {
        let row = with(|architecture| architecture.build = reads_one_more);
        every_weight_is_used_once(&lite2(), &formula::weights(&row));
    }

    #[test]
    #[should_panic(expected = "the file has other numbers than the network")]
    fn with_a_tensor_that_takes_no_part() {
        let row = with(|architecture| architecture.build = reads_one_more);
        every_weight_is_used_once(&row, &formula::weights(&row));
    }

    fn reads_one_more(reader: &Reader, conventions: Conventions, graph: Graph) -> Built {
        reader.tensor("another", &[3]);
        (efficientnet_lite::LITE2.build)(reader, conventions, graph)
    }

    #[test]
    #[should_panic(expected = "a tensor is read twice")]
    fn with_a_tensor_in_two_places() {
        let build = |reader: &Reader, conventions: Conventions, graph: Graph| {
            reader.tensor("_fc.bias", &[CLASSES]);
            (efficientnet_lite::LITE2.build)(reader, conventions, graph)
        };
        every_weight_is_used_once(
            &with(|architecture| architecture.build = build),
            &formula::weights(&lite2()),
        );
    }

    #[test]
    #[should_panic(expected = "height and width of the stages")]
    fn with_a_stride_too_few() {
        let row = with(|architecture| (architecture.build, architecture.feature_dim) = (one_layer, 8));
        stages_halve_the_photo(&row, &formula::weights(&row));
    }

    fn one_layer(reader: &Reader, _: Conventions, mut graph: Graph) -> Built {
        let layer = Convolution {
            groups: Groups::One,
            stride: 2,
            padding: Padding::Same,
            weights: reader.tensor("weight", &[8, 3, 3, 3]),
            bias: None,
            batch_norm: BatchNorm::read(&reader.child("norm"), 8, 1e-3),
            residual: None,
            activation: Activation::Relu6,
        };
        let node = graph.convolution("layer", graph.input(), layer);
        graph.global_average("average", node);
        Built { graph, top: None }
    }
}
