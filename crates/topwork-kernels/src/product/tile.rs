//! The tile: R rows x C vectors of sums, which stay in registers while the inner dimension passes by.
//!
//! A step loads C vectors of the right matrix, which every row of the tile uses, and spreads one value of the left
//! matrix a row: C + R loads for C · R multiplications and as many additions. With 512-bit vectors 12 x 2 of the 32
//! registers hold sums, with 256-bit ones 6 x 2 of the 16, with plain loops 4 x 2 of the 16 (or 32) that 128-bit sets
//! have. Rows are cut into tiles whose heights differ by one at most, so that none is a sliver.

#[cfg(target_arch = "x86_64")]
use super::vector::{Avx2, Avx512};
use super::vector::{Plain, Vector};
use crate::Isa;
#[cfg(target_arch = "x86_64")]
use crate::isa::Level;

/// The left matrix: element (row, inner) is at `row * stride + inner`, or `row + inner * stride` if it is stored transposed.
#[derive(Clone, Copy)]
pub(super) struct Left<const TRANSPOSED: bool> {
    pub(super) values: *const f32,
    pub(super) stride: usize,
}

/// The right matrix: element (inner, column) is at `inner * stride + column`.
#[derive(Clone, Copy)]
pub(super) struct Right {
    pub(super) values: *const f32,
    pub(super) stride: usize,
}

/// What sums begin with, and where they go.
///
/// # Safety
/// Both need the instructions of `V`, and a place for R rows of C vectors from that row and column on.
pub(super) trait Destination {
    unsafe fn begin<V: Vector, const R: usize, const C: usize>(
        &self,
        row: usize,
        column: usize,
    ) -> [[V; C]; R];
    unsafe fn end<V: Vector, const R: usize, const C: usize>(
        &self,
        row: usize,
        column: usize,
        sums: [[V; C]; R],
    );
}

/// Rows, columns and inner places of a product.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) depth: usize,
}

/// Sends every sum of the product to its destination.
///
/// # Safety
/// `left`, `right` and the destination have places for that size.
pub(super) unsafe fn product<D: Destination, const T: bool>(
    isa: Isa,
    left: Left<T>,
    right: Right,
    size: Size,
    to: &D,
) {
    // SAFETY: the caller's promise; an `Isa` of a level exists only where the processor has its instructions, and
    // plain loops need none.
    unsafe {
        match isa.level() {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => product_avx512(left, right, size, to),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => product_avx2(left, right, size, to),
            _ => tiles::<Plain, D, T, 4>(left, right, size, to),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn product_avx512<D: Destination, const T: bool>(left: Left<T>, right: Right, size: Size, to: &D) {
    // SAFETY: the caller's promise.
    unsafe { tiles::<Avx512, D, T, 12>(left, right, size, to) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn product_avx2<D: Destination, const T: bool>(left: Left<T>, right: Right, size: Size, to: &D) {
    // SAFETY: the caller's promise.
    unsafe { tiles::<Avx2, D, T, 6>(left, right, size, to) }
}

/// # Safety
/// As [`product`], on a processor with the instructions of `V`.
#[inline(always)]
unsafe fn tiles<V: Vector, D: Destination, const T: bool, const MOST: usize>(
    left: Left<T>,
    right: Right,
    size: Size,
    to: &D,
) {
    let (mut column, end) = (0, size.columns);
    // SAFETY: these columns exist; the caller vouches for the rest.
    unsafe {
        while end - column >= 2 * V::LANES {
            column_of_tiles::<V, D, T, 2, MOST>(left, right, size, column, to);
            column += 2 * V::LANES;
        }
        if end - column >= V::LANES {
            column_of_tiles::<V, D, T, 1, MOST>(left, right, size, column, to);
            column += V::LANES;
        }
        while column < end {
            column_of_tiles::<f32, D, T, 1, 4>(left, right, size, column, to);
            column += 1;
        }
    }
}

/// # Safety
/// As [`tiles`], for C vectors of columns from `column` on.
#[inline(always)]
unsafe fn column_of_tiles<V: Vector, D: Destination, const T: bool, const C: usize, const MOST: usize>(
    left: Left<T>,
    right: Right,
    size: Size,
    column: usize,
    to: &D,
) {
    let tiles = size.rows.div_ceil(MOST);
    let mut row = 0;
    for index in 0..tiles {
        let height = size.rows / tiles + usize::from(index < size.rows % tiles);
        // SAFETY: `height` rows are left from `row` on; the caller vouches for the columns and the instructions.
        unsafe {
            match height {
                1 => tile::<V, D, T, 1, C>(left, right, size.depth, row, column, to),
                2 => tile::<V, D, T, 2, C>(left, right, size.depth, row, column, to),
                3 => tile::<V, D, T, 3, C>(left, right, size.depth, row, column, to),
                4 => tile::<V, D, T, 4, C>(left, right, size.depth, row, column, to),
                5 if MOST >= 5 => tile::<V, D, T, 5, C>(left, right, size.depth, row, column, to),
                6 if MOST >= 6 => tile::<V, D, T, 6, C>(left, right, size.depth, row, column, to),
                7 if MOST >= 7 => tile::<V, D, T, 7, C>(left, right, size.depth, row, column, to),
                8 if MOST >= 8 => tile::<V, D, T, 8, C>(left, right, size.depth, row, column, to),
                9 if MOST >= 9 => tile::<V, D, T, 9, C>(left, right, size.depth, row, column, to),
                10 if MOST >= 10 => tile::<V, D, T, 10, C>(left, right, size.depth, row, column, to),
                11 if MOST >= 11 => tile::<V, D, T, 11, C>(left, right, size.depth, row, column, to),
                12 if MOST >= 12 => tile::<V, D, T, 12, C>(left, right, size.depth, row, column, to),
                _ => unreachable!("tiles have 1 to {MOST} rows, not {height}"),
            }
        }
        row += height;
    }
}

/// # Safety
/// As [`tiles`], for R rows from `row` on and C vectors of columns from `column` on.
#[inline(always)]
unsafe fn tile<V: Vector, D: Destination, const T: bool, const R: usize, const C: usize>(
    left: Left<T>,
    right: Right,
    depth: usize,
    row: usize,
    column: usize,
    to: &D,
) {
    let offset = |row: usize, inner: usize| match T {
        true => row + inner * left.stride,
        false => row * left.stride + inner,
    };
    // SAFETY: the caller's promise: all of these places exist, and so do the instructions.
    unsafe {
        let mut sums = to.begin::<V, R, C>(row, column);
        let left = left.values.add(offset(row, 0));
        let right_values = right.values.add(column);
        for inner in 0..depth {
            let mut line = [V::all(0.0); C];
            for (vector, line) in line.iter_mut().enumerate() {
                *line = V::load(right_values.add(inner * right.stride + vector * V::LANES));
            }
            for (row, sums) in sums.iter_mut().enumerate() {
                let value = V::all(*left.add(offset(row, inner)));
                for (sum, line) in sums.iter_mut().zip(line) {
                    *sum = sum.add(value.mul(line));
                }
            }
        }
        to.end(row, column, sums);
    }
}
