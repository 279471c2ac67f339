//! What a training would make of photos, without training.

use serde::{Deserialize, Serialize};

use super::advice;
use super::job::{Event, Job, Stage};
use super::session::Session;
use super::skipped::SkippedFiles;
use crate::backbone::{self, DEFAULT_BACKBONE};
use crate::dataset::split::{Conflicts, Rule, Split, split};
use crate::dataset::{Dataset, SkipReason, Subset};
use crate::error::{Error, ErrorKind, Result};
use crate::features::extract::{Steps, choose_range, extract};
use crate::features::store::Store;
use crate::features::{Facts, look_warnings};
use crate::network::Layout;
use crate::notice::Notice;
use crate::photo::{self, Content, Limits, SampleRange};

/// What an inspection can be told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct InspectionOptions {
    /// How samples of 16 bits are read; as declared means: as the training photos suggest.
    pub samples: SampleRange,
}

/// What a training would make of photos.
#[derive(Debug)]
#[non_exhaustive]
pub struct Inspection {
    /// The photos.
    pub dataset: Dataset,
    /// Which photo is in which set; validation only if the data have their own.
    pub split: Split,
    /// Files that would not be used.
    pub skipped: SkippedFiles,
    /// What is good to know.
    pub notes: Vec<Notice>,
    /// What may be wrong.
    pub warnings: Vec<Notice>,
    /// Why no training can start.
    pub problem: Option<Error>,
}

impl Inspection {
    /// The number of photos of each class in a set.
    pub fn counts(&self, set: Subset) -> Vec<usize> {
        let mut counts = vec![0; self.dataset.classes.len()];
        for index in self.split.of_set(set) {
            counts[self.dataset.samples[index].label] += 1;
        }
        counts
    }

    /// Photos that are in two classes; a training stops there unless it is to skip them.
    pub fn conflicts(&self) -> usize {
        let is_conflict =
            |reason: &SkipReason| matches!(reason, SkipReason::Conflict { .. } | SkipReason::TwoLabels(_));
        self.skipped.files().iter().filter(|file| is_conflict(&file.reason)).count()
    }
}

/// Decodes every photo and splits them as training does. Conflicts are listed with all else that is skipped.
///
/// # Errors
/// [`ErrorKind::Interrupted`] if it was cancelled. What keeps a training from starting is [`Inspection::problem`].
pub fn inspect(
    dataset: Dataset,
    options: &InspectionOptions,
    session: &Session,
    job: &Job,
) -> Result<Inspection> {
    let limits = Limits::default();
    // Large photos are decoded no larger than training wants them.
    let shorter = backbone::spec(DEFAULT_BACKBONE)?.preprocess()?.shorter();
    let photos = dataset.photos();
    job.stage(Stage::Features { photos: photos.len() });
    let mut range = options.samples;
    let extraction = choose_range(&photos, &dataset.training_places(), range, |photos, chosen| {
        range = chosen;
        // The same steps as in training, up to the pixels: features of width 0 need no network.
        let steps = Steps {
            identity: &|_| [0; 32],
            layout: &Layout::plain(0, 0),
            limits: &limits,
            workspace: &|| (),
            features: &|content, (), _, _| match content {
                Content::Bytes(bytes) => {
                    let (photo, samples) = photo::decode_in_range(bytes, &limits, shorter, chosen)?;
                    Ok(Facts::of(&photo, samples))
                }
                Content::Pixels(photo) => Ok(Facts::of(photo, None)),
            },
        };
        let on_photo = |progress| (job.events)(Event::Photos(progress));
        extract(photos, &steps, &Store::none(), session.execution(job.cancel), &on_photo)
    })?;
    let digests = extraction.usable_digests();
    // What keeps training from starting is said at the end: the counts and the skipped files explain it.
    let (split, problem) = match split(&dataset, &digests, Rule::AllTrain, Conflicts::Skip) {
        Ok(split) => (split, None),
        Err(error) if error.kind() == ErrorKind::Dataset => {
            let samples = dataset.samples.iter().zip(&digests);
            let sets = samples
                .map(|(sample, digest)| digest.is_some().then(|| sample.set.unwrap_or(Subset::Training)))
                .collect();
            let split = Split { sets, skipped: Vec::new(), notes: Vec::new(), warnings: Vec::new() };
            (split, Some(error))
        }
        Err(error) => return Err(error),
    };
    let mut notes = dataset.notes.clone();
    notes.extend(split.notes.iter().cloned());
    notes.extend(advice::samples(range, &extraction));
    let mut warnings = dataset.warnings.clone();
    warnings.extend(split.warnings.iter().cloned());
    warnings.extend(look_warnings(&dataset, &extraction));
    warnings.extend(advice::formats(&extraction));
    let skipped = SkippedFiles::new(&dataset, &extraction, &split);
    Ok(Inspection { dataset, split, skipped, notes, warnings, problem })
}
