//! Pixels, features and answers stay, bit by bit, what they were when `NUMERICS_VERSION` was last raised: features that the
//! store keeps from earlier versions are mixed with new ones for as long as that number stands.
//!
//! The digests are the same on every machine: decoding, resampling and the network on bytes are integer arithmetic and
//! single operations of IEEE 754. In f32 there is a digest for each instruction set: the network then uses
//! additions, multiplications, comparisons, fused multiply-adds and square roots, which IEEE 754 rounds in one way; none of its
//! functions come from the system, and no size of a cache or number of threads changes the order of a sum.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

#[path = "../examples/digests/stops.rs"]
mod stops;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use topwork::backbone::backbone;
use topwork::features::NUMERICS_VERSION;
use topwork::{Classifier, DEFAULT_BACKBONE, Isa, Precision};

/// The names that [`Isa::named`] may know. What another machine has recorded is compared only where it can be.
const INSTRUCTION_SETS: [&str; 3] = ["scalar", "avx2", "avx512"];

/// Set, it writes the digests anew.
const RECORD: &str = "TOPWORK_RECORD_NUMERICS";

/// The photos that go through the network, which takes its time in plain loops.
const THROUGH_THE_NETWORK: [&str; 4] =
    ["generated-640x480.ppm", "generated-31x300.ppm", "baseline-420.jpg", "rgba.png"];

/// Waves and noise in a PNM file: sizes that are enlarged, reduced and stretched to the network's input.
fn generated(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = format!("P6 {width} {height} 255\n").into_bytes();
    let mut noise = 1_u32;
    for row in 0..height {
        for column in 0..width {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let wave = [column * 3 + row, row * 2, (column * row) / 7].map(|value| (value % 256) / 2);
            bytes.extend(wave.map(|value| (value + (noise >> 25)) as u8));
        }
    }
    bytes
}

/// Small files of every format, and generated ones: name and bytes.
fn photos() -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../reference/decode/photos");
    let mut photos: BTreeMap<String, Vec<u8>> = folder
        .read_dir()
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(path).unwrap())
        })
        .collect();
    for (width, height) in [(1, 1), (2, 3), (31, 300), (224, 224), (256, 256), (257, 511), (640, 480)] {
        photos.insert(format!("generated-{width}x{height}.ppm"), generated(width, height));
    }
    photos
}

/// A digest for every stop of the line: what it is of → BLAKE3 in hexadecimal.
fn digests() -> BTreeMap<String, String> {
    let mut digests = BTreeMap::new();
    let classifiers: Vec<Classifier> = Isa::available()
        .into_iter()
        .flat_map(|isa| Precision::ALL.map(|precision| (precision, isa)))
        // No f32 of sets whose digests are not recorded.
        .filter(|(precision, isa)| *precision == Precision::Int8 || INSTRUCTION_SETS.contains(&isa.name()))
        .map(|(precision, isa)| backbone(DEFAULT_BACKBONE, precision, isa).unwrap())
        .map(|backbone| Classifier::imagenet(backbone).unwrap())
        .collect();
    let mut differing = Vec::new();
    for (name, bytes) in photos() {
        for classifier in &classifiers {
            // Files that are refused have no pixels; which ones those are is for `photos.rs` to say.
            let Ok(pixels) = stops::pixels(classifier, &bytes) else { continue };
            let mut stops = pixels.to_vec();
            if THROUGH_THE_NETWORK.contains(&name.as_str()) {
                stops.extend(stops::answer(classifier, &bytes).unwrap());
            }
            for (what, digest) in stops {
                let before = digests.insert(format!("{what} {name}"), digest.clone());
                if before.is_some_and(|before| before != digest) {
                    differing.push(format!("{what} {name} on {}", classifier.extractor().isa().name()));
                }
            }
        }
    }
    assert!(differing.is_empty(), "instruction sets differ: {differing:#?}");
    digests
}

/// The recorded version and digests.
fn recorded(text: &str) -> (u32, BTreeMap<String, String>) {
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let version = lines.next().unwrap().strip_prefix("NUMERICS_VERSION ").unwrap().parse().unwrap();
    let rows = lines.map(|line| line.rsplit_once(' ').unwrap());
    (version, rows.map(|(what, digest)| (what.to_owned(), digest.to_owned())).collect())
}

#[test]
#[cfg_attr(not(feature = "heic"), ignore = "the record holds HEIC photos")]
fn pixels_and_features_stay_as_they_are_until_the_version_is_raised() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/numerics.txt");
    let found = digests();
    let record = std::env::var_os(RECORD).is_some();
    let (version, expected) = match std::fs::read_to_string(&file) {
        Ok(text) => recorded(&text),
        Err(_) if record => (0, BTreeMap::new()),
        Err(error) => panic!("{}: {error}", file.display()),
    };
    // What a machine without that instruction set cannot compute.
    let elsewhere = |what: &str| {
        INSTRUCTION_SETS.iter().any(|name| what.split(' ').nth(1) == Some(name) && Isa::named(name).is_none())
    };
    let changed: Vec<&String> = expected
        .iter()
        .filter(|(what, digest)| !elsewhere(what) && found.get(*what) != Some(*digest))
        .map(|(what, _)| what)
        .collect();
    assert!(
        version != NUMERICS_VERSION || changed.is_empty(),
        "with the same NUMERICS_VERSION ({version}) these are no longer what they were: {changed:#?}\n\
         If that is not wanted, it is a defect. If it is, raise NUMERICS_VERSION in src/features/extractor.rs and run\n\
         {RECORD}=1 cargo test -p topwork --test numerics"
    );
    if record {
        let missing: Vec<&str> =
            INSTRUCTION_SETS.into_iter().filter(|name| Isa::named(name).is_none()).collect();
        assert!(missing.is_empty(), "record on a machine that has {missing:?}, too");
        let mut text = format!(
            "# BLAKE3 of pixels, of the network's input, and of the bits of features and of ImageNet's probabilities; see tests/numerics.rs.\n\
             NUMERICS_VERSION {NUMERICS_VERSION}\n"
        );
        for (what, digest) in &found {
            writeln!(text, "{what} {digest}").unwrap();
        }
        std::fs::write(&file, text).unwrap();
        return;
    }
    assert_eq!(
        version, NUMERICS_VERSION,
        "the digests are those of another NUMERICS_VERSION: run {RECORD}=1 cargo test -p topwork --test numerics"
    );
    let new: Vec<&String> = found.keys().filter(|what| !expected.contains_key(*what)).collect();
    assert!(
        new.is_empty(),
        "not recorded yet: {new:#?}\nrun {RECORD}=1 cargo test -p topwork --test numerics"
    );
}
