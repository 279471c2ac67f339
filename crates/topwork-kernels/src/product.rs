//! Products of f32 matrices with the same bits everywhere: what dense layers need, forward, backward and to learn.
//!
//! Every output is one sum in the order of the inner dimension, begun with what stood there, each term a rounded
//! multiplication and a rounded addition, never a fused one. Vectors hold neighbouring columns of the output, so
//! neither their length nor the tile nor how a caller cuts the work into blocks and threads can change a bit.
//! No file here knows what the numbers mean.

mod adam;
mod tile;
mod vector;

pub use adam::{AdamStep, Learned, descend};

use crate::Isa;
use tile::{Destination, Left, Right, Size};
use vector::Vector;

/// Columns that a caller best stores together, row after row, where products read a matrix again and again: as many
/// as the widest tile has. Rows so short lie close together, whatever the size of the matrix.
pub const PANEL: usize = 32;

/// A matrix in a slice: element (row, column) is at `row * stride + column`.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    stride: usize,
}

impl<'a> Matrix<'a> {
    /// A matrix whose rows begin `stride` values apart.
    ///
    /// # Panics
    /// If it does not fit in `values`, or rows overlap.
    pub fn new(values: &'a [f32], rows: usize, columns: usize, stride: usize) -> Matrix<'a> {
        check(values.len(), rows, columns, stride);
        Matrix { values, rows, columns, stride }
    }
}

/// A [`Matrix`] to be written.
#[derive(Debug)]
pub struct MatrixMut<'a> {
    values: &'a mut [f32],
    rows: usize,
    columns: usize,
    stride: usize,
}

impl<'a> MatrixMut<'a> {
    /// As [`Matrix::new`].
    ///
    /// # Panics
    /// If it does not fit in `values`, or rows overlap.
    pub fn new(values: &'a mut [f32], rows: usize, columns: usize, stride: usize) -> MatrixMut<'a> {
        check(values.len(), rows, columns, stride);
        MatrixMut { values, rows, columns, stride }
    }
}

fn check(len: usize, rows: usize, columns: usize, stride: usize) {
    let end = match rows {
        0 => Some(0),
        _ => (rows - 1).checked_mul(stride).and_then(|last| last.checked_add(columns)),
    };
    assert!(rows <= 1 || columns <= stride, "rows of {columns} columns overlap at a stride of {stride}");
    assert!(
        end.is_some_and(|end| end <= len),
        "{rows} x {columns} at a stride of {stride} end after {len} values"
    );
}

/// `out += left · right`: M x K times K x N.
///
/// # Panics
/// If the sizes do not agree.
pub fn add_product(isa: Isa, left: Matrix, right: Matrix, out: MatrixMut) {
    let size = Size { rows: left.rows, columns: right.columns, depth: left.columns };
    add::<false>(isa, left, right, size, out);
}

/// `out += leftᵀ · right`: the transposed K x M times K x N.
///
/// # Panics
/// If the sizes do not agree.
pub fn add_transposed_product(isa: Isa, left: Matrix, right: Matrix, out: MatrixMut) {
    let size = Size { rows: left.columns, columns: right.columns, depth: left.rows };
    add::<true>(isa, left, right, size, out);
}

fn add<const T: bool>(isa: Isa, left: Matrix, right: Matrix, size: Size, out: MatrixMut) {
    assert_eq!(size.depth, right.rows, "factors with inner dimensions {} and {}", size.depth, right.rows);
    let (wanted, found) = ((size.rows, size.columns), (out.rows, out.columns));
    assert_eq!(wanted, found, "a product of {wanted:?} for a matrix of {found:?}");
    let to = Sum { values: out.values.as_mut_ptr(), stride: out.stride };
    let left = Left::<T> { values: left.values.as_ptr(), stride: left.stride };
    let right = Right { values: right.values.as_ptr(), stride: right.stride };
    // SAFETY: a `Matrix` holds as many values as it says, and the sizes agree.
    unsafe { tile::product(isa, left, right, size, &to) }
}

/// Sums go on where they stand, and stay there.
struct Sum {
    values: *mut f32,
    stride: usize,
}

impl Destination for Sum {
    #[inline(always)]
    unsafe fn begin<V: Vector, const R: usize, const C: usize>(
        &self,
        row: usize,
        column: usize,
    ) -> [[V; C]; R] {
        // SAFETY: the caller's promise: the processor has the instructions, and all of these places exist.
        unsafe {
            // Loops, because the closures of `array::from_fn` are compiled without the instructions.
            let mut sums = [[V::all(0.0); C]; R];
            for (down, sums) in sums.iter_mut().enumerate() {
                for (vector, sum) in sums.iter_mut().enumerate() {
                    *sum = V::load(self.values.add((row + down) * self.stride + column + vector * V::LANES));
                }
            }
            sums
        }
    }

    #[inline(always)]
    unsafe fn end<V: Vector, const R: usize, const C: usize>(
        &self,
        row: usize,
        column: usize,
        sums: [[V; C]; R],
    ) {
        for (down, sums) in sums.into_iter().enumerate() {
            for (vector, sum) in sums.into_iter().enumerate() {
                // SAFETY: as in `begin`.
                unsafe {
                    sum.store(self.values.add((row + down) * self.stride + column + vector * V::LANES))
                };
            }
        }
    }
}

#[cfg(test)]
mod tests;
