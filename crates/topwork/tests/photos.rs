//! Photos as they are: files of all kinds against known pixels, hostile ones against time, and mutants of both.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use jpeg_encoder::SamplingFactor;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
#[cfg_attr(not(unix), allow(unused_imports, reason = "some tests are for Unix alone"))]
use topwork::photo::{Limits, Photo, Reason, Unreadable, decode, decode_for, read};

/// What a file may take, on a slow and busy machine.
const LONGEST: Duration = Duration::from_secs(2);

fn reference() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../reference/decode")
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(reference().join("photos").join(name)).unwrap()
}

fn decoded(bytes: &[u8]) -> Result<Photo, Unreadable> {
    decode(bytes, &Limits::default())
}

/// CRC-32 as zlib computes it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

/// A row of `cases.csv` or `heic.csv`: file, width, height, checksum, tolerance.
type Case = (String, u32, u32, String, u8);

fn cases() -> Vec<Case> {
    let tables: &[&str] = if cfg!(feature = "heic") { &["cases.csv", "heic.csv"] } else { &["cases.csv"] };
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |index: usize| fields[index].parse().unwrap();
        (fields[0].into(), number(1), number(2), fields[3].into(), number(4) as u8)
    };
    let table = |name: &&str| std::fs::read_to_string(reference().join(name)).unwrap();
    tables.iter().flat_map(|name| table(name).lines().skip(1).map(row).collect::<Vec<Case>>()).collect()
}

#[test]
fn every_kind_of_file_gives_the_known_pixels() {
    let mut failures = Vec::new();
    let cases = cases();
    assert!(cases.len() > 100, "{} cases", cases.len());
    for (name, width, height, checksum, tolerance) in cases {
        let photo = match decoded(&file(&name)) {
            Ok(photo) => photo,
            Err(error) => {
                failures.push(format!("{name}: {error}"));
                continue;
            }
        };
        if (photo.width, photo.height) != (width, height) {
            failures.push(format!("{name}: {} x {}, not {width} x {height}", photo.width, photo.height));
        } else if tolerance == 0 {
            if format!("{:08x}", crc32(&photo.pixels)) != checksum {
                failures.push(format!("{name}: other pixels"));
            }
        } else {
            let expected = std::fs::read(reference().join("expected").join(format!("{name}.png"))).unwrap();
            let expected = decoded(&expected).unwrap().pixels;
            assert_eq!(format!("{:08x}", crc32(&expected)), checksum, "{name}");
            let differences = photo.pixels.iter().zip(&expected).map(|(ours, theirs)| ours.abs_diff(*theirs));
            let largest = differences.max().unwrap();
            if largest > tolerance {
                failures.push(format!("{name}: {largest} levels off, {tolerance} are allowed"));
            }
        }
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}

/// The JPEG as it is decoded for a photo so small that each 8 x 8 pixels become `size` x `size`.
fn scaled(bytes: &[u8], size: u32) -> Result<Photo, Unreadable> {
    let whole = decoded(bytes)?;
    let wanted = size * whole.width.min(whole.height) / 15;
    decode_for(bytes, &Limits::default(), wanted)
}

#[test]
fn scaled_pixels_are_those_of_the_definition() {
    let folder = reference().join("../scaled-decode");
    let table = std::fs::read_to_string(folder.join("cases.csv")).unwrap();
    let mut failures = Vec::new();
    assert!(table.lines().count() > 20);
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let (name, size, tolerance) = (fields[0], fields[1].parse().unwrap(), fields[2].parse().unwrap());
        let bytes = std::fs::read(folder.join(format!("photos/{name}.jpg"))).unwrap();
        let expected = std::fs::read(folder.join(format!("expected/{name}-{size}.png"))).unwrap();
        let (photo, expected) = (scaled(&bytes, size).unwrap(), decoded(&expected).unwrap());
        let differences =
            photo.pixels.iter().zip(&expected.pixels).map(|(ours, known)| ours.abs_diff(*known));
        let largest: u8 = differences.max().unwrap();
        if (photo.width, photo.height) != (expected.width, expected.height) || largest > tolerance {
            failures.push(format!("{line}: {} x {}, {largest} levels off", photo.width, photo.height));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// All small JPEGs in both sizes: near the mean of the pixels, and the same whether the coefficients come in order, in
/// several scans, or between restart markers.
#[test]
fn all_kinds_of_jpegs_are_decoded_scaled() {
    let mut failures = Vec::new();
    for (name, width, height, ..) in cases().into_iter().filter(|(name, ..)| name.ends_with(".jpg")) {
        let bytes = file(&name);
        if !bytes.starts_with(b"\xff\xd8") || width.min(height) < 8 {
            continue;
        }
        for size in [1, 2] {
            let photo = scaled(&bytes, size).unwrap();
            if (photo.width, photo.height) != ((width * size).div_ceil(8), (height * size).div_ceil(8)) {
                failures.push(format!("{name}, {size}: {} x {}", photo.width, photo.height));
            }
            let difference = distance_from_means(&photo, &decoded(&bytes).unwrap(), 8 / size as usize);
            if difference > 12.0 {
                failures.push(format!("{name}, {size}: {difference:.1} levels off the means"));
            }
            for (ordinary, other) in [("baseline-", "progressive-"), (".jpg", "-restarts.jpg")] {
                let twin = reference().join("photos").join(name.replace(ordinary, other));
                let Ok(twin) = std::fs::read(twin) else { continue };
                if scaled(&twin, size).unwrap() != photo {
                    failures.push(format!("{name}, {size}: another photo as {other}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The mean distance of the pixels of a scaled photo from the means of the squares that they stand for; only whole squares.
fn distance_from_means(photo: &Photo, whole: &Photo, side: usize) -> f64 {
    let (width, columns, rows) =
        (whole.width as usize, whole.width as usize / side, whole.height as usize / side);
    let (mut sum, mut count) = (0.0, 0);
    for (row, column, channel) in
        (0..rows).flat_map(|row| (0..columns * 3).map(move |at| (row, at / 3, at % 3)))
    {
        let square = (0..side * side).map(|at| (row * side + at / side, column * side + at % side));
        let mean = square.map(|(y, x)| f64::from(whole.pixels[(y * width + x) * 3 + channel])).sum::<f64>()
            / (side * side) as f64;
        let ours = photo.pixels[(row * photo.width as usize + column) * 3 + channel];
        sum += (mean - f64::from(ours)).abs();
        count += 1;
    }
    sum / f64::from(count)
}

/// How much a JPEG is scaled depends on its shorter side and what is wanted alone; other formats are never scaled.
#[test]
fn the_shorter_side_decides_about_scaling() {
    let mut failures = Vec::new();
    for (name, wanted, expected) in [
        // 120 x 90: an eighth is 15 x 12 and a quarter 30 x 23.
        ("large-progressive-restarts.jpg", 1, (15, 12)),
        ("large-progressive-restarts.jpg", 6, (15, 12)),
        ("large-progressive-restarts.jpg", 7, (30, 23)),
        ("large-progressive-restarts.jpg", 12, (30, 23)),
        ("large-progressive-restarts.jpg", 13, (120, 90)),
        ("large-progressive-restarts.jpg", u32::MAX, (120, 90)),
        // 24 x 16, turned upright.
        ("orientation-6.jpg", 1, (2, 3)),
        ("orientation-6.jpg", 2, (4, 6)),
        ("orientation-6.jpg", 3, (16, 24)),
        ("rgb.png", 0, (13, 11)),
    ] {
        let photo = decode_for(&file(name), &Limits::default(), wanted).unwrap();
        if (photo.width, photo.height) != expected {
            failures.push(format!("{name} for {wanted}: {} x {}", photo.width, photo.height));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_file_cut_off_anywhere_is_refused_or_whole() {
    let mut failures = Vec::new();
    for (name, ..) in cases() {
        let bytes = file(&name);
        let whole = decoded(&bytes).unwrap();
        let side = whole.width.min(whole.height);
        // As it is, and where it is a JPEG at an eighth and a quarter.
        for wanted in [u32::MAX, side / 15, 2 * side / 15] {
            if wanted != u32::MAX && !bytes.starts_with(b"\xff\xd8") {
                continue;
            }
            let decoded = |bytes: &[u8]| decode_for(bytes, &Limits::default(), wanted);
            let whole = decoded(&bytes).ok();
            for end in 0..bytes.len() {
                match decoded(&bytes[..end]) {
                    Ok(photo) if Some(&photo) == whole.as_ref() => {}
                    Ok(_) => {
                        failures.push(format!("{name}: other pixels from {end} of {} bytes", bytes.len()))
                    }
                    Err(error) => {
                        let expected = matches!(error.reason, Reason::Truncated | Reason::Empty);
                        let start = end < 26 && error.reason == Reason::NotAnImage;
                        if !expected && !start && failures.len() < 4000 {
                            failures.push(format!("{name}: {end} of {} bytes: {error}", bytes.len()));
                        }
                    }
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures.join("\n"));
}

/// The segments of a JPEG before its first scan: marker, beginning, end.
fn segments(bytes: &[u8]) -> Vec<(u8, usize, usize)> {
    let mut at = 2;
    std::iter::from_fn(|| {
        let [0xff, marker, high, low] = *bytes.get(at..at + 4)? else { return None };
        let start = at;
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
        (marker != 0xda).then_some((marker, start, at))
    })
    .collect()
}

#[test]
fn a_jpeg_cut_before_its_end_marker_is_truncated_in_every_size() {
    let (mut failures, mut cuts) = (Vec::new(), 0);
    for (name, _, height, ..) in cases().into_iter().filter(|(name, ..)| name.ends_with(".jpg")) {
        let bytes = file(&name);
        let last_of = |marker| bytes.windows(2).rposition(|pair| pair == [0xff, marker]);
        let (Some(scan), Some(end)) = (last_of(0xda), last_of(0xd9)) else { continue };
        let data = scan + 2 + usize::from(u16::from_be_bytes([bytes[scan + 2], bytes[scan + 3]]));
        let frame = segments(&bytes).into_iter().find(|(marker, ..)| [0xc0, 0xc1, 0xc2].contains(marker));
        let Some((_, frame, _)) = frame else { continue };
        let taller = [&bytes[..frame + 5], &(height as u16 + 64).to_be_bytes(), &bytes[frame + 7..]].concat();
        let whole = decoded(&bytes).unwrap();
        let side = whole.width.min(whole.height);
        for wanted in [u32::MAX, side / 15, 2 * side / 15] {
            let decoded = |bytes: &[u8]| decode_for(bytes, &Limits::default(), wanted);
            let whole = decoded(&bytes).unwrap();
            for cut in data..end {
                cuts += 1;
                match decoded(&[&bytes[..cut], &[0xff, 0xd9]].concat()) {
                    Ok(photo) if photo == whole => {}
                    Err(error) if error.reason == Reason::Truncated => {}
                    Ok(_) => failures.push(format!("{name}: other pixels from {cut} of {end} bytes")),
                    Err(error) => failures.push(format!("{name}: {cut} of {end} bytes: {error}")),
                }
            }
            match decoded(&taller) {
                Err(error) if error.reason == Reason::Truncated => {}
                outcome => failures.push(format!("{name}, taller: {:?}", outcome.err())),
            }
        }
    }
    assert!(failures.is_empty(), "{} of {cuts}:\n{}", failures.len(), failures.join("\n"));
    assert!(cuts > 10_000, "{cuts} cuts");
}

/// As the frames of Motion JPEG come from cameras.
#[test]
fn a_jpeg_without_huffman_tables_is_decoded_with_the_standard_ones() {
    let mut encoded = Vec::new();
    let pixels: Vec<u8> = (0..64 * 48 * 3u32).map(|index| (index * index / 97) as u8).collect();
    jpeg_encoder::Encoder::new(&mut encoded, 90)
        .encode(&pixels, 64, 48, jpeg_encoder::ColorType::Rgb)
        .unwrap();
    let tables: Vec<_> = segments(&encoded).into_iter().filter(|(marker, ..)| *marker == 0xc4).collect();
    assert!(!tables.is_empty());
    for header in [&b""[..], b"\xff\xe0\0\x06AVI1"] {
        let mut bare = encoded.clone();
        tables.iter().rev().for_each(|(_, start, end)| drop(bare.drain(*start..*end)));
        bare.splice(2..2, header.iter().copied());
        for wanted in [u32::MAX, 48 / 15, 2 * 48 / 15] {
            let decoded = |bytes: &[u8]| decode_for(bytes, &Limits::default(), wanted);
            assert_eq!(decoded(&bare).unwrap(), decoded(&encoded).unwrap(), "{header:?}, {wanted}");
        }
    }
}

/// One verdict for each kind of file that is not decoded, whatever its name says.
#[test]
fn what_is_no_photo_is_refused_by_name() {
    let box_of = |brand: &[u8]| [b"\0\0\0\x18ftyp", brand, &[0; 40]].concat();
    let noise: Vec<u8> = (0..5_000u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let cases: Vec<(&str, Vec<u8>, Reason, &str)> = vec![
        ("nothing", vec![], Reason::Empty, ""),
        ("noise", noise, Reason::NotAnImage, ""),
        ("zeros", vec![0; 4_096], Reason::NotAnImage, ""),
        ("HTML", b"\n<!DOCTYPE html><html><body>404</body></html>".to_vec(), Reason::NotAnImage, "HTML"),
        ("text", b"this photo was removed\n".to_vec(), Reason::NotAnImage, "text"),
        ("ZIP", b"PK\x03\x04\x14\0\0\0\x08\0".to_vec(), Reason::NotAnImage, "ZIP"),
        ("AppleDouble", b"\0\x05\x16\x07\0\x02\0\0Mac OS X".to_vec(), Reason::NotAnImage, "AppleDouble"),
        ("film", box_of(b"isom"), Reason::NotAnImage, "film"),
        #[cfg(not(feature = "heic"))]
        ("HEIC", box_of(b"heic"), Reason::Unsupported, "HEIC"),
        #[cfg(feature = "heic")]
        (
            "HEIC sequence",
            [b"\0\0\0\x10ftyphevc\0\0\0\0", &b"\0\0\0\x08moov"[..]].concat(),
            Reason::Unsupported,
            "HEIC",
        ),
        ("AVIF", box_of(b"avif"), Reason::Unsupported, "AVIF"),
        ("AVIF of a general brand", box_of(b"mif1\0\0\0\0avif"), Reason::Unsupported, "AVIF"),
        ("CR3", box_of(b"crx "), Reason::Unsupported, "RAW"),
        ("JPEG XL", b"\xff\x0a\xfa\x1f\x01".to_vec(), Reason::Unsupported, "JPEG XL"),
        ("JPEG XL box", b"\0\0\0\x0cJXL \r\n\x87\n\0\0".to_vec(), Reason::Unsupported, "JPEG XL"),
        ("JPEG 2000", b"\0\0\0\x0cjP  \r\n\x87\n\0\0".to_vec(), Reason::Unsupported, "JPEG 2000"),
        ("PDF", b"%PDF-1.7\n".to_vec(), Reason::Unsupported, "PDF"),
        ("SVG", b"<?xml version=\"1.0\"?>\n<svg xmlns=\"\"/>".to_vec(), Reason::Unsupported, "SVG"),
        ("PSD", b"8BPS\0\x01".to_vec(), Reason::Unsupported, "PSD"),
        ("RAF", b"FUJIFILMCCD-RAW 0201".to_vec(), Reason::Unsupported, "RAW"),
        ("PFM", b"PF\n1 1\n-1.0\n".to_vec(), Reason::Unsupported, "floating"),
        ("arithmetic JPEG", with_frame(0xc9, 8), Reason::Unsupported, "arithmetic"),
        ("progressive arithmetic JPEG", with_frame(0xca, 8), Reason::Unsupported, "arithmetic"),
        ("lossless JPEG", with_frame(0xc3, 8), Reason::Unsupported, "lossless"),
        ("12-bit JPEG", with_frame(0xc1, 12), Reason::Unsupported, "12 bits"),
        ("PNG with a wrong checksum", with_wrong_checksum(), Reason::Corrupt, "PNG"),
    ];
    let mut failures = Vec::new();
    for (name, bytes, reason, word) in cases {
        match decoded(&bytes) {
            Ok(_) => failures.push(format!("{name}: decoded")),
            Err(error) if error.reason != reason || !error.detail.contains(word) => {
                failures.push(format!("{name}: {error}"));
            }
            Err(_) => {}
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Files that other programs make and this one does not decode.
#[test]
fn rare_kinds_are_refused_by_name() {
    let cases = [
        ("lab.tif", Reason::Unsupported, "Lab"),
        ("float.tif", Reason::Unsupported, "float"),
        ("sampling-3x1.jpg", Reason::Unsupported, "three columns"),
        ("sampling-fine-chroma.jpg", Reason::Unsupported, "coarsely"),
        ("sampling-4x4.jpg", Reason::Unsupported, "sampling"),
        ("sampling-3-to-2.jpg", Reason::Unsupported, "sampling"),
    ];
    let mut failures = Vec::new();
    for (name, reason, word) in cases {
        match decoded(&std::fs::read(reference().join("refused").join(name)).unwrap()) {
            Err(error) if error.reason == reason && error.detail.contains(word) => {}
            outcome => failures.push(format!("{name}: {:?}", outcome.map(|photo| photo.pixels.len()))),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A JPEG with another coding and depth in its frame header.
fn with_frame(marker: u8, depth: u8) -> Vec<u8> {
    let mut bytes = file("baseline-444.jpg");
    let at = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    bytes[at + 1] = marker;
    bytes[at + 4] = depth;
    bytes
}

fn with_wrong_checksum() -> Vec<u8> {
    let mut bytes = file("rgb.png");
    let at = bytes.windows(4).position(|name| name == b"IEND").unwrap() - 5;
    bytes[at] ^= 1;
    bytes
}

/// The same JPEG with another size in its frame header.
fn with_size(name: &str, width: u16, height: u16) -> Vec<u8> {
    let mut bytes = file(name);
    let at = bytes.windows(2).position(|pair| matches!(pair, [0xff, 0xc0 | 0xc2])).unwrap();
    bytes[at + 5..at + 7].copy_from_slice(&height.to_be_bytes());
    bytes[at + 7..at + 9].copy_from_slice(&width.to_be_bytes());
    bytes
}

fn png_of_size(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = file("rgb.png");
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let checksum = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

/// A progressive JPEG of that size whose last scan is there `scans` times.
fn with_scans(scans: usize, width: u16, height: u16) -> Vec<u8> {
    let bytes = with_size("progressive-420.jpg", width, height);
    let starts: Vec<usize> = (0..bytes.len() - 1).filter(|at| bytes[*at..*at + 2] == [0xff, 0xda]).collect();
    let (last, end) = (*starts.last().unwrap(), bytes.len() - 2);
    [&bytes[..last], &bytes[last..end].repeat(scans), &bytes[end..]].concat()
}

#[test]
fn bombs_are_refused_from_the_header() {
    let mut gif = file("still.gif");
    gif[6..10].fill(0xff);
    let cases = [
        ("JPEG of 60,000 x 60,000", with_size("baseline-420.jpg", 60_000, 60_000), Reason::TooLarge),
        (
            "JPEG of 13,000 x 13,000 in a kilobyte",
            with_size("baseline-420.jpg", 13_000, 13_000),
            Reason::Truncated,
        ),
        (
            "progressive JPEG of 16,000 x 11,000",
            with_size("progressive-420.jpg", 16_000, 11_000),
            Reason::Truncated,
        ),
        ("JPEG of 1 x 65,500 in a kilobyte", with_size("baseline-420.jpg", 1, 65_500), Reason::Truncated),
        #[cfg(feature = "heic")]
        ("HEIC of 60,000 x 60,000", heic_of_size("picture-420.heic", 60_000, 60_000), Reason::TooLarge),
        #[cfg(feature = "heic")]
        ("HEIC larger than it says", heic_of_size("grid-odd.heic", 1, 1), Reason::Corrupt),
        #[cfg(feature = "heic")]
        ("HEIC of 65,535 x 65,535 in tiles", heic_of_tiles(65_535, 65_535), Reason::TooLarge),
        #[cfg(feature = "heic")]
        ("HEIC of 9,000 x 9,000 in six tiles", heic_of_tiles(9_000, 9_000), Reason::Corrupt),
        #[cfg(feature = "heic")]
        ("HEIC of no height in tiles", heic_of_tiles(9, 0), Reason::Corrupt),
        ("JPEG of no width", with_size("baseline-420.jpg", 0, 5), Reason::Corrupt),
        ("PNG of 60,000 x 60,000", png_of_size(60_000, 60_000), Reason::TooLarge),
        ("PNG of 12,000 x 12,000 in half a kilobyte", png_of_size(12_000, 12_000), Reason::Truncated),
        ("GIF of 65,535 x 65,535", gif, Reason::TooLarge),
        ("JPEG of 501 scans", with_scans(501, 37, 29), Reason::TooLarge),
        ("JPEG of 80,000 scans", with_scans(80_000, 37, 29), Reason::TooLarge),
        ("PNM of 60,000 x 60,000", b"P6 60000 60000 255\n".to_vec(), Reason::TooLarge),
        ("PNM of 4,294,967,296", b"P6 4294967296 1 255\n".to_vec(), Reason::Corrupt),
        ("BMP of 60,000 x 60,000", bmp_of_size(60_000, 60_000), Reason::TooLarge),
        ("BMP of 12,000 x 12,000", bmp_of_size(12_000, 12_000), Reason::Truncated),
    ];
    let mut failures = Vec::new();
    for (name, bytes, reason) in cases {
        let start = Instant::now();
        let outcome = decoded(&bytes);
        // Fifty milliseconds on a quiet machine; tests share theirs.
        if start.elapsed() > Duration::from_millis(500) {
            failures.push(format!("{name}: {:?}", start.elapsed()));
        }
        if outcome.as_ref().err().map(|error| error.reason) != Some(reason) {
            failures.push(format!("{name}: {:?}", outcome.map(|photo| (photo.width, photo.height))));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The same HEIC with another size of its picture or its tiles.
#[cfg(feature = "heic")]
fn heic_of_size(name: &str, width: u32, height: u32) -> Vec<u8> {
    let mut bytes = file(name);
    let at = bytes.windows(4).position(|kind| kind == b"ispe").unwrap() + 8;
    bytes[at..at + 4].copy_from_slice(&width.to_be_bytes());
    bytes[at + 4..at + 8].copy_from_slice(&height.to_be_bytes());
    bytes
}

/// Six tiles that say that they are a photo of another size.
#[cfg(feature = "heic")]
fn heic_of_tiles(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = file("grid.heic");
    let at = bytes.windows(4).position(|kind| kind == b"idat").unwrap() + 8;
    bytes[at..at + 2].copy_from_slice(&width.to_be_bytes());
    bytes[at + 2..at + 4].copy_from_slice(&height.to_be_bytes());
    bytes
}

fn bmp_of_size(width: i32, height: i32) -> Vec<u8> {
    let mut bytes = file("rgb.bmp");
    bytes[18..22].copy_from_slice(&width.to_le_bytes());
    bytes[22..26].copy_from_slice(&height.to_le_bytes());
    bytes
}

#[test]
fn limits_are_the_callers() {
    let bytes = file("rgb.png");
    let reason = |limits: Limits| decode(&bytes, &limits).map(|_| ()).map_err(|error| error.reason);
    assert_eq!(reason(Limits { pixels: 13 * 11, ..Limits::default() }), Ok(()));
    assert_eq!(reason(Limits { pixels: 13 * 11 - 1, ..Limits::default() }), Err(Reason::TooLarge));
    assert_eq!(reason(Limits { bytes: 99, ..Limits::default() }), Err(Reason::TooLarge));
    let of_jpeg =
        |limits: Limits| decode(&file("baseline-444.jpg"), &limits).map(|_| ()).map_err(|error| error.reason);
    assert_eq!(of_jpeg(Limits { jpeg_data: 99, ..Limits::default() }), Err(Reason::TooLarge));
    #[cfg(feature = "heic")]
    for limits in [
        Limits { hevc_data: 99, ..Limits::default() },
        Limits { pixels: 150 * 100 - 1, ..Limits::default() },
        // The canvas fits, a tile beside it does not.
        Limits { memory: 150 * 100 * 6 + 999, ..Limits::default() },
    ] {
        let outcome = decode(&file("grid.heic"), &limits).map_err(|error| error.reason);
        assert_eq!(outcome, Err(Reason::TooLarge), "{limits:?}");
    }
    assert_eq!(reason(Limits { memory: 999, ..Limits::default() }), Err(Reason::TooLarge));
    let scans = Limits { scans: 500, scanned_pixels: 500 * 37 * 29, ..Limits::default() };
    assert_ne!(
        decode(&with_scans(400, 37, 29), &scans).err().map(|error| error.reason),
        Some(Reason::TooLarge)
    );
    let scans = Limits { scanned_pixels: 400 * 37 * 29, ..scans };
    assert_eq!(
        decode(&with_scans(400, 37, 29), &scans).err().map(|error| error.reason),
        Some(Reason::TooLarge)
    );
}

/// Bytes that follow from a seed.
struct Noise(u64);

impl Noise {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }
}

#[test]
fn mutants_end_soon_and_never_panic() {
    let files: Vec<(String, Vec<u8>)> =
        cases().into_iter().map(|(name, ..)| (name.clone(), file(&name))).collect();
    let mut noise = Noise(4);
    let (mut slowest, mut panics, mut whole) = (Duration::ZERO, Vec::new(), 0);
    const MUTANTS: usize = 6_000;
    for round in 0..MUTANTS {
        let (name, bytes) = &files[round % files.len()];
        let mut bytes = bytes.clone();
        for _ in 0..1 + noise.next(4) {
            let at = noise.next(bytes.len());
            match noise.next(5) {
                0 => bytes[at] ^= 1 << noise.next(8),
                1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][noise.next(5)],
                2 => bytes.truncate(at + 1),
                3 => {
                    let (_, other) = &files[noise.next(files.len())];
                    let from = noise.next(other.len());
                    let count = noise.next(40).min(other.len() - from);
                    bytes
                        .splice(at..(at + count).min(bytes.len()), other[from..from + count].iter().copied());
                }
                _ => bytes[at] = noise.next(256) as u8,
            }
        }
        // Every second JPEG is decoded scaled down, whatever its mutated header says.
        let wanted =
            if bytes.starts_with(b"\xff\xd8") && (round / files.len()) % 2 == 1 { 1 } else { u32::MAX };
        let start = Instant::now();
        let outcome = decode_for(&bytes, &Limits::default(), wanted);
        slowest = slowest.max(start.elapsed());
        match outcome {
            Ok(photo) => {
                whole += 1;
                assert_eq!(photo.pixels.len(), photo.width as usize * photo.height as usize * 3, "{name}");
            }
            Err(error) if error.detail.contains("panic") => panics.push(format!("{name}, mutant {round}")),
            Err(error) => {
                assert!(error.detail.len() < 1_000 && !error.detail.contains('\n'), "{name}: {error}")
            }
        }
    }
    eprintln!("{MUTANTS} mutants: {whole} decoded, the slowest took {slowest:?}, caught panics: {panics:?}");
    assert!(slowest < LONGEST, "{slowest:?}");
    assert!(whole > 0 && whole < MUTANTS);
}

#[test]
#[cfg(unix)]
fn only_regular_files_are_opened() {
    use std::os::unix::net::UnixListener;
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let limits = Limits { bytes: 9, ..Limits::default() };
    std::fs::create_dir(place("folder.jpg")).unwrap();
    std::fs::write(place("empty.jpg"), b"").unwrap();
    std::fs::write(place("long.jpg"), b"ten bytes!").unwrap();
    std::fs::write(place("short.jpg"), b"nine byte").unwrap();
    std::os::unix::fs::symlink("short.jpg", place("link.jpg")).unwrap();
    std::os::unix::fs::symlink("loop.jpg", place("loop.jpg")).unwrap();
    std::os::unix::fs::symlink("nowhere", place("broken.jpg")).unwrap();
    let _socket = UnixListener::bind(place("socket.jpg")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(place("pipe.jpg")).status();
    let mut cases = vec![
        ("folder.jpg", Err(Reason::NotAFile)),
        ("empty.jpg", Err(Reason::Empty)),
        ("long.jpg", Err(Reason::TooLarge)),
        ("short.jpg", Ok(9)),
        ("link.jpg", Ok(9)),
        ("loop.jpg", Err(Reason::Io)),
        ("broken.jpg", Err(Reason::Missing)),
        ("socket.jpg", Err(Reason::NotAFile)),
    ];
    if made.is_ok_and(|status| status.success()) {
        cases.push(("pipe.jpg", Err(Reason::NotAFile)));
    }
    for (name, expected) in cases {
        let outcome = read(&place(name), &limits).map(|bytes| bytes.len()).map_err(|error| error.reason);
        assert_eq!(outcome, expected, "{name}");
    }
    let device = read(Path::new("/dev/zero"), &limits).map_err(|error| error.reason);
    assert_eq!(device, Err(Reason::NotAFile));
}

/// A zlib stream of zeros, 158 of them in a byte.
fn deflated_zeros(count: usize) -> Vec<u8> {
    let mut bits = Vec::with_capacity(count / 19 + 64);
    // Codes go in from their highest bit: the last block with fixed codes, one zero, copies of 258 from one back.
    bits.extend([1, 1, 0]);
    bits.extend([0, 0, 1, 1, 0, 0, 0, 0]);
    for _ in 0..(count - 1) / 258 {
        bits.extend([1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0]);
    }
    for _ in 0..(count - 1) % 258 {
        bits.extend([0, 0, 1, 1, 0, 0, 0, 0]);
    }
    bits.extend([0; 7]);
    let mut stream = vec![0x78, 0x01];
    stream.extend(bits.chunks(8).map(|byte| byte.iter().rev().fold(0, |sum, bit| sum << 1 | bit)));
    // Adler-32 of zeros.
    stream.extend((((count % 65_521) as u32) << 16 | 1).to_be_bytes());
    stream
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let named = [kind, data].concat();
    [&(data.len() as u32).to_be_bytes(), &named[..], &crc32_fast(&named).to_be_bytes()].concat()
}

/// CRC-32 through a table, for large chunks.
fn crc32_fast(bytes: &[u8]) -> u32 {
    let table: Vec<u32> = (0..256u32)
        .map(|byte| (0..8).fold(byte, |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())))
        .collect();
    !bytes.iter().fold(!0, |crc: u32, byte| (crc >> 8) ^ table[((crc ^ u32::from(*byte)) & 0xff) as usize])
}

/// A PNG all zeros: `colour` as in its header.
fn black_png(width: u32, height: u32, depth: u8, colour: u8, extra: &[u8]) -> Vec<u8> {
    let samples = match colour {
        2 => 3,
        4 => 2,
        6 => 4,
        _ => 1,
    };
    let line = 1 + (width as usize * samples * usize::from(depth)).div_ceil(8);
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[depth, colour, 0, 0, 0]].concat();
    let data = deflated_zeros(line * height as usize);
    [b"\x89PNG\r\n\x1a\n", &chunk(b"IHDR", &header)[..], extra, &chunk(b"IDAT", &data), &chunk(b"IEND", b"")]
        .concat()
}

/// Small files that could cost much: name, bytes, and the megabytes that decoding them may hold at the most.
#[cfg(target_os = "linux")]
fn hostile_files() -> Vec<(&'static str, Vec<u8>, u64)> {
    // 158 million bytes unpacked.
    let bomb = deflated_zeros(158_000_000);
    let text = chunk(b"zTXt", &[b"Comment\0\0", &bomb[..]].concat());
    let long_text = chunk(b"iTXt", &[b"Comment\0\x01\0\0\0", &bomb[..]].concat());
    let profile = chunk(b"iCCP", &[b"profile\0\0", &bomb[..]].concat());
    let mut gif = file("still.gif");
    gif[6..10].copy_from_slice(&[0x00, 0x30, 0x00, 0x30]);
    vec![
        ("PNG with a text of 158 MB", black_png(8, 8, 8, 2, &text), 60),
        ("PNG with an international text of 158 MB", black_png(8, 8, 8, 2, &long_text), 60),
        ("PNG with a profile of 158 MB", black_png(8, 8, 8, 2, &profile), 60),
        ("PNG with 158 MB behind its pixels", png_with_much_data(&bomb), 60),
        ("PNG of 60,000 x 60,000", png_of_size(60_000, 60_000), 40),
        ("PNG of 12,000 x 12,000 in half a kilobyte", png_of_size(12_000, 12_000), 40),
        ("GIF of 12,288 x 12,288 with a small frame", gif, 40),
        ("JPEG of 13,000 x 13,000 in a kilobyte", with_size("baseline-420.jpg", 13_000, 13_000), 40),
        ("progressive JPEG of 16,000 x 11,000", with_size("progressive-420.jpg", 16_000, 11_000), 40),
        ("progressive JPEG of 500 scans", with_scans(480, 37, 29), 40),
        ("BMP of 12,000 x 12,000 in half a kilobyte", bmp_of_size(12_000, 12_000), 40),
        ("TIFF of 12,000 x 12,000 in a kilobyte", tiff_of_size(12_000, 12_000), 40),
        ("TIFF of 7,000 x 7,000 in a kilobyte", tiff_of_size(7_000, 7_000), 400),
        ("PNG of 12,000 x 2,000 in 460 kB", black_png(12_000, 2_000, 8, 2, &[]), 250),
    ]
}

#[cfg(target_os = "linux")]
fn png_with_much_data(data: &[u8]) -> Vec<u8> {
    let header = [&8u32.to_be_bytes()[..], &8u32.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    [b"\x89PNG\r\n\x1a\n", &chunk(b"IHDR", &header)[..], &chunk(b"IDAT", data), &chunk(b"IEND", b"")].concat()
}

/// The size of the first page changed, nothing else.
#[cfg(target_os = "linux")]
fn tiff_of_size(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = file("rgb-raw.tif");
    let directory = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
    let entries = u16::from_le_bytes(bytes[directory..directory + 2].try_into().unwrap());
    for entry in 0..usize::from(entries) {
        let at = directory + 2 + entry * 12;
        let value = match u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap()) {
            256 => width,
            257 | 278 => height,
            _ => continue,
        };
        bytes[at + 2..at + 4].copy_from_slice(&4u16.to_le_bytes());
        bytes[at + 8..at + 12].copy_from_slice(&value.to_le_bytes());
    }
    bytes
}

const CHILD: &str = "TOPWORK_TEST_HOSTILE_FILE";

/// Each hostile file in a process of its own, whose largest memory the kernel knows.
#[test]
#[cfg(target_os = "linux")]
fn hostile_files_end_soon_in_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let mut failures = Vec::new();
    for (name, bytes, megabytes) in hostile_files() {
        let path = folder.path().join("hostile");
        std::fs::write(&path, &bytes).unwrap();
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "decode_one_file_of_another_process", "--ignored", "--nocapture"])
            .env(CHILD, &path)
            .output()
            .unwrap();
        let output = String::from_utf8_lossy(&child.stderr).into_owned();
        let number = |key: &str| {
            let line = output.lines().find_map(|line| line.strip_prefix(key))?;
            line.trim().parse::<u64>().ok()
        };
        let (Some(kilobytes), Some(milliseconds)) = (number("kilobytes:"), number("milliseconds:")) else {
            failures.push(format!("{name}: no answer: {output}"));
            continue;
        };
        let verdict = output.lines().find_map(|line| line.strip_prefix("verdict:")).unwrap_or("");
        eprintln!("{name}: {} bytes, {milliseconds} ms, {} MB:{verdict}", bytes.len(), kilobytes / 1_000);
        if kilobytes > megabytes * 1_000 {
            failures.push(format!("{name}: {kilobytes} kB, {megabytes} MB are allowed"));
        }
        if u128::from(milliseconds) > LONGEST.as_millis() {
            failures.push(format!("{name}: {milliseconds} ms"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What the test above runs as another process.
#[test]
#[ignore = "run by hostile_files_end_soon_in_bounded_memory"]
fn decode_one_file_of_another_process() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let bytes = std::fs::read(path).unwrap();
    let start = Instant::now();
    let outcome = decoded(&bytes);
    eprintln!("\nmilliseconds: {}", start.elapsed().as_millis());
    match outcome {
        Ok(photo) => eprintln!("verdict: {} x {}", photo.width, photo.height),
        Err(error) => eprintln!("verdict: {error}"),
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("");
    eprintln!("kilobytes: {}", peak.trim().trim_end_matches(" kB"));
}

/// How long the largest files take that are not refused: run it alone, in release.
///
///     cargo test --release -p topwork --test photos -- --ignored --nocapture largest_files
#[test]
#[ignore = "takes a gigabyte of memory; a measurement"]
fn largest_files_take_less_than_two_seconds() {
    let side = 12_300;
    let mut files = vec![
        ("PNG, grey of 1 bit", black_png(side, side, 1, 0, &[])),
        ("PNG, RGB of 8 bits", black_png(side, side, 8, 2, &[])),
        ("PNG, RGB and alpha of 8 bits", black_png(side, side, 8, 6, &[])),
        ("PNG, RGB and alpha of 16 bits", black_png(side, side, 16, 6, &[])),
    ];
    let mut noise = Noise(1);
    for (name, side, progressive, sampling) in [
        ("JPEG of noise, 4:4:4", 4_950u16, false, SamplingFactor::F_1_1),
        ("JPEG of noise, 4:2:0", 6_000, false, SamplingFactor::F_2_2),
        ("progressive JPEG of noise", 4_000, true, SamplingFactor::F_1_1),
    ] {
        let pixels: Vec<u8> =
            (0..usize::from(side) * usize::from(side) * 3).map(|_| noise.next(256) as u8).collect();
        let mut bytes = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 100);
        encoder.set_progressive(progressive);
        encoder.set_sampling_factor(sampling);
        encoder.encode(&pixels, side, side, jpeg_encoder::ColorType::Rgb).unwrap();
        files.push((name, bytes));
    }
    for (name, bytes) in files {
        let start = Instant::now();
        let outcome = decoded(&bytes).map(|photo| (photo.width, photo.height));
        let seconds = start.elapsed().as_secs_f64();
        assert!(outcome.is_ok(), "{name}: {outcome:?}");
        let speed = bytes.len() as f64 / seconds / 1e6;
        eprintln!("{name}: {} bytes, {seconds:.2} s, {speed:.0} MB/s", bytes.len());
        assert!(seconds < LONGEST.as_secs_f64(), "{name}: {seconds:.2} s");
    }
}

/// A TIFF of one strip, with these tags beside its place: (tag, 16-bit values) in rising order.
fn tiff(tags: &[(u16, &[u16])], data: &[u8]) -> Vec<u8> {
    let mut entries: Vec<(u16, Vec<u16>)> =
        tags.iter().map(|(tag, values)| (*tag, values.to_vec())).collect();
    // Strip offset and byte count: data stand behind the header.
    entries.extend([(273, vec![8]), (279, vec![data.len() as u16])]);
    entries.sort();
    let mut bytes = [&b"II*\0"[..], &(8 + data.len() as u32).to_le_bytes(), data].concat();
    let mut behind = bytes.len() + 2 + 12 * entries.len() + 4;
    let mut long = Vec::new();
    bytes.extend((entries.len() as u16).to_le_bytes());
    for (tag, values) in &entries {
        bytes.extend([tag.to_le_bytes(), 3u16.to_le_bytes()].concat());
        bytes.extend((values.len() as u32).to_le_bytes());
        let mut value: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        if value.len() > 4 {
            bytes.extend((behind as u32).to_le_bytes());
            behind += value.len();
            long.extend(value);
        } else {
            value.resize(4, 0);
            bytes.extend(value);
        }
    }
    [bytes, vec![0; 4], long].concat()
}

#[test]
fn tiff_variants_that_come_out_wrong_are_refused_by_name() {
    let grey = |fill_order: u16| {
        tiff(
            &[
                (256, &[4]),
                (257, &[1]),
                (258, &[2]),
                (259, &[1]),
                (262, &[1]),
                (266, &[fill_order]),
                (277, &[1]),
            ],
            &[0x1b],
        )
    };
    let photo = decoded(&grey(1)).unwrap();
    assert_eq!(photo.pixels, [0, 0, 0, 85, 85, 85, 170, 170, 170, 255, 255, 255]);
    let error = decoded(&grey(2)).unwrap_err();
    assert_eq!(error.reason, Reason::Unsupported);
    assert!(error.detail.contains("bits in reverse order"), "{error}");

    let extra = |predictor: u16| {
        let tags: &[(u16, &[u16])] = &[
            (256, &[2]),
            (257, &[1]),
            (258, &[8, 8, 8, 8]),
            (259, &[32_773]),
            (262, &[2]),
            (277, &[4]),
            (317, &[predictor]),
            (338, &[0]),
        ];
        // PackBits: eight bytes as they are.
        tiff(tags, &[7, 10, 20, 30, 99, 1, 2, 3, 99])
    };
    assert_eq!(decoded(&extra(1)).unwrap().pixels, [10, 20, 30, 1, 2, 3]);
    // Grey with alpha, and with a sample of no meaning.
    let two = |meaning: u16| {
        let tags: &[(u16, &[u16])] = &[
            (256, &[2]),
            (257, &[1]),
            (258, &[8, 8]),
            (259, &[1]),
            (262, &[1]),
            (277, &[2]),
            (338, &[meaning]),
        ];
        decoded(&tiff(tags, &[100, 255, 100, 0])).unwrap().pixels
    };
    assert_eq!(two(2), [100, 100, 100, 255, 255, 255]);
    assert_eq!(two(0), [100; 6]);
    let error = decoded(&extra(2)).unwrap_err();
    assert_eq!(error.reason, Reason::Unsupported);
    assert!(error.detail.contains("4 samples a pixel"), "{error}");
}

/// The headers of a sequential JPEG of 16 x 16 pixels with these sampling factors and scans, and a few bytes of data each.
fn sequential(factors: [u8; 3], scans: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8, 0xff, 0xdb, 0, 67, 0];
    bytes.extend([1; 64]);
    bytes.extend([0xff, 0xc0, 0, 17, 8, 0, 16, 0, 16, 3]);
    (1..).zip(factors).for_each(|(name, factor)| bytes.extend([name, factor, 0]));
    for scan in scans {
        bytes.extend([0xff, 0xda, 0, 6 + 2 * scan.len() as u8, scan.len() as u8]);
        scan.iter().for_each(|name| bytes.extend([*name, 0]));
        bytes.extend([0, 63, 0]);
        bytes.extend([0x55; 16]);
    }
    bytes.extend([0xff, 0xd9]);
    bytes
}

#[test]
fn sequential_jpeg_whose_components_differ_in_scans_of_their_own_is_refused_by_name() {
    let is_refused = |factors: [u8; 3], scans: &[&[u8]]| {
        decoded(&sequential(factors, scans)).is_err_and(|error| error.detail.contains("scans of their own"))
    };
    let (apart, halves): (&[&[u8]], &[&[u8]]) = (&[&[1], &[2], &[3]], &[&[1], &[2, 3]]);
    for (factors, wanted) in [
        ([0x22, 0x11, 0x11], [true, true]),
        ([0x12, 0x11, 0x11], [true, true]),
        ([0x21, 0x11, 0x11], [false, true]),
        ([0x11, 0x11, 0x11], [false, false]),
    ] {
        assert_eq!([is_refused(factors, apart), is_refused(factors, halves)], wanted, "{factors:02x?}");
        assert!(!is_refused(factors, &[&[1, 2, 3]]), "{factors:02x?} in one scan");
    }
}

#[test]
fn bigtiff_is_read() {
    let mut file = std::io::Cursor::new(Vec::new());
    let pixels = [10, 20, 30, 40, 50, 60];
    let mut encoder = tiff::encoder::TiffEncoder::new_big(&mut file).unwrap();
    encoder.write_image::<tiff::encoder::colortype::RGB8>(2, 1, &pixels).unwrap();
    let bytes = file.into_inner();
    assert!(bytes.starts_with(b"II+\0"));
    let photo = decoded(&bytes).unwrap();
    assert_eq!((photo.width, photo.height, photo.pixels.as_slice()), (2, 1, &pixels[..]));
    assert_eq!(decoded(&bytes[..bytes.len() - 9]).unwrap_err().reason, Reason::Truncated);
}

/// An EXIF block that says how the picture lies.
fn exif_block(value: u8) -> Vec<u8> {
    let mut block = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    block.extend([value, 0, 0, 0, 0, 0, 0, 0]);
    block
}

fn xmp_packet(value: u8) -> Vec<u8> {
    format!("<x:xmpmeta><rdf:Description tiff:Orientation=\"{value}\"/></x:xmpmeta>").into_bytes()
}

/// A PNG with further chunks before its picture.
fn png_with(chunks: &[Vec<u8>]) -> Vec<u8> {
    let plain = black_png(8, 4, 8, 2, &[]);
    let header = 8 + 25;
    [&plain[..header], &chunks.concat(), &plain[header..]].concat()
}

/// A GIF of 8 x 4 pixels with an XMP packet.
fn gif_with_xmp(packet: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    {
        let mut encoder = gif::Encoder::new(&mut bytes, 8, 4, &[0, 0, 0, 255, 255, 255]).unwrap();
        let frame = gif::Frame::from_indexed_pixels(8, 4, vec![1; 32], None);
        encoder.write_frame(&frame).unwrap();
    }
    // The trailer of 257 bytes lets readers that know no XMP skip it as blocks of a GIF.
    let trailer: Vec<u8> = std::iter::once(1).chain((0..=255).rev()).chain([0]).collect();
    let block = [b"\x21\xff\x0bXMP DataXMP", packet, &trailer].concat();
    let start = 13 + 6;
    [&bytes[..start], &block, &bytes[start..]].concat()
}

#[test]
fn the_orientation_is_found_wherever_programs_write_it() {
    let hexadecimal = |block: &[u8]| -> String {
        let digits: Vec<String> = block.iter().map(|byte| format!("{byte:02x}")).collect();
        digits.chunks(36).map(|line| line.concat() + "\n").collect()
    };
    let profile = |name: &str, block: &[u8]| {
        format!("\n{name}\n{:8}\n{}", block.len(), hexadecimal(block)).into_bytes()
    };
    let (block, other, packet) = (exif_block(6), exif_block(1), xmp_packet(6));
    let app1 = [b"Exif\0\0", &block[..]].concat();
    let itxt = |compressed: bool, text: &[u8]| {
        [b"XML:com.adobe.xmp\0", &[u8::from(compressed)][..], b"\0\0\0", text].concat()
    };
    let zipped = |text: &[u8]| {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut encoder, text).unwrap();
        encoder.finish().unwrap()
    };
    let text = |keyword: &str, text: &[u8]| [keyword.as_bytes(), b"\0", text].concat();
    let exif_text = profile("exif", &block);
    let jpeg = |segments: &[Vec<u8>]| {
        let mut bytes = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
        for segment in segments {
            encoder.add_app_segment(1, segment.clone()).unwrap();
        }
        encoder.encode(&[90; 96], 8, 4, jpeg_encoder::ColorType::Rgb).unwrap();
        bytes
    };
    let in_jpeg = |packet: &[u8]| [b"http://ns.adobe.com/xap/1.0/\0", packet].concat();
    let webp = |packet: &[u8], block: Option<&[u8]>| {
        let mut bytes = Vec::new();
        let mut encoder = image_webp::WebPEncoder::new(&mut bytes);
        encoder.set_xmp_metadata(packet.to_vec());
        if let Some(block) = block {
            encoder.set_exif_metadata(block.to_vec());
        }
        encoder.encode(&[90; 96], 8, 4, image_webp::ColorType::Rgb8).unwrap();
        bytes
    };
    let turned = [
        ("PNG, eXIf", png_with(&[chunk(b"eXIf", &block)])),
        ("PNG, tEXt", png_with(&[chunk(b"tEXt", &text("Raw profile type exif", &exif_text))])),
        (
            "PNG, APP1",
            png_with(&[chunk(b"tEXt", &text("Raw profile type APP1", &profile("generic profile", &app1)))]),
        ),
        (
            "PNG, zTXt",
            png_with(&[chunk(
                b"zTXt",
                &text("Raw profile type exif", &[b"\0", &zipped(&exif_text)[..]].concat()),
            )]),
        ),
        ("PNG, XMP", png_with(&[chunk(b"iTXt", &itxt(false, &packet))])),
        ("PNG, compressed XMP", png_with(&[chunk(b"iTXt", &itxt(true, &zipped(&packet)))])),
        ("JPEG, EXIF", jpeg(std::slice::from_ref(&app1))),
        ("JPEG, XMP", jpeg(&[in_jpeg(&packet)])),
        ("JPEG, both", jpeg(&[in_jpeg(&xmp_packet(1)), app1.clone()])),
        ("WebP, XMP", webp(&packet, None)),
        ("WebP, both", webp(&xmp_packet(1), Some(&block))),
        ("GIF, XMP", gif_with_xmp(&packet)),
    ];
    for (name, bytes) in turned {
        let photo = decoded(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((photo.width, photo.height), (4, 8), "{name}");
    }
    // EXIF that says upright counts before XMP; what is broken or endless says nothing.
    let upright = [
        ("PNG", png_with(&[chunk(b"eXIf", &other), chunk(b"iTXt", &itxt(false, &packet))])),
        ("JPEG", jpeg(&[[b"Exif\0\0", &other[..]].concat(), in_jpeg(&packet)])),
        ("WebP", webp(&packet, Some(&other))),
        ("no digits", png_with(&[chunk(b"tEXt", &text("Raw profile type exif", b"\nexif\n"))])),
        ("broken zTXt", png_with(&[chunk(b"zTXt", &text("Raw profile type exif", b"\0\x78\x9c\xff\xff"))])),
        (
            "a bomb",
            png_with(&[chunk(
                b"zTXt",
                &text("Raw profile type exif", &[b"\0", &deflated_zeros(1 << 26)[..]].concat()),
            )]),
        ),
    ];
    for (name, bytes) in upright {
        let photo = decoded(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((photo.width, photo.height), (8, 4), "{name}");
    }
}

/// Found by fuzzing.
#[test]
fn a_palette_that_ends_within_a_colour_is_refused() {
    // One pixel, 8 bits, colours from a palette of one and two thirds.
    let header = [0, 0, 0, 1, 0, 0, 0, 1, 8, 3, 0, 0, 0];
    let stored = [0x78, 0x01, 0x01, 2, 0, 0xfd, 0xff, 0, 1, 0, 2, 0, 2];
    let parts = [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &header),
        chunk(b"PLTE", &[1, 2, 3, 4, 5]),
        chunk(b"IDAT", &stored),
        chunk(b"IEND", &[]),
    ];
    let error = decode(&parts.concat(), &Limits::default()).unwrap_err();
    assert_eq!((error.reason, error.detail.contains("palette")), (Reason::Corrupt, true), "{error}");
}
