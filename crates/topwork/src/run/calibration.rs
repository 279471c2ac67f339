//! Ranges of int8 for weights from a file, found once and kept beside them.

use super::job::{Job, Stage};
use super::session::Session;
use crate::backbone::BackboneSpec;
use crate::error::Result;
use crate::features::{self, CALIBRATION_PHOTOS};
use crate::network::Ranges;
use crate::notice::Notice;
use crate::photo::PhotoSource;
use crate::weights::{Cache, Weights};

/// Finds the ranges of these weights on some of the photos, and keeps them beside the weights. If they cannot be kept, that is a
/// notice.
///
/// # Errors
/// As [`features::calibrate`].
pub fn calibrate(
    spec: &BackboneSpec,
    weights: &Weights,
    photos: &[PhotoSource],
    session: &Session,
    job: &Job,
) -> Result<Ranges> {
    job.stage(Stage::Calibration { backbone: spec.name, photos: photos.len().min(CALIBRATION_PHOTOS) });
    let ranges = features::calibrate(spec, weights, photos, session.execution(job.cancel))?;
    if let Err(error) = Cache::of_user().and_then(|cache| cache.keep_ranges(&ranges)) {
        job.notice(&Notice::RangesNotKept(error.to_string()));
    }
    Ok(ranges)
}
