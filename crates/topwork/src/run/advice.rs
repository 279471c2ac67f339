//! What a reader of the figures must know.

use super::job::Job;
use super::results::Results;
use crate::dataset::split::Split;
use crate::dataset::{Dataset, IgnoreReason, Subset};
use crate::error::{Error, ErrorKind, Result};
use crate::features::extract::Extraction;
use crate::notice::Notice;
use crate::photo;
use crate::report::counted;
use crate::train::LinearChoice;

/// With fewer validation photos than this, the interval of the accuracy is wide and folds say more.
const FEW_VALIDATION_PHOTOS: usize = 300;

/// The folds that are suggested then, if the classes are large enough.
const SUGGESTED_FOLDS: usize = 5;

/// How the data were read.
pub(super) fn tell(dataset: &Dataset, job: &Job) {
    let others = other_files(dataset);
    dataset.notes.iter().chain(&others).chain(&dataset.warnings).for_each(|notice| job.notice(notice));
}

/// Files that are no photos by their names.
fn other_files(dataset: &Dataset) -> Option<Notice> {
    let others = dataset.ignored.iter().filter(|ignored| ignored.reason == IgnoreReason::NoPhoto);
    let example = others.clone().next()?.name.clone();
    Some(Notice::OtherFiles { files: others.count(), example })
}

/// What the choice of C leaves open.
pub(super) fn choice(choice: &LinearChoice) -> Option<Notice> {
    if choice.folds.is_none() {
        return Some(Notice::UnchosenC(choice.strength));
    }
    choice.is_at_the_end().then_some(Notice::CAtTheEnd(choice.strength))
}

/// What the size of the validation set leaves open.
pub(super) fn held_out(dataset: &Dataset, split: &Split, results: &Results) -> Option<Notice> {
    if results.evaluation(Subset::CrossValidation).is_some() {
        return None;
    }
    // Folds need a photo of every class each; with fewer, only more photos help.
    let folds = Some(smallest_class(dataset, split).min(SUGGESTED_FOLDS)).filter(|folds| *folds > 1);
    match split.of_set(Subset::Validation).len() {
        0 if results.evaluation(Subset::Test).is_none() => Some(Notice::NothingHeldOut { folds }),
        photos @ 1..FEW_VALIDATION_PHOTOS => Some(Notice::FewValidationPhotos { photos, folds }),
        _ => None,
    }
}

/// How many photos the smallest class has for training and validation together.
fn smallest_class(dataset: &Dataset, split: &Split) -> usize {
    let mut counts = vec![0; dataset.classes.len()];
    for set in [Subset::Training, Subset::Validation] {
        for index in split.of_set(set) {
            counts[dataset.samples[index].label] += 1;
        }
    }
    counts.into_iter().min().unwrap_or(0)
}

/// How photos of 16 bits are read, if there are some and they do not simply use all bits.
pub(super) fn samples(range: photo::SampleRange, extraction: &Extraction) -> Option<Notice> {
    let photos = extraction.facts.iter().filter(|facts| facts.samples.is_some()).count();
    match range {
        photo::SampleRange::Bits(16) | photo::SampleRange::Declared => None,
        range => Some(Notice::Samples { photos, range }),
    }
}

/// Formats that are not decoded, each with its number of photos and the way to convert it.
pub(super) fn formats(extraction: &Extraction) -> Vec<Notice> {
    let notice = |of: photo::Undecoded| {
        let (photos, format, conversion) = (of.count, of.format.to_string(), of.conversion);
        Notice::Undecoded { photos, format, conversion }
    };
    undecoded(extraction).into_iter().map(notice).collect()
}

/// Says which [`formats`] are not decoded.
///
/// # Errors
/// [`ErrorKind::Dataset`] if all photos have such formats: nothing is left then, and the reason is known.
pub(super) fn tell_formats(extraction: &Extraction, job: &Job) -> Result<Vec<Notice>> {
    let (found, photos) = (undecoded(extraction), extraction.photos.len());
    if photos < 2 || found.iter().map(|of| of.count).sum::<usize>() < photos {
        let formats = formats(extraction);
        formats.iter().for_each(|warning| job.notice(warning));
        return Ok(formats);
    }
    let all = format!("all {}", counted(photos, "photo"));
    let (message, hint) = match found.as_slice() {
        [only] => (
            format!("{all} are {}, a format that topwork does not decode", only.format),
            only.conversion.clone(),
        ),
        several => {
            let counts: Vec<_> = several.iter().map(|of| format!("{} {}", of.count, of.format)).collect();
            let hints: Vec<_> =
                several.iter().map(|of| format!("{}: {}", of.format, of.conversion)).collect();
            let message = format!("{all} have formats that topwork does not decode: {}", counts.join(", "));
            (message, hints.join("; "))
        }
    };
    Err(Error::new(ErrorKind::Dataset, message).with_hint(hint))
}

fn undecoded(extraction: &Extraction) -> Vec<photo::Undecoded> {
    photo::undecoded(extraction.photos.iter().filter_map(|photo| photo.row.as_ref().err()))
}
