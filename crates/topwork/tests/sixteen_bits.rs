//! Photos of 16 bits whose cameras use fewer: one range for a whole set of photos, and nothing computed twice.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use topwork::features::Look;
use topwork::features::extract::Extraction;
use topwork::features::store::Store;
use topwork::photo::{Limits, Photo, SampleRange, decode, decode_in_range};
use topwork::{Classifier, Execution, Extractor, Isa, PhotoSource, Precision, backbone};

const WIDTH: u32 = 48;
const HEIGHT: u32 = 36;

/// Values of so many bits: a pattern that differs from photo to photo.
fn values(seed: u32, bits: u32) -> Vec<u16> {
    let value = |at: u32| {
        (at.wrapping_mul(2_654_435_761) >> 7).wrapping_add(seed * 977 + at * 13) & ((1 << bits) - 1)
    };
    (0..WIDTH * HEIGHT).map(|at| value(at) as u16).collect()
}

/// A grey PNG of 16 bits, or of 8 with the upper bits of so many; `declared` goes into a chunk `sBIT`.
fn png(values: &[u16], depth: png::BitDepth, bits: u32, declared: Option<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, WIDTH, HEIGHT);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(depth);
    let mut writer = encoder.write_header().unwrap();
    if let Some(declared) = declared {
        writer.write_chunk(png::chunk::sBIT, &[declared]).unwrap();
    }
    let samples: Vec<u8> = match depth {
        png::BitDepth::Sixteen => values.iter().flat_map(|value| value.to_be_bytes()).collect(),
        _ => values.iter().map(|value| (value >> (bits - 8)) as u8).collect(),
    };
    writer.write_image_data(&samples).unwrap();
    writer.finish().unwrap();
    bytes
}

fn tiff(values: &[u16], largest: Option<u16>) -> Vec<u8> {
    let mut tags: Vec<(u16, u16, u32)> = vec![
        (256, 4, WIDTH),
        (257, 4, HEIGHT),
        (258, 3, 16),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 0),
        (277, 3, 1),
        (278, 4, HEIGHT),
        (279, 4, values.len() as u32 * 2),
    ];
    tags.extend(largest.map(|largest| (281, 3, u32::from(largest))));
    let start = 8 + 2 + 12 * tags.len() as u32 + 4;
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    bytes.extend((tags.len() as u16).to_le_bytes());
    tags.sort_unstable();
    for (tag, kind, value) in tags {
        bytes.extend([tag, kind].map(u16::to_le_bytes).concat());
        bytes.extend([1, if tag == 273 { start } else { value }].map(u32::to_le_bytes).concat());
    }
    bytes.extend([0; 4]);
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

fn pnm(values: &[u16]) -> Vec<u8> {
    let mut bytes = format!("P5\n{WIDTH} {HEIGHT}\n65535\n").into_bytes();
    bytes.extend(values.iter().flat_map(|value| value.to_be_bytes()));
    bytes
}

fn decoded(bytes: &[u8], range: SampleRange) -> Photo {
    decode_in_range(bytes, &Limits::default(), u32::MAX, range).unwrap().0
}

fn probabilities(classifier: &Classifier, bytes: &[u8]) -> Vec<f64> {
    classifier.answer("photo", &PhotoSource::Bytes(bytes.into())).probabilities
}

#[test]
fn every_format_of_16_bits_is_read_in_the_range() {
    for bits in [8, 10, 12, 14, 16] {
        let values = values(1, bits);
        let expected = decode(&png(&values, png::BitDepth::Eight, bits, None), &Limits::default()).unwrap();
        let range = SampleRange::Bits(bits as u8);
        for (format, bytes) in [
            ("PNG", png(&values, png::BitDepth::Sixteen, bits, None)),
            ("TIFF", tiff(&values, None)),
            ("PNM", pnm(&values)),
        ] {
            assert!(decoded(&bytes, range) == expected, "{format} of {bits} bits");
            let upper: Vec<u8> = values.iter().flat_map(|value| [(value >> 8) as u8; 3]).collect();
            assert!(decoded(&bytes, SampleRange::Declared).pixels == upper, "{format} without a range");
        }
        let declaring = [
            png(&values, png::BitDepth::Sixteen, bits, Some(bits as u8)),
            tiff(&values, Some(((1u32 << bits) - 1) as u16)),
        ];
        for bytes in declaring {
            assert!(decoded(&bytes, SampleRange::Declared) == expected, "{bits} bits declared");
            let upper = decoded(&bytes, SampleRange::Bits(16));
            assert!(upper == decoded(&pnm(&values), SampleRange::Declared), "{bits} bits, range of 16");
        }
    }
    let between = decoded(&pnm(&values(1, 12)), SampleRange::Between(1_000, 3_000));
    let (dark, bright) =
        (between.pixels.iter().filter(|value| **value == 0).count(), between.pixels.iter().max());
    assert!(dark > 0 && bright == Some(&255));
}

fn extractor() -> Extractor {
    let backbone = backbone::backbone(topwork::DEFAULT_BACKBONE, Precision::Int8, Isa::best()).unwrap();
    Extractor::with_tap(backbone)
}

fn write(folder: &Path, number: u32, bytes: &[u8]) -> PathBuf {
    let path = folder.join(format!("{number}.png"));
    std::fs::write(&path, bytes).unwrap();
    path
}

fn rows(extraction: &Extraction) -> Vec<Vec<f32>> {
    (0..extraction.photos.len()).map(|index| extraction.features_of(index).unwrap()).collect()
}

#[test]
fn the_photos_that_may_choose_choose_one_range_and_one_more_photo_costs_one() {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let of = |number: u32, depth| png(&values(number, 12), depth, 12, None);
    let mut paths: Vec<PathBuf> =
        (0..6).map(|number| write(folder.path(), number, &of(number, png::BitDepth::Sixteen))).collect();
    // A test photo that uses all bits chooses nothing, and is read as the others are.
    let bright = png(&values(9, 16), png::BitDepth::Sixteen, 16, None);
    paths.push(write(folder.path(), 100, &bright));
    // And one of 8 bits beside them stays what it is.
    paths.push(write(folder.path(), 101, &of(50, png::BitDepth::Eight)));
    let choosing: Vec<usize> = (0..6).chain([7]).collect();
    let twins = tempfile::tempdir().unwrap();
    let twins: Vec<PathBuf> =
        (0..6).map(|number| write(twins.path(), number, &of(number, png::BitDepth::Eight))).collect();
    let expected = rows(
        &extractor()
            .extract(&PhotoSource::files(&twins), &Store::none(), Execution::default(), &|_| {})
            .unwrap(),
    );

    for store in [Store::none(), Store::open(cache.path()), Store::open(cache.path())] {
        let (chosen, extraction) = extractor()
            .extract_choosing(&PhotoSource::files(&paths), &choosing, &store, Execution::default(), &|_| {})
            .unwrap();
        assert_eq!(chosen.range(), SampleRange::Bits(12));
        assert!(rows(&extraction)[..6] == expected);
        assert!(extraction.facts.iter().all(|facts| facts.look == Look::Ordinary));
        // The range alone gives the same, and with the store nothing is computed.
        let again =
            chosen.extract(&PhotoSource::files(&paths), &store, Execution::default(), &|_| {}).unwrap();
        assert!(rows(&again) == rows(&extraction) && again.facts == extraction.facts);
        let known = if store.mode() == topwork::features::store::Mode::Off { 0 } else { 8 };
        assert_eq!(again.progress.known, known);
        store.close();
    }

    paths.push(write(folder.path(), 6, &of(6, png::BitDepth::Sixteen)));
    let store = Store::open(cache.path());
    let one_more = extractor()
        .in_range(SampleRange::Bits(12))
        .extract(&PhotoSource::files(&paths), &store, Execution::default(), &|_| {})
        .unwrap();
    assert_eq!((one_more.progress.known, one_more.progress.computed), (8, 1));
}

#[test]
fn photos_that_use_16_bits_keep_their_features_and_a_model_keeps_its_range() {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let paths: Vec<PathBuf> = (0..4)
        .map(|number| {
            let bytes = png(&values(number, 16), png::BitDepth::Sixteen, 16, None);
            write(folder.path(), number, &bytes)
        })
        .collect();
    let store = Store::open(cache.path());
    let plain =
        extractor().extract(&PhotoSource::files(&paths), &store, Execution::default(), &|_| {}).unwrap();
    let (chosen, extraction) = extractor()
        .extract_choosing(&PhotoSource::files(&paths), &[0, 1, 2], &store, Execution::default(), &|_| {})
        .unwrap();
    assert_eq!(chosen.range(), SampleRange::Bits(16));
    assert_eq!(extraction.progress.known, 4);
    assert_eq!(
        chosen
            .extract(&PhotoSource::files(&paths), &store, Execution::default(), &|_| {})
            .unwrap()
            .progress
            .known,
        4
    );
    assert!(rows(&extraction) == rows(&plain));

    let head = || {
        let weights: Vec<f32> = (0..1_280).map(|at| (at % 7) as f32 - 3.0).collect();
        topwork::head::Head::Linear(topwork::head::Linear::new(2, weights, vec![0.0]).unwrap())
    };
    let model = |range: SampleRange| {
        let classes = vec!["a".to_owned(), "b".to_owned()];
        let extractor = extractor().in_range(range);
        Classifier::new(extractor, head(), None, classes, serde_json::Value::Null).unwrap()
    };
    let bytes = png(&values(3, 12), png::BitDepth::Sixteen, 12, None);
    let eight = png(&values(3, 12), png::BitDepth::Eight, 12, None);
    let range = model(SampleRange::Bits(12)).to_bytes().unwrap();
    let opened = Classifier::from_bytes(&range, Isa::best()).unwrap();
    assert_eq!(opened.record().samples, SampleRange::Bits(12));
    assert_eq!(probabilities(&opened, &bytes), probabilities(&opened, &eight));
    let undeclared = model(SampleRange::Declared);
    assert_ne!(probabilities(&undeclared, &bytes), probabilities(&undeclared, &eight));
    let text = String::from_utf8_lossy(&undeclared.to_bytes().unwrap()).into_owned();
    assert!(!text.contains("\"samples\""), "models without photos of 16 bits stay the same");
    for wrong in [SampleRange::Bits(13), SampleRange::Between(9, 9)] {
        let bytes = model(wrong).to_bytes().unwrap();
        assert!(Classifier::from_bytes(&bytes, Isa::best()).is_err(), "{wrong:?}");
    }
}
