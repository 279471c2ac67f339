//! Predictions of every evaluated set, and the figures drawn from them.

use topwork_kernels::Isa;

use super::answer::Answer;
use super::job::Job;
use crate::classifier::Classifier;
use crate::dataset::Dataset;
use crate::dataset::split::Split;
use crate::dataset::{Sample, Subset};
use crate::error::Result;
use crate::execution::share;
use crate::features::extract::Extraction;
use crate::metrics::{self, Evaluation};
use crate::photo::{self, Content, Limits, Photo, PhotoSource, Unreadable};
use crate::report::{self, Picture, Prediction, Report, SetReport, Thumbnail};

/// How many of the worst mistakes the report shows.
const MISTAKES: usize = 24;

/// How many random photos the report shows: five rows of five.
const GRID: usize = 25;

/// The longer side of a picture in the report.
const THUMBNAIL_SIDE: u32 = 224;

/// Predictions of every evaluated set, and the figures drawn from them.
#[derive(Clone, Debug)]
pub struct Results {
    classes: Vec<String>,
    seed: u64,
    predictions: Vec<Prediction>,
    photos: Vec<PhotoSource>,
    evaluations: Vec<(Subset, Evaluation)>,
}

impl Results {
    /// The seed decides which photos a report shows.
    pub(super) fn new(classes: &[String], seed: u64) -> Results {
        let (predictions, photos, evaluations) = (Vec::new(), Vec::new(), Vec::new());
        Results { classes: classes.to_vec(), seed, predictions, photos, evaluations }
    }

    /// One photo of a set with the probability of each class.
    pub(super) fn add(&mut self, sample: &Sample, set: Subset, probabilities: Vec<f64>) {
        self.photos.push(sample.photo.clone());
        let answer = Answer::new(sample.name.clone(), &self.classes, probabilities);
        self.predictions.push(Prediction { set, label: Some(sample.label), answer });
    }

    /// The photos of a set, by a classifier that has not seen them.
    pub(super) fn predict(
        &mut self,
        classifier: &Classifier,
        dataset: &Dataset,
        split: &Split,
        extraction: &Extraction,
        set: Subset,
        job: &Job,
    ) -> Result<()> {
        for index in split.of_set(set) {
            job.cancel.check("the evaluation")?;
            let probabilities = classifier.probabilities(&extraction.features, extraction.row_of(index)?);
            self.add(&dataset.samples[index], set, probabilities);
        }
        Ok(())
    }

    /// Draws the figures of every set that has predictions.
    pub(super) fn evaluate(&mut self) {
        for set in [Subset::CrossValidation, Subset::Validation, Subset::Test, Subset::Evaluation] {
            let of_set = |prediction: &&Prediction| prediction.set == set;
            if self.predictions.iter().any(|prediction| of_set(&prediction)) {
                let rows = self.predictions.iter().filter(of_set).filter_map(|prediction| {
                    Some((prediction.label?, prediction.answer.probabilities.as_slice()))
                });
                self.evaluations.push((set, metrics::evaluate(&self.classes, rows)));
            }
        }
    }

    /// The names of the classes.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// One for each photo of each evaluated set.
    pub fn predictions(&self) -> &[Prediction] {
        &self.predictions
    }

    /// The figures of each evaluated set: cross-validation, validation, test, evaluation.
    pub fn evaluations(&self) -> &[(Subset, Evaluation)] {
        &self.evaluations
    }

    /// The figures of a set, if it was evaluated.
    pub fn evaluation(&self, set: Subset) -> Option<&Evaluation> {
        self.evaluations.iter().find(|(found, _)| *found == set).map(|(_, evaluation)| evaluation)
    }

    /// The figures of the set that says most about new photos.
    pub fn leading(&self) -> Option<&(Subset, Evaluation)> {
        let order = [Subset::Test, Subset::Evaluation, Subset::CrossValidation, Subset::Validation];
        order.iter().find_map(|set| self.evaluations.iter().find(|(found, _)| found == set))
    }

    /// A photo of the leading set to try the classifier on.
    pub fn example(&self) -> Option<&PhotoSource> {
        let (set, _) = self.leading()?;
        let position = self.predictions.iter().position(|prediction| prediction.set == *set)?;
        Some(&self.photos[position])
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// The report as far as it follows from the results.
    pub(super) fn page(&self, isa: Isa, threads: usize) -> Report {
        let leading = self.leading().map(|(set, _)| *set);
        let chosen: Vec<usize> = (0..self.predictions.len())
            .filter(|&index| Some(self.predictions[index].set) == leading)
            .collect();
        let predictions: Vec<Prediction> =
            chosen.iter().map(|&index| self.predictions[index].clone()).collect();
        let mistakes = report::worst_mistakes(&predictions, MISTAKES);
        let grid = report::random_photos(&predictions, GRID, self.seed);
        let shown: Vec<usize> = mistakes.iter().chain(&grid).map(|&position| chosen[position]).collect();
        let mut pictures = self.pictures(&shown, isa, threads);
        let grid = pictures.split_off(mistakes.len());
        let sets = self.evaluations.iter();
        let sets = sets.map(|(set, evaluation)| SetReport { set: *set, evaluation: evaluation.clone() });
        Report { sets: sets.collect(), mistakes: pictures, grid, ..Report::default() }
    }

    /// Small copies of photos, made on all threads: decoding them again is most of a warm run's report.
    fn pictures(&self, shown: &[usize], isa: Isa, threads: usize) -> Vec<Picture> {
        let mut thumbnails: Vec<(usize, Option<Thumbnail>)> =
            shown.iter().map(|index| (*index, None)).collect();
        share(threads, &mut thumbnails, |thumbnails| {
            for (index, thumbnail) in thumbnails {
                *thumbnail = thumbnail_of(&self.photos[*index], isa);
            }
        });
        let picture = |(index, thumbnail): (usize, Option<Thumbnail>)| {
            let Prediction { label, answer, .. } = &self.predictions[index];
            Picture {
                thumbnail,
                name: answer.name.clone(),
                actual: label.map(|label| self.classes[label].clone()),
                predicted: answer.label.clone().unwrap_or_default(),
                probability: answer.probability.unwrap_or_default(),
            }
        };
        thumbnails.into_iter().map(picture).collect()
    }
}

fn thumbnail_of(photo: &PhotoSource, isa: Isa) -> Option<Thumbnail> {
    let limits = Limits::default();
    let decoded = |bytes: &[u8]| -> std::result::Result<Photo, Unreadable> { photo::decode(bytes, &limits) };
    match photo.content(&limits).ok()? {
        Content::Bytes(bytes) => report::thumbnail(&decoded(&bytes).ok()?, THUMBNAIL_SIDE, isa).ok(),
        Content::Pixels(photo) => report::thumbnail(photo, THUMBNAIL_SIDE, isa).ok(),
    }
}
