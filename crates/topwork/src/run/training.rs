//! Photos with classes → features → split → head → evaluation.

use std::sync::Arc;

use super::advice;
use super::calibration::calibrate;
use super::files::{Parts, RunFile, RunFiles, RunInfo};
use super::head::{HeldOutFolds, SplitExamples, TrainedHead, train_head};
use super::job::{Job, Stage};
use super::options::{FeatureLayers, TrainingOptions};
use super::results::Results;
use super::session::Session;
use super::settings::TrainingSettings;
use super::skipped::SkippedFiles;
use super::stopwatch::Stopwatch;
use crate::backbone::{Arithmetic, Backbone, BackboneSpec};
use crate::classifier::Classifier;
use crate::dataset::split::{Digest, Split, split};
use crate::dataset::{Dataset, Subset, manifest};
use crate::error::Result;
use crate::features::extract::{Extraction, Progress};
use crate::features::{Extractor, look_warnings};
use crate::network::Precision;
use crate::notice::Notice;
use crate::photo::PhotoSource;
use crate::report::{self, Report, counted};
use crate::train::{Examples, History, LinearChoice};
use crate::weights::Weights;

/// A training that was checked, and not begun. [`TrainingOptions::plan`] makes it.
#[derive(Debug)]
pub struct Training {
    pub(super) options: TrainingOptions,
    pub(super) spec: &'static BackboneSpec,
    pub(super) weights: Weights,
    pub(super) dataset: Dataset,
    /// Of the stages so far.
    pub(super) seconds: Vec<(String, f64)>,
}

/// What a training gives.
#[non_exhaustive]
pub struct TrainedRun {
    /// The classifier.
    pub classifier: Classifier,
    /// What it depends on.
    pub settings: TrainingSettings,
    /// The photos.
    pub dataset: Dataset,
    /// Which photo was used for what.
    pub split: Split,
    /// Predictions of photos that were not learned from, and their figures.
    pub results: Results,
    /// How the head was fitted.
    pub history: History,
    /// How C and the features were chosen; `None` if nothing was to be chosen.
    pub choice: Option<LinearChoice>,
    /// The folds, if there are some.
    pub folds: Option<HeldOutFolds>,
    /// Files that were not used.
    pub skipped: SkippedFiles,
    /// What a reader of the figures must know.
    pub warnings: Vec<Notice>,
    /// How many photos became features, and the time it took.
    pub progress: Progress,
    /// Name and seconds of each stage.
    pub seconds: Vec<(String, f64)>,
    digests: Vec<Option<Digest>>,
    threads: usize,
}

impl Training {
    /// The photos.
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// Trains and evaluates. The result depends on the photos, the options and the weights alone.
    ///
    /// # Errors
    /// [`ErrorKind::Dataset`](crate::ErrorKind) if too few photos can be used, or identical ones are in two classes and are not to be skipped;
    /// [`ErrorKind::Configuration`](crate::ErrorKind) for more folds than a class has photos that can be used, or a loss that diverges;
    /// [`ErrorKind::Weights`](crate::ErrorKind) if the weights do not fit; [`ErrorKind::Interrupted`](crate::ErrorKind) if it was cancelled.
    pub fn run(self, session: &Session, job: &Job) -> Result<TrainedRun> {
        let mut stopwatch = Stopwatch::after(self.seconds.clone());
        advice::tell(&self.dataset, job);
        let backbone = self.backbone(session, job)?;
        let Training { options, dataset, weights, .. } = self;
        drop(weights);
        let extractor = match options.features {
            FeatureLayers::Auto => Extractor::with_tap(backbone),
            FeatureLayers::Last => Extractor::new(backbone),
        };
        stopwatch.stage("network");

        let choosing = dataset.training_places();
        let extractor = extractor.in_range(options.samples);
        let (extractor, extraction) = session.extract(&extractor, &dataset.photos(), &choosing, job)?;
        stopwatch.stage("features");
        advice::samples(extractor.range(), &extraction).iter().for_each(|note| job.notice(note));
        let formats = advice::tell_formats(&extraction, job)?;

        let split = split(&dataset, &extraction.usable_digests(), options.rule(), options.conflicts)?;
        split.notes.iter().for_each(|note| job.notice(note));
        let trained = {
            let examples = examples(&dataset, &split, &extraction)?;
            train_head(&options, &examples, session, job)?
        };
        stopwatch.stage("head");

        job.stage(Stage::Evaluation);
        let settings = TrainingSettings::new(&options, &trained);
        let TrainedHead { head, tap, history, choice, folds, .. } = trained;
        let classes = dataset.classes.clone();
        let classifier = Classifier::new(extractor, head, tap, classes, settings.to_json()?)?;
        let results = results(&classifier, &dataset, &split, &extraction, folds.as_ref(), options.seed, job)?;
        stopwatch.stage("evaluation");

        let mut warnings = split.warnings.clone();
        warnings.extend(advice::held_out(&dataset, &split, &results));
        warnings.extend(choice.as_ref().and_then(advice::choice));
        warnings.extend(look_warnings(&dataset, &extraction));
        warnings.iter().for_each(|warning| job.notice(warning));
        // What was said before is in the report, too.
        let warnings = [dataset.warnings.clone(), formats, warnings].concat();
        Ok(TrainedRun {
            classifier,
            settings,
            skipped: SkippedFiles::new(&dataset, &extraction, &split),
            digests: extraction.photos.iter().map(|photo| photo.digest).collect(),
            dataset,
            split,
            results,
            history,
            choice,
            folds,
            warnings,
            progress: extraction.progress,
            seconds: stopwatch.stages(),
            threads: session.threads(),
        })
    }

    /// The network. On bytes, weights from a file need ranges: those that are kept beside them, else such as these photos show,
    /// which are kept from then on.
    fn backbone(&self, session: &Session, job: &Job) -> Result<Arc<Backbone>> {
        let Training { options, spec, weights, dataset, .. } = self;
        job.stage(Stage::Network);
        let ranges = match options.precision {
            Precision::F32 => None,
            Precision::Int8 => Some(match spec.known_ranges(weights)? {
                Some(ranges) => ranges,
                None => {
                    // No photo of the test set may choose anything.
                    let photos = dataset.training_places().into_iter();
                    let photos: Vec<PhotoSource> =
                        photos.map(|index| dataset.samples[index].photo.clone()).collect();
                    calibrate(spec, weights, &photos, session, job)?
                }
            }),
        };
        let arithmetic = ranges.as_ref().map_or(Arithmetic::F32, Arithmetic::Int8);
        session.backbone(spec, weights, arithmetic)
    }
}

impl TrainedRun {
    /// The files of the run: `split.csv`, `history.csv`, `model.safetensors`, `metrics.json`, `predictions.csv`, `skipped.csv`,
    /// `report.html` and `run.json`.
    ///
    /// # Errors
    /// [`ErrorKind::Bug`](crate::ErrorKind) if one cannot be made.
    pub fn files(&self, info: &RunInfo) -> Result<RunFiles> {
        let fold_of = self.folds.as_ref().map(|held_out| held_out.folds.fold_of.as_slice());
        let split = manifest::csv(&self.dataset, &self.split, &self.digests, fold_of)?;
        let own = [
            ("split.csv", split),
            ("history.csv", report::history_csv(&self.history)),
            ("model.safetensors", self.classifier.to_bytes()?),
        ];
        let is_linear = matches!(self.classifier.head(), crate::head::Head::Linear(_));
        let page = Report {
            summary: format!(
                "{}, learned from {}; {} on the features of {}.",
                counted(self.dataset.classes.len(), "class"),
                counted(self.split.of_set(Subset::Training).len(), "photo"),
                self.settings.head,
                self.classifier.record().backbone.name
            ),
            notes: self.warnings.iter().map(ToString::to_string).collect(),
            history: Some(self.history.clone()),
            history_step: if is_linear { "iteration" } else { "epoch" }.to_owned(),
            choice: self.choice.clone(),
            ..Report::default()
        };
        let parts = Parts {
            results: &self.results,
            classifier: &self.classifier,
            settings: &self.settings.to_json()?,
            skipped: &self.skipped,
            progress: &self.progress,
            seconds: &self.seconds,
            own: own.into_iter().map(|(name, bytes)| RunFile { name, bytes }).collect(),
            page,
        };
        parts.files(info, self.threads)
    }
}

fn examples<'a>(dataset: &Dataset, split: &Split, extraction: &'a Extraction) -> Result<SplitExamples<'a>> {
    let groups = dataset.samples.iter().any(|sample| sample.group.is_some()).then(|| dataset.groups());
    let of_set = |set: Subset| -> Result<Examples<'a>> {
        let photos = split.of_set(set);
        let rows = photos.iter().map(|index| extraction.row_of(*index)).collect::<Result<Vec<usize>>>()?;
        let labels = photos.iter().map(|index| dataset.samples[*index].label).collect();
        let examples = Examples::from_features(&extraction.features, &rows, labels, dataset.classes.len())?;
        match &groups {
            Some(groups) => examples.with_groups(photos.iter().map(|index| groups[*index]).collect()),
            None => Ok(examples),
        }
    };
    let (training, validation) = (of_set(Subset::Training)?, of_set(Subset::Validation)?);
    Ok(SplitExamples { training, validation: (!validation.is_empty()).then_some(validation) })
}

fn results(
    classifier: &Classifier,
    dataset: &Dataset,
    split: &Split,
    extraction: &Extraction,
    folds: Option<&HeldOutFolds>,
    seed: u64,
    job: &Job,
) -> Result<Results> {
    let mut results = Results::new(&dataset.classes, seed);
    if let Some(held_out) = folds {
        let probabilities = held_out.probabilities.chunks_exact(dataset.classes.len());
        for (index, row) in split.of_set(Subset::Training).into_iter().zip(probabilities) {
            results.add(&dataset.samples[index], Subset::CrossValidation, row.to_vec());
        }
    }
    for set in [Subset::Validation, Subset::Test] {
        results.predict(classifier, dataset, split, extraction, set, job)?;
    }
    results.evaluate();
    Ok(results)
}
