//! What every hostile file must meet. A panic counts even where the library catches it: the fuzzer's hook ends the process.

use topwork::classifier::Classifier;
use topwork::dataset::{Options, table};
use topwork::photo::{Limits, Reason, decode, decode_for};
use topwork::weights::Weights;
use topwork::Isa;

/// Larger pictures than this only make the fuzzer slow.
fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.pixels = 1 << 20;
    limits
}

/// The bytes behind the format's first ones, if they are not there already.
fn begun(start: &[u8], data: &[u8]) -> Vec<u8> {
    if data.starts_with(start) { data.to_vec() } else { [start, data].concat() }
}

/// A photo is decoded whole or refused; at a smaller size just the same.
pub fn photo(start: &[u8], data: &[u8]) {
    let bytes = begun(start, data);
    let whole = decode(&bytes, &limits());
    if let Ok(photo) = &whole {
        assert_eq!(photo.pixels.len(), photo.width as usize * photo.height as usize * 3);
        assert!(photo.width > 0 && photo.height > 0);
    }
    // A JPEG in several scans may be refused by name at full size alone.
    let scaled = decode_for(&bytes, &limits(), 1);
    match (&whole, &scaled) {
        (Err(error), _) if error.reason == Reason::Unsupported => {}
        _ => assert_eq!(whole.is_ok(), scaled.is_ok(), "{whole:?} but {scaled:?}"),
    }
}

/// RIFF with its length, which a fuzzer does not guess.
pub fn webp(data: &[u8]) {
    let chunks = if data.starts_with(b"RIFF") { data.get(12..).unwrap_or_default() } else { data };
    let length = (chunks.len() as u32 + 4).to_le_bytes();
    photo(b"RIFF", &[b"RIFF", &length[..], b"WEBP", chunks].concat());
}

/// Both byte orders.
pub fn tiff(data: &[u8]) {
    const ORDERS: [&[u8; 4]; 2] = [b"II*\0", b"MM\0*"];
    match ORDERS.iter().any(|order| data.starts_with(*order)) {
        true => photo(b"", data),
        false => ORDERS.iter().for_each(|order| photo(*order, data)),
    }
}

/// A file of that brand.
pub fn heic(data: &[u8]) {
    photo(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", data);
}

/// Weights are read or refused; what is read has names and shapes that fit.
pub fn weights(start: &[u8], data: &[u8]) {
    if let Ok(weights) = Weights::from_bytes(&begun(start, data)) {
        for name in weights.names() {
            let tensor = weights.tensor(name).expect("a tensor for each name");
            assert_eq!(tensor.values.len(), tensor.shape.iter().product::<usize>(), "{name}");
        }
    }
}

/// A table becomes photos with labels among its classes, or an error.
pub fn table(data: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["1.jpg", "2.jpg", "a"] {
        std::fs::write(folder.path().join(name), "x").expect("a file");
    }
    let path = folder.path().join("table.csv");
    std::fs::write(&path, data).expect("a file");
    if let Ok(dataset) = table::read(&path, &Options::default()) {
        assert!(dataset.samples.iter().all(|sample| sample.label < dataset.classes.len()));
        assert!(dataset.classes.is_sorted());
    }
}

/// A model is opened and gives its own bytes again, or is refused.
pub fn model(data: &[u8]) {
    if let Ok(classifier) = Classifier::from_bytes(data, Isa::best()) {
        let bytes = classifier.to_bytes().expect("a model that was read");
        let again = Classifier::from_bytes(&bytes, Isa::best()).expect("a model that was written");
        assert_eq!(again.to_bytes().expect("written"), bytes);
    }
}
