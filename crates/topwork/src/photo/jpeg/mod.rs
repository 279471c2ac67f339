//! JPEG, by zune-jpeg, behind a look at the file's structure of our own.
//!
//! The structure gives the size, the scans and the orientation before anything is decoded, and a stream that
//! holds only what decoding needs: bytes that other decoders skip (between segments, behind the end) are left
//! out of it, so that zune-jpeg can be strict about the rest. Colours are converted as libjpeg-turbo and Pillow
//! do. Photos that are much larger than what they are wanted for take a decoder of our own, which decodes them scaled down.

mod colour;
mod scaled;
mod standard_tables;
mod structure;

use super::{Decoded, Limits, Photo, Reason, Unreadable, exif};
use colour::Colour;
use structure::Structure;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

/// How many eighths of what is wanted the shorter side of a photo has at least that was decoded scaled down.
const SPARE_EIGHTHS: u64 = 15;

pub(super) const DECODING: &str =
    "JPEG to 1/8 or 1/4, the lowest coefficients, shorter side at least 15/8 of what is wanted";

/// Bytes of ones put before the end marker: more than are read ahead.
const ONES: usize = 64;

/// The end marker.
const END: [u8; 2] = [0xff, structure::EOI];

pub(super) fn decode(bytes: &[u8], limits: &Limits, shorter: u32) -> Result<Decoded, Unreadable> {
    let structure = Structure::of(bytes)?;
    let (width, height) = (u64::from(structure.width), u64::from(structure.height));
    let colour = Colour::of(&structure)?;
    let size = size_of_block(&structure, shorter);
    let bytes_per_pixel = if size < 8 { 0 } else { structure.bytes_per_pixel() + colour.bytes_per_pixel() };
    limits.check_size(width, height, bytes_per_pixel)?;
    limits.check_scans(structure.scans.len() as u32, width * height)?;
    limits.check_jpeg_data(structure.data)?;
    structure.check_amount()?;
    let orientation = exif::orientation(structure.exif, structure.xmp);
    if size == 8 && structure.is_sequential_in_pieces() {
        return Err(Unreadable::unsupported(
            "a baseline file whose colours come in scans of their own; open it in a photo program and save it again",
        ));
    }
    if !structure.has_end && !structure.is_refined() {
        return Err(Unreadable::truncated("the file ends within the picture"));
    }
    if size < 8 {
        return Ok(Decoded::new(scaled::decode(&structure, size, colour, limits)?, orientation));
    }
    let pixels = complete(&structure, colour, limits)?;
    Ok(Decoded::new(Photo { width: structure.width, height: structure.height, pixels }, orientation))
}

/// The pixels that each 8 x 8 become: the fewest that leave the shorter side long enough for `shorter`.
fn size_of_block(structure: &Structure, shorter: u32) -> u32 {
    let side = u64::from(structure.width.min(structure.height));
    let is_enough = |size: &u32| side * u64::from(*size) >= SPARE_EIGHTHS * u64::from(shorter);
    [1, 2].into_iter().find(is_enough).unwrap_or(8)
}

/// The pixels of a file, if all of them are there. zune-jpeg takes zeros for what is missing before a marker, but no table
/// has a code of ones alone, so that it fails where it needs a code behind the data.
fn complete(structure: &Structure, colour: Colour, limits: &Limits) -> Result<Vec<u8>, Unreadable> {
    // Refinements take ones for what they are.
    if !structure.is_progressive {
        let ending = [&[0xff, 0].repeat(ONES)[..], &END].concat();
        if let Ok(pixels) = pixels(&structure.stream(&ending), colour) {
            return Ok(pixels);
        }
    }
    // Where that says nothing, the decoder of our own knows: it counts the bits that are there.
    match scaled::decode(structure, 1, colour, limits) {
        Err(error) if error.reason == Reason::Truncated || !structure.has_end => Err(error),
        _ => pixels(&structure.stream(&END), colour),
    }
}

fn pixels(stream: &[u8], colour: Colour) -> Result<Vec<u8>, Unreadable> {
    pixels_with(DecoderOptions::default(), stream, colour)
}

fn pixels_with(options: DecoderOptions, stream: &[u8], colour: Colour) -> Result<Vec<u8>, Unreadable> {
    let target = match colour {
        Colour::Grey | Colour::YCbCr => ColorSpace::RGB,
        Colour::Rgb => ColorSpace::YCbCr,
        Colour::Cmyk | Colour::Ycck => ColorSpace::CMYK,
    };
    // The sizes are checked already; the limits of zune-jpeg are raised to what the format can say.
    let options = options
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_max_scans(usize::MAX)
        .jpeg_set_out_colorspace(target);
    let decoded =
        JpegDecoder::new_with_options(ZCursor::new(stream), options).decode().map_err(unreadable)?;
    Ok(colour.rgb(decoded))
}

fn unreadable(error: DecodeErrors) -> Unreadable {
    match error {
        DecodeErrors::Unsupported(_) => Unreadable::unsupported(
            "a variant of JPEG that is not decoded here; open it in a photo program and save it again",
        ),
        DecodeErrors::ExhaustedData | DecodeErrors::IoErrors(_) => {
            Unreadable::truncated("the data ends within the picture")
        }
        DecodeErrors::FormatStatic(text) if text.contains("Premature end") => {
            Unreadable::truncated("the data ends within the picture")
        }
        DecodeErrors::HuffmanDecode(_) | DecodeErrors::MCUError(_) | DecodeErrors::Format(_) => {
            Unreadable::corrupt("the picture's data are broken")
        }
        _ => Unreadable::corrupt("the header or a table is broken"),
    }
}

#[cfg(test)]
#[allow(clippy::print_stderr)]
mod tests {
    use super::*;
    use std::path::{Path, PathBuf};

    fn files(folder: &str) -> Vec<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let Ok(entries) = folder.read_dir() else { return Vec::new() };
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "jpg"));
        files.sort();
        files
    }

    /// Features are the same on every machine only if decoding is.
    #[test]
    fn decoding_gives_the_same_pixels_without_vector_instructions() {
        let small = files("../../reference/decode/photos");
        assert!(small.len() > 40);
        let mut photos = files("../../../shared/data/cat-breeds/photos");
        photos.truncate(40);
        if photos.is_empty() {
            eprintln!("skipped for real photos: no ../shared/data");
        }
        for path in small.iter().chain(&photos) {
            let bytes = std::fs::read(path).unwrap();
            let Ok(structure) = Structure::of(&bytes) else { continue };
            let (stream, colour) = (structure.stream(&END), Colour::of(&structure).unwrap());
            let plain = DecoderOptions::default().set_use_unsafe(false);
            assert!(pixels_with(plain, &stream, colour) == pixels(&stream, colour), "{}", path.display());
        }
    }
}
