//! Matrix products with weights packed at load: pointwise convolutions, and every other convolution once its
//! rows are gathered.

use crate::buffer::Buffer;
use crate::epilogue::Epilogue;
use crate::isa::{Isa, Level};
use crate::reference;

/// Columns of a panel of packed weights for AVX2: two 256-bit vectors, one cache line.
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
            Level::Avx2 => panels(weights, depth, columns, |_| PANEL),
            Level::Avx512 => panels(weights, depth, columns, wide_panel),
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

/// Columns of the next panel for AVX-512, where so many are left: two 512-bit vectors, but never one at the end of several.
pub(crate) fn wide_panel(columns: usize) -> usize {
    const LANES: usize = 16;
    match columns.div_ceil(LANES) {
        1 => LANES,
        3 => 3 * LANES,
        _ => 2 * LANES,
    }
}

/// One panel after another, each with its columns together for each row; missing columns are zero. `width` gives the columns of
/// the next panel from the number of those that are left.
fn panels(weights: &[f32], depth: usize, columns: usize, width: impl Fn(usize) -> usize) -> Buffer<f32> {
    let mut starts = vec![0];
    while let Some(start) = starts.last().copied().filter(|start| *start < columns) {
        starts.push(start + width(columns - start));
    }
    let mut values = Buffer::zeros(starts.last().map_or(0, |end| end * depth));
    for panel in starts.windows(2) {
        let (start, width) = (panel[0], panel[1] - panel[0]);
        let end = columns.min(panel[1]);
        let lines = values[start * depth..].chunks_exact_mut(width);
        for (line, weights) in lines.zip(weights.chunks_exact(columns)) {
            line[..end - start].copy_from_slice(&weights[start..end]);
        }
    }
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
