//! Training the head that was asked for, and the folds.

use topwork::head::Head;
use topwork::train::{
    ClassWeight, DenseSettings, Epoch, Examples, Folds, History, StrengthChoice, cross_validate, fit_dense,
    stratified_folds, train_linear,
};
use topwork::{Error, ErrorKind};

use super::SplitExamples;
use super::epochs::EpochLines;
use crate::arguments::{ClassWeightChoice, HeadChoice, Train};
use crate::failure::Failure;
use crate::interrupt;
use crate::recipe::Recipe;
use crate::terminal::Terminal;
use crate::work::counted;

/// A head and how it came about.
pub(super) struct Trained {
    pub(super) head: Head,
    pub(super) history: History,
    pub(super) strength: Option<StrengthChoice>,
    pub(super) folds: Option<FoldPredictions>,
}

/// Out-of-fold predictions for every training photo.
pub(super) struct FoldPredictions {
    pub(super) folds: Folds,
    /// N × K.
    pub(super) probabilities: Vec<f64>,
    /// C of each fold; empty for dense layers.
    pub(super) strengths: Vec<f64>,
}

/// Folds with every class in each, or an error that says how many there can be.
fn folds(training: &Examples, count: usize, seed: u64) -> Result<Folds, Failure> {
    let smallest = training.class_counts().into_iter().min().unwrap_or(0);
    stratified_folds(training.labels(), training.classes(), count, seed)
        .filter(|folds| folds.count == count)
        .ok_or_else(|| {
            let message = format!("{count} folds, but the smallest class has {}", counted(smallest, "photo"));
            Error::new(ErrorKind::Configuration, message)
                .with_hint("give --folds a smaller number, or more photos of that class")
                .into()
        })
}

pub(super) fn class_weight(arguments: &Train) -> ClassWeight {
    match arguments.class_weight {
        None => ClassWeight::Equal,
        Some(ClassWeightChoice::Balanced) => ClassWeight::Balanced,
    }
}

pub(super) fn train_head(
    arguments: &Train,
    recipe: &Recipe,
    examples: &SplitExamples,
    terminal: Terminal,
) -> Result<Trained, Failure> {
    let training = &examples.training;
    let validation = examples.validation.as_ref();
    let weight = class_weight(arguments);
    let threads = match arguments.work.threads {
        Some(threads) => usize::from(threads),
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let stop = &interrupt::requested;
    let folds = match arguments.folds {
        None => None,
        Some(count) => Some(folds(training, usize::from(count), arguments.seed)?),
    };
    match &recipe.head {
        HeadChoice::Linear => {
            let folds = match folds {
                None => None,
                Some(folds) => {
                    terminal.say(format!("training {} heads, each without one fold", folds.count));
                    let found = cross_validate(training, &folds, weight, arguments.seed, threads, stop)?;
                    let strengths = found.choices.iter().map(|choice| choice.strength).collect();
                    Some(FoldPredictions { folds, probabilities: found.probabilities, strengths })
                }
            };
            let (fit, choice) = train_linear(training, validation, weight, arguments.seed, threads, stop)?;
            if choice.folds.is_none() {
                terminal.warn(format!(
                    "too few photos of a class to choose the strength of the penalty: C = {}",
                    choice.strength
                ));
            }
            let head = Head::Linear(fit.head);
            Ok(Trained { head, history: fit.history, strength: Some(choice), folds })
        }
        HeadChoice::Dense(layers) => {
            let settings = DenseSettings {
                layers: layers.to_vec(),
                epochs: arguments.epochs as usize,
                batch_size: recipe.batch_size as usize,
                learning_rate: arguments.learning_rate,
                class_weight: weight,
                seed: arguments.seed,
                ..DenseSettings::default()
            };
            dense(&settings, examples, folds, threads, terminal)
        }
    }
}

fn dense(
    settings: &DenseSettings,
    examples: &SplitExamples,
    folds: Option<Folds>,
    threads: usize,
    terminal: Terminal,
) -> Result<Trained, Failure> {
    let stop = &interrupt::requested;
    let training = &examples.training;
    let mut predictions = None;
    if let Some(folds) = folds {
        let mut probabilities = vec![0.0; training.len() * training.classes()];
        for fold in 0..folds.count {
            terminal.say(format!("fold {} of {}", fold + 1, folds.count));
            let others = training.select(&folds.positions(fold, false));
            // Without a validation set the last epoch counts; the held-out fold must not choose it.
            let fit = fit_dense(&others, None, settings, threads, &mut |_| {}, stop)?;
            let head = Head::Dense(fit.head);
            for position in folds.positions(fold, true) {
                let row = head.probabilities(training.row(position));
                probabilities[position * row.len()..][..row.len()].copy_from_slice(&row);
            }
        }
        predictions = Some(FoldPredictions { folds, probabilities, strengths: Vec::new() });
    }
    let mut lines = EpochLines::start(settings.epochs, training.len().div_ceil(settings.batch_size));
    let mut line = |epoch: &Epoch| terminal.say(lines.of(epoch));
    let fit = fit_dense(training, examples.validation.as_ref(), settings, threads, &mut line, stop)?;
    lines.end(&fit.history).into_iter().for_each(|line| terminal.say(line));
    Ok(Trained { head: Head::Dense(fit.head), history: fit.history, strength: None, folds: predictions })
}
