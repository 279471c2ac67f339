//! Matrix product, tile of 14 rows x 32 columns: 28 of the 32 registers hold sums, 2 the weights and 1 the input value.
//! Loads a step: 2 of weights and 14 of input for 28 multiply-adds, which leaves the load ports almost half free, and
//! the planes of networks for 224 x 224 photos are multiples of 7 or 14 pixels, so no tile is a sliver. The last panel
//! of an odd number of vectors has 48 columns x 9 rows (27 sums), or 16 columns if it is the only one.
//!
//! While the rows pass one panel, each step asks for a piece of the next: the weights of a network lie in the third-level
//! cache or in memory, and where there are few rows (7 x 7 pixels) waiting for them would take half of the time.
//!
//! Rows are taken in blocks whose input and output stay in the second-level cache while all panels of weights pass; where
//! all weights fit the first level, in small blocks whose output is still there when its next columns come. Long rows are
//! taken in pieces, so that a panel's piece and the block's stay in that cache together; the sums wait in the output.

use std::arch::x86_64::*;

use crate::epilogue::Epilogue;
use crate::gemm::wide_panel;
use crate::int8::matrix::shares;
use crate::isa::{Isa, Level};

const LANES: usize = 16;

/// Rows of a tile of one, two and three vectors.
const ROWS: [usize; 3] = [14, 14, 9];

/// Rows whose places are reached from one pointer, by adding the distance of two rows once or twice: fourteen pointers are
/// more than there are registers.
const REACH: usize = 3;

/// Input and output values of a block of rows: 256 KiB.
const BLOCK: usize = 64 * 1024;

/// The fewest rows of a block, if there are as many: each block reads all the weights.
const LEAST: usize = 4 * ROWS[1];

/// Columns from which on a skip connection is so far apart, panel by panel, that rows are taken in small blocks and the next tile's
/// are asked for.
const WIDE: usize = 256;

/// The longest piece of a row: a panel of 32 columns of it has 160 KiB.
const PIECE: usize = 1280;

/// Weights that stay in the first-level cache: 24 KiB.
const FEW_WEIGHTS: usize = 6 * 1024;

/// See [`crate::gemm::matrix_product`], which has checked the sizes; `weights` as packed by [`pack`].
pub(crate) fn matrix_product(
    isa: Isa,
    depth: usize,
    input: &[f32],
    weights: &[f32],
    epilogue: &Epilogue,
    output: &mut [f32],
) {
    assert!(isa.includes(Level::Avx512), "not an AVX-512 processor");
    let columns = epilogue.bias.len();
    let rows = output.len().checked_div(columns).unwrap_or(0);
    let few = weights.len() <= FEW_WEIGHTS;
    let is_wide = epilogue.residual.is_some() && columns >= WIDE;
    let block =
        if few || is_wide { LEAST } else { (BLOCK / (depth + columns)).next_multiple_of(ROWS[1]).max(LEAST) };
    for (from, count) in shares(rows, block) {
        // A row without values is one piece, which has none.
        for (start, length) in shares(depth, PIECE).chain((depth == 0).then_some((0, 0))) {
            let source = Source { row: depth, runs: 1, run: 0, length, skip: 0 };
            let part = Part { is_first: start == 0, is_last: start + length == depth };
            let mut column = 0;
            while column < columns {
                let panel = Panel::new(column, depth, weights, epilogue, columns).part(start, length, part);
                let at = from * columns + column;
                let residual = epilogue.residual.map(|all| &all[at..]);
                let input = &input[from * depth + start..];
                // SAFETY: the assertion above: this processor has AVX-512.
                unsafe { rows_of(count, &source, input, &panel, residual, &mut output[at..]) };
                column += panel.columns();
            }
        }
    }
}

/// Where a tile finds its input: the values of a row are `runs` pieces of `length` values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    /// From one row to the next.
    pub(super) row: usize,
    pub(super) runs: usize,
    /// From one run to the next, in the input.
    pub(super) run: usize,
    pub(super) length: usize,
    /// From one run to the next, in the rows of weights.
    pub(super) skip: usize,
}

/// Which part of the rows is multiplied: the first begins with bias and residual, the last ends with the activation.
#[derive(Clone, Copy, Debug)]
struct Part {
    is_first: bool,
    is_last: bool,
}

/// The columns of the output that one panel makes, and what happens to them.
pub(super) struct Panel<'a> {
    weights: &'a [f32],
    /// Values from the start of `weights` to what is read after them.
    next: usize,
    part: Part,
    vectors: usize,
    /// From one row of the output to the next.
    stride: usize,
    bias: &'a [f32],
    range: (f32, f32),
}

impl<'a> Panel<'a> {
    pub(super) fn new(
        column: usize,
        depth: usize,
        weights: &'a [f32],
        epilogue: &Epilogue<'a>,
        stride: usize,
    ) -> Panel<'a> {
        let columns = epilogue.bias.len();
        let width = wide_panel(columns - column);
        Panel {
            weights: &weights[column * depth..][..width * depth],
            next: width * depth,
            part: Part { is_first: true, is_last: true },
            vectors: width / LANES,
            stride,
            bias: &epilogue.bias[column..columns.min(column + width)],
            range: epilogue.activation.range(),
        }
    }

    /// The same without the first rows of weights.
    pub(super) fn starting_at(self, row: usize) -> Panel<'a> {
        Panel { weights: &self.weights[row * self.columns()..], ..self }
    }

    /// The same for a part of the rows.
    fn part(self, start: usize, length: usize, part: Part) -> Panel<'a> {
        let columns = self.columns();
        Panel { weights: &self.weights[start * columns..][..length * columns], part, ..self }
    }

    /// Columns of packed weights.
    pub(super) fn columns(&self) -> usize {
        self.vectors * LANES
    }
}

/// The part of the next panel that one tile of this panel asks for: all tiles together ask for all of it.
#[derive(Clone, Copy)]
struct Ahead {
    /// From the start of this panel.
    from: usize,
    /// Values a step.
    pace: usize,
}

/// `count` rows of output, the first at `output[0]`: as many tiles as needed, of sizes that differ by one at most, so that
/// none is a sliver.
#[target_feature(enable = "avx512f")]
pub(super) fn rows_of(
    count: usize,
    source: &Source,
    input: &[f32],
    panel: &Panel,
    residual: Option<&[f32]>,
    output: &mut [f32],
) {
    let tiles = count.div_ceil(ROWS[panel.vectors - 1]);
    let mut row = 0;
    for tile in 0..tiles {
        let height = count / tiles + usize::from(tile < count % tiles);
        let at = row * panel.stride;
        let residual = residual.map(|all| &all[at..]);
        let length = panel.weights.len();
        let ahead = Ahead { from: panel.next + tile * length / tiles, pace: panel.columns() / tiles };
        tile_of_height(height, source, &input[row * source.row..], panel, ahead, residual, &mut output[at..]);
        row += height;
    }
}

#[target_feature(enable = "avx512f")]
fn tile_of_height(
    height: usize,
    source: &Source,
    input: &[f32],
    panel: &Panel,
    ahead: Ahead,
    residual: Option<&[f32]>,
    output: &mut [f32],
) {
    macro_rules! tiles {
        ($($vectors:literal: $($rows:literal)*;)*) => {
            match (panel.vectors, height) {
                $($(($vectors, $rows) => tile::<$rows, $vectors>,)*)*
                _ => unreachable!("no tile of {height} rows x {} vectors", panel.vectors),
            }
        };
    }
    let run = tiles! {
        1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14;
        2: 1 2 3 4 5 6 7 8 9 10 11 12 13 14;
        3: 1 2 3 4 5 6 7 8 9;
    };
    run(source, input, panel, ahead, residual, output);
}

/// `R` rows x `V` vectors of output, the first at `output[0]`.
#[inline(never)]
#[target_feature(enable = "avx512f")]
fn tile<const R: usize, const V: usize>(
    source: &Source,
    input: &[f32],
    panel: &Panel,
    ahead: Ahead,
    residual: Option<&[f32]>,
    output: &mut [f32],
) {
    let Source { row: distance, runs, run, length, skip } = *source;
    let read = if runs > 0 { (R - 1) * distance + (runs - 1) * run + length } else { 0 };
    let steps = if runs > 0 { (runs - 1) * skip + length } else { 0 };
    let end = (R - 1) * panel.stride + panel.bias.len();
    assert!(input.len() >= read && panel.weights.len() >= steps * V * LANES && output.len() >= end);
    assert!(panel.bias.len() <= V * LANES && residual.is_none_or(|residual| residual.len() >= end));
    let masks: [__mmask16; V] = std::array::from_fn(|vector| mask(panel.bias.len(), vector));
    // SAFETY: the masks leave out what lies behind the bias.
    let bias: [__m512; V] = std::array::from_fn(|vector| unsafe {
        _mm512_maskz_loadu_ps(masks[vector], panel.bias.as_ptr().wrapping_add(vector * LANES))
    });
    let mut next = panel.weights.as_ptr().wrapping_add(ahead.from);
    let mut sums = [bias; R];
    if !panel.part.is_first {
        for (row, sums) in sums.iter_mut().enumerate() {
            for (vector, sum) in sums.iter_mut().enumerate() {
                let at = row * panel.stride + vector * LANES;
                // SAFETY: up to `end`, asserted above; the mask leaves out what lies behind.
                *sum = unsafe { _mm512_maskz_loadu_ps(masks[vector], output.as_ptr().wrapping_add(at)) };
            }
        }
    } else if let Some(residual) = residual {
        for (row, sums) in sums.iter_mut().enumerate() {
            for (vector, sum) in sums.iter_mut().enumerate() {
                let at = row * panel.stride + vector * LANES;
                // SAFETY: up to `end`, asserted above; the mask leaves out what lies behind.
                let skip =
                    unsafe { _mm512_maskz_loadu_ps(masks[vector], residual.as_ptr().wrapping_add(at)) };
                *sum = _mm512_add_ps(*sum, skip);
            }
        }
    }
    if let Some(residual) = residual.filter(|_| panel.stride >= WIDE && panel.part.is_first) {
        for row in R..2 * R {
            for vector in 0..V {
                let at = row * panel.stride + vector * LANES;
                // No more than hints, so the end is not looked for.
                _mm_prefetch::<_MM_HINT_T0>(output.as_ptr().wrapping_add(at).cast());
                _mm_prefetch::<_MM_HINT_T0>(residual.as_ptr().wrapping_add(at).cast());
            }
        }
    }
    for piece in 0..runs {
        let mut line = panel.weights.as_ptr().wrapping_add(piece * skip * V * LANES);
        let first = input.as_ptr().wrapping_add(piece * run);
        let mut heads: [*const f32; R] =
            std::array::from_fn(|row| first.wrapping_add(row / REACH * REACH * distance));
        for _ in 0..length {
            // SAFETY: of the `steps` rows of weights asserted above.
            let weights: [__m512; V] =
                std::array::from_fn(|vector| unsafe { _mm512_loadu_ps(line.add(vector * LANES)) });
            for (row, sums) in sums.iter_mut().enumerate() {
                // SAFETY: within the `read` values asserted above.
                let value = unsafe { *heads[row].add(row % REACH * distance) };
                for (sum, weights) in sums.iter_mut().zip(weights) {
                    *sum = _mm512_fmadd_ps(_mm512_set1_ps(value), weights, *sum);
                }
            }
            line = line.wrapping_add(V * LANES);
            // No more than a hint, so the end of the weights is not looked for.
            _mm_prefetch::<_MM_HINT_T0>(next.cast());
            next = next.wrapping_add(ahead.pace);
            for head in heads.iter_mut() {
                *head = head.wrapping_add(1);
            }
        }
    }
    let range = if panel.part.is_last { panel.range } else { (f32::NEG_INFINITY, f32::INFINITY) };
    let (low, high) = (_mm512_set1_ps(range.0), _mm512_set1_ps(range.1));
    for (row, sums) in sums.iter().enumerate() {
        for (vector, sum) in sums.iter().enumerate() {
            let at = row * panel.stride + vector * LANES;
            let sum = _mm512_min_ps(_mm512_max_ps(*sum, low), high);
            // SAFETY: as for the residual.
            unsafe { _mm512_mask_storeu_ps(output.as_mut_ptr().wrapping_add(at), masks[vector], sum) };
        }
    }
}

/// The lanes of that vector that lie within a number of values.
#[inline]
fn mask(values: usize, vector: usize) -> __mmask16 {
    let lanes = values.saturating_sub(vector * LANES).min(LANES);
    ((1u32 << lanes) - 1) as __mmask16
}
