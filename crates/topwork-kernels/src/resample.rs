//! Resampling of RGB bytes, equal to Pillow's to the bit, for the part of the result that is needed.
//!
//! A [`Resampler`] is the plan: which source pixels make which target pixel, with which weights. Running it
//! makes the target pixels of the crop window and nothing else: rows and columns outside of it are neither
//! read nor computed. The arithmetic is that of Pillow's `Image.resize` (`src/libImaging/Resample.c`, read at
//! 12.0, tested against 13): weights in f64, normalised, rounded to 22 fractional bits; the horizontal pass
//! first; sums in i32 that start at one half; bytes between the passes. Nearest is Pillow's affine nearest
//! (`src/libImaging/Geometry.c`, `ImagingScaleAffine`).

mod axis;
mod scalar;
#[cfg(test)]
mod tests;

pub(crate) use axis::{Axis, Split};

#[cfg(target_arch = "x86_64")]
use crate::arch::avx2;
use crate::isa::{Isa, Level};

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
}

/// The memory that a run needs between the passes; reused without allocation for sizes that fit.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    /// The rows that the vertical pass reads, each as wide as the crop.
    pub(crate) rows: Vec<u8>,
    /// Copies of the last source rows, with slack behind them for wide loads.
    pub(crate) tail: Vec<u8>,
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
    /// If a size is zero or above 2³¹ − 1, or the crop is empty or reaches beyond the target.
    pub fn plan(&mut self, filter: Filter, source: (usize, usize), target: (usize, usize), crop: Crop) {
        self.horizontal.plan(filter, source.0, target.0, crop.left, crop.width);
        self.vertical.plan(filter, source.1, target.1, crop.top, crop.height);
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
        // Only the rows that the vertical pass reads go through the horizontal one.
        let rows = self.vertical.span();
        let stride = source_width * CHANNELS;
        let needed = &pixels[rows.start * stride..rows.end * stride];
        if self.vertical.is_identity() {
            self.horizontal_pass(isa, needed, &mut scratch.tail, out);
            return;
        }
        scratch.rows.resize(rows.len() * width * CHANNELS, 0);
        self.horizontal_pass(isa, needed, &mut scratch.tail, &mut scratch.rows);
        self.vertical_pass(isa, &scratch.rows, out);
    }

    fn horizontal_pass(&self, isa: Isa, pixels: &[u8], tail: &mut Vec<u8>, out: &mut [u8]) {
        let axis = &self.horizontal;
        if axis.copies() {
            return scalar::pick_columns(axis, pixels, out);
        }
        match isa.level() {
            Level::Scalar => scalar::horizontal(axis, pixels, out),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => avx2::resample::horizontal(isa, axis, pixels, tail, out),
            #[allow(unreachable_patterns)]
            _ => scalar::horizontal(axis, pixels, out),
        }
    }

    fn vertical_pass(&self, isa: Isa, rows: &[u8], out: &mut [u8]) {
        let axis = &self.vertical;
        let stride = self.horizontal.len() * CHANNELS;
        if axis.copies() {
            return scalar::pick_rows(axis, stride, rows, out);
        }
        match isa.level() {
            Level::Scalar => scalar::vertical(axis, stride, rows, out),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => avx2::resample::vertical(isa, axis, stride, rows, out),
            #[allow(unreachable_patterns)]
            _ => scalar::vertical(axis, stride, rows, out),
        }
    }
}
