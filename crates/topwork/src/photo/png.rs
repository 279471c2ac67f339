//! PNG, by the png crate: all checksums are checked, the first image counts; of texts and profiles the orientation alone is read.

use super::pixels::{self, Layout};
use super::{Decoded, Limits, Photo, SampleRange, Unreadable, exif};
use png::{ColorType, DecodeOptions, Decoder, DecodingError, Transformations};
use std::borrow::Cow;
use std::io::{Cursor, ErrorKind};

/// Deflate makes at most 1,032 bytes of one (its longest copy of 258 bytes in two bits).
const LARGEST_RATIO: u64 = 1_032;

/// No text that holds an orientation is longer.
const LONGEST_TEXT: usize = 1 << 20;

/// `declared` is there for samples of 16 bits: how many of them the file says that it uses.
pub(super) fn decode(
    bytes: &[u8],
    limits: &Limits,
    range: SampleRange,
    declared: Option<Option<u8>>,
) -> Result<Decoded, Unreadable> {
    let mut options = DecodeOptions::default();
    options.set_ignore_checksums(false);
    options.set_ignore_text_chunk(true);
    options.set_ignore_iccp_chunk(true);
    let still = still(bytes);
    let mut decoder = Decoder::new_with_options(Cursor::new(&still[..]), options);
    decoder.set_limits(png::Limits { bytes: usize::try_from(limits.memory).unwrap_or(usize::MAX) });
    // Palettes and transparent colours are resolved, fewer bits widened.
    decoder.set_transformations(Transformations::EXPAND);
    let header = decoder.read_header_info().map_err(unreadable)?;
    let (width, height) = (header.width, header.height);
    // Up to four samples a pixel before the alpha is resolved, of 16 bits three times, and three after.
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
    // png 0.18 looks up whole colours in it, and panics at a part of one.
    if reader.info().palette.as_ref().is_some_and(|palette| !palette.len().is_multiple_of(3)) {
        return Err(Unreadable::corrupt("the palette ends within a colour"));
    }
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
    let block = reader.info().exif_metadata.as_deref().map(<[u8]>::to_vec).or_else(|| raw_profile(bytes));
    let packet =
        texts(bytes).find(|(keyword, _)| *keyword == b"XML:com.adobe.xmp").and_then(|(_, text)| text.read());
    let orientation = exif::orientation(block.as_deref(), packet.as_deref());
    let photo = Photo { width, height, pixels: pixels::rgb(layout, samples) };
    Ok(Decoded { photo, orientation, counts })
}

/// A text chunk as it is stored.
struct Text<'a> {
    stored: &'a [u8],
    is_compressed: bool,
}

impl Text<'_> {
    /// The text; `None` where it is broken or too long.
    fn read(&self) -> Option<Vec<u8>> {
        if self.is_compressed {
            return fdeflate::decompress_to_vec_bounded(self.stored, LONGEST_TEXT).ok();
        }
        (self.stored.len() <= LONGEST_TEXT).then(|| self.stored.to_vec())
    }
}

/// The picture without its animation, whose frames may come in an order that the png crate refuses.
fn still(bytes: &[u8]) -> Cow<'_, [u8]> {
    let is_animation = |kind: &[u8]| matches!(kind, b"acTL" | b"fcTL" | b"fdAT");
    if !chunks(bytes).any(|(kind, ..)| is_animation(kind)) {
        return bytes.into();
    }
    let (signature, rest) = bytes.split_at(8);
    let kept = chunks(bytes).filter(|(kind, ..)| !is_animation(kind));
    let mut still: Vec<u8> = signature.iter().chain(kept.flat_map(|(_, _, whole)| whole)).copied().collect();
    let whole: usize = chunks(bytes).map(|(_, _, whole)| whole.len()).sum();
    let cut_off = &rest[whole..];
    if !cut_off.get(4..8).is_some_and(is_animation) {
        still.extend_from_slice(cut_off);
    }
    still.into()
}

/// Kind and data of the chunks that are whole, and all of their bytes.
fn chunks(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8], &[u8])> {
    let mut rest = bytes.get(8..).unwrap_or_default();
    std::iter::from_fn(move || {
        let length = u32::from_be_bytes(*rest.first_chunk()?) as usize;
        let (whole, behind) = rest.split_at_checked(length.checked_add(12)?)?;
        rest = behind;
        Some((&whole[4..8], &whole[8..8 + length], whole))
    })
}

/// Keyword and text of the chunks `tEXt`, `zTXt` and `iTXt`, of a file whose checksums are checked already.
fn texts(bytes: &[u8]) -> impl Iterator<Item = (&[u8], Text<'_>)> {
    chunks(bytes).filter_map(|(kind, data, _)| {
        let (keyword, rest) = until_zero(data)?;
        let text = match kind {
            b"tEXt" => Text { stored: rest, is_compressed: false },
            b"zTXt" => Text { stored: rest.get(1..)?, is_compressed: true },
            b"iTXt" => {
                let (_language, translated) = until_zero(rest.get(2..)?)?;
                let (_translated, stored) = until_zero(translated)?;
                Text { stored, is_compressed: rest[0] == 1 }
            }
            _ => return None,
        };
        Some((keyword, text))
    })
}

fn until_zero(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == 0)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

/// The EXIF block that ImageMagick keeps as text: a line break, the name, the length, then hexadecimal digits in lines.
fn raw_profile(bytes: &[u8]) -> Option<Vec<u8>> {
    let keywords: [&[u8]; 2] = [b"Raw profile type exif", b"Raw profile type APP1"];
    let (_, text) = texts(bytes).find(|(keyword, _)| keywords.contains(keyword))?;
    let text = text.read()?;
    let mut lines = text.trim_ascii_start().splitn(3, |byte| *byte == b'\n');
    let (_name, _length, digits) = (lines.next()?, lines.next()?, lines.next()?);
    let digits: Vec<u8> = digits
        .iter()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map_while(|byte| char::from(*byte).to_digit(16).map(|digit| digit as u8))
        .collect();
    Some(digits.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low).collect())
}

fn unreadable(error: DecodingError) -> Unreadable {
    let is_checksum = error.to_string().contains("CRC");
    match error {
        DecodingError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Unreadable::truncated("the file ends within the picture")
        }
        DecodingError::LimitsExceeded => {
            Unreadable::new(super::Reason::TooLarge, "a part of the file is larger than memory allows")
        }
        _ if is_checksum => Unreadable::corrupt("a checksum is wrong"),
        _ => Unreadable::corrupt("the file contradicts its format"),
    }
}
