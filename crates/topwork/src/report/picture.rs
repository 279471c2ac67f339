//! Small copies of photos for the report: pixels in, a plain JPEG out. Nothing of the original file comes along: no
//! EXIF, no place, no thumbnail of before an edit.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jpeg_encoder::{ColorType, Encoder};
use topwork_kernels::Isa;
use topwork_kernels::resample::{Crop, Filter, Resampler, Scratch};

use crate::error::{Error, ErrorKind, Result};
use crate::photo::Photo;

/// Quality 1–100 of the JPEG: at 82 and 224 pixels about 12 kB a picture, and no block is visible.
const QUALITY: u8 = 82;

/// A small copy of a photo.
#[derive(Clone, Debug, PartialEq)]
pub struct Thumbnail {
    /// A baseline JPEG without metadata.
    pub jpeg: Vec<u8>,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// A photo as the report shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// A small copy from [`thumbnail`]; `None` where the photo could not be read again.
    pub thumbnail: Option<Thumbnail>,
    /// The photo's name: its path below the folder of photos.
    pub name: String,
    /// The true class, where known.
    pub actual: Option<String>,
    /// The predicted class.
    pub predicted: String,
    /// The probability of the predicted class.
    pub probability: f64,
}

impl Picture {
    /// Whether the prediction is right, where the true class is known.
    pub fn right(&self) -> Option<bool> {
        self.actual.as_ref().map(|actual| *actual == self.predicted)
    }
}

impl Thumbnail {
    /// The picture as an address that needs no network.
    pub(super) fn data_uri(&self) -> String {
        format!("data:image/jpeg;base64,{}", STANDARD.encode(&self.jpeg))
    }
}

/// Shrinks a photo so that neither side is longer than `side`, and encodes it. A small photo keeps its size; a thin one
/// keeps at least one pixel.
///
/// # Errors
/// [`ErrorKind::Bug`] if the photo has no pixels or not as many as its size says, or `side` is above 65,535.
pub fn thumbnail(photo: &Photo, side: u32, isa: Isa) -> Result<Thumbnail> {
    let Photo { width, height, ref pixels } = *photo;
    let (small_width, small_height) = fitted(width, height, side);
    let expected = u128::from(width) * u128::from(height) * 3;
    let encodable = u16::try_from(small_width).ok().zip(u16::try_from(small_height).ok());
    let (Some((encoded_width, encoded_height)), true) =
        (encodable, expected == pixels.len() as u128 && expected > 0 && side > 0)
    else {
        let message =
            format!("a thumbnail of {width}x{height} pixels, {} bytes, at most {side}", pixels.len());
        return Err(Error::new(ErrorKind::Bug, message));
    };
    let target = (small_width as usize, small_height as usize);
    let whole = Crop { left: 0, top: 0, width: target.0, height: target.1 };
    let resampler = Resampler::new(Filter::Bicubic, (width as usize, height as usize), target, whole);
    let mut small = vec![0; target.0 * target.1 * 3];
    resampler.run(isa, pixels, &mut Scratch::default(), &mut small);
    let mut jpeg = Vec::new();
    Encoder::new(&mut jpeg, QUALITY)
        .encode(&small, encoded_width, encoded_height, ColorType::Rgb)
        .map_err(|source| Error::new(ErrorKind::Bug, "cannot encode a thumbnail").with_source(source))?;
    Ok(Thumbnail { jpeg, width: small_width, height: small_height })
}

/// The size that keeps the proportions and fits into a square of that side; never larger than the source.
fn fitted(width: u32, height: u32, side: u32) -> (u32, u32) {
    let longer = width.max(height);
    if longer <= side {
        return (width, height);
    }
    let scaled = |length: u32| {
        let rounded = (u64::from(length) * u64::from(side) + u64::from(longer) / 2) / u64::from(longer);
        u32::try_from(rounded).expect("not longer than the side").max(1)
    };
    (scaled(width), scaled(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proportions_stay_and_small_photos_do_not_grow() {
        for ((width, height), expected) in [
            ((4000, 3000), (224, 168)),
            ((3000, 4000), (168, 224)),
            ((100, 50), (100, 50)),
            ((10_000, 1), (224, 1)),
            ((1, 1), (1, 1)),
        ] {
            assert_eq!(fitted(width, height, 224), expected, "{width}x{height}");
        }
    }

    #[test]
    fn the_jpeg_holds_pixels_and_no_metadata() {
        let (width, height) = (300u32, 200u32);
        let pixels: Vec<u8> =
            (0..width * height).flat_map(|at| [(at % 256) as u8, 128, (at / 256) as u8]).collect();
        let small = thumbnail(&Photo { width, height, pixels }, 224, Isa::SCALAR).unwrap();
        assert_eq!((small.width, small.height), (224, 149));
        assert_eq!(small.jpeg[..2], [0xff, 0xd8]);
        // Markers up to the start of the scan: JFIF header, tables, frame; no APP1 (EXIF, XMP), no comment.
        let (mut at, mut markers) = (2, Vec::new());
        while small.jpeg[at + 1] != 0xda {
            markers.push(small.jpeg[at + 1]);
            at += 2 + usize::from(u16::from_be_bytes([small.jpeg[at + 2], small.jpeg[at + 3]]));
        }
        assert!(markers.iter().all(|marker| matches!(marker, 0xe0 | 0xdb | 0xc0 | 0xc4)), "{markers:02x?}");
        assert!(small.data_uri().starts_with("data:image/jpeg;base64,/9j/"));
    }

    #[test]
    fn sizes_that_do_not_fit_are_an_error() {
        let small = |width, height, bytes, side| {
            thumbnail(&Photo { width, height, pixels: vec![0; bytes] }, side, Isa::SCALAR)
        };
        for (width, height, bytes, side) in [
            (0, 0, 0, 224),
            (2, 2, 11, 224),
            (u32::MAX, u32::MAX, 3, 224),
            (2, 2, 12, 0),
            (70_000, 1, 210_000, 80_000),
        ] {
            assert!(
                small(width, height, bytes, side).is_err(),
                "{width}x{height}, {bytes} bytes, side {side}"
            );
        }
        assert!(small(70_000, 1, 210_000, 65_535).is_ok());
    }
}
