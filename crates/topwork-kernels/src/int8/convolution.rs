//! Convolutions over all channels: rows of input bytes are gathered block by block, in a buffer that stays in
//! the first-level cache, and multiplied by the packed weights. Pointwise ones need no gathering.

use super::{PackedMatrix, Residual, matrix_product};
use crate::window::Window;

/// Bytes in the gathered rows of one block.
const BLOCK: usize = 16 * 1024;

/// The number of bytes that [`convolution`] needs in `gathered` for such a layer.
pub fn gathered_len(window: &Window, weights: &PackedMatrix) -> usize {
    if is_direct(window, weights) { 0 } else { block_rows(window, weights) * weights.row_len() }
}

/// Whether the input is already the matrix that is multiplied.
fn is_direct(window: &Window, weights: &PackedMatrix) -> bool {
    window.is_pointwise() && weights.row_len() == weights.depth()
}

/// Output pixels gathered at a time: a whole number of register tiles of every instruction set.
fn block_rows(window: &Window, weights: &PackedMatrix) -> usize {
    const TILES: usize = 24;
    (BLOCK / weights.row_len().max(1)).next_multiple_of(TILES).min(window.output_pixels())
}

/// `output = requantise(convolution(input))`, see [`crate::int8`]; the rows of `weights` are tap row, tap column, input
/// channel. `gathered` is room for [`gathered_len`] bytes.
///
/// # Panics
/// If the sizes do not agree.
pub fn convolution(
    window: &Window,
    weights: &PackedMatrix,
    input: &[u8],
    gathered: &mut [u8],
    residual: Option<&Residual>,
    output: &mut [u8],
) {
    let (depth, columns, row) = (weights.depth(), weights.columns(), weights.row_len());
    let channels = depth / window.taps().max(1);
    let (pixels, read, written) = (window.output_pixels(), input.len(), output.len());
    assert_eq!(depth, channels * window.taps(), "depth {depth} is not a multiple of {} taps", window.taps());
    assert_eq!(read, window.input_pixels() * channels, "input of {read} values for {window:?} x {channels}");
    assert_eq!(written, pixels * columns, "output of {written} values for {window:?} x {columns}");
    if is_direct(window, weights) {
        return matrix_product(weights, input, residual, output);
    }
    let (room, needed) = (gathered.len(), gathered_len(window, weights));
    assert!(room >= needed, "room for {room} gathered values, {needed} needed by {window:?} x {channels}");
    let block = block_rows(window, weights);
    let width = window.output().1;
    let (mut from, mut place) = (0, (0, 0));
    while from < pixels {
        let count = block.min(pixels - from);
        let gathered = &mut gathered[..count * row];
        for values in gathered.chunks_exact_mut(row.max(1)) {
            gather(window, channels, weights.zero_point(), input, place, &mut values[..depth]);
            place = if place.1 + 1 < width { (place.0, place.1 + 1) } else { (place.0 + 1, 0) };
        }
        let residual = residual.map(|residual| residual.from(from * columns));
        let output = &mut output[from * columns..(from + count) * columns];
        matrix_product(weights, gathered, residual.as_ref(), output);
        from += count;
    }
}

/// The input values under the kernel at the output pixel in that row and column, the zero point where it lies outside.
fn gather(
    window: &Window,
    channels: usize,
    zero_point: u8,
    input: &[u8],
    (y, x): (usize, usize),
    values: &mut [u8],
) {
    let (rows, across) = (window.rows(y), window.columns(x));
    let line = window.kernel.1 * channels;
    if (rows.to - rows.from, across.to - across.from) != window.kernel {
        values.fill(zero_point);
    }
    let len = (across.to - across.from) * channels;
    for tap_row in rows.from..rows.to {
        let y = rows.input + tap_row - rows.from;
        let source = &input[(y * window.input.1 + across.input) * channels..][..len];
        values[tap_row * line + across.from * channels..][..len].copy_from_slice(source);
    }
}
