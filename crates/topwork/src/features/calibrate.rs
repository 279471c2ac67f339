//! Ranges of a set of weights, seen on photos: what weights from a file need once before they run on bytes.

use topwork_kernels::Isa;

use crate::backbone::{Arithmetic, BackboneSpec};
use crate::error::{Error, ErrorKind, Result};
use crate::execution::Execution;
use crate::network::Ranges;
use crate::network::calibration::{Calibration, Method};
use crate::photo::{self, Content, Limits, PhotoSource, Unreadable};
use crate::preprocess::{Preprocess, Scratch};
use crate::remedy::Remedy;
use crate::weights::Weights;

/// As many photos are looked at, evenly spread over those that are given. More hardly move the ranges, and a network of
/// four billion multiply-adds takes seconds for these in f32.
pub const CALIBRATION_PHOTOS: usize = 96;

/// Finds between which values the tensors of a network lie on these photos, by least squares, and records the features of
/// the probe. Labels are not needed; photos that cannot be read are left out.
///
/// # Errors
/// [`ErrorKind::Configuration`] if no photo can be read; [`ErrorKind::Interrupted`]; [`ErrorKind::Weights`] as
/// [BackboneSpec::instantiate].
pub fn calibrate(
    spec: &BackboneSpec,
    weights: &Weights,
    photos: &[PhotoSource],
    execution: Execution,
) -> Result<Ranges> {
    let reference = spec.instantiate(weights, spec.architecture.input, Arithmetic::F32, execution.isa)?;
    let spread = photos.len().div_ceil(CALIBRATION_PHOTOS).max(1);
    let mut scratch = Scratch::default();
    let (mut seen, mut refused) = (Vec::<Vec<u8>>::new(), Vec::new());
    for photo in photos.iter().step_by(spread) {
        execution.cancel.check("the calibration")?;
        match pixels(photo, &reference.preprocess, execution.isa, &mut scratch) {
            Ok(pixels) => seen.push(pixels),
            Err(unreadable) => refused.push(unreadable),
        }
    }
    if seen.is_empty() {
        let message =
            format!("none of {} photos can be read; int8 needs some to find its ranges", photos.len());
        let hint = match photo::undecoded(&refused).first() {
            Some(of) => format!("{} is not decoded here; {}", of.format, of.conversion).into(),
            None => Remedy::UseF32,
        };
        return Err(Error::new(ErrorKind::Configuration, message).with_hint(hint));
    }
    let calibration = Calibration::of(&reference.network, &seen, execution)?;
    let method = Method::MeanSquaredError;
    let digest = blake3::Hash::from_bytes(weights.digest()).to_hex().to_string();
    let mut ranges =
        Ranges::new(digest, method.as_str().to_owned(), calibration.photos(), calibration.ranges(method));
    ranges.probe = spec
        .instantiate(weights, spec.architecture.input, Arithmetic::Int8(&ranges), execution.isa)?
        .probe_digest();
    Ok(ranges)
}

fn pixels(
    photo: &PhotoSource,
    preprocess: &Preprocess,
    isa: Isa,
    scratch: &mut Scratch,
) -> std::result::Result<Vec<u8>, Unreadable> {
    let limits = Limits::default();
    let decoded;
    let photo = match photo.content(&limits)? {
        Content::Bytes(bytes) => {
            decoded = photo::decode_for(&bytes, &limits, preprocess.shorter())?;
            &decoded
        }
        Content::Pixels(photo) => photo,
    };
    let mut pixels = vec![0; preprocess.len()];
    preprocess.pixels(photo, isa, scratch, &mut pixels);
    Ok(pixels)
}
