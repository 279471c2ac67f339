//! Matrix product, tile of 6 rows x 16 columns: 12 of the 16 registers hold sums, 2 the weights and 1 the input
//! value, and 12 independent sums hide the latency of two multiply-adds a cycle (4 cycles each). Loads a step:
//! 2 of weights and 6 of input for 12 multiply-adds, which leaves the load ports a quarter free.
//!
//! While the rows pass one panel, each step asks for a piece of the next: the weights of a network lie in the third-level
//! cache or in memory.
//!
//! Rows are taken in blocks whose input and output stay in the second-level cache while all panels of weights pass.

use std::arch::x86_64::*;

use crate::epilogue::Epilogue;
use crate::gemm::PANEL;
use crate::isa::{Isa, Level};

const ROWS: usize = 6;
const LANES: usize = 8;

/// Input and output values of a block of rows: 256 KiB.
const BLOCK: usize = 64 * 1024;

/// See [`crate::gemm::matrix_product`], which has checked the sizes; `panels` as packed there.
pub(crate) fn matrix_product(
    isa: Isa,
    depth: usize,
    input: &[f32],
    panels: &[f32],
    epilogue: &Epilogue,
    output: &mut [f32],
) {
    assert!(isa.includes(Level::Avx2), "not an AVX2 processor");
    let columns = epilogue.bias.len();
    let rows = output.len().checked_div(columns).unwrap_or(0);
    let block = (BLOCK / (depth + columns).max(1)).next_multiple_of(ROWS);
    let mut from = 0;
    while from < rows {
        let count = block.min(rows - from);
        for panel in 0..columns.div_ceil(PANEL) {
            let weights = &panels[panel * depth * PANEL..][..depth * PANEL];
            let place = Place::new(panel, epilogue);
            // As many tiles as needed, of sizes that differ by one at most, so that none is a sliver.
            let tiles = count.div_ceil(ROWS);
            let mut row = from;
            for tile in 0..tiles {
                let height = count / tiles + usize::from(tile < count % tiles);
                let input = &input[row * depth..][..height * depth];
                let at = row * columns + place.column;
                let residual = epilogue.residual.map(|all| &all[at..]);
                // SAFETY: the assertion above: this processor has AVX2 and FMA.
                let (from, pace) = (weights.len() + tile * weights.len() / tiles, PANEL / tiles);
                let weights = Weights { panel: weights, next: from, pace };
                let output = &mut output[at..];
                // SAFETY: the assertion above: this processor has AVX2 and FMA.
                unsafe { tile_of_height(height, depth, input, weights, &place, residual, output) };
                row += height;
            }
        }
        from += count;
    }
}

/// A panel, and the part of the next one that a tile asks for: all tiles of the panel together ask for all of it.
#[derive(Clone, Copy)]
struct Weights<'a> {
    panel: &'a [f32],
    /// Where that part begins, from the start of this panel.
    next: usize,
    /// Values of it a step.
    pace: usize,
}

/// The columns of the output that one panel makes, and what happens to them.
struct Place {
    column: usize,
    width: usize,
    stride: usize,
    bias: [f32; PANEL],
    range: (f32, f32),
}

impl Place {
    fn new(panel: usize, epilogue: &Epilogue) -> Place {
        let (stride, column) = (epilogue.bias.len(), panel * PANEL);
        let width = PANEL.min(stride - column);
        let mut bias = [0.0; PANEL];
        bias[..width].copy_from_slice(&epilogue.bias[column..column + width]);
        Place { column, width, stride, bias, range: epilogue.activation.range() }
    }
}

#[target_feature(enable = "avx2,fma")]
fn tile_of_height(
    height: usize,
    depth: usize,
    input: &[f32],
    weights: Weights,
    place: &Place,
    residual: Option<&[f32]>,
    output: &mut [f32],
) {
    let run = match (height, place.width > LANES) {
        (1, false) => tile::<1, 1>,
        (2, false) => tile::<2, 1>,
        (3, false) => tile::<3, 1>,
        (4, false) => tile::<4, 1>,
        (5, false) => tile::<5, 1>,
        (6, false) => tile::<6, 1>,
        (1, true) => tile::<1, 2>,
        (2, true) => tile::<2, 2>,
        (3, true) => tile::<3, 2>,
        (4, true) => tile::<4, 2>,
        (5, true) => tile::<5, 2>,
        (6, true) => tile::<6, 2>,
        _ => unreachable!("tiles have 1 to {ROWS} rows, not {height}"),
    };
    run(depth, input, weights, place, residual, output);
}

/// `R` rows x `V` vectors of output, the first at `output[0]`.
#[target_feature(enable = "avx2,fma")]
fn tile<const R: usize, const V: usize>(
    depth: usize,
    input: &[f32],
    weights: Weights,
    place: &Place,
    residual: Option<&[f32]>,
    output: &mut [f32],
) {
    let end = (R - 1) * place.stride + place.width;
    assert!(input.len() == R * depth && weights.panel.len() == depth * PANEL && output.len() >= end);
    assert!(V * LANES <= PANEL && residual.is_none_or(|residual| residual.len() >= end));
    let mut sums = [[_mm256_setzero_ps(); V]; R];
    let mut next = weights.panel.as_ptr().wrapping_add(weights.next);
    for step in 0..depth {
        // No more than a hint, so the end of the weights is not looked for.
        _mm_prefetch::<_MM_HINT_T0>(next.cast());
        next = next.wrapping_add(weights.pace);
        let mut line = [_mm256_setzero_ps(); V];
        for (vector, line) in line.iter_mut().enumerate() {
            // SAFETY: step < depth and (vector + 1) * LANES <= PANEL, so this ends within the panel.
            *line = unsafe { _mm256_loadu_ps(weights.panel.as_ptr().add(step * PANEL + vector * LANES)) };
        }
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: row < R and step < depth: within the R * depth values of `input`.
            let value = unsafe { _mm256_broadcast_ss(&*input.as_ptr().add(row * depth + step)) };
            for (sum, line) in sums.iter_mut().zip(line) {
                *sum = _mm256_fmadd_ps(value, line, *sum);
            }
        }
    }
    let (low, high) = (_mm256_set1_ps(place.range.0), _mm256_set1_ps(place.range.1));
    for (row, sums) in sums.iter().enumerate() {
        for (vector, sum) in sums.iter().enumerate() {
            let at = row * place.stride + vector * LANES;
            let width = LANES.min(place.width - vector * LANES);
            // SAFETY: V * LANES <= PANEL, the length of `bias`.
            let bias = unsafe { _mm256_loadu_ps(place.bias.as_ptr().add(vector * LANES)) };
            let mut sum = _mm256_add_ps(*sum, bias);
            if let Some(residual) = residual {
                sum = _mm256_add_ps(sum, load(&residual[at..at + width]));
            }
            store(&mut output[at..at + width], _mm256_min_ps(_mm256_max_ps(sum, low), high));
        }
    }
}

/// Up to eight values; the missing ones are zero.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn load(values: &[f32]) -> __m256 {
    let mut whole = [0.0; LANES];
    let source = if values.len() >= LANES {
        values.as_ptr()
    } else {
        whole[..values.len()].copy_from_slice(values);
        whole.as_ptr()
    };
    // SAFETY: `source` is the start of at least LANES values either way.
    unsafe { _mm256_loadu_ps(source) }
}

/// Stores as many of the eight values as there is room for.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn store(place: &mut [f32], values: __m256) {
    if place.len() >= LANES {
        // SAFETY: there is room for LANES values.
        unsafe { _mm256_storeu_ps(place.as_mut_ptr(), values) };
    } else {
        let mut whole = [0.0; LANES];
        // SAFETY: `whole` has room for LANES values.
        unsafe { _mm256_storeu_ps(whole.as_mut_ptr(), values) };
        let count = place.len();
        place.copy_from_slice(&whole[..count]);
    }
}
