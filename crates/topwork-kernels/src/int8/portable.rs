//! Matrix product of bytes for processors of which nothing is known, tiles of 4 rows x 8 columns, two depths a step: vectors of
//! four sums, which are SSE2's `pmaddwd` on every x86-64 processor, NEON on every 64-bit Arm, and plain loops elsewhere.
//!
//! Weights are widened when they are packed, and each pair of input bytes lies four times in a buffer on the stack.

use super::Residual;
use super::matrix::{Operands, Tiles, shares};
#[cfg(target_arch = "aarch64")]
pub(crate) use crate::arch::neon::pairs::{Pairs, Sums};
#[cfg(target_arch = "x86_64")]
pub(crate) use crate::arch::sse2::{Pairs, Sums};
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) use crate::int8::pairs::{Pairs, Sums};

/// Columns of a vector of sums.
pub(crate) const LANES: usize = 4;

/// Depths that one step sums.
pub(crate) const GROUP: usize = 2;

/// Vectors of the widest panel.
pub(crate) const WIDEST: usize = 2;

/// Rows of a tile.
const ROWS: usize = 4;

/// Pairs of a block of rows: 32 KiB.
const BLOCK: usize = 2048;

/// 1.5 · 2²³: between 2²³ and 2²⁴ neighbouring f32 differ by 1, so adding it rounds to a whole number, ties to even, because it is
/// even itself. The low bits of the sum are that number.
const ROUNDER: f32 = 12_582_912.0;

/// See [`super::matrix_product`], which has checked the sizes.
pub(crate) fn matrix_product(operands: &Operands<Pairs>, output: &mut [u8]) {
    let (row_len, columns) = (operands.row_len, operands.columns);
    let steps = row_len / GROUP;
    let rows = output.len().checked_div(columns).unwrap_or(0);
    let block = (BLOCK / steps.max(1)).clamp(1, rows.max(1));
    let mut small = [Pairs::default(); BLOCK];
    // Depths beyond most networks'.
    let mut large = Vec::new();
    let pairs = if steps <= BLOCK {
        &mut small[..block * steps]
    } else {
        large.resize(steps, Pairs::default());
        &mut large
    };
    for (first, count) in shares(rows, block) {
        let (bytes, _) = operands.input[first * row_len..][..count * row_len].as_chunks::<GROUP>();
        for (bytes, pairs) in bytes.iter().zip(pairs.iter_mut()) {
            *pairs = Pairs::new([bytes.map(i16::from); LANES]);
        }
        for (vector, vectors) in shares(columns.div_ceil(LANES), WIDEST) {
            let column = vector * LANES;
            let weights = &operands.weights[vector * steps..][..vectors * steps];
            for tiles in Tiles::of(0, count, ROWS) {
                let run = match (tiles.height, vectors) {
                    (1, 1) => tile::<1, 1>,
                    (2, 1) => tile::<2, 1>,
                    (3, 1) => tile::<3, 1>,
                    (4, 1) => tile::<4, 1>,
                    (1, 2) => tile::<1, 2>,
                    (2, 2) => tile::<2, 2>,
                    (3, 2) => tile::<3, 2>,
                    (4, 2) => tile::<4, 2>,
                    sizes => unreachable!("no tile has so many rows and vectors: {sizes:?}"),
                };
                for tile in 0..tiles.count {
                    let row = tiles.row + tile * tiles.height;
                    let pairs = &pairs[row * steps..][..tiles.height * steps];
                    run(pairs, weights, operands, first + row, column, output);
                }
            }
        }
    }
}

/// `R` rows x `V` vectors of output, the first at that row and column.
fn tile<const R: usize, const V: usize>(
    pairs: &[Pairs],
    weights: &[Pairs],
    operands: &Operands<Pairs>,
    row: usize,
    column: usize,
    output: &mut [u8],
) {
    let columns = operands.columns;
    let steps = pairs.len() / R;
    let rows: [&[Pairs]; R] = std::array::from_fn(|row| &pairs[row * steps..][..steps]);
    let mut sums: [[Sums; V]; R] =
        [std::array::from_fn(|vector| Sums::new(lanes(operands.start, column + vector * LANES))); R];
    for (step, weights) in weights.as_chunks::<V>().0[..steps].iter().enumerate() {
        for (row, sums) in rows.iter().zip(&mut sums) {
            for (sums, weights) in sums.iter_mut().zip(weights) {
                sums.add_products(row[step], *weights);
            }
        }
    }
    for vector in 0..V {
        let column = column + vector * LANES;
        let width = LANES.min(columns - column);
        let finish = Finish {
            scale: lanes(operands.scale, column),
            bias: lanes(operands.bias, column),
            range: (-f32::from(operands.zero_point), 255.0 - f32::from(operands.zero_point)),
            zero_point: u32::from(operands.zero_point),
        };
        for (index, sums) in sums.iter().enumerate() {
            let at = (row + index) * columns + column;
            let sums = sums[vector].values();
            let bytes = match operands.residual {
                None => finish.bytes(sums),
                Some(residual) => finish.bytes_with(sums, residual, at, width),
            };
            match output[at..].first_chunk_mut() {
                Some(place) if width == LANES => *place = bytes,
                _ => output[at..][..width].copy_from_slice(&bytes[..width]),
            }
        }
    }
}

/// The values of four columns.
fn lanes<T: Copy + Default>(values: &[T], column: usize) -> [T; LANES] {
    values[column..].first_chunk().copied().unwrap_or_default()
}

/// What happens to the sums of four columns.
struct Finish {
    scale: [f32; LANES],
    bias: [f32; LANES],
    /// −z_out and 255 − z_out.
    range: (f32, f32),
    zero_point: u32,
}

impl Finish {
    fn bytes(&self, sums: [i32; LANES]) -> [u8; LANES] {
        let mut values = [0.0; LANES];
        for (lane, value) in values.iter_mut().enumerate() {
            *value = sums[lane] as f32 * self.scale[lane] + self.bias[lane];
        }
        self.rounded(values)
    }

    fn bytes_with(&self, sums: [i32; LANES], residual: &Residual, at: usize, width: usize) -> [u8; LANES] {
        let mut skip = [0; LANES];
        skip[..width].copy_from_slice(&residual.values[at..][..width]);
        let zero_point = i32::from(residual.zero_point);
        let mut values = [0.0; LANES];
        for (lane, value) in values.iter_mut().enumerate() {
            *value = sums[lane] as f32 * self.scale[lane] + self.bias[lane];
            *value += (i32::from(skip[lane]) - zero_point) as f32 * residual.ratio;
        }
        self.rounded(values)
    }

    /// Clamped first, so that [`ROUNDER`] can round.
    fn rounded(&self, values: [f32; LANES]) -> [u8; LANES] {
        values.map(|value| {
            let value = if value > self.range.0 { value } else { self.range.0 };
            let value = if value < self.range.1 { value } else { self.range.1 };
            (value + ROUNDER).to_bits().wrapping_add(self.zero_point) as u8
        })
    }
}
