//! The operations on bytes, see [`crate::int8`], in plain loops.

use crate::int8::{Requantise, Residual};
use crate::window::Window;

/// `rows` x `depth` bytes (rows of `row_len` bytes, of which the first `depth` count) times `depth` x `columns` weights.
pub fn matrix_product(
    input: &[u8],
    row_len: usize,
    weights: &[i8],
    zero_point: u8,
    requantise: &Requantise,
    residual: Option<&Residual>,
    output: &mut [u8],
) {
    let columns = requantise.bias.len();
    for (at, value) in output.iter_mut().enumerate() {
        let (row, column) = (at / columns, at % columns);
        let depth = weights.len() / columns;
        let values = &input[row * row_len..][..depth];
        let products = values.iter().enumerate().map(|(step, value)| {
            (i32::from(*value) - i32::from(zero_point)) * i32::from(weights[step * columns + column])
        });
        *value = requantised(products.sum(), requantise, column, residual, at);
    }
}

/// A convolution over all input channels; `weights` as tap row, tap column, input channel, output channel.
#[allow(clippy::too_many_arguments, reason = "the operands of a layer, each once")]
pub fn convolution(
    window: &Window,
    channels: usize,
    input: &[u8],
    weights: &[i8],
    zero_point: u8,
    requantise: &Requantise,
    residual: Option<&Residual>,
    output: &mut [u8],
) {
    let (columns, width) = (requantise.bias.len(), window.output().1);
    for (at, value) in output.iter_mut().enumerate() {
        let (pixel, column) = (at / columns, at % columns);
        let mut sum = 0;
        each_tap(window, pixel / width, pixel % width, |tap, source| {
            for channel in 0..channels {
                let value = i32::from(input[source * channels + channel]) - i32::from(zero_point);
                sum += value * i32::from(weights[(tap * channels + channel) * columns + column]);
            }
        });
        *value = requantised(sum, requantise, column, residual, at);
    }
}

/// A convolution of each channel by itself; `weights` as tap row, tap column, channel.
pub fn depthwise(
    window: &Window,
    input: &[u8],
    weights: &[i8],
    zero_point: u8,
    requantise: &Requantise,
    residual: Option<&Residual>,
    output: &mut [u8],
) {
    let (channels, width) = (requantise.bias.len(), window.output().1);
    for (at, value) in output.iter_mut().enumerate() {
        let (pixel, channel) = (at / channels, at % channels);
        let mut sum = 0;
        each_tap(window, pixel / width, pixel % width, |tap, source| {
            let value = i32::from(input[source * channels + channel]) - i32::from(zero_point);
            sum += value * i32::from(weights[tap * channels + channel]);
        });
        *value = requantised(sum, requantise, channel, residual, at);
    }
}

/// `Σ q` for each channel over all pixels.
pub fn channel_sums(input: &[u8], sums: &mut [u32]) {
    let channels = sums.len();
    for (channel, sum) in sums.iter_mut().enumerate() {
        let values = input[channel.min(input.len())..].iter().step_by(channels);
        *sum = values.map(|value| u32::from(*value)).sum();
    }
}

/// The taps of an output pixel that lie within the input: the number of each, and the input pixel that it sees.
fn each_tap(window: &Window, y: usize, x: usize, mut action: impl FnMut(usize, usize)) {
    let (rows, across) = (window.rows(y), window.columns(x));
    for tap_row in rows.from..rows.to {
        for tap_column in across.from..across.to {
            let y = rows.input + tap_row - rows.from;
            let x = across.input + tap_column - across.from;
            action(tap_row * window.kernel.1 + tap_column, y * window.input.1 + x);
        }
    }
}

/// One sum to its byte.
pub fn requantised(
    sum: i32,
    requantise: &Requantise,
    channel: usize,
    residual: Option<&Residual>,
    at: usize,
) -> u8 {
    let mut value = sum as f32 * requantise.scale[channel];
    value += requantise.bias[channel];
    if let Some(residual) = residual {
        let skip = i32::from(residual.values[at]) - i32::from(residual.zero_point);
        value += skip as f32 * residual.ratio;
    }
    let value = value.round_ties_even() + f32::from(requantise.zero_point);
    value.clamp(0.0, 255.0) as u8
}
