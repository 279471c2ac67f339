//! Convolutions over all channels: rows of input bytes are gathered block by block, in a buffer that stays in
//! the second-level cache, and multiplied by the packed weights. Pointwise ones need no gathering. Where a kernel
//! can read rows that overlap, those of stride 1 only copy the plane with its padding.

use super::matrix::{Grid, grid_product, is_grid_suited, shares};
use super::{PackedMatrix, Residual, matrix_product};
use crate::window::Window;

/// Bytes in the gathered rows of one block, if they are short.
const BLOCK: usize = 16 * 1024;

/// The fewest rows of a block: each block reads all the weights.
const LEAST: usize = 96;

/// The number of bytes that [`convolution`] needs in `gathered` for such a layer.
pub fn gathered_len(window: &Window, weights: &PackedMatrix) -> usize {
    if is_direct(window, weights) {
        0
    } else if let Some(grid) = grid(window, weights) {
        (window.input.0 + window.before.0 + window.after.0) * grid.run
    } else {
        block_rows(window, weights) * gathered_row(window, weights)
    }
}

/// Bytes of a gathered row: as many as there are weights, where there is a kernel for such rows.
fn gathered_row(window: &Window, weights: &PackedMatrix) -> usize {
    // The blocks differ by one row at most.
    let blocks = shares(window.output_pixels(), block_rows(window, weights).max(1));
    let smallest = blocks.map(|(_, rows)| rows).min().unwrap_or(0);
    let packed = weights.packed_len();
    if is_grid_suited(weights, &Grid::of_rows(smallest, packed)) { packed } else { weights.row_len() }
}

/// The rows of input as they lie in a plane with its padding, where there is a kernel for them.
fn grid(window: &Window, weights: &PackedMatrix) -> Option<Grid> {
    let channels = weights.depth() / window.taps().max(1);
    let (height, width) = window.output();
    let pitch = window.input.1 + window.before.1 + window.after.1;
    let grid = Grid {
        height,
        width,
        pitch,
        distance: channels,
        runs: window.kernel.0,
        length: window.kernel.1 * channels,
        run: pitch * channels,
    };
    (window.stride == (1, 1) && is_grid_suited(weights, &grid)).then_some(grid)
}

/// Whether the input is already the matrix that is multiplied.
fn is_direct(window: &Window, weights: &PackedMatrix) -> bool {
    window.is_pointwise() && weights.row_len() == weights.depth()
}

/// The most output pixels that are gathered at a time.
fn block_rows(window: &Window, weights: &PackedMatrix) -> usize {
    (BLOCK / weights.row_len().max(1)).max(LEAST).min(window.output_pixels())
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
    let (depth, columns) = (weights.depth(), weights.columns());
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
    if let Some(grid) = grid(window, weights) {
        let plane = &mut gathered[..needed];
        pad(window, channels, weights.zero_point(), input, plane);
        return grid_product(weights, &grid, plane, residual, output);
    }
    let (block, row) = (block_rows(window, weights), gathered_row(window, weights));
    let source = Source { window, channels, zero_point: weights.zero_point(), input };
    for (from, count) in shares(pixels, block.max(1)) {
        let gathered = &mut gathered[..count * row];
        source.gather(from, row, gathered);
        let residual = residual.map(|residual| residual.from(from * columns));
        let output = &mut output[from * columns..(from + count) * columns];
        let grid = Grid::of_rows(count, row);
        if is_grid_suited(weights, &grid) {
            grid_product(weights, &grid, gathered, residual.as_ref(), output);
        } else {
            matrix_product(weights, gathered, residual.as_ref(), output);
        }
    }
}

/// The plane with its padding around it.
fn pad(window: &Window, channels: usize, zero_point: u8, input: &[u8], plane: &mut [u8]) {
    let line = window.input.1 * channels;
    let (left, right) = (window.before.1 * channels, window.after.1 * channels);
    let lines = left + line + right;
    let (above, below) = (window.before.0 * lines, window.after.0 * lines);
    let (above, plane) = plane.split_at_mut(above);
    let (plane, below) = plane.split_at_mut(plane.len() - below);
    above.fill(zero_point);
    below.fill(zero_point);
    for (padded, values) in plane.chunks_exact_mut(lines.max(1)).zip(input.chunks_exact(line.max(1))) {
        padded[..left].fill(zero_point);
        padded[left..left + line].copy_from_slice(values);
        padded[left + line..].fill(zero_point);
    }
}

/// What rows of input are gathered from.
struct Source<'a> {
    window: &'a Window,
    channels: usize,
    zero_point: u8,
    input: &'a [u8],
}

impl Source<'_> {
    /// The rows of the output pixels from that one on, each of `row` bytes.
    fn gather(&self, from: usize, row: usize, mut gathered: &mut [u8]) {
        let Window { input, kernel, stride, before, .. } = *self.window;
        let width = self.window.output().1;
        // Output columns from which all columns of the kernel lie within the input.
        let low = before.1.div_ceil(stride.1);
        let high = (input.1 + before.1).checked_sub(kernel.1).map_or(0, |room| room / stride.1 + 1);
        let (mut y, mut x) = (from / width, from % width);
        while !gathered.is_empty() && row > 0 {
            let rows = self.window.rows(y);
            let end = width.min(x + gathered.len() / row);
            let inside =
                if rows.to - rows.from == kernel.0 { x.max(low).min(end)..high.min(end) } else { end..end };
            let inside = inside.start..inside.end.max(inside.start);
            let (line, rest) = gathered.split_at_mut((end - x) * row);
            let (left, line) = line.split_at_mut((inside.start - x) * row);
            let (middle, right) = line.split_at_mut(inside.len() * row);
            for (x, values) in
                (x..).zip(left.chunks_exact_mut(row)).chain((inside.end..).zip(right.chunks_exact_mut(row)))
            {
                self.gather_at_border(y, x, values);
            }
            if !inside.is_empty() {
                let first = (rows.input * input.1 + inside.start * stride.1 - before.1) * self.channels;
                // The rows of the first layers (3 and 7 pixels of three channels) are shorter than a call to `memcpy` is worth.
                match kernel.1 * self.channels {
                    9 => self.gather_inside::<9>(first, row, middle),
                    21 => self.gather_inside::<21>(first, row, middle),
                    _ => self.gather_inside::<0>(first, row, middle),
                }
            }
            gathered = rest;
            (y, x) = (y + 1, 0);
        }
    }

    /// The rows of neighbouring output pixels whose whole kernel lies within the input, which the first meets at `first`;
    /// `LEN` is the length of a row of the kernel, or 0 for any.
    fn gather_inside<const LEN: usize>(&self, first: usize, row: usize, gathered: &mut [u8]) {
        let Window { input, kernel, stride, .. } = *self.window;
        let len = kernel.1 * self.channels;
        for tap_row in 0..kernel.0 {
            let source = &self.input[first + tap_row * input.1 * self.channels..];
            let sources = (0..).step_by(stride.1 * self.channels);
            for (at, values) in sources.zip(gathered.chunks_exact_mut(row)) {
                if LEN > 0 {
                    let values: &mut [u8; LEN] =
                        (&mut values[tap_row * LEN..][..LEN]).try_into().expect("of that length");
                    *values = source[at..][..LEN].try_into().expect("of that length");
                } else {
                    values[tap_row * len..][..len].copy_from_slice(&source[at..][..len]);
                }
            }
        }
    }

    /// The input values under the kernel at an output pixel, the zero point where it lies outside.
    fn gather_at_border(&self, y: usize, x: usize, values: &mut [u8]) {
        let (rows, across) = (self.window.rows(y), self.window.columns(x));
        let line = self.window.kernel.1 * self.channels;
        values.fill(self.zero_point);
        let len = (across.to - across.from) * self.channels;
        for tap_row in rows.from..rows.to {
            let y = rows.input + tap_row - rows.from;
            let source = &self.input[(y * self.window.input.1 + across.input) * self.channels..][..len];
            values[tap_row * line + across.from * self.channels..][..len].copy_from_slice(source);
        }
    }
}
