//! From real numbers to bytes: the scale of each tensor, and the weights of each layer.
//!
//! Everything is computed in f64 by operations that IEEE 754 rounds in one way, and rounded to f32 once, so that the bytes are
//! the same on every machine.

use topwork_kernels::epilogue::Activation;
use topwork_kernels::int8::LARGEST;

use super::fold::fold;
use super::graph::{Convolution, Graph, OperationKind};
use super::ranges::Ranges;
use crate::error::{Error, ErrorKind, Result};
use crate::remedy::Remedy;

/// The largest magnitude of a weight: −128 is not used, so that weights are symmetric.
const LARGEST_WEIGHT: f64 = 127.0;

/// How the bytes of a tensor are to be read: `value = scale · (byte − zero_point)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    pub(super) scale: f64,
    pub(super) zero_point: u8,
}

impl Scale {
    /// All bytes between these values, of which the lower is at most and the upper at least 0, because padding is.
    fn of(low: f64, high: f64) -> Scale {
        let (low, high) = (low.min(0.0), high.max(0.0));
        let scale = (high - low) / 255.0;
        Scale { scale, zero_point: (-low / scale).round_ties_even() as u8 }
    }

    /// The byte nearest to a value.
    pub(super) fn quantised(&self, value: f64) -> u8 {
        let byte = (value / self.scale).round_ties_even() + f64::from(self.zero_point);
        byte.clamp(0.0, 255.0) as u8
    }
}

/// The scale of every tensor of the network, the input's first.
///
/// # Errors
/// Of kind `Weights` where a tensor needs a range and has none.
pub(super) fn scales(graph: &Graph, ranges: &Ranges) -> Result<Vec<Scale>> {
    let pixels = (0..3).flat_map(|channel| [0, 255].map(|pixel| graph.normalisation.apply(channel, pixel)));
    let (low, high) = pixels.fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    let mut scales = vec![Scale::of(low, high)];
    for operation in &graph.operations {
        let scale = match &operation.kind {
            // The largest of some bytes is one of them; and an average is no tensor of bytes, but the features.
            OperationKind::MaxPool(_) | OperationKind::GlobalAverage => scales[operation.input.0],
            OperationKind::Convolution(_, layer) if layer.activation == Activation::Relu6 => {
                Scale::of(0.0, 6.0)
            }
            OperationKind::Convolution(_, layer) => {
                let (low, high) = ranges.tensors.get(&operation.name).copied().ok_or_else(|| {
                    let message = format!("the ranges say nothing about the layer {}", operation.name);
                    Error::new(ErrorKind::Weights, message).with_hint(Remedy::Calibrate)
                })?;
                let low = if layer.activation == Activation::Relu { 0.0 } else { low };
                Scale::of(f64::from(low), f64::from(high))
            }
        };
        scales.push(scale);
    }
    Ok(scales)
}

/// A layer's weights as bytes, and what its sums are multiplied by and increased by.
pub(super) struct Weights {
    /// As [`super::fold::Folded::weights`].
    pub(super) values: Vec<i8>,
    pub(super) scale: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

/// The weights of a layer between tensors of these scales; `ratio` is that of its skip connection, or 0.
///
/// # Errors
/// Of kind `Weights` if sums may leave the range in which all instruction sets agree: weights that are not finite, or a range of
/// outputs far too small.
pub(super) fn quantised(name: &str, layer: &Convolution, from: f64, to: f64, ratio: f32) -> Result<Weights> {
    let folded = fold(layer);
    let channels = folded.bias.len();
    let mut largest = vec![0.0_f64; channels];
    for row in folded.weights.chunks_exact(channels) {
        for (largest, weight) in largest.iter_mut().zip(row) {
            *largest = largest.max(f64::from(weight.abs()));
        }
    }
    // A channel of zeros has no scale of its own; any will do.
    let steps: Vec<f64> =
        largest.iter().map(|largest| if *largest > 0.0 { largest / LARGEST_WEIGHT } else { 1.0 }).collect();
    let values: Vec<i8> = folded
        .weights
        .iter()
        .zip(steps.iter().cycle())
        .map(|(weight, step)| (f64::from(*weight) / step).round_ties_even() as i8)
        .collect();
    let scale: Vec<f32> = steps.iter().map(|step| (from * step / to) as f32).collect();
    let bias: Vec<f32> = folded.bias.iter().map(|bias| (f64::from(*bias) / to) as f32).collect();
    let mut sums = vec![0_u32; channels];
    for row in values.chunks_exact(channels) {
        for (sum, weight) in sums.iter_mut().zip(row) {
            *sum += u32::from(weight.unsigned_abs());
        }
    }
    for (channel, sum) in sums.into_iter().enumerate() {
        let bound = 255.0 * sum as f32 * scale[channel] + bias[channel].abs() + 255.0 * ratio;
        // `is_none_or`, not `>=`: a NaN must be found.
        if bound.partial_cmp(&LARGEST).is_none_or(|order| order.is_ge()) || 255 * u64::from(sum) > 1 << 30 {
            let message = format!(
                "channel {channel} of {name} may reach {bound} steps of its range, more than bytes can hold"
            );
            return Err(Error::new(ErrorKind::Weights, message).with_hint(Remedy::UseF32));
        }
    }
    Ok(Weights { values, scale, bias })
}
