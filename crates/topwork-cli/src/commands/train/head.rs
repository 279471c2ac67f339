//! Training the head that was asked for, and the folds.

use topwork::features::Tap;
use topwork::head::Head;
use topwork::train::{
    ClassWeight, DenseSettings, Epoch, Examples, Folds, History, LinearChoice, LinearFit, Monitor, Stage,
    choose_linear, cross_validate, fit_dense, stratified_folds, train_linear,
};
use topwork::{Error, ErrorKind};

use super::SplitExamples;
use super::epochs::EpochLines;
use crate::arguments::{ClassWeightChoice, FeaturesChoice, HeadChoice, Train};
use crate::failure::Failure;
use crate::interrupt;
use crate::recipe::Recipe;
use crate::terminal::{Course, Terminal};
use crate::work::counted;

/// A head and how it came about.
pub(super) struct Trained {
    pub(super) head: Head,
    pub(super) history: History,
    /// What the head takes of the tapped map.
    pub(super) tap: Option<Tap>,
    /// How C and the features were chosen; `None` if nothing was to be chosen.
    pub(super) choice: Option<LinearChoice>,
    pub(super) folds: Option<FoldPredictions>,
    /// At most so many epochs of dense layers.
    pub(super) epochs: Option<usize>,
}

/// Out-of-fold predictions for every training photo.
pub(super) struct FoldPredictions {
    pub(super) folds: Folds,
    /// N × K.
    pub(super) probabilities: Vec<f64>,
    /// C of each fold; empty for dense layers.
    pub(super) strengths: Vec<f64>,
    /// The weight of the tapped map of each fold; empty for dense layers.
    pub(super) tap_weights: Vec<f64>,
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
    let folds = match arguments.folds {
        None => None,
        Some(count) => Some(folds(training, usize::from(count), arguments.seed)?),
    };
    let course = terminal.course("training the head");
    let monitor = Monitor {
        stop: &interrupt::requested,
        progress: &|stage| course.set(&stage_name(stage), share(stage)),
    };
    match &recipe.head {
        HeadChoice::Linear => {
            let folds = match folds {
                None => None,
                Some(folds) => {
                    terminal.say(format!("training {} heads, each without one fold", folds.count));
                    let found = cross_validate(training, &folds, weight, arguments.seed, threads, &monitor)?;
                    let strengths = found.choices.iter().map(|choice| choice.strength).collect();
                    let tap_weights = found.choices.iter().map(|choice| choice.tap_weight).collect();
                    Some(FoldPredictions {
                        folds,
                        probabilities: found.probabilities,
                        strengths,
                        tap_weights,
                    })
                }
            };
            let (fit, choice) =
                train_linear(training, validation, weight, arguments.seed, threads, &monitor)?;
            let LinearFit { head, tap, history, .. } = fit;
            Ok(Trained { head: Head::Linear(head), tap, history, choice: Some(choice), folds, epochs: None })
        }
        HeadChoice::Dense(layers) => {
            let mut settings = DenseSettings {
                layers: layers.to_vec(),
                batch_size: recipe.batch_size as usize,
                learning_rate: arguments.learning_rate,
                class_weight: weight,
                seed: arguments.seed,
                ..DenseSettings::default()
            };
            let width = training.width(recipe.features == FeaturesChoice::Auto);
            settings.epochs = match (arguments.epochs, arguments.recipe) {
                (Some(epochs), _) => epochs as usize,
                (None, Some(_)) => settings.epochs,
                (None, None) => settings.affordable_epochs(training.len(), width, training.classes()),
            };
            let lines = arguments.recipe.is_some();
            dense(&settings, recipe.features, examples, folds, threads, terminal, (&monitor, &course), lines)
        }
    }
}

fn stage_name(stage: Stage) -> String {
    match stage {
        Stage::Choosing { fold, folds, .. } => format!("choosing C, fold {fold} of at most {folds}"),
        Stage::Fitting { step } => format!("fitting, step {step}"),
    }
}

fn share(stage: Stage) -> Option<f64> {
    match stage {
        Stage::Choosing { share, .. } => Some(share),
        Stage::Fitting { .. } => None,
    }
}

/// What the linear head would take of the tapped map: the choice is made once, and cheaply.
fn chosen_tap(
    training: &Examples,
    features: FeaturesChoice,
    settings: &DenseSettings,
    threads: usize,
    monitor: &Monitor,
) -> Result<(Option<LinearChoice>, Option<Tap>), Failure> {
    if features == FeaturesChoice::Last {
        return Ok((None, None));
    }
    let (choice, tap) = choose_linear(training, settings.class_weight, settings.seed, threads, monitor)?;
    Ok((Some(choice), tap))
}

#[allow(clippy::too_many_arguments)]
fn dense(
    settings: &DenseSettings,
    features: FeaturesChoice,
    examples: &SplitExamples,
    folds: Option<Folds>,
    threads: usize,
    terminal: Terminal,
    (monitor, course): (&Monitor, &Course),
    lines: bool,
) -> Result<Trained, Failure> {
    let stop = monitor.stop;
    let tell = |what: &str, epoch: &Epoch| {
        let share = epoch.epoch as f64 / settings.epochs as f64;
        let losses = match epoch.val_loss {
            Some(val_loss) => format!("loss {:.4}, validation loss {val_loss:.4}", epoch.loss),
            None => format!("loss {:.4}", epoch.loss),
        };
        course.set(&format!("{what}epoch {} of {}, {losses}", epoch.epoch, settings.epochs), Some(share));
    };
    let training = &examples.training;
    let mut predictions = None;
    if let Some(folds) = folds {
        let mut probabilities = vec![0.0; training.len() * training.classes()];
        for fold in 0..folds.count {
            terminal.say(format!("fold {} of {}", fold + 1, folds.count));
            let fold_name = format!("fold {}, ", fold + 1);
            let others = training.select(&folds.positions(fold, false));
            let (_, tap) = chosen_tap(&others, features, settings, threads, monitor)?;
            // Without a validation set the last epoch counts; the held-out fold must not choose it.
            let fit = fit_dense(
                &others,
                None,
                tap.as_ref(),
                settings,
                threads,
                &mut |epoch| tell(&fold_name, epoch),
                stop,
            )?;
            let head = Head::Dense(fit.head);
            for position in folds.positions(fold, true) {
                let row = head.probabilities(&training.inputs(position, tap.as_ref()));
                probabilities[position * row.len()..][..row.len()].copy_from_slice(&row);
            }
        }
        predictions =
            Some(FoldPredictions { folds, probabilities, strengths: Vec::new(), tap_weights: Vec::new() });
    }
    let (choice, tap) = chosen_tap(training, features, settings, threads, monitor)?;
    let validation = examples.validation.as_ref();
    let mut keras = EpochLines::start(settings.epochs, training.len().div_ceil(settings.batch_size));
    let mut heard = |epoch: &Epoch| match lines {
        true => terminal.say(keras.of(epoch)),
        false => tell("", epoch),
    };
    let fit = fit_dense(training, validation, tap.as_ref(), settings, threads, &mut heard, stop)?;
    if lines {
        keras.end(&fit.history).into_iter().for_each(|line| terminal.say(line));
    }
    let epochs = Some(settings.epochs);
    Ok(Trained { head: Head::Dense(fit.head), tap, history: fit.history, choice, folds: predictions, epochs })
}
