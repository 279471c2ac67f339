//! A photo → the pixels that a network takes. Belongs to a set of weights, and is never an option of the user.

use crate::error::{Error, ErrorKind, Result};
use crate::photo::Photo;
use serde::{Deserialize, Serialize};
use topwork_kernels::Isa;
use topwork_kernels::resample::{self, CHANNELS, Crop, Resampler};

/// The largest width or height in a record.
const LARGEST: u32 = 4_096;

/// How a set of weights wants its photos: plain data that is saved with every model.
///
/// A photo is resized, the crop is cut out of its middle, and each channel value x (0 to 255) enters the
/// network as `(x − mean) · scale`; the last step is the network's own, [`Preprocess::pixels`] gives bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocess {
    /// The size before the crop.
    pub resize: Resize,
    /// How pixels are resampled.
    pub filter: Filter,
    /// Width of the crop.
    pub width: u32,
    /// Height of the crop.
    pub height: u32,
    /// How half of what is left over beside the crop becomes its offset.
    pub offset: Rounding,
    /// The order in which the channels enter the network.
    pub channels: Channels,
    /// Subtracted from each channel, in the order of `channels`.
    pub mean: [f32; 3],
    /// Multiplied afterwards.
    pub scale: [f32; 3],
}

/// The size of the photo before the crop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resize {
    /// The shorter side becomes `size`; the longer one keeps the proportion, as `rounding` says.
    Shorter {
        /// The shorter side.
        size: u32,
        /// How the longer side becomes a whole number.
        rounding: Rounding,
    },
    /// This size, whatever the proportion.
    Exact {
        /// Width before the crop.
        width: u32,
        /// Height before the crop.
        height: u32,
    },
}

/// How a fraction becomes a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// Downwards, as C's and Python's integer division.
    Floor,
    /// To the nearest, halves to the even one, as Python's `round`.
    HalfEven,
}

/// How pixels are resampled; all as Pillow does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Filter {
    Nearest,
    Bilinear,
    Bicubic,
    Lanczos,
}

/// The order of a pixel's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Channels {
    Rgb,
    Bgr,
}

/// The memory that preprocessing needs; one a worker, reused without allocation for photos of sizes seen.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    planned: Option<Plan>,
    resampler: Resampler,
    rows: resample::Scratch,
}

/// What a plan of the resampler depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plan {
    filter: Filter,
    source: (usize, usize),
    target: (usize, usize),
    crop: Crop,
}

impl Preprocess {
    /// Checks a record that comes from a file.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] for sizes outside 1 to 4,096, a crop larger than the resized photo, numbers that
    /// are not finite, and a scale of zero.
    pub fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::new(ErrorKind::Weights, format!("preprocessing: {what}")));
        let (least_width, least_height) = match self.resize {
            Resize::Shorter { size, .. } => (size, size),
            Resize::Exact { width, height } => (width, height),
        };
        for size in [least_width, least_height, self.width, self.height] {
            if !(1..=LARGEST).contains(&size) {
                return wrong(format!("a size of {size}, expected 1 to {LARGEST}"));
            }
        }
        if self.width > least_width || self.height > least_height {
            return wrong(format!(
                "a crop of {} x {} out of {least_width} x {least_height}",
                self.width, self.height
            ));
        }
        if self.mean.iter().chain(&self.scale).any(|number| !number.is_finite()) {
            return wrong("a mean or scale that is not finite".into());
        }
        if self.scale.contains(&0.0) {
            return wrong("a scale of zero".into());
        }
        Ok(())
    }

    /// Bytes that [`Preprocess::pixels`] writes: `height · width · 3`.
    pub fn len(&self) -> usize {
        self.height as usize * self.width as usize * CHANNELS
    }

    /// Whether no pixel is taken, which [`Preprocess::check`] excludes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The size to which a photo of `width` x `height` is resized before the crop.
    pub fn resized(&self, width: u32, height: u32) -> (usize, usize) {
        match self.resize {
            Resize::Exact { width, height } => (width as usize, height as usize),
            Resize::Shorter { size, rounding } => {
                let (short, long) = (width.min(height), width.max(height));
                let long = rounding.ratio(u64::from(long) * u64::from(size), u64::from(short));
                if width <= height { (size as usize, long) } else { (long, size as usize) }
            }
        }
    }

    /// Makes the pixels of the crop: bytes, row by row, in the order of `channels`. The same bytes on every
    /// instruction set.
    ///
    /// # Panics
    /// If the record was not [checked](Preprocess::check), the photo's pixels do not fit its size, or `out` is
    /// not [`Preprocess::len`] bytes long.
    pub fn pixels(&self, photo: &Photo, isa: Isa, scratch: &mut Scratch, out: &mut [u8]) {
        let target = self.resized(photo.width, photo.height);
        let crop = Crop {
            left: self.offset.ratio((target.0 - self.width as usize) as u64, 2),
            top: self.offset.ratio((target.1 - self.height as usize) as u64, 2),
            width: self.width as usize,
            height: self.height as usize,
        };
        let source = (photo.width as usize, photo.height as usize);
        let plan = Plan { filter: self.filter, source, target, crop };
        if scratch.planned != Some(plan) {
            // Not planned while planning, in case it panics.
            scratch.planned = None;
            scratch.resampler.plan(self.filter.into(), source, target, crop);
            scratch.planned = Some(plan);
        }
        scratch.resampler.run(isa, &photo.pixels, &mut scratch.rows, out);
        if self.channels == Channels::Bgr {
            out.chunks_exact_mut(CHANNELS).for_each(|pixel| pixel.swap(0, 2));
        }
    }
}

impl Rounding {
    /// `dividend / divisor`, rounded.
    fn ratio(self, dividend: u64, divisor: u64) -> usize {
        let (whole, rest) = (dividend / divisor, dividend % divisor);
        let up = match self {
            Rounding::Floor => false,
            Rounding::HalfEven => 2 * rest > divisor || (2 * rest == divisor && whole % 2 == 1),
        };
        whole as usize + usize::from(up)
    }
}

impl From<Filter> for resample::Filter {
    fn from(filter: Filter) -> resample::Filter {
        match filter {
            Filter::Nearest => resample::Filter::Nearest,
            Filter::Bilinear => resample::Filter::Bilinear,
            Filter::Bicubic => resample::Filter::Bicubic,
            Filter::Lanczos => resample::Filter::Lanczos,
        }
    }
}
