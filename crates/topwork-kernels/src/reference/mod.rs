//! Every operation in plain loops: the specification of the fast paths, their oracle, and what runs where
//! there is no fast path.
//!
//! Pixels lie row by row with their channels together (NHWC). Sums are f32, over the taps from top left to
//! bottom right and over the channels within a tap, one rounded product and one rounded addition at a time;
//! then bias, residual and activation. Loops run over output channels innermost, where compilers can use
//! vectors without changing a bit.

pub mod int8;

use crate::epilogue::{Activation, Epilogue};
use crate::window::Window;

/// `output = activation(input · weights + bias + residual)`: `rows` x `depth` times `depth` x `columns`, all row by
/// row. A pointwise (1 x 1) convolution is this with one row a pixel.
pub fn matrix_product(input: &[f32], weights: &[f32], epilogue: &Epilogue, output: &mut [f32]) {
    let columns = epilogue.bias.len();
    if columns == 0 || output.is_empty() {
        return;
    }
    let depth = weights.len() / columns;
    for (row, sums) in output.chunks_exact_mut(columns).enumerate() {
        sums.fill(0.0);
        for (value, weights) in input[row * depth..][..depth].iter().zip(weights.chunks_exact(columns)) {
            accumulate(*value, weights, sums);
        }
        finish(row, epilogue, sums);
    }
}

/// A convolution over all input channels; `weights` as tap row, tap column, input channel, output channel.
pub fn convolution(
    window: &Window,
    channels: usize,
    input: &[f32],
    weights: &[f32],
    epilogue: &Epilogue,
    output: &mut [f32],
) {
    let columns = epilogue.bias.len();
    let width = window.output().1;
    if columns == 0 || output.is_empty() {
        return;
    }
    for (pixel, sums) in output.chunks_exact_mut(columns).enumerate() {
        sums.fill(0.0);
        let (rows, across) = (window.rows(pixel / width), window.columns(pixel % width));
        for tap_row in rows.from..rows.to {
            let y = rows.input + tap_row - rows.from;
            for tap_column in across.from..across.to {
                let x = across.input + tap_column - across.from;
                let tap = (tap_row * window.kernel.1 + tap_column) * channels;
                for channel in 0..channels {
                    let value = input[(y * window.input.1 + x) * channels + channel];
                    accumulate(value, &weights[(tap + channel) * columns..][..columns], sums);
                }
            }
        }
        finish(pixel, epilogue, sums);
    }
}

/// A convolution of each channel by itself; `weights` as tap row, tap column, channel.
pub fn depthwise(window: &Window, input: &[f32], weights: &[f32], epilogue: &Epilogue, output: &mut [f32]) {
    let channels = epilogue.bias.len();
    let width = window.output().1;
    if channels == 0 || output.is_empty() {
        return;
    }
    for (pixel, sums) in output.chunks_exact_mut(channels).enumerate() {
        sums.fill(0.0);
        let (rows, across) = (window.rows(pixel / width), window.columns(pixel % width));
        for tap_row in rows.from..rows.to {
            let y = rows.input + tap_row - rows.from;
            for tap_column in across.from..across.to {
                let x = across.input + tap_column - across.from;
                let values = &input[(y * window.input.1 + x) * channels..][..channels];
                let weights = &weights[(tap_row * window.kernel.1 + tap_column) * channels..][..channels];
                for ((sum, value), weight) in sums.iter_mut().zip(values).zip(weights) {
                    *sum += value * weight;
                }
            }
        }
        finish(pixel, epilogue, sums);
    }
}

/// The mean of each channel over all pixels: summed in the order of the pixels, then divided once.
pub fn global_average(input: &[f32], means: &mut [f32]) {
    means.fill(0.0);
    if means.is_empty() || input.is_empty() {
        return;
    }
    for pixel in input.chunks_exact(means.len()) {
        for (mean, value) in means.iter_mut().zip(pixel) {
            *mean += value;
        }
    }
    let count = (input.len() / means.len()) as f32;
    for mean in means {
        *mean /= count;
    }
}

/// Pixels of three channels through a table of 256 values a channel, which holds `(x - mean) / scale`.
pub fn normalise(table: &[[f32; 256]; 3], pixels: &[u8], output: &mut [f32]) {
    for (values, pixel) in output.as_chunks_mut::<3>().0.iter_mut().zip(pixels.as_chunks::<3>().0) {
        for channel in 0..3 {
            values[channel] = table[channel][usize::from(pixel[channel])];
        }
    }
}

/// One value through the activation.
pub fn activate(activation: Activation, value: f32) -> f32 {
    let (low, high) = activation.range();
    value.max(low).min(high)
}

fn accumulate(value: f32, weights: &[f32], sums: &mut [f32]) {
    for (sum, weight) in sums.iter_mut().zip(weights) {
        *sum += value * weight;
    }
}

fn finish(pixel: usize, epilogue: &Epilogue, sums: &mut [f32]) {
    for (sum, bias) in sums.iter_mut().zip(epilogue.bias) {
        *sum += bias;
    }
    if let Some(residual) = epilogue.residual {
        for (sum, skip) in sums.iter_mut().zip(&residual[pixel * epilogue.bias.len()..]) {
            *sum += skip;
        }
    }
    for sum in sums {
        *sum = activate(epilogue.activation, *sum);
    }
}
