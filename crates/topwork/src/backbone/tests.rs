use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;

use super::*;
use crate::network::Values;
use crate::weights::Weights;

fn load(input: (usize, usize), isa: Isa) -> Backbone {
    BACKBONES[0].load(input, Precision::F32, isa).expect("the embedded weights are good")
}

/// What `reference/lite0/make.py` writes; its README describes pictures and numbers.
#[derive(Deserialize)]
struct Expected {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    height: usize,
    width: usize,
    pixel_sum: u64,
    first_pixels: Vec<u8>,
    stages_stored: Vec<Stage>,
    top_stored: Top,
}

#[derive(Deserialize)]
struct Stage {
    stage: String,
    shape: [usize; 3],
    mean: f64,
    mean_magnitude: f64,
    first: [f64; 8],
    middle: [f64; 8],
    last: [f64; 8],
}

#[derive(Deserialize)]
struct Top {
    indices: Vec<usize>,
    logits: Vec<f64>,
}

fn reference(file: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../reference/lite0");
    std::fs::read(folder.join(file)).expect("committed beside make.py")
}

fn cases() -> Vec<Case> {
    let expected: Expected =
        serde_json::from_slice(&reference("expected.json")).expect("as make.py writes it");
    assert_eq!(expected.cases.len(), 5);
    expected.cases
}

fn split_mix(counter: usize) -> u64 {
    let mut z = (counter as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The picture that the reference's README defines under that name.
fn picture(case: &Case) -> Vec<u8> {
    let (height, width) = (case.height, case.width);
    let value = |y: usize, x: usize, c: usize| match case.name.split('_').next() {
        Some("noise") => (split_mix((y * width + x) * 3 + c) >> 56) as u8,
        Some("tiles") => (split_mix((y / 16 * width.div_ceil(16) + x / 16) * 3 + c + 1_000_000) >> 56) as u8,
        Some("gradient") => match c {
            0 => (x * 255 / (width - 1)) as u8,
            1 => (y * 255 / (height - 1)) as u8,
            _ => ((x + y) * 255 / (width + height - 2)) as u8,
        },
        other => panic!("unknown picture {other:?}"),
    };
    let pixels: Vec<u8> =
        (0..height * width * 3).map(|at| value(at / 3 / width, at / 3 % width, at % 3)).collect();
    let sum: u64 = pixels.iter().map(|pixel| u64::from(*pixel)).sum();
    assert_eq!((sum, &pixels[..12]), (case.pixel_sum, &case.first_pixels[..]), "picture {}", case.name);
    pixels
}

/// The layer whose output ends a stage of the reference.
fn layer_of(stage: &str) -> String {
    match stage.strip_prefix("block ") {
        Some(block) => format!("_blocks.{block}._project_conv"),
        None => format!("_conv_{stage}"),
    }
}

/// Against `efficientnet-lite-pytorch` in f64 with the same stored weights. The tolerances are some ten times what f32 arithmetic
/// was seen to need, here and in PyTorch: 6e-6 in any feature, all of which lie in [0, 6].
#[test]
fn features_stages_and_logits_are_the_original_s() {
    const FEATURE: f64 = 6e-5;
    const STAGE: f64 = 1e-4;
    const LOGIT: f64 = 5e-4;
    let features = Weights::from_bytes(&reference("features.safetensors")).expect("as make.py writes it");
    let mut failures = Vec::new();
    for isa in Isa::available() {
        for case in cases() {
            let backbone = load((case.height, case.width), isa);
            let place = format!("{} {}", isa.name(), case.name);
            let mut compare = |what: &str, found: f64, expected: f64, tolerance: f64| {
                let close = (found - expected).abs() <= tolerance;
                if !close {
                    failures.push(format!("{place}: {what} is {found}, not {expected}"));
                }
            };
            let mut stages = case.stages_stored.iter().peekable();
            let mut found = vec![f32::NAN; backbone.network.feature_dim()];
            let mut arena = backbone.network.arena();
            backbone.network.trace(&picture(&case), &mut arena, &mut found, |layer, values| {
                let Values::F32(output) = values else { panic!("{place}: bytes in an f32 network") };
                let Some(stage) = stages.next_if(|stage| layer_of(&stage.stage) == layer.name) else {
                    return;
                };
                let [height, width, channels] = stage.shape;
                let shape = crate::network::Shape { height, width, channels };
                assert_eq!(layer.output, shape, "{place}: {}", stage.stage);
                let tolerance = STAGE * stage.mean_magnitude;
                let sums = output.iter().fold((0.0, 0.0), |(sum, magnitudes), value| {
                    (sum + f64::from(*value), magnitudes + f64::from(value.abs()))
                });
                let count = output.len() as f64;
                compare(&format!("mean of {}", stage.stage), sums.0 / count, stage.mean, tolerance);
                compare(
                    &format!("magnitude of {}", stage.stage),
                    sums.1 / count,
                    stage.mean_magnitude,
                    tolerance,
                );
                let corners = [
                    ("first", 0, stage.first),
                    ("middle", height / 2 * width + width / 2, stage.middle),
                    ("last", height * width - 1, stage.last),
                ];
                for (corner, pixel, expected) in corners {
                    for (channel, expected) in expected.into_iter().enumerate() {
                        let what = format!("{} {corner} channel {channel}", stage.stage);
                        compare(
                            &what,
                            f64::from(output[pixel * channels + channel]),
                            expected,
                            10.0 * tolerance,
                        );
                    }
                }
            });
            assert!(stages.next().is_none(), "{place}: a stage of the reference has no layer");
            let stored = features.tensor(&format!("{}.stored", case.name)).expect("one for each case");
            for (at, (found, expected)) in found.iter().zip(&stored.values).enumerate() {
                compare(&format!("feature {at}"), f64::from(*found), f64::from(*expected), FEATURE);
            }
            let imagenet = backbone.imagenet.as_ref().expect("lite0 has its classifier");
            let logits = imagenet.logits(&found);
            for (class, expected) in case.top_stored.indices.iter().zip(&case.top_stored.logits) {
                compare(&format!("logit {class}"), f64::from(logits[*class]), *expected, LOGIT);
            }
            let first = (0..logits.len()).max_by(|one, other| logits[*one].total_cmp(&logits[*other]));
            assert_eq!(first, case.top_stored.indices.first().copied(), "{place}: the first class");
        }
    }
    let shown = failures[..failures.len().min(20)].join("\n");
    assert!(failures.is_empty(), "{} values differ:\n{shown}", failures.len());
}

/// Rounding the large weights to f16 moved the features by this much at most, as a share of their length.
#[test]
fn rounded_weights_cost_little() {
    let features = Weights::from_bytes(&reference("features.safetensors")).expect("as make.py writes it");
    for case in cases() {
        let values =
            |kind| &features.tensor(&format!("{}.{kind}", case.name)).expect("one for each case").values;
        let (stored, original) = (values("stored"), values("original"));
        let squares =
            |values: &mut dyn Iterator<Item = f32>| values.map(|value| f64::from(value * value)).sum::<f64>();
        let difference = squares(&mut stored.iter().zip(original).map(|(one, other)| one - other));
        let share = (difference / squares(&mut original.iter().copied())).sqrt();
        assert!(share < 0.01, "{}: {share}", case.name);
    }
}

#[test]
fn any_number_of_workers_gives_the_same_bits() {
    let photos: Vec<Vec<u8>> =
        cases().iter().filter(|case| (case.height, case.width) == (224, 224)).map(picture).collect();
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
fn every_row_is_what_it_says() {
    for row in BACKBONES.iter().filter(|row| matches!(row.origin, Origin::Embedded { .. })) {
        let backbone = row.load(row.input, Precision::F32, Isa::best()).expect("loads");
        assert_eq!((backbone.name, backbone.network.input()), (row.name, row.input));
        assert_eq!(backbone.network.feature_dim(), row.feature_dim);
        let applied = &backbone.report.applied;
        assert_eq!(applied.iter().collect::<BTreeSet<_>>().len(), applied.len(), "a tensor is used twice");
        backbone.report.require_exact().expect("every tensor is used");
        let size = (backbone.preprocess.height as usize, backbone.preprocess.width as usize);
        assert_eq!(size, row.input, "the crop is the input");
        let imagenet = backbone.imagenet.expect("embedded weights have their classifier");
        let classes = imagenet.classes.len();
        assert_eq!((imagenet.bias.len(), imagenet.weights.len()), (classes, classes * row.feature_dim));
    }
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
    let hint = error.hint().expect("the names that there are");
    assert!(BACKBONES.iter().all(|row| hint.contains(row.name)), "{hint}");
}

/// What the ranges record of the probe is what every instruction set computes, and one wrong lane is found.
#[test]
fn a_broken_kernel_is_refused() {
    let row = &BACKBONES[0];
    let ranges = row.ranges_of(&row.weights().expect("embedded")).expect("lite0 has ranges");
    for isa in Isa::available() {
        let mut backbone = row.load(row.input, Precision::Int8, isa).expect("the kernels are sound");
        for layer in [0, 7, 40] {
            backbone.network.break_layer(layer);
            let error = backbone.prove(&ranges.probe).expect_err("a wrong lane is found");
            let text = error.to_string();
            assert!(text.contains("self-test") && text.contains(isa.name()), "{text}");
            assert_eq!(error.hint(), Some("TOPWORK_ISA=scalar goes on with plain arithmetic, slowly"));
            backbone = row.load(row.input, Precision::Int8, isa).expect("the kernels are sound");
        }
    }
}

#[test]
fn ranges_of_other_weights_are_refused() {
    let row = &BACKBONES[0];
    let weights = row.weights().expect("embedded");
    let mut ranges = row.ranges_of(&weights).expect("lite0 has ranges");
    ranges.weights = "0".repeat(64);
    let error = row.fit(&weights, row.input, Arithmetic::Int8(&ranges), Isa::SCALAR).expect_err("others");
    assert_eq!(error.kind(), ErrorKind::Weights);
}
