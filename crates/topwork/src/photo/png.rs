//! PNG, by the png crate: all checksums are checked, the first image counts, text and profiles are not read.

use super::orientation::Orientation;
use super::pixels::{self, Layout};
use super::{Decoded, Limits, Photo, SampleRange, Unreadable, exif, samples};
use png::{ColorType, DecodeOptions, Decoder, DecodingError, Transformations};
use std::io::{Cursor, ErrorKind};

/// Deflate makes at most 1,032 bytes of one (its longest copy of 258 bytes in two bits).
const LARGEST_RATIO: u64 = 1_032;

pub(super) fn decode(bytes: &[u8], limits: &Limits, range: SampleRange) -> Result<Decoded, Unreadable> {
    let mut options = DecodeOptions::default();
    options.set_ignore_checksums(false);
    options.set_ignore_text_chunk(true);
    options.set_ignore_iccp_chunk(true);
    let mut decoder = Decoder::new_with_options(Cursor::new(bytes), options);
    decoder.set_limits(png::Limits { bytes: usize::try_from(limits.memory).unwrap_or(usize::MAX) });
    // Palettes and transparent colours are resolved, fewer bits widened.
    decoder.set_transformations(Transformations::EXPAND);
    let header = decoder.read_header_info().map_err(unreadable)?;
    let (width, height) = (header.width, header.height);
    // Up to four samples a pixel before the alpha is resolved, of 16 bits three times, and three after.
    let declared = samples::declared(bytes);
    let held = if declared.is_some() { 4 * (2 + 2 + 1) } else { 4 };
    limits.check_size(u64::from(width), u64::from(height), held + 3)?;
    let raw = header.raw_row_length_from_width(width) as u64 * u64::from(height);
    if raw / LARGEST_RATIO > bytes.len() as u64 {
        return Err(Unreadable::truncated(format!(
            "{} bytes cannot hold {width} x {height} pixels",
            bytes.len()
        )));
    }
    let mut reader = decoder.read_info().map_err(unreadable)?;
    let size = reader.output_buffer_size().ok_or_else(|| Unreadable::corrupt("a size beyond memory"))?;
    let mut samples = vec![0; size];
    let info = reader.next_frame(&mut samples).map_err(unreadable)?;
    if (info.width, info.height) != (width, height) {
        return Err(Unreadable::unsupported("a first frame smaller than the picture"));
    }
    samples.truncate(info.buffer_size());
    let layout = match info.color_type {
        ColorType::Grayscale => Layout::Grey,
        ColorType::GrayscaleAlpha => Layout::GreyAlpha,
        ColorType::Rgb => Layout::Rgb,
        ColorType::Rgba => Layout::RgbAlpha,
        ColorType::Indexed => return Err(Unreadable::corrupt("a palette that was not resolved")),
    };
    // An EXIF chunk may stand behind the picture.
    reader.finish().map_err(unreadable)?;
    let (samples, counts) = match declared {
        Some(declared) => {
            let (pairs, _) = samples.as_chunks::<2>();
            let samples: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
            let (samples, counts) = range.narrow(&samples, layout, declared);
            (samples, Some(counts))
        }
        None => (samples, None),
    };
    let orientation = reader.info().exif_metadata.as_deref().map_or(Orientation::UPRIGHT, exif::orientation);
    let photo = Photo { width, height, pixels: pixels::rgb(layout, samples) };
    Ok(Decoded { photo, orientation, counts })
}

fn unreadable(error: DecodingError) -> Unreadable {
    let detail = error.to_string();
    match error {
        DecodingError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Unreadable::truncated("the file ends within the picture")
        }
        DecodingError::LimitsExceeded => Unreadable::new(super::Reason::TooLarge, detail),
        _ => Unreadable::corrupt(detail),
    }
}
