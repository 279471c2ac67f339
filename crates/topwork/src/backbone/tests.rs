use serde::Deserialize;

use super::reference::{Differences, Picture, Stage};
use super::*;
use crate::weights::{Cache, Weights};

fn load(input: (usize, usize), isa: Isa) -> Backbone {
    BACKBONES[0].load(input, Precision::F32, isa).expect("the embedded weights are good")
}

/// What `make.py` of `reference/lite0` and of `reference/lite2` writes; their READMEs describe pictures and numbers.
#[derive(Deserialize)]
struct Expected {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(flatten)]
    picture: Picture,
    weights: String,
    stages: Vec<Stage>,
    top: Top,
}

#[derive(Deserialize)]
struct Top {
    indices: Vec<usize>,
    logits: Vec<f64>,
}

/// The cases with these weights.
fn cases(folder: &str, weights: &str) -> Vec<Case> {
    let expected: Expected = serde_json::from_slice(&reference::file(&format!("{folder}/expected.json")))
        .expect("as make.py writes it");
    let cases: Vec<Case> = expected.cases.into_iter().filter(|case| case.weights == weights).collect();
    assert!(!cases.is_empty(), "no case with weights {weights}");
    cases
}

fn expected_features(folder: &str) -> Weights {
    let file = reference::file(&format!("{folder}/features.safetensors"));
    Weights::from_bytes(&file).expect("as make.py writes it")
}

/// The layer whose output ends a stage of the reference.
fn layer_of(stage: &str) -> String {
    match stage.strip_prefix("block ") {
        Some(block) => format!("_blocks.{block}._project_conv"),
        None => format!("_conv_{stage}"),
    }
}

/// Holds an EfficientNet-Lite with these weights to `efficientnet-lite-pytorch` in f64 with the same. The tolerances are some ten
/// times what f32 arithmetic was seen to need, here and in PyTorch: 6e-6 in any feature, all of which lie in [0, 6].
fn hold_to_the_original(row: &BackboneSpec, weights: &Weights, folder: &str, kind: &str) {
    const FEATURE: f64 = 6e-5;
    const STAGE: f64 = 1e-4;
    const LOGIT: f64 = 5e-4;
    let features = expected_features(folder);
    let mut differences = Differences::default();
    for isa in Isa::available() {
        for Case { picture, stages, top, .. } in cases(folder, kind) {
            let size = (picture.height, picture.width);
            let backbone = row.instantiate(weights, size, Arithmetic::F32, isa).expect("the weights fit");
            let place = format!("{} {}", isa.name(), picture.name);
            let pixels = picture.pixels();
            differences.compare_stages(&place, &backbone, &pixels, &stages, layer_of, STAGE);
            let found = reference::features(&backbone, &pixels);
            let expected = features.tensor(&format!("{}.{kind}", picture.name)).expect("one for each case");
            for (at, (found, expected)) in found.iter().zip(&expected.values).enumerate() {
                let what = format!("{place}: feature {at}");
                differences.compare(&what, f64::from(*found), f64::from(*expected), FEATURE);
            }
            let imagenet = backbone.imagenet.as_ref().expect("the network has its classifier");
            let logits = imagenet.logits(&found);
            for (class, expected) in top.indices.iter().zip(&top.logits) {
                let what = format!("{place}: logit {class}");
                differences.compare(&what, f64::from(logits[*class]), *expected, LOGIT);
            }
            let first = (0..logits.len()).max_by(|one, other| logits[*one].total_cmp(&logits[*other]));
            assert_eq!(first, top.indices.first().copied(), "{place}: the first class");
        }
    }
    differences.require_none();
}

#[test]
fn lite0_is_the_original() {
    let row = &BACKBONES[0];
    hold_to_the_original(row, &row.weights().expect("embedded"), "lite0", "stored");
}

#[test]
fn lite2_is_the_original() {
    let row = spec("efficientnet_lite2").expect("a row");
    hold_to_the_original(row, &formula::weights(row), "lite2", "formula");
}

#[test]
#[allow(clippy::print_stderr, reason = "why it is skipped")]
fn lite2_s_published_weights_give_what_they_gave() {
    let row = spec("efficientnet_lite2").expect("a row");
    let search = Cache::of_user().expect("a folder").search(row.name, row.sources());
    let Some(file) = search.found.into_iter().find(|found| found.source.is_some()) else {
        return eprintln!("skipped: the published weights of {} are in no cache", row.name);
    };
    let weights = file.read().expect("what it was");
    hold_to_the_original(row, &weights, "lite2", "published");
}

/// Rounding the large weights to f16 moved the features by this much at most, as a share of their length.
#[test]
fn rounded_weights_cost_little() {
    let features = expected_features("lite0");
    for Case { picture: Picture { name, .. }, .. } in cases("lite0", "stored") {
        let values = |kind| &features.tensor(&format!("{name}.{kind}")).expect("one for each case").values;
        let (stored, original) = (values("stored"), values("original"));
        let squares =
            |values: &mut dyn Iterator<Item = f32>| values.map(|value| f64::from(value * value)).sum::<f64>();
        let difference = squares(&mut stored.iter().zip(original).map(|(one, other)| one - other));
        let share = (difference / squares(&mut original.iter().copied())).sqrt();
        assert!(share < 0.01, "{name}: {share}");
    }
}

#[test]
fn any_number_of_workers_gives_the_same_bits() {
    let cases = cases("lite0", "stored");
    let square = cases.iter().filter(|Case { picture, .. }| (picture.height, picture.width) == (224, 224));
    let photos: Vec<Vec<u8>> = square.map(|case| case.picture.pixels()).collect();
    let backbone = load((224, 224), Isa::best());
    let run = |photo: &[u8], arena: &mut crate::network::Arena| {
        let mut features = vec![f32::NAN; 1280];
        backbone.network.features(photo, arena, &mut features);
        features.iter().map(|value| value.to_bits()).collect::<Vec<u32>>()
    };
    let alone: Vec<Vec<u32>> = photos.iter().map(|photo| run(photo, &mut backbone.network.arena())).collect();
    std::thread::scope(|scope| {
        for first in 0..photos.len() {
            let (photos, alone, run, backbone) = (&photos, &alone, &run, &backbone);
            scope.spawn(move || {
                let mut arena = backbone.network.arena();
                for turn in 0..photos.len() {
                    let at = (first + turn) % photos.len();
                    assert_eq!(run(&photos[at], &mut arena), alone[at], "photo {at}");
                }
            });
        }
    });
}

#[test]
fn lite0_has_the_published_size() {
    let backbone =
        backbone("efficientnet_lite0", Precision::Int8, Isa::best()).expect("the default backbone");
    let layers = backbone.network.layers();
    assert_eq!(layers.iter().map(|layer| layer.multiply_adds).sum::<u64>(), 383_907_552);
    assert_eq!(backbone.report.applied.len(), 247);
    assert_eq!(blake3::Hash::from_bytes(backbone.digest).to_hex().as_str(), topwork_lite0::CHECKSUM);
    let imagenet = backbone.imagenet.expect("lite0 has its classifier");
    let names: Vec<(&str, &str)> =
        imagenet.classes.iter().map(|class| (class.wnid.as_str(), class.name.as_str())).collect();
    assert_eq!(names, topwork_lite0::classes().collect::<Vec<_>>());
}

/// Shorter side to 256, bicubic, centre crop of 224, (x - 127) / 128, as the weights were measured.
#[test]
fn lite0_s_preprocessing_is_the_one_of_its_weights() {
    use crate::preprocess::{Channels, Filter, Preprocess, Resize, Rounding};
    let expected = Preprocess {
        resize: Resize::Shorter { size: 256, rounding: Rounding::HalfEven },
        filter: Filter::Bicubic,
        width: 224,
        height: 224,
        offset: Rounding::Floor,
        channels: Channels::Rgb,
        mean: [127.0; 3],
        scale: [1.0 / 128.0; 3],
    };
    assert_eq!(load((224, 224), Isa::SCALAR).preprocess, expected);
}

#[test]
fn an_unknown_name_is_answered_with_the_known_ones() {
    let error = backbone("efficientnet_lite9", Precision::Int8, Isa::best()).expect_err("there is none");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let hint = error.remedy().expect("the names that there are").to_string();
    assert!(BACKBONES.iter().all(|row| hint.contains(row.name)), "{hint}");
}

/// What the ranges record of the probe is what every instruction set computes, and one wrong lane is found.
#[test]
fn a_broken_kernel_is_refused() {
    let row = &BACKBONES[0];
    let ranges = row.ranges_of(&row.weights().expect("embedded")).expect("lite0 has ranges");
    for isa in Isa::available() {
        let mut backbone =
            row.load(row.architecture.input, Precision::Int8, isa).expect("the kernels are sound");
        for layer in [0, 7, 40] {
            backbone.network.break_layer(layer);
            let error = backbone.prove(&ranges.probe).expect_err("a wrong lane is found");
            let text = error.to_string();
            assert!(text.contains("self-test") && text.contains(isa.name()), "{text}");
            assert_eq!(error.remedy(), Some(&SELF_TEST_HINT.into()));
            backbone = row.load(row.architecture.input, Precision::Int8, isa).expect("the kernels are sound");
        }
    }
}

#[test]
fn ranges_of_other_weights_are_refused() {
    let row = &BACKBONES[0];
    let weights = row.weights().expect("embedded");
    let mut ranges = row.ranges_of(&weights).expect("lite0 has ranges");
    ranges.weights = "0".repeat(64);
    let error = row
        .instantiate(&weights, row.architecture.input, Arithmetic::Int8(&ranges), Isa::SCALAR)
        .expect_err("others");
    assert_eq!(error.kind(), ErrorKind::Weights);
}
