//! Matrix products with weights packed at load.

use super::{Requantise, Residual};
use crate::buffer::Buffer;
use crate::isa::Isa;
use crate::reference;

/// Bytes of input that the fastest instructions multiply and add at once; rows of input are padded to a multiple.
const GROUP: usize = 4;

/// A `depth` x `columns` matrix of weights in the order in which one instruction set reads it, and what happens to its sums.
#[derive(Debug)]
pub struct PackedMatrix {
    isa: Isa,
    depth: usize,
    columns: usize,
    zero_point: u8,
    weights: Buffer<i8>,
    requantise: Requantise,
}

impl PackedMatrix {
    /// Packs `weights`, given row by row; `zero_point` is the input's.
    ///
    /// # Panics
    /// If `weights` does not hold `depth` x `columns` values, or `requantise` not one value a column.
    pub fn new(
        isa: Isa,
        weights: &[i8],
        depth: usize,
        columns: usize,
        zero_point: u8,
        requantise: Requantise,
    ) -> PackedMatrix {
        let found = weights.len();
        assert_eq!(found, depth * columns, "{found} weights for a matrix of {depth} x {columns}");
        requantise.check(columns);
        PackedMatrix { isa, depth, columns, zero_point, weights: Buffer::copy_of(weights), requantise }
    }

    /// Rows of the matrix: values that are summed for one output.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Columns of the matrix: output channels.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Bytes of a row of input: the depth, and what pads it to a whole number of groups of four. The values of the padding
    /// do not matter.
    pub fn row_len(&self) -> usize {
        self.depth.next_multiple_of(GROUP)
    }

    /// The zero point of the input.
    pub fn zero_point(&self) -> u8 {
        self.zero_point
    }

    /// The instruction set for which it is packed.
    pub fn isa(&self) -> Isa {
        self.isa
    }
}

/// `output = requantise(input · weights)`, see [`crate::int8`]: `input` is one row of [`PackedMatrix::row_len`] bytes a pixel.
///
/// # Panics
/// If the sizes do not agree.
pub fn matrix_product(weights: &PackedMatrix, input: &[u8], residual: Option<&Residual>, output: &mut [u8]) {
    let (row, columns) = (weights.row_len(), weights.columns);
    let rows = output.len().checked_div(columns).unwrap_or(0);
    let (read, written) = (input.len(), output.len());
    assert_eq!(written, rows * columns, "output of {written} values is not a number of rows of {columns}");
    assert_eq!(read, rows * row, "input of {read} values for {rows} rows of {row}");
    if let Some(residual) = residual {
        assert!(residual.values.len() >= written, "residual of {} for {written}", residual.values.len());
    }
    reference::int8::matrix_product(
        input,
        row,
        &weights.weights,
        weights.zero_point,
        &weights.requantise,
        residual,
        output,
    );
}
