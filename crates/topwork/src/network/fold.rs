//! Batch normalisation disappears into the convolution before it: `norm(w · x + b) = (w · f) · x + (bias + (b − mean) · f)`
//! with `f = weight / sqrt(variance + epsilon)`. Computed in f64 and rounded once, because variances span many magnitudes.

use super::graph::{BatchNorm, Convolution, Groups};

/// Weights and biases of a convolution after folding.
pub(super) struct Folded {
    /// Tap row, tap column, input channel (absent for depthwise), output channel.
    pub(super) weights: Vec<f32>,
    /// One a channel.
    pub(super) bias: Vec<f32>,
}

pub(super) fn fold(layer: &Convolution) -> Folded {
    let norm = &layer.batch_norm;
    let factors = factors(norm);
    let folded = |(channel, factor): (usize, &f64)| {
        let added = layer.bias.as_ref().map_or(0.0, |bias| f64::from(bias[channel]));
        (f64::from(norm.bias[channel]) + (added - f64::from(norm.mean[channel])) * factor) as f32
    };
    let bias = factors.iter().enumerate().map(folded).collect();
    let shape = &layer.weights.shape;
    let (channels, depth, taps) = (shape[0], shape[1], shape[2] * shape[3]);
    let mut weights = vec![0.0; layer.weights.values.len()];
    for (channel, factor) in factors.iter().enumerate() {
        for from in 0..depth {
            for tap in 0..taps {
                let value = f64::from(layer.weights.values[(channel * depth + from) * taps + tap]) * factor;
                let at = match layer.groups {
                    Groups::One => (tap * depth + from) * channels + channel,
                    Groups::Depthwise => tap * channels + channel,
                };
                weights[at] = value as f32;
            }
        }
    }
    Folded { weights, bias }
}

fn factors(norm: &BatchNorm) -> Vec<f64> {
    let pairs = norm.weight.iter().zip(&norm.variance);
    pairs
        .map(|(weight, variance)| f64::from(*weight) / (f64::from(*variance) + norm.epsilon).sqrt())
        .collect()
}
