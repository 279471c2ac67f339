//! Which format a file has, told by its first bytes alone.

use super::{Reason, Unreadable};

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

/// The format that a refusal names as one that is not decoded here, without its maker, and how to convert such files;
/// `None` for other refusals. `detail` is that of [`Unreadable`].
pub fn undecoded(detail: &str) -> Option<(&str, &str)> {
    let (format, conversion) = detail.split_once(NOT_DECODED)?;
    Some((format.split(" (").next().unwrap_or(format), conversion))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_name_the_format_and_the_way_out() {
        for (name, format) in [("HEIC", "HEIC"), ("camera RAW (Canon)", "camera RAW"), ("QOI", "QOI")] {
            let refusal = not_decoded(name);
            let (found, conversion) = undecoded(&refusal.detail).unwrap();
            assert_eq!(found, format);
            assert!(conversion.contains("JPEG"), "{conversion}");
        }
        assert_eq!(undecoded("JPEG: arithmetic coding"), None);
    }
}
