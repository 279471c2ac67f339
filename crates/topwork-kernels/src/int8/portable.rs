//! Matrix product of bytes for processors of which nothing is known, in safe code that compilers turn into vectors: one row x 4
//! columns at a time, two depths a step. With SSE2, which every x86-64 processor has, that is one `pmaddwd`, which sums two
//! products of 16 bits. LLVM (21, in Rust 1.95) recognises it in just this form: each operand eight neighbouring words, one
//! sum of four, in a function of its own. Two rows, two vectors or two steps at once become a mixture of halves that is three
//! times slower.
//!
//! For that, weights are widened when they are packed, and each pair of input bytes lies four times in a buffer on the stack.

use super::Residual;
use super::matrix::{Operands, shares};

/// Columns of a vector of sums.
pub(crate) const LANES: usize = 4;

/// Depths that one step sums.
pub(crate) const GROUP: usize = 2;

/// The weights of two depths and four columns, or an input pair for each of them.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(16))]
pub(crate) struct Pairs(pub(crate) [i16; LANES * GROUP]);

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
        for ([low, high], pairs) in bytes.iter().zip(pairs.iter_mut()) {
            let (low, high) = (i16::from(*low), i16::from(*high));
            pairs.0 = [low, high, low, high, low, high, low, high];
        }
        for column in (0..columns).step_by(LANES) {
            let width = LANES.min(columns - column);
            let weights = &operands.weights[column / LANES * steps..][..steps];
            let finish = Finish {
                scale: lanes(operands.scale, column),
                bias: lanes(operands.bias, column),
                range: (-f32::from(operands.zero_point), 255.0 - f32::from(operands.zero_point)),
                zero_point: u32::from(operands.zero_point),
            };
            let start = lanes(operands.start, column);
            for row in 0..count {
                let sums = sums(&pairs[row * steps..][..steps], weights, start);
                let at = (first + row) * columns + column;
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
}

/// The values of four columns.
fn lanes<T: Copy + Default>(values: &[T], column: usize) -> [T; LANES] {
    values[column..].first_chunk().copied().unwrap_or_default()
}

/// The sums of one row and four columns. Its form, and that it is not inlined, decide about speed, see above.
#[inline(never)]
fn sums(input: &[Pairs], weights: &[Pairs], mut sums: [i32; LANES]) -> [i32; LANES] {
    for (Pairs(input), Pairs(weights)) in input.iter().zip(weights) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            let (low, high) = (lane * GROUP, lane * GROUP + 1);
            *sum += i32::from(input[low]) * i32::from(weights[low])
                + i32::from(input[high]) * i32::from(weights[high]);
        }
    }
    sums
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
