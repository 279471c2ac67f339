//! Matrix products with weights packed at load: pointwise convolutions, and every other convolution once its
//! rows are gathered.

use crate::buffer::Buffer;
use crate::epilogue::Epilogue;
use crate::isa::{Isa, Level};
use crate::reference;

/// Columns of a panel of packed weights: two 256-bit vectors, one cache line.
pub(crate) const PANEL: usize = 16;

/// A `depth` x `columns` matrix of weights in the order in which one instruction set reads it.
#[derive(Debug)]
pub struct PackedMatrix {
    isa: Isa,
    depth: usize,
    columns: usize,
    pub(crate) values: Buffer<f32>,
}

impl PackedMatrix {
    /// Packs `weights`, given row by row.
    ///
    /// # Panics
    /// If `weights` does not hold `depth` x `columns` values.
    pub fn new(isa: Isa, weights: &[f32], depth: usize, columns: usize) -> PackedMatrix {
        let found = weights.len();
        assert_eq!(found, depth * columns, "{found} weights for a matrix of {depth} x {columns}");
        let values = match isa.level() {
            Level::Scalar | Level::Neon => Buffer::copy_of(weights),
            Level::Avx2 => panels(weights, depth, columns),
            Level::Avx512 => wide_panels(weights, depth, columns),
        };
        PackedMatrix { isa, depth, columns, values }
    }

    /// Rows of the matrix: values that are summed for one output.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Columns of the matrix: output channels.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The instruction set for which it is packed.
    pub fn isa(&self) -> Isa {
        self.isa
    }
}

/// One panel after another, each with its [`PANEL`] columns together for each row; missing columns are zero.
fn panels(weights: &[f32], depth: usize, columns: usize) -> Buffer<f32> {
    let mut values = Buffer::zeros(columns.div_ceil(PANEL) * depth * PANEL);
    for (row, weights) in weights.chunks_exact(columns.max(1)).enumerate() {
        for (panel, weights) in weights.chunks(PANEL).enumerate() {
            values[(panel * depth + row) * PANEL..][..weights.len()].copy_from_slice(weights);
        }
    }
    values
}

#[cfg(target_arch = "x86_64")]
fn wide_panels(weights: &[f32], depth: usize, columns: usize) -> Buffer<f32> {
    use crate::arch::avx512::gemm::{pack, packed_len};
    let mut values = Buffer::zeros(packed_len(depth, columns));
    pack(weights, depth, columns, &mut values);
    values
}

/// `output = activation(input · weights + bias + residual)`: one row of `input` a pixel.
///
/// # Panics
/// If the sizes do not agree.
pub fn matrix_product(weights: &PackedMatrix, input: &[f32], epilogue: &Epilogue, output: &mut [f32]) {
    let (depth, columns) = (weights.depth, weights.columns);
    let rows = output.len().checked_div(columns).unwrap_or(0);
    let (read, written) = (input.len(), output.len());
    assert_eq!(written, rows * columns, "output of {written} values is not a number of rows of {columns}");
    assert_eq!(read, rows * depth, "input of {read} values for {rows} rows of {depth}");
    epilogue.check(rows, columns);
    match weights.isa.level() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => {
            crate::arch::avx2::gemm::matrix_product(
                weights.isa,
                depth,
                input,
                &weights.values,
                epilogue,
                output,
            );
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => {
            crate::arch::avx512::gemm::matrix_product(
                weights.isa,
                depth,
                input,
                &weights.values,
                epilogue,
                output,
            );
        }
        _ => reference::matrix_product(input, &weights.values, epilogue, output),
    }
}
