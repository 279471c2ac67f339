//! The whole ResNet-50, in both variants, against Keras and torchvision. `reference/resnet50/README.md` states the formula that
//! draws the weights, and what the numbers are.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::reference::{self, Differences, Picture, Stage, split_mix};
use super::*;
use crate::photo::Photo;
use crate::preprocess::Scratch;
use crate::weights::Tensor;

/// What `reference/resnet50/make.py` writes.
#[derive(Deserialize)]
struct Expected {
    variants: Vec<Variant>,
}

#[derive(Deserialize)]
struct Variant {
    framework: Framework,
    digest: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(flatten)]
    picture: Picture,
    stages: Vec<Stage>,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Framework {
    Keras,
    PyTorch,
}

/// What a tensor is to its layer.
#[derive(Clone, Copy)]
enum Kind {
    Weights,
    Bias,
    Gamma,
    Beta,
    Mean,
    Variance,
}

/// The formula: how far from `centre` a value may lie, which is as far as `spread`.
#[derive(Clone, Copy)]
struct Around {
    centre: f64,
    spread: f64,
}

/// Value `index` of a tensor, counted in the order outputs, inputs, rows, columns.
fn value(layer: usize, kind: Kind, index: usize, Around { centre, spread }: Around) -> f32 {
    let number = (8 * layer + kind as usize) as u64;
    let steps = (split_mix((number << 32) + index as u64) >> 40) as f64;
    let signed = (2.0 * steps + 1.0 - 16_777_216.0) / 16_777_216.0;
    (centre + spread * signed) as f32
}

/// The tensors of the formula, as they are filled.
struct Filling {
    framework: Framework,
    tensors: BTreeMap<String, Tensor>,
    layer: usize,
}

impl Filling {
    fn of(framework: Framework) -> BTreeMap<String, Tensor> {
        let mut filling = Filling { framework, tensors: BTreeMap::new(), layer: 0 };
        let is_keras = framework == Framework::Keras;
        let divisor = if is_keras { 64.0 } else { 1.0 };
        let (stem, norm) = if is_keras { ("conv1_conv", "conv1_bn") } else { ("conv1", "bn1") };
        filling.convolution(stem, norm, [64, 3, 7, 7], divisor, false);
        let mut depth = 64;
        for (stage, (blocks, channels)) in [(3, 64), (4, 128), (6, 256), (3, 512)].into_iter().enumerate() {
            for block in 0..blocks {
                let mut next = |part: usize, shape| filling.part(stage, block, part, shape);
                next(1, [channels, depth, 1, 1]);
                next(2, [channels, channels, 3, 3]);
                if block == 0 {
                    next(0, [4 * channels, depth, 1, 1]);
                }
                next(3, [4 * channels, channels, 1, 1]);
                depth = 4 * channels;
            }
        }
        let (weights, bias) =
            if is_keras { ("predictions/kernel", "predictions/bias") } else { ("fc.weight", "fc.bias") };
        filling.weights(weights, &[1000, 2048], (3.0 / 2048.0_f64).sqrt());
        filling.vector(bias, Kind::Bias, 1000, Around { centre: 0.0, spread: 0.1 });
        filling.tensors
    }

    /// The convolutions of a block by Keras' numbers: 0 is the projection.
    fn part(&mut self, stage: usize, block: usize, part: usize, shape: [usize; 4]) {
        let (convolution, norm) = match (self.framework, part) {
            (Framework::Keras, _) => {
                let layer = format!("conv{}_block{}_{part}", stage + 2, block + 1);
                (format!("{layer}_conv"), format!("{layer}_bn"))
            }
            (Framework::PyTorch, 0) => {
                let layer = format!("layer{}.{block}.downsample", stage + 1);
                (format!("{layer}.0"), format!("{layer}.1"))
            }
            (Framework::PyTorch, _) => {
                let layer = format!("layer{}.{block}", stage + 1);
                (format!("{layer}.conv{part}"), format!("{layer}.bn{part}"))
            }
        };
        self.convolution(&convolution, &norm, shape, 1.0, part == 3);
    }

    fn convolution(
        &mut self,
        convolution: &str,
        norm: &str,
        shape: [usize; 4],
        divisor: f64,
        ends_block: bool,
    ) {
        let inputs: usize = shape[1..].iter().product();
        let spread = (6.0 / inputs as f64).sqrt() / divisor;
        let small = Around { centre: 0.0, spread: 0.1 };
        let names = match self.framework {
            Framework::Keras => {
                self.weights(&format!("{convolution}/kernel"), &shape, spread);
                self.vector(&format!("{convolution}/bias"), Kind::Bias, shape[0], small);
                ["/gamma", "/beta", "/moving_mean", "/moving_variance"]
            }
            Framework::PyTorch => {
                self.weights(&format!("{convolution}.weight"), &shape, spread);
                [".weight", ".bias", ".running_mean", ".running_var"]
            }
        };
        let (centre, spread) = if ends_block { (0.2, 0.1) } else { (1.0, 0.2) };
        let [gamma, beta, mean, variance] = names.map(|name| format!("{norm}{name}"));
        self.vector(&gamma, Kind::Gamma, shape[0], Around { centre, spread });
        self.vector(&beta, Kind::Beta, shape[0], small);
        self.vector(&mean, Kind::Mean, shape[0], small);
        self.vector(&variance, Kind::Variance, shape[0], Around { centre: 1.0, spread: 0.5 });
        self.layer += 1;
    }

    /// Weights of a shape that begins with outputs and inputs, which end it in Keras.
    fn weights(&mut self, name: &str, shape: &[usize], spread: f64) {
        let (outputs, inputs) = (shape[0], shape[1]);
        let taps: usize = shape[2..].iter().product();
        let around = Around { centre: 0.0, spread };
        let value = |index| value(self.layer, Kind::Weights, index, around);
        let tensor = match self.framework {
            Framework::PyTorch => {
                Tensor { shape: shape.to_vec(), values: (0..outputs * inputs * taps).map(value).collect() }
            }
            Framework::Keras => {
                let places = (0..taps).flat_map(|tap| {
                    (0..inputs * outputs).map(move |at| (at % outputs * inputs + at / outputs) * taps + tap)
                });
                let shape = [&shape[2..], &[inputs, outputs]].concat();
                Tensor { shape, values: places.map(value).collect() }
            }
        };
        self.tensors.insert(name.to_owned(), tensor);
    }

    fn vector(&mut self, name: &str, kind: Kind, len: usize, around: Around) {
        let values = (0..len).map(|index| value(self.layer, kind, index, around)).collect();
        self.tensors.insert(name.to_owned(), Tensor { shape: vec![len], values });
    }
}

fn swap_red_and_blue(pixels: &mut [u8]) {
    pixels.chunks_exact_mut(3).for_each(|pixel| pixel.swap(0, 2));
}

/// The layer whose output ends a stage of the reference.
fn layer_of(stage: &str) -> String {
    match stage {
        "stem" => "stem".into(),
        "pool" => "stem.pool".into(),
        "stage 1" => "stage1.block3.expand".into(),
        "stage 2" => "stage2.block4.expand".into(),
        "stage 3" => "stage3.block6.expand".into(),
        "stage 4" => "stage4.block3.expand".into(),
        other => panic!("unknown stage {other:?}"),
    }
}

/// At each of the first five places whose logit is not nearly its neighbour's, the same class.
#[track_caller]
fn assert_same_order(found: &[f32], expected: &[f32], place: &str) {
    const NEAR: f32 = 2e-3;
    let order = |logits: &[f32]| {
        let mut classes: Vec<usize> = (0..logits.len()).collect();
        classes.sort_by(|one, other| logits[*other].total_cmp(&logits[*one]));
        classes
    };
    let (found, classes) = (order(found), order(expected));
    let is_clear = |at: usize| expected[classes[at]] - expected[classes[at + 1]] > NEAR;
    let places = (0..5).filter(|at| is_clear(*at) && (*at == 0 || is_clear(*at - 1)));
    let places: Vec<usize> = places.collect();
    assert!(!places.is_empty(), "{place}: all of the first logits are nearly the same");
    places.iter().for_each(|at| assert_eq!(found[*at], classes[*at], "{place}: class at place {at}"));
}

/// Against the framework in f64 with the same weights, on every instruction set; with plain loops only the smallest picture.
fn compare(framework: Framework, name: &str, parameters: impl Fn(&str) -> bool, count: usize) {
    const FEATURE: f64 = 1e-4;
    const STAGE: f64 = 1e-4;
    const LOGIT: f64 = 1e-3;
    let expected: Expected =
        serde_json::from_slice(&reference::file("resnet50/expected.json")).expect("as make.py writes it");
    let variant = expected.variants.into_iter().find(|variant| variant.framework == framework);
    let Variant { digest: expected_digest, cases, .. } = variant.expect("both frameworks are there");
    let outputs =
        Weights::from_bytes(&reference::file("resnet50/outputs.safetensors")).expect("as make.py writes it");

    let tensors = Filling::of(framework);
    let bits = tensors.values().flat_map(|tensor| &tensor.values).map(|value| value.to_bits());
    assert_eq!(reference::digest(bits), expected_digest, "the weights are not make.py's");
    let weights = Weights::from_bytes(&reference::weights_file(&tensors, None)).expect("a good file");
    let row = spec(name).expect("a row");
    let key = if framework == Framework::Keras { "keras" } else { "pytorch" };
    let mut differences = Differences::default();
    let mut logits_compared = 0;
    for isa in Isa::available() {
        for Case { picture, stages } in &cases {
            if isa == Isa::SCALAR && picture.height * picture.width > 100 * 100 {
                continue;
            }
            let place = format!("{key} {} {}", isa.name(), picture.name);
            let input = (picture.height, picture.width);
            let backbone = row.instantiate(&weights, input, Arithmetic::F32, isa).expect("the weights fit");
            backbone.report.require_exact().expect("every tensor is used");
            let applied = backbone.report.applied.iter().filter(|name| parameters(name));
            let applied = applied.map(|name| tensors[name].values.len()).sum::<usize>();
            assert_eq!(applied, count, "{place}: parameters");

            let mut pixels = picture.pixels();
            if backbone.preprocess.channels == Channels::Bgr {
                swap_red_and_blue(&mut pixels);
            }
            differences.compare_stages(&place, &backbone, &pixels, stages, layer_of, STAGE);
            let found = reference::features(&backbone, &pixels);
            let output = |what| outputs.tensor(&format!("{key}.{}.{what}", picture.name));
            let features = &output("features").expect("one for each case").values;
            assert_eq!(found.len(), features.len());
            let mean =
                features.iter().map(|value| f64::from(value.abs())).sum::<f64>() / features.len() as f64;
            for (at, (found, expected)) in found.iter().zip(features).enumerate() {
                let what = format!("{place}: feature {at}");
                differences.compare(&what, f64::from(*found), f64::from(*expected), FEATURE * mean);
            }
            let Some(expected) = output("logits") else { continue };
            let logits = backbone.imagenet.as_ref().expect("the file has the classifier").logits(&found);
            assert_eq!(logits.len(), expected.values.len());
            for (class, (found, expected)) in logits.iter().zip(&expected.values).enumerate() {
                let what = format!("{place}: logit {class}");
                differences.compare(&what, f64::from(*found), f64::from(*expected), LOGIT);
            }
            assert_same_order(&logits, &expected.values, &place);
            logits_compared += 1;
        }
    }
    assert_eq!(logits_compared, 2 * (Isa::available().len() - 1));
    differences.require_none();
}

#[test]
fn resnet50_is_keras_s() {
    // As `ResNet50(include_top=False).summary()` counts.
    compare(Framework::Keras, "resnet50", |name| !name.starts_with("predictions"), 23_587_712);
}

#[test]
fn resnet50_torchvision_is_torchvision_s() {
    // `num_params` of `ResNet50_Weights`: running statistics are not parameters.
    let is_parameter = |name: &str| !name.contains("running");
    compare(Framework::PyTorch, "resnet50_torchvision", is_parameter, 25_557_032);
}

#[test]
fn photos_are_prepared_as_the_frameworks_do() {
    let cases = String::from_utf8(reference::file("resnet50/preprocess.csv")).expect("text");
    let mut count = 0;
    for case in cases.lines().skip(1) {
        let fields: Vec<&str> = case.split(',').collect();
        let [name, width, height, expected] = fields[..] else { panic!("{case}") };
        let [width, height] = [width, height].map(|size| size.parse().expect("a size"));
        let pixels = (0..height * width * 3).map(|place| reference::noise(place as usize)).collect();
        let photo = Photo { width, height, pixels };
        let preprocess = spec(name).expect("a row").preprocess().expect("a record");
        for isa in Isa::available() {
            let mut found = vec![0; preprocess.len()];
            preprocess.pixels(&photo, isa, &mut Scratch::default(), &mut found);
            if preprocess.channels == Channels::Bgr {
                swap_red_and_blue(&mut found);
            }
            let found = reference::digest(found.into_iter().map(u32::from));
            assert_eq!(found, expected, "{}: {case}", isa.name());
            count += 1;
        }
    }
    assert!(count >= 160, "{count} cases");
}
