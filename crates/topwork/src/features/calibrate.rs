//! Ranges of a set of weights, seen on photos: what weights from a file need once before they run on bytes.

use std::path::Path;
use std::sync::atomic::Ordering;

use topwork_kernels::Isa;

use super::extract::Run;
use crate::backbone::{Arithmetic, Row};
use crate::error::{Error, ErrorKind, Result};
use crate::network::Ranges;
use crate::network::calibration::{Calibration, Method};
use crate::photo::{self, Limits, Unreadable};
use crate::preprocess::{Preprocess, Scratch};
use crate::weights::Weights;

/// As many photos are looked at, evenly spread over those that are given. More hardly move the ranges, and a network of
/// four billion multiply-adds takes seconds for these in f32.
pub const CALIBRATION_PHOTOS: usize = 96;

/// Finds between which values the tensors of a network lie on these photos, by least squares, and records the features of
/// the probe. Labels are not needed; photos that cannot be read are left out.
///
/// # Errors
/// [`ErrorKind::Configuration`] if no photo can be read; [`ErrorKind::Interrupted`]; [`ErrorKind::Weights`] as
/// [`Row::fit`].
pub fn calibrate(
    row: &Row,
    weights: &Weights,
    photos: &[impl AsRef<Path>],
    isa: Isa,
    run: &Run,
) -> Result<Ranges> {
    let reference = row.fit(weights, row.input, Arithmetic::F32, isa)?;
    let spread = photos.len().div_ceil(CALIBRATION_PHOTOS).max(1);
    let mut scratch = Scratch::default();
    let (mut seen, mut refused) = (Vec::<Vec<u8>>::new(), Vec::new());
    for path in photos.iter().step_by(spread) {
        if run.stop.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Interrupted, "stopped while looking for the ranges of int8"));
        }
        match pixels(path.as_ref(), &reference.preprocess, isa, &mut scratch) {
            Ok(pixels) => seen.push(pixels),
            Err(unreadable) => refused.push(unreadable),
        }
    }
    if seen.is_empty() {
        let message =
            format!("none of {} photos can be read; int8 needs some to find its ranges", photos.len());
        let hint = match photo::undecoded(&refused).first() {
            Some(of) => format!("{} is not decoded here; {}", of.format, of.conversion),
            None => "--precision f32 does without".to_owned(),
        };
        return Err(Error::new(ErrorKind::Configuration, message).with_hint(hint));
    }
    let threads = match run.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let calibration = Calibration::of(&reference.network, &seen, threads);
    let method = Method::MeanSquaredError;
    let digest = blake3::Hash::from_bytes(weights.digest()).to_hex().to_string();
    let mut ranges =
        Ranges::new(digest, method.as_str().to_owned(), calibration.photos(), calibration.ranges(method));
    ranges.probe = row.fit(weights, row.input, Arithmetic::Int8(&ranges), isa)?.probe_digest();
    Ok(ranges)
}

fn pixels(
    path: &Path,
    preprocess: &Preprocess,
    isa: Isa,
    scratch: &mut Scratch,
) -> std::result::Result<Vec<u8>, Unreadable> {
    let limits = Limits::default();
    let photo = photo::decode_for(&photo::read(path, &limits)?, &limits, preprocess.shorter())?;
    let mut pixels = vec![0; preprocess.len()];
    preprocess.pixels(&photo, isa, scratch, &mut pixels);
    Ok(pixels)
}
