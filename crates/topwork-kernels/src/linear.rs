//! Products of rows of features with weight vectors, for training and applying the head.
//!
//! Two operations carry logistic regression and dense layers, forward and backward: [`scores`] (each row times
//! each vector) and [`accumulate`] (sums of rows, weighted by coefficients). The order of every sum is part of
//! the contract: it depends on the sizes alone, so the bits do not depend on the instruction set, on the tile
//! sizes or on how a caller spreads rows and vectors over threads. Multiplication and addition stay two rounded
//! operations, never a fused one. No file here knows what the numbers mean.

use std::ops::{Add, Div, Mul, Range, Sub};

use crate::Isa;
use crate::isa::Level;
use crate::product::{Matrix, MatrixMut, PANEL, add_product, add_transposed_product};

/// Partial sums of a dot product: element `j` belongs to lane `j % LANES`.
const LANES: usize = 8;

/// Rows that stay in a second-level cache while all vectors pass by.
const ROW_BLOCK: usize = 64;

/// Vectors whose sums with all rows of a block are begun before they are ended.
const VECTOR_BLOCK: usize = 16;

/// Columns of the vectors and sums that stay in a first-level cache while all rows of a block pass by; whole [`LANES`].
const COLUMN_BLOCK: usize = 256;

/// So many vectors make up for copying the rows together.
const MANY: usize = 8;

/// The widest register.
const HALF_PANEL: usize = PANEL / 2;

/// Columns that are copied together: with [`ROW_BLOCK`] rows, a third of a first-level cache.
const COPIED_COLUMNS: usize = 2 * PANEL;

/// A type in which products are summed: `f32` or `f64`.
pub trait Sum:
    Copy + Default + From<f32> + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    /// [`accumulate`] for many vectors, if there is a faster way; whether it was done.
    #[doc(hidden)]
    fn accumulate_many(_isa: Isa, _rows: &[&[f32]], _coefficients: &[Self], _out: &mut [Self]) -> bool {
        false
    }
}

impl Sum for f32 {
    fn accumulate_many(isa: Isa, rows: &[&[f32]], coefficients: &[f32], out: &mut [f32]) -> bool {
        let many = coefficients.len() >= MANY * rows.len();
        if many {
            accumulate_by_product(isa, rows, coefficients, out);
        }
        many
    }
}

impl Sum for f64 {}

/// `out[row][vector] = Σ_j rows[row][j] · vectors[vector][j]`, multiplied and summed in `T`.
///
/// `vectors` is M × D, `out` is N × M, both row by row. Each sum has eight lanes (element `j` goes to lane
/// `j % 8`, in order), which are added as ((0+4)+(2+6)) + ((1+5)+(3+7)).
///
/// # Panics
/// If a length does not fit.
pub fn scores<W: Copy, T: Sum + From<W>>(isa: Isa, rows: &[&[f32]], vectors: &[W], out: &mut [T]) {
    let Some(width) = rows.first().map(|row| row.len()) else {
        assert!(out.is_empty(), "no rows, but {} results", out.len());
        return;
    };
    let count = out.len() / rows.len();
    assert!(rows.iter().all(|row| row.len() == width), "rows of different lengths");
    assert_eq!(out.len(), rows.len() * count, "results are not rows x vectors");
    assert_eq!(vectors.len(), count * width, "vectors are not {count} x {width}");
    match isa.level() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` of this level exists only on processors with AVX-512.
        Level::Avx512 => unsafe { scores_avx512(rows, vectors, out, width) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` of this level exists only on processors with AVX2.
        Level::Avx2 => unsafe { scores_avx2(rows, vectors, out, width) },
        _ => scores_in_blocks(rows, vectors, out, width),
    }
}

/// Vectors that many rows meet: as many that their products with a row fill the widest registers.
///
/// Laid out so that neighbouring numbers belong to neighbouring vectors, at most [`PANEL`] of them.
#[derive(Debug)]
pub struct Panels {
    values: Vec<f32>,
    count: usize,
    width: usize,
}

impl Panels {
    /// M × D vectors, row by row.
    ///
    /// # Panics
    /// If `vectors` is not a whole number of vectors of that width.
    pub fn new(vectors: &[f32], width: usize) -> Panels {
        let count = vectors.len().checked_div(width).unwrap_or(0);
        assert_eq!(vectors.len(), count * width, "vectors are not {count} x {width}");
        let mut values = vec![0.0; count.next_multiple_of(HALF_PANEL) * width];
        for (first, columns) in panels(count) {
            let panel = &mut values[first * width..][..columns * width];
            for vector in first..count.min(first + columns) {
                let places = panel[vector - first..].iter_mut().step_by(columns);
                let numbers = &vectors[vector * width..][..width];
                places.zip(numbers).for_each(|(place, number)| *place = *number);
            }
        }
        Panels { values, count, width }
    }

    /// Rounded up to whole registers: the values of a row of scores.
    pub fn stride(&self) -> usize {
        self.count.next_multiple_of(HALF_PANEL)
    }

    /// `out[row][vector] = Σ_j rows[row][j] · vectors[vector][j]`, summed in the order of `j`, which is not that of
    /// [`scores`].
    ///
    /// `rows` is N × D, `out` is N × [`stride`](Panels::stride), both row by row; what lies behind the last vector is 0.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn scores(&self, isa: Isa, rows: &[f32], out: &mut [f32]) {
        let (width, stride) = (self.width, self.stride());
        let n = rows.len() / width.max(1);
        assert_eq!(rows.len(), n * width, "rows are not {n} x {width}");
        assert_eq!(out.len(), n * stride, "results are not {n} x {stride}");
        out.fill(0.0);
        for (first, columns) in panels(self.count) {
            let panel = Matrix::new(&self.values[first * width..], width, columns, columns);
            let left = Matrix::new(rows, n, width, width);
            let out = out.get_mut(first..).unwrap_or_default();
            add_product(isa, left, panel, MatrixMut::new(out, n, columns, stride));
        }
    }
}

/// The first vector and the columns of each panel; the last one may be half a panel.
fn panels(count: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..count)
        .step_by(PANEL)
        .map(move |first| (first, PANEL.min((count - first).next_multiple_of(HALF_PANEL))))
}

/// `out[vector][j] += Σ_row coefficients[row][vector] · rows[row][j]`, in the order of the rows.
///
/// `coefficients` is N × M, `out` is M × D, both row by row.
///
/// # Panics
/// If a length does not fit.
pub fn accumulate<T: Sum>(isa: Isa, rows: &[&[f32]], coefficients: &[T], out: &mut [T]) {
    let Some(width) = rows.first().map(|row| row.len()) else {
        assert!(coefficients.is_empty(), "no rows, but {} coefficients", coefficients.len());
        return;
    };
    let count = coefficients.len() / rows.len();
    assert!(rows.iter().all(|row| row.len() == width), "rows of different lengths");
    assert_eq!(coefficients.len(), rows.len() * count, "coefficients are not rows x vectors");
    assert_eq!(out.len(), count * width, "sums are not {count} x {width}");
    if T::accumulate_many(isa, rows, coefficients, out) {
        return;
    }
    match isa.level() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` of this level exists only on processors with AVX-512.
        Level::Avx512 => unsafe { accumulate_avx512(rows, coefficients, out, width) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` of this level exists only on processors with AVX2.
        Level::Avx2 => unsafe { accumulate_avx2(rows, coefficients, out, width) },
        _ => accumulate_in_blocks(rows, coefficients, out, width),
    }
}

/// `Σ_j left[j] · right[j]`, multiplied and summed in f64, in 32 lanes (element `j` goes to lane `j % 32`, in order), of
/// which the upper half is added to the lower until one is left.
///
/// # Panics
/// If the lengths differ.
pub fn dot<L: Copy, R: Copy>(isa: Isa, left: &[L], right: &[R]) -> f64
where
    f64: From<L> + From<R>,
{
    assert_eq!(left.len(), right.len(), "vectors of different lengths");
    match isa.level() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` of this level exists only on processors with AVX-512.
        Level::Avx512 => unsafe { dot_avx512(left, right) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` of this level exists only on processors with AVX2.
        Level::Avx2 => unsafe { dot_avx2(left, right) },
        _ => dot_in_lanes(left, right),
    }
}

/// `target[j] += factor · addend[j]`, in f64.
///
/// # Panics
/// If the lengths differ.
pub fn add_scaled<A: Copy>(isa: Isa, target: &mut [f64], factor: f64, addend: &[A])
where
    f64: From<A>,
{
    assert_eq!(target.len(), addend.len(), "vectors of different lengths");
    match isa.level() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` of this level exists only on processors with AVX-512.
        Level::Avx512 => unsafe { add_scaled_avx512(target, factor, addend) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` of this level exists only on processors with AVX2.
        Level::Avx2 => unsafe { add_scaled_avx2(target, factor, addend) },
        _ => add_scaled_plainly(target, factor, addend),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn scores_avx512<W: Copy, T: Sum + From<W>>(rows: &[&[f32]], vectors: &[W], out: &mut [T], width: usize) {
    scores_in_blocks(rows, vectors, out, width);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn scores_avx2<W: Copy, T: Sum + From<W>>(rows: &[&[f32]], vectors: &[W], out: &mut [T], width: usize) {
    scores_in_blocks(rows, vectors, out, width);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn accumulate_avx512<T: Sum>(rows: &[&[f32]], coefficients: &[T], out: &mut [T], width: usize) {
    accumulate_in_blocks(rows, coefficients, out, width);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn accumulate_avx2<T: Sum>(rows: &[&[f32]], coefficients: &[T], out: &mut [T], width: usize) {
    accumulate_in_blocks(rows, coefficients, out, width);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn dot_avx512<L: Copy, R: Copy>(left: &[L], right: &[R]) -> f64
where
    f64: From<L> + From<R>,
{
    dot_in_lanes(left, right)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn dot_avx2<L: Copy, R: Copy>(left: &[L], right: &[R]) -> f64
where
    f64: From<L> + From<R>,
{
    dot_in_lanes(left, right)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn add_scaled_avx512<A: Copy>(target: &mut [f64], factor: f64, addend: &[A])
where
    f64: From<A>,
{
    add_scaled_plainly(target, factor, addend);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn add_scaled_avx2<A: Copy>(target: &mut [f64], factor: f64, addend: &[A])
where
    f64: From<A>,
{
    add_scaled_plainly(target, factor, addend);
}

#[inline(always)]
fn dot_in_lanes<L: Copy, R: Copy>(left: &[L], right: &[R]) -> f64
where
    f64: From<L> + From<R>,
{
    const MANY_LANES: usize = 32;
    let (left, left_rest) = left.as_chunks::<MANY_LANES>();
    let (right, right_rest) = right.as_chunks::<MANY_LANES>();
    let mut lanes = [0.0; MANY_LANES];
    for (left, right) in left.iter().zip(right) {
        for lane in 0..MANY_LANES {
            lanes[lane] += f64::from(left[lane]) * f64::from(right[lane]);
        }
    }
    for (lane, (left, right)) in left_rest.iter().zip(right_rest).enumerate() {
        lanes[lane] += f64::from(*left) * f64::from(*right);
    }
    let mut half = MANY_LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
        half /= 2;
    }
    lanes[0]
}

#[inline(always)]
fn add_scaled_plainly<A: Copy>(target: &mut [f64], factor: f64, addend: &[A])
where
    f64: From<A>,
{
    for (target, addend) in target.iter_mut().zip(addend) {
        *target += factor * f64::from(*addend);
    }
}

#[inline(always)]
fn scores_in_blocks<W: Copy, T: Sum + From<W>>(rows: &[&[f32]], vectors: &[W], out: &mut [T], width: usize) {
    let count = out.len() / rows.len();
    if count == 0 {
        return;
    }
    let mut lanes = [[T::default(); LANES]; ROW_BLOCK * VECTOR_BLOCK];
    for (rows, out) in rows.chunks(ROW_BLOCK).zip(out.chunks_mut(ROW_BLOCK * count)) {
        for first in (0..count).step_by(VECTOR_BLOCK) {
            let vectors = &vectors[first * width..count.min(first + VECTOR_BLOCK) * width];
            let lanes = &mut lanes[..rows.len() * VECTOR_BLOCK];
            lanes.fill([T::default(); LANES]);
            // The lanes of a sum go on from one block of columns to the next.
            for start in (0..width).step_by(COLUMN_BLOCK) {
                add_products(rows, vectors, lanes, start..width.min(start + COLUMN_BLOCK));
            }
            for (out, lanes) in out.chunks_exact_mut(count).zip(lanes.chunks_exact(VECTOR_BLOCK)) {
                let sums = lanes.iter().map(|lane| {
                    ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]))
                });
                out[first..].iter_mut().zip(sums).for_each(|(out, sum)| *out = sum);
            }
        }
    }
}

/// Adds the products of some columns of rows and at most [`VECTOR_BLOCK`] vectors to the lanes of their sums.
#[inline(always)]
fn add_products<W: Copy, T: Sum + From<W>>(
    rows: &[&[f32]],
    vectors: &[W],
    lanes: &mut [[T; LANES]],
    columns: Range<usize>,
) {
    let (width, mut row) = (rows[0].len(), 0);
    while row + 4 <= rows.len() {
        let mut tile = [[].as_slice(); 4];
        for (index, part) in tile.iter_mut().enumerate() {
            *part = &rows[row + index][columns.clone()];
        }
        add_tile_rows(&tile, vectors, &mut lanes[row * VECTOR_BLOCK..], width, columns.clone());
        row += 4;
    }
    while row < rows.len() {
        let tile = [&rows[row][columns.clone()]];
        add_tile_rows(&tile, vectors, &mut lanes[row * VECTOR_BLOCK..], width, columns.clone());
        row += 1;
    }
}

/// The same for a tile of `R` rows, two vectors at a time.
#[inline(always)]
fn add_tile_rows<const R: usize, W: Copy, T: Sum + From<W>>(
    rows: &[&[f32]; R],
    vectors: &[W],
    lanes: &mut [[T; LANES]],
    width: usize,
    columns: Range<usize>,
) {
    let count = vectors.len() / width;
    let vector = |number: usize| &vectors[number * width..][columns.clone()];
    let mut number = 0;
    while number + 2 <= count {
        add_tile(rows, &[vector(number), vector(number + 1)], lanes, number);
        number += 2;
    }
    if number < count {
        add_tile(rows, &[vector(number)], lanes, number);
    }
}

#[inline(always)]
fn add_tile<const R: usize, const V: usize, W: Copy, T: Sum + From<W>>(
    rows: &[&[f32]; R],
    vectors: &[&[W]; V],
    lanes: &mut [[T; LANES]],
    first: usize,
) {
    let width = rows[0].len();
    let steps = width / LANES;
    // Loops, because the closures of `array::from_fn` and `map` are compiled without the instructions.
    let (mut row_chunks, mut vector_chunks) = ([[].as_slice(); R], [[].as_slice(); V]);
    for (chunks, row) in row_chunks.iter_mut().zip(rows) {
        *chunks = &row.as_chunks::<LANES>().0[..steps];
    }
    for (chunks, vector) in vector_chunks.iter_mut().zip(vectors) {
        *chunks = &vector.as_chunks::<LANES>().0[..steps];
    }
    let mut sums = [[[T::default(); LANES]; V]; R];
    for (row, sums) in sums.iter_mut().enumerate() {
        sums.copy_from_slice(&lanes[row * VECTOR_BLOCK + first..][..V]);
    }
    for step in 0..steps {
        let mut weights = [[T::default(); LANES]; V];
        for (weights, chunks) in weights.iter_mut().zip(&vector_chunks) {
            for (weight, number) in weights.iter_mut().zip(&chunks[step]) {
                *weight = T::from(*number);
            }
        }
        for row in 0..R {
            let mut values = [T::default(); LANES];
            for (value, number) in values.iter_mut().zip(&row_chunks[row][step]) {
                *value = T::from(*number);
            }
            for vector in 0..V {
                for lane in 0..LANES {
                    sums[row][vector][lane] = sums[row][vector][lane] + values[lane] * weights[vector][lane];
                }
            }
        }
    }
    for row in 0..R {
        for vector in 0..V {
            for (lane, column) in (steps * LANES..width).enumerate() {
                sums[row][vector][lane] =
                    sums[row][vector][lane] + T::from(rows[row][column]) * T::from(vectors[vector][column]);
            }
            lanes[row * VECTOR_BLOCK + first + vector] = sums[row][vector];
        }
    }
}

#[inline(always)]
fn accumulate_in_blocks<T: Sum>(rows: &[&[f32]], coefficients: &[T], out: &mut [T], width: usize) {
    let count = coefficients.len() / rows.len();
    for block_start in (0..rows.len()).step_by(ROW_BLOCK) {
        let block_end = rows.len().min(block_start + ROW_BLOCK);
        for first in (0..width).step_by(COLUMN_BLOCK) {
            let last = width.min(first + COLUMN_BLOCK);
            for vector in 0..count {
                let sums = &mut out[vector * width + first..vector * width + last];
                let mut row = block_start;
                while row + 8 <= block_end {
                    add_rows::<8, T>(rows, coefficients, count, row, vector, first..last, sums);
                    row += 8;
                }
                while row < block_end {
                    add_rows::<1, T>(rows, coefficients, count, row, vector, first..last, sums);
                    row += 1;
                }
            }
        }
    }
}

/// The same sums in the same order, in tiles whose sums stay in registers.
fn accumulate_by_product(isa: Isa, rows: &[&[f32]], coefficients: &[f32], out: &mut [f32]) {
    let (count, width) = (coefficients.len() / rows.len(), rows[0].len());
    let mut copied = [0.0; ROW_BLOCK * COPIED_COLUMNS];
    for (rows, coefficients) in rows.chunks(ROW_BLOCK).zip(coefficients.chunks(ROW_BLOCK * count)) {
        for first in (0..width).step_by(COPIED_COLUMNS) {
            let columns = COPIED_COLUMNS.min(width - first);
            for (row, copy) in rows.iter().zip(copied.chunks_exact_mut(columns)) {
                copy.copy_from_slice(&row[first..first + columns]);
            }
            let left = Matrix::new(coefficients, rows.len(), count, count);
            let right = Matrix::new(&copied, rows.len(), columns, columns);
            add_transposed_product(
                isa,
                left,
                right,
                MatrixMut::new(&mut out[first..], count, columns, width),
            );
        }
    }
}

#[inline(always)]
fn add_rows<const R: usize, T: Sum>(
    rows: &[&[f32]],
    coefficients: &[T],
    count: usize,
    row: usize,
    vector: usize,
    columns: Range<usize>,
    sums: &mut [T],
) {
    let (mut tile, mut factors) = ([[].as_slice(); R], [T::default(); R]);
    for index in 0..R {
        tile[index] = &rows[row + index][columns.clone()][..sums.len()];
        factors[index] = coefficients[(row + index) * count + vector];
    }
    for (column, sum) in sums.iter_mut().enumerate() {
        let mut total = *sum;
        for index in 0..R {
            total = total + factors[index] * T::from(tile[index][column]);
        }
        *sum = total;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    const SIZES: [(usize, usize, usize); 9] = [
        (1, 1, 1),
        (1, 3, 7),
        (4, 2, 8),
        (5, 1, 9),
        (9, 17, 31),
        (65, 5, 40),
        (130, 33, 257),
        (3, 4, 0),
        (7, 0, 5),
    ];

    /// The contract, written as plainly as it can be.
    fn plain_scores<T: Sum>(rows: &[&[f32]], vectors: &[T], count: usize, width: usize) -> Vec<T> {
        let mut out = Vec::new();
        for row in rows {
            for vector in 0..count {
                let mut lane = [T::default(); 8];
                for j in 0..width {
                    lane[j % 8] = lane[j % 8] + T::from(row[j]) * vectors[vector * width + j];
                }
                out.push(
                    ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7])),
                );
            }
        }
        out
    }

    fn plain_sums<T: Sum>(rows: &[&[f32]], coefficients: &[T], count: usize, width: usize) -> Vec<T> {
        let mut out = vec![T::from(0.5); count * width];
        for (index, row) in rows.iter().enumerate() {
            for vector in 0..count {
                for j in 0..width {
                    let sum = &mut out[vector * width + j];
                    *sum = *sum + coefficients[index * count + vector] * T::from(row[j]);
                }
            }
        }
        out
    }

    fn check<T: Sum + PartialEq + std::fmt::Debug>() {
        for (n, count, width) in SIZES {
            let features = numbers(n * width, 1);
            let rows: Vec<&[f32]> = (0..n).map(|row| &features[row * width..][..width]).collect();
            let vectors: Vec<T> = numbers(count * width, 2).into_iter().map(T::from).collect();
            let coefficients: Vec<T> = numbers(n * count, 3).into_iter().map(T::from).collect();
            for isa in Isa::available() {
                let mut out = vec![T::default(); n * count];
                scores(isa, &rows, &vectors, &mut out);
                assert_eq!(
                    out,
                    plain_scores(&rows, &vectors, count, width),
                    "{n} {count} {width} {}",
                    isa.name()
                );
                let mut out = vec![T::from(0.5); count * width];
                accumulate(isa, &rows, &coefficients, &mut out);
                assert_eq!(
                    out,
                    plain_sums(&rows, &coefficients, count, width),
                    "{n} {count} {width} {}",
                    isa.name()
                );
            }
        }
    }

    #[test]
    fn panels_give_the_bits_of_the_contract() {
        for (n, count, width) in SIZES.into_iter().chain([(33, 48, 5), (2, 49, 6), (31, 16, 64)]) {
            let (rows, vectors) = (numbers(n * width, 1), numbers(count * width, 2));
            let mut wanted = Vec::new();
            for row in 0..n {
                let products = |vector: usize| (0..width).map(move |j| (row * width + j, vector * width + j));
                for vector in 0..count {
                    let sum =
                        products(vector).fold(0.0, |sum, (one, other)| sum + rows[one] * vectors[other]);
                    wanted.push(sum.to_bits());
                }
                wanted.resize((row + 1) * count.next_multiple_of(16), 0);
            }
            for isa in Isa::available() {
                let panels = Panels::new(&vectors, width);
                let mut out = vec![7.0; n * panels.stride()];
                panels.scores(isa, &rows, &mut out);
                let out: Vec<u32> = out.iter().map(|value| value.to_bits()).collect();
                let wanted = if width == 0 { Vec::new() } else { wanted.clone() };
                assert_eq!(out, wanted, "{n} {count} {width} {}", isa.name());
            }
        }
    }

    #[test]
    fn every_instruction_set_gives_the_bits_of_the_contract() {
        check::<f32>();
        check::<f64>();
    }

    /// Two rounded operations and one fused operation differ on this row: (1 + e)² − (1 + 2e) is e² when fused.
    #[test]
    fn products_are_not_fused() {
        let e = f32::EPSILON;
        let row: Vec<f32> = [vec![1.0 + 2.0 * e; 8], vec![1.0 + e; 8]].concat();
        let vector: Vec<f32> = [vec![-1.0; 8], vec![1.0 + e; 8]].concat();
        for isa in Isa::available() {
            let mut out = [1.0_f32];
            scores(isa, &[&row], &vector, &mut out);
            assert_eq!(out, [0.0], "{}", isa.name());
            let mut out = [1.0 + 2.0 * e];
            accumulate(isa, &[&[1.0 + e]], &[-(1.0 + e)], &mut out);
            assert_eq!(out, [0.0], "{}", isa.name());
        }
    }

    #[test]
    fn vectors_give_the_same_bits_everywhere() {
        for length in [0, 1, 7, 8, 9, 31, 64, 1281] {
            let (left, right) = (numbers(length, 1), numbers(length, 2));
            let wide: Vec<f64> = left.iter().map(|value| f64::from(*value) / 3.0).collect();
            let mut lanes = vec![0.0; 32];
            let mut sums = wide.clone();
            for (j, right) in right.iter().map(|value| f64::from(*value)).enumerate() {
                lanes[j % 32] += wide[j] * right;
                sums[j] += 0.3 * right;
            }
            while lanes.len() > 1 {
                let upper = lanes.split_off(lanes.len() / 2);
                lanes.iter_mut().zip(upper).for_each(|(lower, upper)| *lower += upper);
            }
            let wanted = lanes[0];
            for isa in Isa::available() {
                assert_eq!(dot(isa, &wide, &right), wanted, "{length} {}", isa.name());
                let mut found = wide.clone();
                add_scaled(isa, &mut found, 0.3, &right);
                assert_eq!(found, sums, "{length} {}", isa.name());
            }
        }
    }

    #[test]
    fn no_rows_are_no_work() {
        scores::<f32, f32>(Isa::SCALAR, &[], &[], &mut []);
        let mut out = [7.0_f32; 3];
        accumulate(Isa::SCALAR, &[], &[], &mut out);
        assert_eq!(out, [7.0; 3]);
    }
}
