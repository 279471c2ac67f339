//! Convolutions over all channels: rows of input values are gathered block by block, in a buffer that stays in
//! the second-level cache, and multiplied by the packed weights. Pointwise ones need no gathering.

use crate::epilogue::Epilogue;
use crate::gemm::{PackedMatrix, matrix_product};
use crate::window::Window;

/// Values in the gathered rows of one block: 64 KiB, so that they share the second-level cache with the weights.
const BLOCK: usize = 16 * 1024;

/// The number of values that [`convolution`] needs in `gathered` for such a layer.
pub fn gathered_len(window: &Window, channels: usize) -> usize {
    if window.is_pointwise() { 0 } else { block_rows(window, channels) * window.taps() * channels }
}

/// Output pixels gathered at a time: a whole number of register tiles of every instruction set.
fn block_rows(window: &Window, channels: usize) -> usize {
    const TILES: usize = 24;
    let depth = window.taps() * channels;
    (BLOCK / depth.max(1)).next_multiple_of(TILES).min(window.output_pixels())
}

/// `output = activation(convolution(input) + bias + residual)`; the rows of `weights` are tap row, tap column, input
/// channel. `gathered` is room for [`gathered_len`] values.
///
/// # Panics
/// If the sizes do not agree.
pub fn convolution(
    window: &Window,
    weights: &PackedMatrix,
    input: &[f32],
    gathered: &mut [f32],
    epilogue: &Epilogue,
    output: &mut [f32],
) {
    let (depth, columns) = (weights.depth(), weights.columns());
    let channels = depth / window.taps().max(1);
    let (pixels, read, written) = (window.output_pixels(), input.len(), output.len());
    assert_eq!(depth, channels * window.taps(), "depth {depth} is not a multiple of {} taps", window.taps());
    assert_eq!(read, window.input_pixels() * channels, "input of {read} values for {window:?} x {channels}");
    assert_eq!(written, pixels * columns, "output of {written} values for {window:?} x {columns}");
    epilogue.check(pixels, columns);
    if window.is_pointwise() {
        return matrix_product(weights, input, epilogue, output);
    }
    let (room, needed) = (gathered.len(), gathered_len(window, channels));
    assert!(room >= needed, "room for {room} gathered values, {needed} needed by {window:?} x {channels}");
    let block = block_rows(window, channels);
    let mut from = 0;
    while from < pixels {
        let count = block.min(pixels - from);
        let gathered = &mut gathered[..count * depth];
        for (row, values) in gathered.chunks_exact_mut(depth.max(1)).enumerate() {
            gather(window, channels, input, from + row, values);
        }
        let output = &mut output[from * columns..(from + count) * columns];
        matrix_product(weights, gathered, &epilogue.of_pixels(from, count), output);
        from += count;
    }
}

/// The input values under the kernel at one output pixel, zeros where it lies outside.
fn gather(window: &Window, channels: usize, input: &[f32], pixel: usize, values: &mut [f32]) {
    let width = window.output().1;
    let (rows, across) = (window.rows(pixel / width), window.columns(pixel % width));
    let line = window.kernel.1 * channels;
    if (rows.to - rows.from, across.to - across.from) != window.kernel {
        values.fill(0.0);
    }
    let len = (across.to - across.from) * channels;
    for tap_row in rows.from..rows.to {
        let y = rows.input + tap_row - rows.from;
        let source = &input[(y * window.input.1 + across.input) * channels..][..len];
        copy(source, &mut values[tap_row * line + across.from * channels..][..len]);
    }
}

/// A short copy: the few values of a tap row are fewer than a call to `memcpy` is worth.
#[inline(always)]
fn copy(source: &[f32], target: &mut [f32]) {
    if source.len() > 32 {
        target.copy_from_slice(source);
    } else {
        for (target, source) in target.iter_mut().zip(source) {
            *target = *source;
        }
    }
}
