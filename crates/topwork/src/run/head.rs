//! Training the head that was asked for, and the folds.

use super::job::{Event, Job, Stage};
use super::options::{FeatureLayers, HeadOptions, TrainingOptions};
use super::session::Session;
use crate::error::Result;
use crate::execution::Execution;
use crate::features::Tap;
use crate::head::Head;
use crate::train::{
    DenseFit, DenseSettings, Examples, Folds, History, LinearChoice, LinearFit, choose_linear,
    cross_validate, fit_dense, train_linear,
};

/// A head and how it came about.
pub(super) struct TrainedHead {
    pub(super) head: Head,
    pub(super) history: History,
    /// What the head takes of the tapped map.
    pub(super) tap: Option<Tap>,
    /// How C and the features were chosen; `None` if nothing was to be chosen.
    pub(super) choice: Option<LinearChoice>,
    pub(super) folds: Option<HeldOutFolds>,
    /// At most so many epochs of dense layers.
    pub(super) epochs: Option<usize>,
}

/// Predictions of every training photo by a head that has not seen it.
#[derive(Clone, Debug)]
pub struct HeldOutFolds {
    /// Which photos were held out together.
    pub folds: Folds,
    /// N × K, in the order of the training photos.
    pub probabilities: Vec<f64>,
    /// How C and the features were chosen without each fold; empty for dense layers.
    pub choices: Vec<LinearChoice>,
}

/// Photos to learn from and to watch, as rows of features.
pub(super) struct SplitExamples<'a> {
    pub(super) training: Examples<'a>,
    pub(super) validation: Option<Examples<'a>>,
}

pub(super) fn train_head(
    options: &TrainingOptions,
    examples: &SplitExamples,
    session: &Session,
    job: &Job,
) -> Result<TrainedHead> {
    let training = &examples.training;
    job.stage(Stage::Head { photos: training.len(), classes: training.classes() });
    let folds = options.folds.map(|count| training.folds(count, options.seed)).transpose()?;
    let execution = session.execution(job.cancel);
    match &options.head {
        HeadOptions::Linear => linear(options, examples, folds, execution, job),
        HeadOptions::Dense(layers) => {
            let mut settings = DenseSettings {
                layers: layers.clone(),
                batch_size: options.batch_size,
                learning_rate: options.learning_rate,
                class_weight: options.class_weight,
                seed: options.seed,
                ..DenseSettings::default()
            };
            let width = training.width(options.features == FeatureLayers::Auto);
            let affordable = || settings.affordable_epochs(training.len(), width, training.classes());
            settings.epochs = options.epochs.unwrap_or_else(affordable);
            Dense { options, settings, examples, execution, job }.train(folds)
        }
    }
}

fn linear(
    options: &TrainingOptions,
    SplitExamples { training, validation }: &SplitExamples,
    folds: Option<Folds>,
    execution: Execution,
    job: &Job,
) -> Result<TrainedHead> {
    let (weight, seed) = (options.class_weight, options.seed);
    let on_stage = |stage| (job.events)(Event::Training(stage));
    let mut held_out = None;
    if let Some(folds) = folds {
        job.stage(Stage::Folds { folds: folds.count });
        let found = cross_validate(training, &folds, weight, seed, execution, &on_stage)?;
        let (probabilities, choices) = (found.probabilities, found.choices);
        held_out = Some(HeldOutFolds { folds, probabilities, choices });
    }
    let (fit, choice) = train_linear(training, validation.as_ref(), weight, seed, execution, &on_stage)?;
    let LinearFit { head, tap, history, .. } = fit;
    (job.events)(Event::Fitted(&history));
    Ok(TrainedHead {
        head: Head::Linear(head),
        tap,
        history,
        choice: Some(choice),
        folds: held_out,
        epochs: None,
    })
}

struct Dense<'a> {
    options: &'a TrainingOptions,
    settings: DenseSettings,
    examples: &'a SplitExamples<'a>,
    execution: Execution<'a>,
    job: &'a Job<'a>,
}

impl Dense<'_> {
    fn train(&self, folds: Option<Folds>) -> Result<TrainedHead> {
        let SplitExamples { training, validation } = self.examples;
        let folds = folds.map(|folds| self.held_out(training, folds)).transpose()?;
        let (choice, tap) = self.chosen_tap(training)?;
        let DenseFit { head, history } = self.fit(training, validation.as_ref(), tap.as_ref(), None)?;
        (self.job.events)(Event::Fitted(&history));
        let (head, epochs) = (Head::Dense(head), Some(self.settings.epochs));
        Ok(TrainedHead { head, tap, history, choice, folds, epochs })
    }

    fn held_out(&self, training: &Examples, folds: Folds) -> Result<HeldOutFolds> {
        let mut probabilities = vec![0.0; training.len() * training.classes()];
        for fold in 0..folds.count {
            self.job.stage(Stage::Fold { fold: fold + 1, folds: folds.count });
            let others = training.select(&folds.train_indices(fold));
            let (_, tap) = self.chosen_tap(&others)?;
            // Without a validation set the last epoch counts; the held-out fold must not choose it.
            let head = Head::Dense(self.fit(&others, None, tap.as_ref(), Some(fold + 1))?.head);
            for position in folds.held_out_indices(fold) {
                let inputs = training.inputs(position, tap.as_ref());
                let row = head.probabilities(self.execution.isa, &inputs);
                probabilities[position * row.len()..][..row.len()].copy_from_slice(&row);
            }
        }
        Ok(HeldOutFolds { folds, probabilities, choices: Vec::new() })
    }

    fn fit(
        &self,
        training: &Examples,
        validation: Option<&Examples>,
        tap: Option<&Tap>,
        fold: Option<usize>,
    ) -> Result<DenseFit> {
        let epochs = self.settings.epochs;
        let steps = training.len().div_ceil(self.settings.batch_size);
        let events = self.job.events;
        let on_epoch = &mut |epoch: &_| events(Event::Epoch { epoch, epochs, steps, fold });
        fit_dense(training, validation, tap, &self.settings, self.execution, on_epoch)
    }

    /// What the linear head would take of the tapped map: the choice is made once, and cheaply.
    fn chosen_tap(&self, training: &Examples) -> Result<(Option<LinearChoice>, Option<Tap>)> {
        if self.options.features == FeatureLayers::Last {
            return Ok((None, None));
        }
        let on_stage = |stage| (self.job.events)(Event::Training(stage));
        let DenseSettings { class_weight, seed, .. } = self.settings;
        let (choice, tap) = choose_linear(training, class_weight, seed, self.execution, &on_stage)?;
        Ok((Some(choice), tap))
    }
}
