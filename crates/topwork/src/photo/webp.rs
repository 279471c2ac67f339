//! WebP, by the image-webp crate: lossy and lossless; the first frame of an animation.

use super::pixels::{self, Layout};
use super::{Decoded, Limits, Photo, Unreadable, exif};
use image_webp::{DecodingError, WebPDecoder};
use std::io::{Cursor, ErrorKind};

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Decoded, Unreadable> {
    // The outer chunk says how long the file is; what is missing is noticed before anything is decoded.
    if let Some(length) = bytes.get(4..8).and_then(|field| field.try_into().ok()).map(u32::from_le_bytes)
        && u64::from(length) + 8 > bytes.len() as u64
    {
        return Err(Unreadable::truncated(format!("{} of {} bytes", bytes.len(), u64::from(length) + 8)));
    }
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(unreadable)?;
    decoder.set_memory_limit(usize::try_from(limits.memory).unwrap_or(usize::MAX));
    let (width, height) = decoder.dimensions();
    // Four bytes in the decoder, up to four handed out, and the result; an animation has a canvas besides.
    let canvas = if decoder.is_animated() { 4 } else { 0 };
    limits.check_size(u64::from(width), u64::from(height), 4 + 3 + canvas)?;
    let layout = if decoder.has_alpha() { Layout::RgbAlpha } else { Layout::Rgb };
    let size = decoder.output_buffer_size().ok_or_else(|| Unreadable::corrupt("a size beyond memory"))?;
    let mut samples = vec![0; size];
    decoder.read_image(&mut samples).map_err(unreadable)?;
    let block = decoder.exif_metadata().ok().flatten();
    let packet = decoder.xmp_metadata().ok().flatten();
    let orientation = exif::orientation(block.as_deref(), packet.as_deref());
    Ok(Decoded::new(Photo { width, height, pixels: pixels::rgb(layout, samples) }, orientation))
}

fn unreadable(error: DecodingError) -> Unreadable {
    match error {
        DecodingError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Unreadable::truncated("the data ends within the picture")
        }
        DecodingError::ImageTooLarge | DecodingError::MemoryLimitExceeded => {
            Unreadable::new(super::Reason::TooLarge, "the picture is larger than memory allows")
        }
        _ => Unreadable::corrupt("the file contradicts its format"),
    }
}
