//! Matrix products with weights packed at load.

use super::portable::{self, Pairs};
use super::{Requantise, Residual};
#[cfg(target_arch = "x86_64")]
use crate::arch::amx::int8_matrix as amx;
use crate::buffer::Buffer;
use crate::isa::{Isa, Level};

/// Bytes of input that the fastest instructions multiply and add at once; rows of input are padded to a multiple.
const GROUP: usize = 4;

/// Depths that a tile of AMX has.
const TILE: usize = 64;

/// A `depth` x `columns` matrix of weights in the order in which one instruction set reads it, and what happens to its sums.
#[derive(Debug)]
pub struct PackedMatrix {
    isa: Isa,
    depth: usize,
    columns: usize,
    /// The depth, padded with zeros.
    packed_len: usize,
    zero_point: u8,
    weights: Weights,
    requantise: Requantise,
    /// −zero point · Σ weights, one a column.
    start: Buffer<i32>,
    scale: Buffer<f32>,
    bias: Buffer<f32>,
}

/// The weights as an instruction set reads them.
#[derive(Debug)]
enum Weights {
    /// Panels of pairs of words.
    Pairs(Buffer<Pairs>),
    /// Panels of bytes, see [`packed`].
    #[cfg(target_arch = "x86_64")]
    Bytes(Buffer<i8>),
    /// Panels of words.
    #[cfg(target_arch = "x86_64")]
    Words(Buffer<i16>),
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
        let mut start = Buffer::zeros(columns.next_multiple_of(PADDING));
        for row in weights.chunks_exact(columns.max(1)) {
            for (start, weight) in start.iter_mut().zip(row) {
                *start -= i32::from(*weight) * i32::from(zero_point);
            }
        }
        let (scale, bias) = (padded(&requantise.scale), padded(&requantise.bias));
        let packed_len = depth.next_multiple_of(if isa.has_tiles() { TILE } else { GROUP });
        let sizes = (packed_len, columns);
        let weights = match isa.level() {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => {
                use crate::arch::avx512::int8_matrix::{LANES, WIDEST};
                Weights::Bytes(packed(weights, sizes, GROUP, LANES, WIDEST, |weight| weight))
            }
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => {
                use crate::arch::avx2::int8_matrix::{GROUP, LANES, WIDEST};
                Weights::Words(packed(weights, sizes, GROUP, LANES, WIDEST, i16::from))
            }
            _ => {
                use portable::{GROUP, LANES, WIDEST};
                let words = packed(weights, sizes, GROUP, LANES, WIDEST, i16::from);
                let vectors = words.as_chunks::<GROUP>().0.as_chunks::<LANES>().0;
                let pairs: Vec<Pairs> = vectors.iter().copied().map(Pairs::new).collect();
                Weights::Pairs(Buffer::copy_of(&pairs))
            }
        };
        PackedMatrix { isa, depth, columns, packed_len, zero_point, weights, requantise, start, scale, bias }
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

    /// Bytes of a row that is gathered for [`grid_product`]; the values behind the depth do not matter.
    pub(super) fn packed_len(&self) -> usize {
        self.packed_len
    }

    /// The zero point of the input.
    pub fn zero_point(&self) -> u8 {
        self.zero_point
    }

    /// The instruction set for which it is packed.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    fn operands<'a, W>(
        &'a self,
        weights: &'a [W],
        input: &'a [u8],
        residual: Option<&'a Residual>,
    ) -> Operands<'a, W> {
        Operands {
            row_len: self.row_len(),
            packed_len: self.packed_len,
            columns: self.columns,
            input,
            weights,
            start: &self.start,
            scale: &self.scale,
            bias: &self.bias,
            residual,
            zero_point: self.requantise.zero_point,
        }
    }
}

/// What is stored for each column is padded to a multiple of this with zeros.
const PADDING: usize = 64;

fn padded(values: &[f32]) -> Buffer<f32> {
    let mut padded = Buffer::zeros(values.len().next_multiple_of(PADDING));
    padded[..values.len()].copy_from_slice(values);
    padded
}

/// One panel after another (see [`Operands::panels`]); a panel holds, for each `group` of `packed_len` rows, the group's weights of each of its
/// columns together. Missing rows and columns are zero.
fn packed<W: Copy + Default>(
    weights: &[i8],
    (packed_len, columns): (usize, usize),
    group: usize,
    lanes: usize,
    widest: usize,
    convert: impl Fn(i8) -> W,
) -> Buffer<W> {
    let mut values = Buffer::zeros(columns.next_multiple_of(lanes) * packed_len);
    for (first, vectors) in shares(columns.div_ceil(lanes), widest) {
        let (column, width) = (first * lanes, vectors * lanes);
        let panel = &mut values[column * packed_len..][..width * packed_len];
        for (row, weights) in weights.chunks_exact(columns).enumerate() {
            for (place, weight) in weights[column..].iter().take(width).enumerate() {
                panel[(row / group * width + place) * group + row % group] = convert(*weight);
            }
        }
    }
    values
}

/// Everything that a kernel needs of a matrix product.
pub(crate) struct Operands<'a, W> {
    /// Bytes of a row of input.
    pub(crate) row_len: usize,
    /// Depths of the weights, at least as many.
    pub(crate) packed_len: usize,
    pub(crate) columns: usize,
    pub(crate) input: &'a [u8],
    pub(crate) weights: &'a [W],
    /// For each column, and for those that pad them: what its sum begins with, m and b.
    pub(crate) start: &'a [i32],
    pub(crate) scale: &'a [f32],
    pub(crate) bias: &'a [f32],
    pub(crate) residual: Option<&'a Residual<'a>>,
    /// The output's.
    pub(crate) zero_point: u8,
}

/// Where the rows of input lie, and which of them count: the places of a kernel in a plane, whose rows are `pitch` places
/// long, of which the first `width` make outputs. A plain product is a plane of one column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) pitch: usize,
    /// Bytes from one row of input to the next.
    pub(crate) distance: usize,
    /// A row of input consists of that many runs of `length` bytes.
    pub(crate) runs: usize,
    pub(crate) length: usize,
    /// Bytes from one run to the next.
    pub(crate) run: usize,
}

impl Grid {
    /// Rows of that many bytes, one behind the other.
    pub(crate) fn of_rows(rows: usize, row_len: usize) -> Grid {
        Grid { height: rows, width: 1, pitch: 1, distance: row_len, runs: 1, length: row_len, run: 0 }
    }

    /// Places from the first that makes an output to the last.
    pub(crate) fn places(&self) -> usize {
        if self.width == 0 { 0 } else { (self.height * self.pitch + self.width).saturating_sub(self.pitch) }
    }
}

/// Neighbouring columns whose sums fit into registers together.
pub(crate) struct Panel<'a, W> {
    /// The first column.
    pub(crate) column: usize,
    /// Columns that exist.
    pub(crate) width: usize,
    /// Vectors of columns, the last of which may be filled in part.
    pub(crate) vectors: usize,
    pub(crate) weights: &'a [W],
    /// What the sums begin with, then m and b.
    pub(crate) start: &'a [i32],
    pub(crate) scale: &'a [f32],
    pub(crate) bias: &'a [f32],
}

impl<W> Operands<'_, W> {
    /// The panels of at most `widest` vectors of that many columns.
    pub(crate) fn panels(&self, lanes: usize, widest: usize) -> impl Iterator<Item = Panel<'_, W>> {
        shares(self.columns.div_ceil(lanes), widest).map(move |(first, vectors)| {
            let (column, room) = (first * lanes, vectors * lanes);
            Panel {
                column,
                width: room.min(self.columns - column),
                vectors,
                weights: &self.weights[column * self.packed_len..][..room * self.packed_len],
                start: &self.start[column..][..room],
                scale: &self.scale[column..][..room],
                bias: &self.bias[column..][..room],
            }
        })
    }
}

/// Splits `total` into as few parts of at most `most` as possible, whose sizes differ by one at most, so that none is a sliver:
/// where each begins, and its size.
pub(crate) fn shares(total: usize, most: usize) -> impl Iterator<Item = (usize, usize)> {
    let parts = total.div_ceil(most);
    let (size, larger) = (total.checked_div(parts).unwrap_or(0), total.checked_rem(parts).unwrap_or(0));
    (0..parts).map(move |part| (part * size + part.min(larger), size + usize::from(part < larger)))
}

/// Tiles of one height, one below the other.
pub(crate) struct Tiles {
    /// The first row.
    pub(crate) row: usize,
    pub(crate) count: usize,
    pub(crate) height: usize,
}

impl Tiles {
    /// As few tiles as needed for `rows` rows from row `start` on, first the higher ones, then those with a row less.
    pub(crate) fn of(start: usize, rows: usize, most: usize) -> impl Iterator<Item = Tiles> {
        let tiles = rows.div_ceil(most);
        let (height, higher) = (rows.checked_div(tiles).unwrap_or(0), rows.checked_rem(tiles).unwrap_or(0));
        let row = start + higher * (height + 1);
        [
            Tiles { row: start, count: higher, height: height + 1 },
            Tiles { row, count: tiles - higher, height },
        ]
        .into_iter()
        .filter(|tiles| tiles.count > 0)
    }
}

/// Whether [`grid_product`] has a kernel for such rows.
pub(super) fn is_grid_suited(weights: &PackedMatrix, grid: &Grid) -> bool {
    #[cfg(target_arch = "x86_64")]
    return weights.isa.has_tiles() && amx::is_suited(grid);
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// The product of the rows of a grid, which must be suited.
pub(super) fn grid_product(
    weights: &PackedMatrix,
    grid: &Grid,
    input: &[u8],
    residual: Option<&Residual>,
    output: &mut [u8],
) {
    match &weights.weights {
        #[cfg(target_arch = "x86_64")]
        Weights::Bytes(values) => {
            amx::matrix_product(weights.isa, &weights.operands(values, input, residual), grid, output);
        }
        _ => unreachable!("no kernel of {:?} for {grid:?}", weights.isa),
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
    match &weights.weights {
        #[cfg(target_arch = "x86_64")]
        Weights::Bytes(values) => {
            let operands = weights.operands(values, input, residual);
            let grid = Grid::of_rows(rows, row);
            if weights.isa.has_tiles() && amx::is_suited(&grid) {
                return amx::matrix_product(weights.isa, &operands, &grid, output);
            }
            crate::arch::avx512::int8_matrix::matrix_product(weights.isa, &operands, output);
        }
        #[cfg(target_arch = "x86_64")]
        Weights::Words(values) => {
            let operands = weights.operands(values, input, residual);
            crate::arch::avx2::int8_matrix::matrix_product(weights.isa, &operands, output);
        }
        Weights::Pairs(values) => {
            portable::matrix_product(&weights.operands(values, input, residual), output);
        }
    }
}
