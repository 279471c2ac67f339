//! Convolutions over all channels: rows of input values are gathered block by block, in a buffer that stays in
//! the second-level cache, and multiplied by the packed weights. Pointwise ones need no gathering.

#[cfg(target_arch = "x86_64")]
use crate::arch::avx512;
use crate::epilogue::Epilogue;
use crate::gemm::{PackedMatrix, matrix_product};
use crate::int8::matrix::shares;
#[cfg(target_arch = "x86_64")]
use crate::isa::Level;
use crate::window::Window;

/// Values in the gathered rows of one block: 64 KiB, so that they share the second-level cache with the weights.
const BLOCK: usize = 16 * 1024;

/// Weights that pass through the first-level caches once for each output row without being felt: 64 KiB.
#[cfg(target_arch = "x86_64")]
const FEW_WEIGHTS: usize = 16 * 1024;

/// The number of values that [`convolution`] needs in `gathered` for such a layer.
pub fn gathered_len(window: &Window, channels: usize) -> usize {
    if window.is_pointwise() { 0 } else { block_rows(window, channels) * window.taps() * channels }
}

/// The fewest output pixels gathered at a time, if there are as many: each block reads all the weights.
const LEAST: usize = 56;

/// The most output pixels that are gathered at a time.
fn block_rows(window: &Window, channels: usize) -> usize {
    let depth = window.taps() * channels;
    (BLOCK / depth.max(1)).max(LEAST).min(window.output_pixels())
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
    #[cfg(target_arch = "x86_64")]
    if weights.isa().level() == Level::Avx512 && weights.values.len() <= FEW_WEIGHTS {
        let (isa, weights) = (weights.isa(), &weights.values);
        return avx512::convolution::convolution(isa, window, channels, input, weights, epilogue, output);
    }
    let block = block_rows(window, channels);
    let width = window.output().1;
    let mut place = (0, 0);
    for (from, count) in shares(pixels, block.max(1)) {
        let gathered = &mut gathered[..count * depth];
        for values in gathered.chunks_exact_mut(depth.max(1)) {
            gather(window, channels, input, place, values);
            place = if place.1 + 1 < width { (place.0, place.1 + 1) } else { (place.0 + 1, 0) };
        }
        let output = &mut output[from * columns..(from + count) * columns];
        matrix_product(weights, gathered, &epilogue.of_pixels(from, count), output);
    }
}

/// The input values under the kernel at the output pixel in that row and column, zeros where it lies outside.
fn gather(window: &Window, channels: usize, input: &[f32], (y, x): (usize, usize), values: &mut [f32]) {
    let (rows, across) = (window.rows(y), window.columns(x));
    let line = window.kernel.1 * channels;
    if (rows.to - rows.from, across.to - across.from) != window.kernel {
        values.fill(0.0);
    }
    let len = (across.to - across.from) * channels;
    for tap_row in rows.from..rows.to {
        let y = rows.input + tap_row - rows.from;
        let source = &input[(y * window.input.1 + across.input) * channels..][..len];
        let target = &mut values[tap_row * line + across.from * channels..][..len];
        // The rows of the first layers (3 and 7 pixels of three channels) are shorter than a call to `memcpy` is worth.
        match len {
            9 => copy::<9>(source, target),
            21 => copy::<21>(source, target),
            _ => target.copy_from_slice(source),
        }
    }
}

/// A copy of a length that the compiler knows.
fn copy<const N: usize>(source: &[f32], target: &mut [f32]) {
    if let (Some(source), Some(target)) = (source.first_chunk::<N>(), target.first_chunk_mut::<N>()) {
        *target = *source;
    }
}
