//! A digest for every stop of the line from a photo's bytes to the probabilities of ImageNet's classes, under the names of
//! `tests/fixtures/numerics.txt`. Shared by the example, the test that pins them, and the module for WebAssembly.

use topwork::features::extract::Seconds;
use topwork::photo::{Photo, Unreadable, decode_for};
use topwork::preprocess::Scratch;
use topwork::{Classifier, Precision};

/// What a digest is of, and the digest: BLAKE3 in hexadecimal.
pub(crate) type Stop = (String, String);

/// Upright pixels as they are decoded for this network, and its input.
pub(crate) fn pixels(classifier: &Classifier, bytes: &[u8]) -> Result<[Stop; 2], Unreadable> {
    let extractor = classifier.extractor();
    let preprocess = extractor.preprocess();
    let photo = decode_for(bytes, &Default::default(), preprocess.shorter())?;
    let Photo { width, height, pixels } = &photo;
    let sized = [&width.to_le_bytes()[..], &height.to_le_bytes(), pixels].concat();
    let mut crop = vec![0; preprocess.len()];
    preprocess.pixels(&photo, extractor.isa(), &mut Scratch::default(), &mut crop);
    Ok([("pixels".to_owned(), hex(&sized)), ("crop".to_owned(), hex(&crop))])
}

/// The bits of the features and of the probabilities, by the path that every caller takes.
pub(crate) fn answer(classifier: &Classifier, bytes: &[u8]) -> Result<[Stop; 2], Unreadable> {
    let extractor = classifier.extractor();
    let mut row = vec![0; extractor.layout().row_bytes()];
    let mut features = vec![0.0; extractor.feature_dim()];
    let (mut workspace, mut seconds) = (extractor.workspace(), Seconds::default());
    extractor.features_from_bytes(bytes, &mut workspace, &mut seconds, &mut row)?;
    extractor.layout().read(&row, &mut features);
    let probabilities = classifier.head().probabilities(classifier.extractor().isa(), &features);
    let arithmetic = match extractor.precision() {
        Precision::Int8 => "int8",
        Precision::F32 => extractor.isa().name(),
    };
    let features: Vec<u8> = features.iter().flat_map(|value| value.to_le_bytes()).collect();
    let probabilities: Vec<u8> = probabilities.iter().flat_map(|value| value.to_le_bytes()).collect();
    Ok([
        (format!("features {arithmetic}"), hex(&features)),
        (format!("probabilities {arithmetic}"), hex(&probabilities)),
    ])
}

/// All of them, a line each, with the photo's name; or the reason why it is refused.
#[allow(dead_code, reason = "the test has its own order")]
pub(crate) fn lines(classifier: &Classifier, name: &str, bytes: &[u8]) -> String {
    let stops =
        pixels(classifier, bytes).and_then(|pixels| Ok([pixels, answer(classifier, bytes)?].concat()));
    match stops {
        Ok(stops) => stops.iter().map(|(what, digest)| format!("{what} {name} {digest}\n")).collect(),
        Err(unreadable) => format!("refused {name} {:?}\n", unreadable.reason),
    }
}

fn hex(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}
