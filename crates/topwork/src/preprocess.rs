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
    /// Multiplied by afterwards.
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
    #[serde(alias = "floor_of_half")]
    Floor,
    /// To the nearest, halves to the even one, as Python's `round`.
    #[serde(alias = "round_half_to_even")]
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

    /// How long a photo's shorter side must be at the least, for [`decode_for`](crate::photo::decode_for). The nearest pixel is
    /// one of the photo itself, so that none may be shrunk for it: then there is no limit.
    pub fn shorter(&self) -> u32 {
        match self.resize {
            _ if self.filter == Filter::Nearest => u32::MAX,
            Resize::Shorter { size, .. } => size,
            // The photo's shorter side may become either.
            Resize::Exact { width, height } => width.max(height),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::photo::{Limits, decode, decode_for};

    /// The record of EfficientNet-Lite0.
    fn lite0() -> Preprocess {
        Preprocess {
            resize: Resize::Shorter { size: 256, rounding: Rounding::HalfEven },
            filter: Filter::Bicubic,
            width: 224,
            height: 224,
            offset: Rounding::Floor,
            channels: Channels::Rgb,
            mean: [127.0; 3],
            scale: [1.0 / 128.0; 3],
        }
    }

    fn photo(width: u32, height: u32) -> Photo {
        let pixels =
            (0..width * height * 3).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        Photo { width, height, pixels }
    }

    fn pixels(record: &Preprocess, photo: &Photo) -> Vec<u8> {
        let mut out = vec![0; record.len()];
        record.pixels(photo, Isa::best(), &mut Scratch::default(), &mut out);
        out
    }

    #[test]
    fn the_longer_side_rounds_as_the_record_says() {
        // Python: round(long * 256 / short) and long * 256 // short.
        let cases = [
            ((405, 361), (287, 256), (287, 256)),
            ((361, 405), (256, 287), (256, 287)),
            ((512, 3), (43_691, 256), (43_690, 256)),
            ((257, 512), (256, 510), (256, 510)),
            // 256.5 and 257.5 are halfway.
            ((512, 513), (256, 256), (256, 256)),
            ((512, 515), (256, 258), (256, 257)),
            ((1, 1), (256, 256), (256, 256)),
        ];
        for ((width, height), even, floor) in cases {
            assert_eq!(lite0().resized(width, height), even, "{width} x {height}");
            let resize = Resize::Shorter { size: 256, rounding: Rounding::Floor };
            assert_eq!(Preprocess { resize, ..lite0() }.resized(width, height), floor, "{width} x {height}");
        }
    }

    #[test]
    fn photos_of_all_sizes_give_a_crop() {
        let sizes = [
            (1, 1),
            (1, 500),
            (500, 1),
            (2, 3),
            (223, 225),
            (256, 256),
            (3, 65_500),
            (65_500, 3),
            (640, 480),
        ];
        let (mut scratch, mut reused) = (Scratch::default(), vec![0; lite0().len()]);
        for (width, height) in sizes {
            let photo = photo(width, height);
            lite0().pixels(&photo, Isa::SCALAR, &mut scratch, &mut reused);
            assert_eq!(pixels(&lite0(), &photo), reused, "{width} x {height}");
        }
        assert_eq!(pixels(&lite0(), &photo(1, 1)), photo(1, 1).pixels.repeat(224 * 224));
    }

    #[test]
    fn a_photo_of_the_right_size_is_cut_out_of_its_middle() {
        let record =
            Preprocess { width: 3, height: 2, resize: Resize::Exact { width: 6, height: 5 }, ..lite0() };
        let photo = photo(6, 5);
        // One column and one row to the left and above: the floor of 3 / 2.
        let row = |row: usize| &photo.pixels[(row * 6 + 1) * 3..(row * 6 + 4) * 3];
        assert_eq!(pixels(&record, &photo), [row(1), row(2)].concat());
        let reversed: Vec<u8> =
            [row(1), row(2)].concat().chunks(3).flat_map(|it| [it[2], it[1], it[0]]).collect();
        assert_eq!(pixels(&Preprocess { channels: Channels::Bgr, ..record.clone() }, &photo), reversed);
        let even = Preprocess { offset: Rounding::HalfEven, ..record };
        let row = |row: usize| &photo.pixels[(row * 6 + 2) * 3..(row * 6 + 5) * 3];
        assert_eq!(pixels(&even, &photo), [row(2), row(3)].concat());
    }

    #[test]
    fn large_jpegs_are_decoded_whole_for_the_nearest_pixel_alone() {
        let (width, height) = (1_800, 1_700);
        let mut jpeg = Vec::new();
        jpeg_encoder::Encoder::new(&mut jpeg, 90)
            .encode(&photo(width, height).pixels, width as u16, height as u16, jpeg_encoder::ColorType::Rgb)
            .unwrap();
        let limits = Limits::default();
        let decoded = |record: &Preprocess| decode_for(&jpeg, &limits, record.shorter()).unwrap();
        let exact = Preprocess { resize: Resize::Exact { width: 224, height: 224 }, ..lite0() };
        let shrunk = decoded(&exact);
        assert_eq!((shrunk.width, shrunk.height), (width / 4, height / 4));
        let nearest = decoded(&Preprocess { filter: Filter::Nearest, ..exact });
        assert_eq!(nearest, decode(&jpeg, &limits).unwrap());
    }

    #[test]
    fn a_record_survives_json_and_is_checked() {
        let text = serde_json::to_string(&lite0()).unwrap();
        assert_eq!(serde_json::from_str::<Preprocess>(&text).unwrap(), lite0());
        assert!(serde_json::from_str::<Preprocess>(&text.replace("mean", "mode")).is_err());
        lite0().check().unwrap();
        let wrong = [
            Preprocess { width: 0, ..lite0() },
            Preprocess { height: 5_000, ..lite0() },
            Preprocess { width: 257, ..lite0() },
            Preprocess { resize: Resize::Exact { width: 224, height: 0 }, ..lite0() },
            Preprocess { mean: [0.0, f32::NAN, 0.0], ..lite0() },
            Preprocess { scale: [1.0, 0.0, 1.0], ..lite0() },
            Preprocess { scale: [f32::INFINITY; 3], ..lite0() },
        ];
        for record in wrong {
            assert_eq!(record.check().unwrap_err().kind(), ErrorKind::Weights, "{record:?}");
        }
    }
}
