//! Layers that follow each other, run together band by band: some rows of the first, those rows of the second that they allow,
//! and so on. What lies between the layers is as large as a band and stays in the second-level cache, where whole
//! planes (4.8 MB behind the first expansion of EfficientNet-Lite0) would be written to the third and read from it again.
//!
//! A kernel of several rows sees rows of the band before: they move to the front of their buffer, nothing is
//! computed twice. Each value is summed as it is without bands, so the bits are the same.

use std::ops::Range;

use crate::convolution::convolution;
use crate::depthwise::{PackedDepthwise, depthwise};
use crate::epilogue::{Activation, Epilogue};
use crate::gemm::PackedMatrix;
use crate::window::Window;

/// Values between the layers, of all bands together: 512 KiB.
const BETWEEN: usize = 128 * 1024;

/// Layers that can be run together.
pub const MOST: usize = 4;

/// One layer with packed weights.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// Where its kernel stands.
    pub window: Window,
    /// What it does there.
    pub weights: Weights<'a>,
    /// One value an output channel.
    pub bias: &'a [f32],
    /// The last step.
    pub activation: Activation,
}

/// The weights of a layer, which say what it is.
#[derive(Clone, Copy, Debug)]
pub enum Weights<'a> {
    /// A convolution over all channels.
    Matrix(&'a PackedMatrix),
    /// A convolution of each channel by itself.
    Depthwise(&'a PackedDepthwise),
}

impl Layer<'_> {
    /// Values of a row of the output.
    fn width(&self) -> usize {
        self.window.output().1 * self.bias.len()
    }

    /// Makes the output rows `rows` from input rows of which the first is `first`.
    fn run(
        &self,
        rows: Range<usize>,
        first: usize,
        input: &[f32],
        residual: Option<&[f32]>,
        gathered: &mut [f32],
        output: &mut [f32],
    ) {
        if rows.is_empty() {
            return;
        }
        let (seen, window) = self.window.band(rows);
        let channels = match self.weights {
            Weights::Matrix(weights) => weights.depth() / self.window.taps().max(1),
            Weights::Depthwise(_) => self.bias.len(),
        };
        let line = self.window.input.1 * channels;
        let input = &input[(seen.start - first) * line..(seen.end - first) * line];
        let epilogue = Epilogue { bias: self.bias, residual, activation: self.activation };
        match self.weights {
            Weights::Matrix(weights) => convolution(&window, weights, input, gathered, &epilogue, output),
            Weights::Depthwise(weights) => depthwise(&window, weights, input, &epilogue, output),
        }
    }
}

/// Rows of the last layer that are made at a time, for which the rows between the layers fit the cache.
fn band(layers: &[Layer]) -> usize {
    let height = layers.last().map_or(0, |layer| layer.window.output().0);
    (1..=height).rev().find(|rows| between_len(layers, *rows) <= BETWEEN).unwrap_or(1)
}

/// Values between the layers for bands of that many rows.
fn between_len(layers: &[Layer], rows: usize) -> usize {
    capacities(layers, rows).iter().sum()
}

/// Values behind each layer but the last for bands of that many rows.
fn capacities(layers: &[Layer], mut rows: usize) -> [usize; MOST] {
    let mut capacities = [0; MOST];
    for index in (1..layers.len()).rev() {
        let Window { kernel, stride, .. } = layers[index].window;
        rows = (rows.max(1) - 1) * stride.0 + kernel.0.max(stride.0);
        rows = rows.min(layers[index].window.input.0);
        capacities[index - 1] = rows * layers[index - 1].width();
    }
    capacities
}

/// The number of values that [`run`] needs in `between` for such layers.
pub fn len(layers: &[Layer]) -> usize {
    between_len(layers, band(layers))
}

/// Runs the layers, at most [`MOST`], each on the output of the one before. `residual` is added by the last; `between` is room for
/// [`len`] values, `gathered` for what the convolutions among them need.
///
/// # Panics
/// If the sizes do not agree.
pub fn run(
    layers: &[Layer],
    input: &[f32],
    residual: Option<&[f32]>,
    between: &mut [f32],
    gathered: &mut [f32],
    output: &mut [f32],
) {
    let Some(last) = layers.len().checked_sub(1) else { return };
    assert!(layers.len() <= MOST, "{} layers", layers.len());
    let (height, count) = (layers[last].window.output().0, band(layers));
    let capacities = capacities(layers, count);
    // The rows that lie in the buffer behind each layer.
    let mut held = [const { 0..0 }; MOST];
    for start in (0..height).step_by(count) {
        // From the last layer to the first: the rows that each has to make, and those of its input that it sees.
        let (mut made, mut seen) = ([const { 0..0 }; MOST], [const { 0..0 }; MOST]);
        made[last] = start..height.min(start + count);
        for index in (1..=last).rev() {
            seen[index] = layers[index].window.band(made[index].clone()).0;
            made[index - 1] = held[index - 1].end.min(seen[index].end)..seen[index].end;
        }
        let mut rest = &mut *between;
        let mut source = (input, 0);
        for (index, layer) in layers[..last].iter().enumerate() {
            let (buffer, behind) = std::mem::take(&mut rest).split_at_mut(capacities[index]);
            rest = behind;
            let (line, before, made) = (layer.width(), held[index].clone(), made[index].clone());
            let first = seen[index + 1].start.clamp(before.start, before.end);
            buffer.copy_within((first - before.start) * line..before.len() * line, 0);
            held[index] = first..made.end;
            let target = &mut buffer[(made.start - first) * line..(made.end - first) * line];
            layer.run(made, source.1, source.0, None, gathered, target);
            source = (&*buffer, first);
        }
        let line = layers[last].width();
        let target = made[last].start * line..made[last].end * line;
        let residual = residual.map(|all| &all[target.clone()]);
        layers[last].run(made[last].clone(), source.1, source.0, residual, gathered, &mut output[target]);
    }
}
