//! Which format a file has, told by its first bytes alone.

use super::{Reason, Unreadable, exif};

/// The formats that are decoded here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Jpeg,
    Png,
    Gif,
    WebP,
    Bmp,
    Tiff,
    Pnm,
    #[cfg(feature = "heic")]
    Heic,
}

/// Beginnings of other formats that people keep among photos, with the name for the message.
const UNSUPPORTED: &[(&[u8], &str)] = &[
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"II\xbc\x01", "JPEG XR"),
    (b"%PDF", "PDF"),
    (b"8BPS", "Photoshop (PSD)"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"DDS ", "DDS"),
    (b"qoif", "QOI"),
    (b"\0\0\x01\0", "Windows icon"),
    (b"FUJIFILMCCD-RAW", "camera RAW (Fujifilm)"),
    (b"IIRO", "camera RAW (Olympus)"),
    (b"IIRS", "camera RAW (Olympus)"),
    (b"MMOR", "camera RAW (Olympus)"),
    (b"IIU\0", "camera RAW (Panasonic)"),
    (b"Pf\n", "PNM of floating-point numbers"),
    (b"PF\n", "PNM of floating-point numbers"),
    (b"P7\n", "PAM"),
];

/// How to convert files of the formats that people keep many of; the longest that fits into a line.
const CONVERSIONS: &[(&str, &str)] = &[
    (
        "HEIC",
        "convert to JPEG with `sips -s format jpeg` (macOS), `heif-convert` (Linux) or Photos (Windows); on an iPhone \
         choose Settings, Camera, Formats, Most Compatible",
    ),
    ("AVIF", "convert to JPEG with `sips -s format jpeg` (macOS), `avifdec` or ImageMagick's `magick`"),
    ("JPEG XL", "convert to JPEG with `djxl`"),
    (
        "camera RAW",
        "export JPEG with the camera's software, darktable or RawTherapee, or let the camera save JPEG",
    ),
    ("SVG", "export PNG, for example with Inkscape"),
    ("PDF", "export its pages as PNG, for example with `pdftoppm -png`"),
];

/// Beginnings of files that are no images, with what they are.
const NOT_IMAGES: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\0\x05\x16\x07", "an AppleDouble companion of another file"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\x1aE\xdf\xa3", "a film"),
];

impl Format {
    /// The format of a file with these bytes.
    pub(super) fn of(bytes: &[u8]) -> Result<Format, Unreadable> {
        if bytes.is_empty() {
            return Err(Unreadable::new(Reason::Empty, "the file holds no bytes"));
        }
        let starts = |magic: &[u8]| bytes.starts_with(magic);
        let is_riff = starts(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
        let is_pnm = matches!(bytes, [b'P', b'1'..=b'6', b' ' | b'\t' | b'\n' | b'\r' | b'#', ..]);
        let known = [
            (starts(b"\xff\xd8\xff"), Format::Jpeg),
            (starts(b"\x89PNG\r\n\x1a\n"), Format::Png),
            (starts(b"GIF87a") || starts(b"GIF89a"), Format::Gif),
            (is_riff, Format::WebP),
            ([b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|magic| starts(*magic)), Format::Tiff),
            (is_pnm, Format::Pnm),
            (starts(b"BM") && bytes.len() >= 26, Format::Bmp),
            #[cfg(feature = "heic")]
            (family(bytes) == Some("HEIC"), Format::Heic),
        ];
        if is_camera_raw(bytes) {
            return Err(not_decoded("camera RAW"));
        }
        if let Some((_, format)) = known.into_iter().find(|(is, _)| *is) {
            return Ok(format);
        }
        Err(refusal(bytes))
    }

    /// The name in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Format::Jpeg => "JPEG",
            Format::Png => "PNG",
            Format::Gif => "GIF",
            Format::WebP => "WebP",
            Format::Bmp => "BMP",
            Format::Tiff => "TIFF",
            Format::Pnm => "PNM",
            #[cfg(feature = "heic")]
            Format::Heic => "HEIC",
        }
    }
}

/// Whether a TIFF is a camera's: its first picture is a smaller copy of another, or the samples of a sensor behind a
/// mosaic of colours.
fn is_camera_raw(bytes: &[u8]) -> bool {
    const KIND: u16 = 254;
    const MEANING: u16 = 262;
    let is_copy = exif::tag(bytes, KIND).is_some_and(|kind| kind & 1 == 1);
    let is_mosaic = matches!(exif::tag(bytes, MEANING), Some(32_803 | 34_892));
    is_copy || is_mosaic || (bytes.starts_with(b"II*\0") && bytes.get(8..10) == Some(b"CR"))
}

/// What a file of boxes is by its brands: a picture, or a film. A picture of a general brand is AVIF if it says so among
/// the others.
fn family(bytes: &[u8]) -> Option<&'static str> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = (u32::from_be_bytes(*length) as usize).clamp(16, 256);
    let brands = rest.strip_prefix(b"ftyp")?.get(..4)?;
    let mut others = bytes.get(16..length.min(bytes.len())).unwrap_or_default().chunks_exact(4);
    Some(match brands {
        b"avif" | b"avis" => "AVIF",
        b"mif1" | b"msf1" if others.any(|brand| matches!(brand, b"avif" | b"avis")) => "AVIF",
        b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" | b"mif1" | b"msf1" => "HEIC",
        b"crx " => "camera RAW (Canon)",
        _ => "a film",
    })
}

fn refusal(bytes: &[u8]) -> Unreadable {
    let unsupported = not_decoded;
    let not_an_image = |what: &str| Unreadable::new(Reason::NotAnImage, what);
    if let Some((_, name)) = UNSUPPORTED.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return unsupported(name);
    }
    if let Some((_, what)) = NOT_IMAGES.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return not_an_image(what);
    }
    if bytes.get(4..8) == Some(b"ftyp") {
        return match family(bytes) {
            Some(name) if name != "a film" => unsupported(name),
            _ => not_an_image("a film"),
        };
    }
    const MAGIC: [&[u8]; 5] = [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"GIF87a", b"BM"];
    if MAGIC.iter().any(|magic| magic.starts_with(bytes) || (*magic == b"BM" && bytes.starts_with(magic))) {
        return Unreadable::truncated("the file ends within the first bytes of an image");
    }
    let start = &bytes[..bytes.len().min(1024)];
    let text =
        String::from_utf8_lossy(start).trim_start_matches(['\u{feff}', ' ', '\n', '\r', '\t']).to_lowercase();
    if text.contains("<svg") {
        return unsupported("SVG");
    }
    if text.starts_with("<!doctype html") || text.starts_with("<html") || text.starts_with("<head") {
        return not_an_image("an HTML page");
    }
    if start.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e | 0x80..)) {
        return not_an_image("text");
    }
    not_an_image("the content of no image format")
}

const NOT_DECODED: &str = " is not decoded here; ";

/// The refusal of a format by its name, with what to do.
fn not_decoded(name: &str) -> Unreadable {
    let known = CONVERSIONS.iter().find(|(format, _)| name.starts_with(format));
    let conversion =
        known.map_or("convert to JPEG or PNG, for example with ImageMagick's `magick`", |(_, how)| how);
    Unreadable::unsupported(format!("{name}{NOT_DECODED}{conversion}"))
}

/// Photos of a format that is not decoded here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecoded {
    /// The format's name, without that of a camera's maker.
    pub format: String,
    /// How many photos have it.
    pub count: usize,
    /// How to convert them.
    pub conversion: String,
}

/// The formats among refused photos that are not decoded here, the most frequent first. Other refusals are passed over.
pub fn undecoded<'a>(refusals: impl IntoIterator<Item = &'a Unreadable>) -> Vec<Undecoded> {
    let mut formats: Vec<Undecoded> = Vec::new();
    for refusal in refusals {
        let Some((name, conversion)) = refusal.detail.split_once(NOT_DECODED) else { continue };
        let format = name.split(" (").next().unwrap_or(name);
        match formats.iter_mut().find(|known| known.format == format) {
            Some(known) => known.count += 1,
            None => formats.push(Undecoded {
                format: format.to_owned(),
                count: 1,
                conversion: conversion.to_owned(),
            }),
        }
    }
    formats.sort_by(|a, b| (b.count, &a.format).cmp(&(a.count, &b.format)));
    formats
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_counted_with_the_way_to_convert_them() {
        let names = ["HEIC", "camera RAW (Canon)", "QOI", "camera RAW", "HEIC", "camera RAW (Fujifilm)"];
        let mut refusals: Vec<Unreadable> = names.into_iter().map(not_decoded).collect();
        refusals.push(Unreadable::unsupported("JPEG: arithmetic coding"));
        let formats = undecoded(&refusals);
        let counts: Vec<_> = formats.iter().map(|format| (format.format.as_str(), format.count)).collect();
        assert_eq!(counts, [("camera RAW", 3), ("HEIC", 2), ("QOI", 1)]);
        for Undecoded { format, conversion, .. } in &formats {
            assert!(conversion.contains("JPEG"), "{format}: {conversion}");
        }
        assert!(formats[1].conversion.contains("sips") && formats[1].conversion.contains("Most Compatible"));
    }

    /// Their first picture is a small copy of the photo, or what the sensor saw.
    #[test]
    fn camera_raw_in_tiff_is_known() {
        // A directory of one tag of the type LONG.
        let with_tag = |tag: u16, value: u32| {
            let entry = [&tag.to_le_bytes()[..], &[4, 0, 1, 0, 0, 0], &value.to_le_bytes()].concat();
            [&b"II*\0\x08\0\0\0\x01\0"[..], &entry, &[0; 4]].concat()
        };
        for raw in [with_tag(254, 1), with_tag(262, 32_803), b"II*\0\x10\0\0\0CR\x02\0".to_vec()] {
            let refusal = Format::of(&raw).unwrap_err();
            assert!(refusal.detail.starts_with("camera RAW"), "{refusal}");
        }
        for tiff in [with_tag(254, 0), with_tag(254, 2), with_tag(262, 2)] {
            assert_eq!(Format::of(&tiff), Ok(Format::Tiff));
        }
    }
}
