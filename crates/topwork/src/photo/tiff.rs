//! TIFF and BigTIFF, by the tiff crate: the first page, grey of 1 to 16 bits, grey with alpha, RGB of 8 or 16, CMYK of 8,
//! YCbCr in JPEG, palettes but in BigTIFF; samples side by side or in planes.
//!
//! Lab, floating-point numbers and pages that are previews are refused by name.

use super::orientation::Orientation;
use super::pixels::{self, Layout};
use super::{Decoded, Limits, Photo, SampleRange, Unreadable, exif, xmp};
use std::io::{Cursor, ErrorKind, Read, Seek};
use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::{PhotometricInterpretation, Tag};
use tiff::{ColorType, TiffError, TiffUnsupportedError};

/// Planar configuration: the samples of a pixel lie apart.
const PLANES: u32 = 2;
/// Sample format: floating-point numbers.
const FLOATING: u16 = 3;
/// Extra samples: alpha by which the colours are multiplied already.
const ASSOCIATED_ALPHA: u32 = 1;
/// Fill order: the first pixel lies in the lowest bits of a byte, which the tiff crate knows in fax groups alone.
const REVERSED_BITS: u32 = 2;
const FAX: std::ops::RangeInclusive<u32> = 2..=4;
/// Predictor: the samples are what they are. The crate counts the colour's samples for the others, not the pixel's.
const NO_PREDICTOR: u32 = 1;
/// An XMP packet.
const XMP: u16 = 700;
/// What the samples mean, and two of the meanings.
const INTERPRETATION: u16 = 262;
const BLACK_IS_ZERO: u16 = 1;
const PALETTE: u16 = 3;

/// `declared` is there for samples of 16 bits: how many of them the file says that it uses.
pub(super) fn decode(
    bytes: &[u8],
    limits: &Limits,
    range: SampleRange,
    declared: Option<Option<u8>>,
) -> Result<Decoded, Unreadable> {
    if let Some(place) = exif::tag_place(bytes, INTERPRETATION)
        && exif::tag(bytes, INTERPRETATION) == Some(PALETTE)
    {
        // The tiff crate knows no palettes: the places in it are read as grey.
        let mut grey = bytes.to_vec();
        let meaning = match exif::is_big_endian(bytes) {
            Some(true) => BLACK_IS_ZERO.to_be_bytes(),
            _ => BLACK_IS_ZERO.to_le_bytes(),
        };
        grey[place..place + 2].copy_from_slice(&meaning);
        return decode_as(&grey, limits, range, declared, true);
    }
    decode_as(bytes, limits, range, declared, false)
}

/// The bits that samples use: 16, or fewer if the file declares so. `None` for those that do not have 16.
pub(super) fn declared_bits(bytes: &[u8]) -> Option<u8> {
    let mut decoder = Decoder::new(Cursor::new(bytes)).ok()?;
    let bits = decoder.find_tag_unsigned_vec::<u16>(Tag::BitsPerSample).ok().flatten()?;
    if bits.iter().any(|bits| *bits != 16) {
        return None;
    }
    let mut largest = |tag| decoder.find_tag_unsigned_vec::<u16>(tag).ok().flatten()?.into_iter().max();
    let largest = largest(Tag::SMaxSampleValue).or_else(|| largest(Tag::MaxSampleValue));
    Some(largest.filter(|largest| *largest > 0).map_or(16, |largest| (16 - largest.leading_zeros()) as u8))
}

fn decode_as(
    bytes: &[u8],
    limits: &Limits,
    range: SampleRange,
    declared: Option<Option<u8>>,
    has_palette: bool,
) -> Result<Decoded, Unreadable> {
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
    let is_planar = number(&mut decoder, Tag::PlanarConfiguration) == Some(PLANES)
        && number(&mut decoder, Tag::SamplesPerPixel) > Some(1);
    if is_planar {
        // Held once more, side by side.
        limits.check_size(u64::from(width), u64::from(height), 8 + 8 + 4 + 3)?;
    }
    // The crate reads the parts of planes at wrong places where they are tiles.
    if is_planar && number(&mut decoder, Tag::TileWidth).is_some() {
        return Err(Unreadable::unsupported("colours in separate planes of tiles"));
    }
    let compression = number(&mut decoder, Tag::Compression).unwrap_or(1);
    if number(&mut decoder, Tag::FillOrder) == Some(REVERSED_BITS) && !FAX.contains(&compression) {
        return Err(Unreadable::unsupported("bits in reverse order (FillOrder 2)"));
    }
    let formats = decoder.find_tag_unsigned_vec::<u16>(Tag::SampleFormat).ok().flatten().unwrap_or_default();
    if formats.contains(&FLOATING) {
        return Err(Unreadable::unsupported("floating-point samples"));
    }
    let colour = decoder.colortype().map_err(unreadable)?;
    let samples = number(&mut decoder, Tag::SamplesPerPixel).unwrap_or(1);
    if !is_planar
        && samples != u32::from(colour.num_samples())
        && number(&mut decoder, Tag::Predictor) > Some(NO_PREDICTOR)
    {
        return Err(Unreadable::unsupported(format!(
            "{samples} samples a pixel where the colour has {}, with a predictor",
            colour.num_samples()
        )));
    }
    let extra = decoder.find_tag_unsigned_vec::<u32>(Tag::ExtraSamples).ok().flatten().unwrap_or_default();
    let is_black_zero =
        number(&mut decoder, Tag::PhotometricInterpretation) == Some(u32::from(BLACK_IS_ZERO));
    let layout = match colour {
        ColorType::Gray(1 | 2 | 4 | 8 | 16) => Some(Layout::Grey),
        ColorType::GrayA(8 | 16) => Some(Layout::GreyAlpha),
        ColorType::RGB(8 | 16) => Some(Layout::Rgb),
        ColorType::RGBA(8 | 16) => Some(Layout::RgbAlpha),
        ColorType::CMYK(8) => None,
        ColorType::YCbCr(8) if !is_planar => Some(Layout::Rgb),
        // So the crate calls grey with another sample, which is alpha or has no meaning.
        ColorType::Multiband { bit_depth: 8 | 16, num_samples: 2 } if is_black_zero => {
            Some(Layout::GreyAlpha)
        }
        _ => return Err(Unreadable::unsupported(described(colour))),
    };
    let is_opaque =
        matches!(colour, ColorType::Multiband { .. }) && extra.first().is_none_or(|kind| *kind == 0);
    let packet =
        decoder.find_tag(Tag::Unknown(XMP)).ok().flatten().and_then(|packet| packet.into_u8_vec().ok());
    let turned = number(&mut decoder, Tag::Orientation).and_then(|value| u16::try_from(value).ok());
    let turned = turned.or_else(|| packet.as_deref().and_then(xmp::orientation));
    let has_associated_alpha = extra.contains(&ASSOCIATED_ALPHA);
    let palette = if has_palette { Some(palette(&mut decoder, colour)?) } else { None };
    let mut counts = None;
    let mut read = DecodingResult::U8(Vec::new());
    let held = decoder.read_image_to_buffer(&mut read).map_err(unreadable)?;
    if read.as_buffer(0).as_bytes().len() < held.complete_len {
        return Err(Unreadable::new(super::Reason::TooLarge, "more planes than fit into memory"));
    }
    let planes = if is_planar { held.planes } else { 1 };
    let used = usize::from(colour.num_samples());
    let mut samples = match read {
        DecodingResult::U8(samples) => interleaved(samples, planes, used),
        DecodingResult::U16(values) => {
            let values = interleaved(values, planes, used);
            let (bytes, held) = range.narrow(&values, layout.unwrap_or(Layout::Grey), declared.flatten());
            counts = Some(held);
            bytes
        }
        _ => {
            return Err(Unreadable::unsupported("samples that are not whole numbers of 8 or 16 bits"));
        }
    };
    if colour == ColorType::YCbCr(8) {
        samples.as_chunks_mut().0.iter_mut().for_each(|pixel| *pixel = pixels::rgb_of_ycbcr(*pixel));
    }
    if is_opaque {
        samples.iter_mut().skip(1).step_by(2).for_each(|alpha| *alpha = u8::MAX);
    }
    let pixels = match (layout, palette) {
        (Some(_), Some(palette)) => {
            let places = unpacked(samples, colour, width as usize);
            places.into_iter().flat_map(|place| palette[usize::from(place)]).collect()
        }
        (Some(layout), None) if has_associated_alpha => pixels::multiplied_rgb(layout, &samples),
        (Some(layout), None) => pixels::rgb(layout, widened(samples, colour, width as usize)),
        (None, _) => samples.as_chunks().0.iter().flat_map(|ink| pixels::rgb_of_ink(*ink)).collect(),
    };
    if pixels.len() as u64 != u64::from(width) * u64::from(height) * 3 {
        return Err(Unreadable::corrupt("more or fewer pixels than declared"));
    }
    let orientation = turned.map_or(Orientation::UPRIGHT, Orientation::of);
    Ok(Decoded { photo: Photo { width, height, pixels }, orientation, counts })
}

/// The samples of each pixel side by side, of planes one after the other; of those only as many as the colour uses.
fn interleaved<T: Copy>(samples: Vec<T>, planes: usize, used: usize) -> Vec<T> {
    if planes < 2 {
        return samples;
    }
    let size = samples.len() / planes;
    (0..size)
        .flat_map(|at| (0..used.min(planes)).map(move |plane| (plane, at)))
        .map(|(plane, at)| samples[plane * size + at])
        .collect()
}

/// A kind of pixels in words.
fn described(colour: ColorType) -> String {
    let (name, bits) = match colour {
        ColorType::Gray(bits) => ("grey", bits),
        ColorType::GrayA(bits) => ("grey with alpha", bits),
        ColorType::RGB(bits) => ("RGB", bits),
        ColorType::RGBA(bits) => ("RGB with alpha", bits),
        ColorType::Palette(bits) => ("a palette", bits),
        ColorType::CMYK(bits) => ("CMYK", bits),
        ColorType::CMYKA(bits) => ("CMYK with alpha", bits),
        ColorType::YCbCr(bits) => ("YCbCr", bits),
        ColorType::Lab(bits) => ("Lab", bits),
        ColorType::Multiband { bit_depth, num_samples } => {
            return format!("pixels of {num_samples} samples of {bit_depth} bits");
        }
        _ => return "pixels of an unknown kind".to_owned(),
    };
    format!("{name} of {bits} bits")
}

/// The colours that the samples are places in, for all values that a sample can have.
fn palette<R: Read + Seek>(decoder: &mut Decoder<R>, colour: ColorType) -> Result<Vec<[u8; 3]>, Unreadable> {
    let ColorType::Gray(depth @ (1 | 2 | 4 | 8)) = colour else {
        return Err(Unreadable::unsupported("a palette for other than 1, 2, 4 or 8 bits; save it as PNG"));
    };
    let map = decoder.find_tag_unsigned_vec::<u16>(Tag::ColorMap).map_err(unreadable)?.unwrap_or_default();
    let count = 1 << depth;
    if map.len() != 3 * count {
        return Err(Unreadable::corrupt(format!("a palette of {} numbers, not {}", map.len(), 3 * count)));
    }
    // All reds come first. Their 16 bits are the byte of the colour twice, or followed by zeros.
    Ok((0..count).map(|place| [0, 1, 2].map(|channel| (map[channel * count + place] >> 8) as u8)).collect())
}

/// Grey of fewer than 8 bits as bytes from 0 to 255.
fn widened(samples: Vec<u8>, colour: ColorType, width: usize) -> Vec<u8> {
    let ColorType::Gray(depth @ (1 | 2 | 4)) = colour else { return samples };
    let largest = (1u8 << depth) - 1;
    unpacked(samples, colour, width).into_iter().map(|sample| sample * (255 / largest)).collect()
}

/// Samples of fewer than 8 bits, which are packed row by row, as bytes.
fn unpacked(samples: Vec<u8>, colour: ColorType, width: usize) -> Vec<u8> {
    let ColorType::Gray(depth @ (1 | 2 | 4)) = colour else { return samples };
    let depth = usize::from(depth);
    let (per_byte, largest) = (8 / depth, (1 << depth) - 1);
    let sample = |row: &[u8], column: usize| {
        row[column / per_byte] >> ((per_byte - 1 - column % per_byte) * depth) & largest
    };
    let rows = samples.chunks_exact(width.div_ceil(per_byte));
    rows.flat_map(|row| (0..width).map(move |column| sample(row, column))).collect()
}

/// What the crate does not decode, in words.
fn not_decoded(error: &TiffUnsupportedError) -> String {
    match error {
        TiffUnsupportedError::InterpretationWithBits(meaning, bits) => {
            let meaning = match meaning {
                PhotometricInterpretation::WhiteIsZero | PhotometricInterpretation::BlackIsZero => "grey",
                PhotometricInterpretation::RGB => "RGB",
                PhotometricInterpretation::RGBPalette => "a palette",
                PhotometricInterpretation::CMYK => "CMYK",
                PhotometricInterpretation::YCbCr => "YCbCr",
                PhotometricInterpretation::CIELab
                | PhotometricInterpretation::IccLab
                | PhotometricInterpretation::ItuLab => "Lab",
                _ => "a rare kind of pixels",
            };
            let bits: Vec<String> = bits.iter().map(u8::to_string).collect();
            format!("{meaning} of {} bits", bits.join(", "))
        }
        TiffUnsupportedError::UnsupportedColorType(colour) => described(*colour),
        TiffUnsupportedError::UnsupportedCompressionMethod(_)
        | TiffUnsupportedError::UnknownCompressionMethod => "a rare compression".to_owned(),
        _ => "a variant of TIFF that is not decoded here".to_owned(),
    }
}

fn unreadable(error: TiffError) -> Unreadable {
    match error {
        TiffError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Unreadable::truncated("the file ends within the picture")
        }
        TiffError::UnsupportedError(TiffUnsupportedError::ChromaSubsampling) => {
            Unreadable::unsupported("colour of fewer pixels than brightness (YCbCr)")
        }
        TiffError::UnsupportedError(error) => Unreadable::unsupported(not_decoded(&error)),
        TiffError::LimitsExceeded => {
            Unreadable::new(super::Reason::TooLarge, "a part of the file is larger than memory allows")
        }
        _ => Unreadable::corrupt("the file contradicts its format"),
    }
}
