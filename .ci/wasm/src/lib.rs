//! What `digests.mjs` calls: a photo's bytes go in, the lines of the example `digests` come out. Memory that changes hands
//! is never freed; the module lives as long as one comparison.

#[path = "../../../crates/topwork/examples/digests/stops.rs"]
mod stops;

use std::sync::OnceLock;

use topwork::{Classifier, DEFAULT_BACKBONE, Isa, Precision, Result, backbone};

static CLASSIFIER: OnceLock<Result<Classifier>> = OnceLock::new();

/// Room for that many bytes.
#[unsafe(no_mangle)]
pub extern "C" fn room(len: usize) -> *mut u8 {
    vec![0; len].leak().as_mut_ptr()
}

/// The lines for a photo: an address in the lower and a length in the upper 32 bits.
///
/// # Safety
/// Both addresses come from [`room`] and hold that many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lines(name: *const u8, name_len: usize, photo: *const u8, photo_len: usize) -> u64 {
    // SAFETY: the caller's promise.
    let (name, photo) = unsafe {
        (std::slice::from_raw_parts(name, name_len), std::slice::from_raw_parts(photo, photo_len))
    };
    let name = String::from_utf8_lossy(name);
    let lines = match CLASSIFIER.get_or_init(classifier) {
        Ok(classifier) => stops::lines(classifier, &name, photo),
        Err(error) => format!("no classifier: {error}\n"),
    };
    let lines = lines.leak();
    (lines.len() as u64) << 32 | lines.as_ptr() as u64
}

fn classifier() -> Result<Classifier> {
    Classifier::imagenet(backbone::backbone(DEFAULT_BACKBONE, Precision::Int8, Isa::best())?)
}
