//! Resampling of RGB bytes, equal to Pillow's to the bit, for the part of the result that is needed.
//!
//! A [`Resampler`] is the plan: which source pixels make which target pixel, with which weights. Running it
//! makes the target pixels of the crop window and nothing else: rows and columns outside of it are neither
//! read nor computed. The arithmetic is that of Pillow's `Image.resize` (`src/libImaging/Resample.c`, read at
//! 12.0, tested against 13): weights in f64, normalised, rounded to 22 fractional bits; sums in i32 that start at
//! one half; bytes between the passes. The horizontal pass goes first, unless the rows shrink by more than
//! twice as many pixels as the columns: Pillow 13 goes the other way then, which earlier ones did not. Nearest
//! is Pillow's affine nearest (`src/libImaging/Geometry.c`, `ImagingScaleAffine`).

mod axis;
mod scalar;
#[cfg(test)]
mod tests;

pub(crate) use axis::{Axis, Split};

#[cfg(target_arch = "x86_64")]
use crate::arch::avx2;
use crate::isa::{Isa, Level};
use std::ops::Range;

/// Bytes of a pixel: red, green, blue.
pub const CHANNELS: usize = 3;

/// Fractional bits of a weight.
pub(crate) const PRECISION: u32 = 22;

/// How the pixels under the filter's support become one pixel; when shrinking, the support grows with the
/// ratio (antialiasing), except for [`Filter::Nearest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Filter {
    /// The source pixel that the target pixel's centre falls into.
    Nearest,
    /// A triangle of radius 1.
    Bilinear,
    /// Keys' cubic of radius 2 with a = −1/2.
    Bicubic,
    /// A windowed sinc of radius 3.
    Lanczos,
}

/// A part of the target, in target pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crop {
    /// Columns to the left of it.
    pub left: usize,
    /// Rows above it.
    pub top: usize,
    /// Columns in it.
    pub width: usize,
    /// Rows in it.
    pub height: usize,
}

/// The plan of one resampling: from a source size to a crop of a target size.
///
/// It can be planned anew for other sizes, and keeps its memory when it is.
#[derive(Clone, Debug, Default)]
pub struct Resampler {
    horizontal: Axis,
    vertical: Axis,
    vertical_first: bool,
}

/// The memory that a run needs between the passes; reused without allocation for sizes that fit.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    /// What the second pass reads.
    between: Vec<u8>,
    /// Copies of the last rows of the horizontal pass, with slack behind them for wide loads.
    tail: Vec<u8>,
}

impl Resampler {
    /// A plan from `source` to the `crop` of `target` (sizes are width, height).
    ///
    /// # Panics
    /// As [`Resampler::plan`].
    pub fn new(filter: Filter, source: (usize, usize), target: (usize, usize), crop: Crop) -> Resampler {
        let mut resampler = Resampler::default();
        resampler.plan(filter, source, target, crop);
        resampler
    }

    /// Plans anew, in the memory of the plan before.
    ///
    /// # Panics
    /// If a side of the source is zero or above 2³¹ − 1, one of the target zero or above 2⁵², or the crop is empty
    /// or reaches beyond the target.
    pub fn plan(&mut self, filter: Filter, source: (usize, usize), target: (usize, usize), crop: Crop) {
        self.horizontal.plan(filter, source.0, target.0, crop.left, crop.width);
        self.vertical.plan(filter, source.1, target.1, crop.top, crop.height);
        let shrunk = |source: usize, target: usize| source as i64 - target as i64;
        let (columns, rows) = (shrunk(source.0, target.0), shrunk(source.1, target.1));
        self.vertical_first = rows > 0 && rows > 2 * columns;
    }

    /// The source's width and height.
    pub fn source(&self) -> (usize, usize) {
        (self.horizontal.source, self.vertical.source)
    }

    /// The crop's width and height.
    pub fn output(&self) -> (usize, usize) {
        (self.horizontal.len(), self.vertical.len())
    }

    /// Makes the crop's pixels: `pixels` is the source, `out` the crop, both RGB bytes row by row.
    ///
    /// # Panics
    /// If a slice has not the length that the plan's sizes give.
    pub fn run(&self, isa: Isa, pixels: &[u8], scratch: &mut Scratch, out: &mut [u8]) {
        let ((source_width, source_height), (width, height)) = (self.source(), self.output());
        assert_eq!(
            pixels.len(),
            source_width * source_height * CHANNELS,
            "source {source_width}x{source_height}"
        );
        assert_eq!(out.len(), width * height * CHANNELS, "crop {width}x{height}");
        // Of the source, only the rows and columns that the crop needs are read.
        let (columns, rows) = (self.horizontal.span(), self.vertical.span());
        let stride = source_width * CHANNELS;
        let Scratch { between, tail } = scratch;
        if self.vertical_first {
            let needed = View { pixels, stride, first_column: 0, first_row: 0 };
            between.resize(columns.len() * height * CHANNELS, 0);
            self.vertical_pass(isa, needed, columns.clone(), between);
            let stride = columns.len() * CHANNELS;
            let view = View { pixels: between, stride, first_column: columns.start, first_row: 0 };
            self.horizontal_pass(isa, view, tail, out);
        } else {
            let pixels = &pixels[rows.start * stride..rows.end * stride];
            let view = View { pixels, stride, first_column: 0, first_row: rows.start };
            if self.vertical.is_identity() {
                return self.horizontal_pass(isa, view, tail, out);
            }
            between.resize(rows.len() * width * CHANNELS, 0);
            self.horizontal_pass(isa, view, tail, between);
            let view =
                View { pixels: between, stride: width * CHANNELS, first_column: 0, first_row: rows.start };
            self.vertical_pass(isa, view, 0..width, out);
        }
    }

    fn horizontal_pass(&self, isa: Isa, view: View<'_>, tail: &mut Vec<u8>, out: &mut [u8]) {
        let axis = &self.horizontal;
        if axis.copies() {
            return scalar::pick_columns(axis, view, out);
        }
        match isa.level() {
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 | Level::Avx512 => avx2::resample::horizontal(isa, axis, view, tail, out),
            _ => scalar::horizontal(axis, view, out),
        }
    }

    fn vertical_pass(&self, isa: Isa, view: View<'_>, columns: Range<usize>, out: &mut [u8]) {
        let axis = &self.vertical;
        if axis.copies() {
            return scalar::pick_rows(axis, view, columns, out);
        }
        match isa.level() {
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 | Level::Avx512 => avx2::resample::vertical(isa, axis, view, columns, out),
            _ => scalar::vertical(axis, view, columns, out),
        }
    }
}

/// Pixels that a pass reads: a part of a picture, whole rows of it.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) pixels: &'a [u8],
    /// Bytes of a row.
    pub(crate) stride: usize,
    /// Where the part starts, in the columns and rows in which the axes count.
    pub(crate) first_column: usize,
    pub(crate) first_row: usize,
}
