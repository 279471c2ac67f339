//! GIF, by the gif crate: the first frame on the whole canvas; what it leaves open is white.

use super::pixels::over_white;
use super::{Decoded, Limits, Photo, Unreadable, exif};
use gif::{ColorOutput, DecodeOptions, DecodingError, MemoryLimit};
use std::io::ErrorKind;
use std::num::NonZeroU64;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Decoded, Unreadable> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::RGBA);
    options.check_frame_consistency(true);
    options.check_lzw_end_code(false);
    options.allow_unknown_blocks(true);
    options
        .set_memory_limit(NonZeroU64::new(limits.memory).map_or(MemoryLimit::Unlimited, MemoryLimit::Bytes));
    let mut decoder = options.read_info(bytes).map_err(unreadable)?;
    let (width, height) = (decoder.width(), decoder.height());
    // The frame's four bytes, its indices, and the canvas.
    limits.check_size(u64::from(width), u64::from(height), 4 + 1 + 3)?;
    let frame = decoder.read_next_frame().map_err(unreadable)?;
    let frame = frame.ok_or_else(|| Unreadable::truncated("the file ends before the first frame"))?;
    let (width, height) = (usize::from(width), usize::from(height));
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let frame_width = usize::from(frame.width);
    let expected = frame_width * usize::from(frame.height) * 4;
    if frame.buffer.len() != expected
        || left + frame_width > width
        || top + usize::from(frame.height) > height
    {
        return Err(Unreadable::corrupt("a frame that does not fit"));
    }
    let mut pixels = vec![255; width * height * 3];
    if expected > 0 {
        for (row, source) in frame.buffer.chunks_exact(frame_width * 4).enumerate() {
            let first = ((top + row) * width + left) * 3;
            let target = pixels[first..first + frame_width * 3].chunks_exact_mut(3);
            for (target, source) in target.zip(source.chunks_exact(4)) {
                for channel in 0..3 {
                    target[channel] = over_white(source[channel], source[3]);
                }
            }
        }
    }
    let photo = Photo { width: width as u32, height: height as u32, pixels };
    Ok(Decoded::new(photo, exif::orientation(None, decoder.xmp_metadata())))
}

fn unreadable(error: DecodingError) -> Unreadable {
    match error {
        DecodingError::Io(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Unreadable::truncated("the file ends within the picture")
        }
        // The crate reports an end within a block so, as a format error of private kind.
        error if error.to_string().contains("Unexpected End of File") => {
            Unreadable::truncated("the file ends within the picture")
        }
        _ => Unreadable::corrupt("the file contradicts its format"),
    }
}
