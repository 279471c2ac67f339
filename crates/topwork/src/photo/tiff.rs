//! TIFF, by the tiff crate: the first page, grey of 1 to 16 bits, RGB of 8 or 16, CMYK of 8.
//!
//! Palettes, YCbCr, Lab, planes, floating-point numbers and pages that are previews are refused by name.

use super::orientation::Orientation;
use super::pixels::{self, Layout};
use super::{Decoded, Limits, Photo, Unreadable, exif};
use std::io::{Cursor, ErrorKind};
use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::Tag;
use tiff::{ColorType, TiffError};

/// Planar configuration: the samples of a pixel lie apart.
const PLANES: u32 = 2;
/// Extra samples: alpha by which the colours are multiplied already.
const ASSOCIATED_ALPHA: u32 = 1;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Decoded, Unreadable> {
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(unreadable)?;
    let (width, height) = decoder.dimensions().map_err(unreadable)?;
    // Up to four samples of 16 bits, the same as bytes, and the result.
    limits.check_size(u64::from(width), u64::from(height), 8 + 4 + 3)?;
    let mut decoding = tiff::decoder::Limits::default();
    decoding.decoding_buffer_size = usize::try_from(limits.memory).unwrap_or(usize::MAX);
    decoder = decoder.with_limits(decoding);
    let number = |decoder: &mut Decoder<_>, tag| decoder.find_tag_unsigned::<u32>(tag).ok().flatten();
    if number(&mut decoder, Tag::NewSubfileType).unwrap_or(0) & 1 == 1 {
        return Err(Unreadable::unsupported("the first page is a preview, as in camera RAW files"));
    }
    if number(&mut decoder, Tag::Unknown(50_706)).is_some() {
        return Err(Unreadable::unsupported("camera RAW (DNG)"));
    }
    if number(&mut decoder, Tag::PlanarConfiguration) == Some(PLANES)
        && number(&mut decoder, Tag::SamplesPerPixel) > Some(1)
    {
        return Err(Unreadable::unsupported("samples in separate planes"));
    }
    let colour = decoder.colortype().map_err(unreadable)?;
    let extra = decoder.find_tag_unsigned_vec::<u32>(Tag::ExtraSamples).ok().flatten().unwrap_or_default();
    let layout = match colour {
        ColorType::Gray(1 | 2 | 4 | 8 | 16) => Some(Layout::Grey),
        ColorType::GrayA(8 | 16) => Some(Layout::GreyAlpha),
        ColorType::RGB(8 | 16) => Some(Layout::Rgb),
        ColorType::RGBA(8 | 16) => Some(Layout::RgbAlpha),
        ColorType::CMYK(8) => None,
        _ => return Err(Unreadable::unsupported(format!("{colour:?}"))),
    };
    if extra.contains(&ASSOCIATED_ALPHA) {
        return Err(Unreadable::unsupported("colours multiplied by their alpha"));
    }
    let samples = match decoder.read_image().map_err(unreadable)? {
        DecodingResult::U8(samples) => samples,
        DecodingResult::U16(samples) => samples.into_iter().map(|sample| (sample >> 8) as u8).collect(),
        _ => return Err(Unreadable::unsupported("samples that are not whole numbers of 8 or 16 bits")),
    };
    let pixels = match layout {
        Some(layout) => pixels::rgb(layout, widened(samples, colour, width as usize)),
        None => samples.as_chunks().0.iter().flat_map(|ink| pixels::rgb_of_ink(*ink)).collect(),
    };
    if pixels.len() as u64 != u64::from(width) * u64::from(height) * 3 {
        return Err(Unreadable::corrupt("more or fewer pixels than declared"));
    }
    let orientation = exif::tag(bytes, 0x0112).map_or(Orientation::UPRIGHT, Orientation::of);
    Ok(Decoded { photo: Photo { width, height, pixels }, orientation })
}

/// Grey of fewer than 8 bits, which is packed row by row, as bytes.
fn widened(samples: Vec<u8>, colour: ColorType, width: usize) -> Vec<u8> {
    let ColorType::Gray(depth @ (1 | 2 | 4)) = colour else { return samples };
    let depth = usize::from(depth);
    let (per_byte, largest) = (8 / depth, (1 << depth) - 1);
    let rows = samples.chunks_exact(width.div_ceil(per_byte));
    let row = |row: &[u8]| -> Vec<u8> {
        let sample =
            |column: usize| row[column / per_byte] >> ((per_byte - 1 - column % per_byte) * depth) & largest;
        (0..width).map(|column| sample(column) * (255 / largest)).collect()
    };
    rows.flat_map(row).collect()
}

fn unreadable(error: TiffError) -> Unreadable {
    let detail = error.to_string();
    match error {
        TiffError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Unreadable::truncated("the file ends within the picture")
        }
        TiffError::UnsupportedError(_) => Unreadable::unsupported(detail),
        TiffError::LimitsExceeded => Unreadable::new(super::Reason::TooLarge, detail),
        _ => Unreadable::corrupt(detail),
    }
}
