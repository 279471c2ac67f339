//! What the networks' references (`reference/<network>/make.py`) have in common: pictures that a formula draws, and numbers of the
//! outputs of stages. `reference/lite0/README.md` describes both.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView, serialize};
use serde::Deserialize;

use super::Backbone;
use crate::network::{Shape, Values};
use crate::weights::Tensor;

/// A picture by its formula and size, and what tells whether it was drawn right.
#[derive(Deserialize)]
pub(super) struct Picture {
    pub name: String,
    pub height: usize,
    pub width: usize,
    pixel_sum: u64,
    first_pixels: Vec<u8>,
}

/// The output of a stage.
#[derive(Deserialize)]
pub(super) struct Stage {
    stage: String,
    shape: [usize; 3],
    mean: f64,
    mean_magnitude: f64,
    first: [f64; 8],
    middle: [f64; 8],
    last: [f64; 8],
}

/// The values that are not what they should be.
#[derive(Default)]
pub(super) struct Differences {
    found: Vec<String>,
}

/// A file below `reference/`.
pub(super) fn file(path: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../reference");
    std::fs::read(folder.join(path)).expect("committed beside make.py")
}

/// The output of SplitMix64 with that number, from 0, when it is started at 0.
pub(super) fn split_mix(counter: u64) -> u64 {
    let mut z = counter.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number that changes with any bit: the sum over all values' bits with their places.
pub(super) fn digest(bits: impl Iterator<Item = u32>) -> String {
    let numbers = bits.zip(0u64..).map(|(bits, place)| split_mix((place << 32) + u64::from(bits)));
    format!("{:016x}", numbers.fold(0u64, u64::wrapping_add))
}

/// Byte at that place of the picture `noise`, which does not depend on its size.
pub(super) fn noise(place: usize) -> u8 {
    (split_mix(place as u64) >> 56) as u8
}

/// A file of weights with these tensors, and with a record as embedded weights have one.
pub(super) fn weights_file(tensors: &BTreeMap<String, Tensor>, record: Option<&str>) -> Vec<u8> {
    let bytes = tensors.iter().map(|(name, tensor)| {
        (name, &tensor.shape, tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
    });
    let bytes: Vec<_> = bytes.collect();
    let views = bytes.iter().map(|(name, shape, bytes)| {
        (name, TensorView::new(Dtype::F32, shape.to_vec(), bytes).expect("sizes agree"))
    });
    let record = record.map(|record| HashMap::from([("topwork".to_owned(), record.to_owned())]));
    serialize(views, record).expect("serialisable")
}

/// The features of pixels, by the path that photos take.
pub(super) fn features(backbone: &Backbone, pixels: &[u8]) -> Vec<f32> {
    let mut features = vec![f32::NAN; backbone.network.feature_dim()];
    backbone.network.features(pixels, &mut backbone.network.arena(), &mut features);
    features
}

impl Picture {
    /// Its pixels: R, G, B, row by row.
    pub(super) fn pixels(&self) -> Vec<u8> {
        let (height, width) = (self.height, self.width);
        let value = |y: usize, x: usize, c: usize| match self.name.split('_').next() {
            Some("noise") => noise((y * width + x) * 3 + c),
            Some("tiles") => noise((y / 16 * width.div_ceil(16) + x / 16) * 3 + c + 1_000_000),
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
        assert_eq!((sum, &pixels[..12]), (self.pixel_sum, &self.first_pixels[..]), "picture {}", self.name);
        pixels
    }
}

impl Differences {
    /// Remembers a value further from what it should be than the tolerance.
    pub(super) fn compare(&mut self, what: &str, found: f64, expected: f64, tolerance: f64) {
        let close = (found - expected).abs() <= tolerance;
        if !close {
            self.found.push(format!("{what} is {found}, not {expected}"));
        }
    }

    /// Runs the network layer by layer on pixels in the order of its channels and compares the outputs of the stages, each of
    /// which is that of the layer that `layer_of` names: their means with a tolerance of that share of the mean magnitude,
    /// single values with ten times as much.
    pub(super) fn compare_stages(
        &mut self,
        place: &str,
        backbone: &Backbone,
        pixels: &[u8],
        stages: &[Stage],
        layer_of: fn(&str) -> String,
        share: f64,
    ) {
        let mut left = stages.iter().peekable();
        let mut features = vec![f32::NAN; backbone.network.feature_dim()];
        let mut arena = backbone.network.arena();
        backbone.network.trace(pixels, &mut arena, &mut features, |layer, values| {
            let Values::F32(output) = values else { panic!("{place}: bytes in an f32 network") };
            if let Some(stage) = left.next_if(|stage| layer_of(&stage.stage) == layer.name) {
                let [height, width, channels] = stage.shape;
                assert_eq!(layer.output, Shape { height, width, channels }, "{place}: {}", stage.stage);
                self.compare_stage(&format!("{place}: {}", stage.stage), output, stage, share);
            }
        });
        assert!(left.next().is_none(), "{place}: a stage of the reference has no layer");
    }

    fn compare_stage(&mut self, place: &str, output: &[f32], stage: &Stage, share: f64) {
        let [height, width, channels] = stage.shape;
        let tolerance = share * stage.mean_magnitude;
        let sums = output.iter().fold((0.0, 0.0), |(sum, magnitudes), value| {
            (sum + f64::from(*value), magnitudes + f64::from(value.abs()))
        });
        let count = output.len() as f64;
        self.compare(&format!("{place} mean"), sums.0 / count, stage.mean, tolerance);
        self.compare(&format!("{place} magnitude"), sums.1 / count, stage.mean_magnitude, tolerance);
        let corners = [
            ("first", 0, stage.first),
            ("middle", height / 2 * width + width / 2, stage.middle),
            ("last", height * width - 1, stage.last),
        ];
        for (corner, pixel, expected) in corners {
            for (channel, expected) in expected.into_iter().enumerate() {
                let found = f64::from(output[pixel * channels + channel]);
                self.compare(
                    &format!("{place} {corner} channel {channel}"),
                    found,
                    expected,
                    10.0 * tolerance,
                );
            }
        }
    }

    /// Fails with the first few, if there are any.
    #[track_caller]
    pub(super) fn require_none(&self) {
        let shown = self.found[..self.found.len().min(20)].join("\n");
        assert!(self.found.is_empty(), "{} values differ:\n{shown}", self.found.len());
    }
}
