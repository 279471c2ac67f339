//! The dense head: epochs of shuffled batches, Adam, early stopping, a rate that drops on a plateau.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::execution::Execution;
use crate::features::Tap;
use crate::head::{Dense, outputs};
use crate::random::Random;
use crate::train::data::{ClassWeight, Examples};
use crate::train::early_stopping::{EarlyStopping, StoppingState};
use crate::train::history::{Epoch, History};
use crate::train::logistic::{first_largest, probabilities_from_scores};
use crate::train::optimiser::{Adam, AdamForm};
use crate::train::schedule::{Plateau, PlateauState};
use crate::train::team::Team;

/// Validation examples that go through the layers together.
const WATCHED_AT_ONCE: usize = 256;

/// How a dense head is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DenseSettings {
    /// Units of each hidden layer; the output layer follows from the classes.
    pub layers: Vec<usize>,
    /// At most so many passes over the training examples.
    pub epochs: usize,
    /// Examples a step; the last batch of an epoch may be smaller.
    pub batch_size: usize,
    /// Adam's first learning rate.
    pub learning_rate: f64,
    /// Whose Adam.
    pub adam: AdamForm,
    /// When to stop early; needs validation examples.
    pub early_stopping: Option<EarlyStopping>,
    /// When to lower the rate; needs validation examples.
    pub plateau: Option<Plateau>,
    /// How much each class counts in training (validation losses count every example 1, as in Keras).
    pub class_weight: ClassWeight,
    /// Decides the first weights and the order of the examples.
    pub seed: u64,
}

/// Multiplications for each photo that fitting takes at most, where nobody says how many epochs: about what the features of a
/// photo take on a processor with AVX2.
const EFFORT: usize = 64_000_000;

/// Fewer steps teach little, whatever they cost.
const LEAST_STEPS: usize = 400;

impl DenseSettings {
    /// So many epochs that a fit of this many examples of that width takes at most as long as their features, but 400 steps at
    /// least and 100 epochs at most.
    pub fn affordable_epochs(&self, examples: usize, width: usize, classes: usize) -> usize {
        let outputs = outputs(classes);
        let sizes = self.layers.iter().copied().chain([outputs]);
        let weights: usize =
            sizes.scan(width, |inputs, units| Some(std::mem::replace(inputs, units) * units)).sum();
        // A product forward, one for the slopes before it, one to learn.
        let affordable = EFFORT / (3 * weights).max(1);
        let steps = examples.div_ceil(self.batch_size.max(1)).max(1);
        affordable.max(LEAST_STEPS.div_ceil(steps)).clamp(1, 100)
    }
}

impl Default for DenseSettings {
    fn default() -> DenseSettings {
        DenseSettings {
            layers: vec![1024, 512, 256, 128],
            epochs: 100,
            batch_size: 32,
            learning_rate: 1e-3,
            adam: AdamForm::Keras,
            early_stopping: Some(EarlyStopping::default()),
            plateau: Some(Plateau::default()),
            class_weight: ClassWeight::Equal,
            seed: 42,
        }
    }
}

/// A trained dense head.
#[derive(Clone, Debug)]
pub struct DenseFit {
    /// The weights of the best epoch by `val_loss`; without validation or early stopping those of the last one.
    pub head: Dense,
    /// One row an epoch.
    pub history: History,
}

/// Trains dense layers on log loss (two classes: binary cross-entropy of one sigmoid unit), on the features of the last map
/// and of the tapped one if `tap` names it.
///
/// `on_epoch` hears of every epoch as it ends. A wish to stop is looked for before every batch.
///
/// # Errors
/// [`ErrorKind::Configuration`] if the settings make no sense, a class has no example, validation does not fit or
/// the loss leaves the finite numbers; [`ErrorKind::Interrupted`] if asked to stop.
pub fn fit_dense(
    training: &Examples,
    validation: Option<&Examples>,
    tap: Option<&Tap>,
    settings: &DenseSettings,
    execution: Execution,
    on_epoch: &mut dyn FnMut(&Epoch),
) -> Result<DenseFit> {
    let validation = validation.filter(|validation| !validation.is_empty());
    check(training, validation, settings)?;
    // Batches are rows in any order, again and again: here they are f32 as a whole.
    let (values, width) = training.all_inputs(tap);
    let watched = validation.map(|validation| validation.all_inputs(tap).0);
    let plain = |values, labels| Examples::new(values, width, labels, training.classes);
    let validation = match (&watched, validation) {
        (Some(watched), Some(validation)) => Some(plain(watched, &validation.labels)?),
        _ => None,
    };
    let (training, validation) = (&plain(&values, &training.labels)?, validation.as_ref());
    let head = first_weights(training, settings)?;
    let mut random = Random::new(settings.seed, "batches");
    let shuffle = &mut |order: &mut [usize]| random.shuffle(order);
    fit_from(head, shuffle, training, validation, settings, execution, on_epoch)
}

/// The loop itself, from given weights; `shuffle` is handed the order of the epoch before.
#[allow(clippy::too_many_arguments)]
fn fit_from(
    head: Dense,
    shuffle: &mut dyn FnMut(&mut [usize]),
    training: &Examples,
    validation: Option<&Examples>,
    settings: &DenseSettings,
    execution: Execution,
    on_epoch: &mut dyn FnMut(&Epoch),
) -> Result<DenseFit> {
    let most = settings.batch_size.min(training.len());
    let most = most.max(validation.map_or(0, |_| WATCHED_AT_ONCE));
    let mut team = Team::new(&head, most, execution);
    let mut adam = Adam::new(settings.adam);
    let mut stopping = settings.early_stopping.clone().map(StoppingState::new);
    let mut plateau = settings.plateau.clone().map(PlateauState::new);
    let mut learning_rate = settings.learning_rate as f32;
    let class_weights = settings.class_weight.of(&training.class_counts());
    let mut order: Vec<usize> = (0..training.len()).collect();
    let mut history = History::default();
    let mut best: Option<Dense> = None;

    let mut run = on_team(&team, |team| {
        for epoch in 1..=settings.epochs {
            shuffle(&mut order);
            let mut total = Loss::default();
            for batch in order.chunks(settings.batch_size) {
                execution.cancel.check("training")?;
                let batch = training.select(batch);
                let scores = team.forward(batch.plain());
                let (loss, slopes) = loss_and_slopes(&scores, &batch, &class_weights);
                total.add(&loss);
                team.backward(&slopes, &adam.next(learning_rate));
            }
            let watched = validation.map(|examples| evaluate(team, examples));
            let row = Epoch {
                epoch,
                loss: total.mean(),
                accuracy: total.accuracy(),
                val_loss: watched.as_ref().map(Loss::mean),
                val_accuracy: watched.as_ref().map(Loss::accuracy),
                learning_rate: f64::from(learning_rate),
            };
            if !row.val_loss.unwrap_or(row.loss).is_finite() || !row.loss.is_finite() {
                let message = format!("the loss left the finite numbers in epoch {epoch}");
                return Err(
                    Error::new(ErrorKind::Configuration, message).with_hint("use a lower learning rate")
                );
            }
            on_epoch(&row);
            history.epochs.push(row);
            let Some(watched) = watched else { continue };
            if let Some(plateau) = &mut plateau {
                learning_rate = plateau.observe(watched.mean(), learning_rate);
            }
            if let Some(stopping) = &mut stopping {
                let verdict = stopping.observe(watched.mean());
                if verdict.improved {
                    history.best_epoch = Some(epoch);
                    best = Some(team.head());
                }
                if verdict.stop {
                    break;
                }
            }
        }
        Ok(())
    });
    match team.assemble(&mut run) {
        Some(outcome) => outcome?,
        None => {
            team = Team::new(&head, most, execution.with_threads(1));
            team.assemble(&mut run).unwrap_or(Ok(()))?;
        }
    }
    Ok(DenseFit { head: best.unwrap_or_else(|| team.head()), history })
}

/// Ties what a closure does with a team to the rows that the team may hold.
fn on_team<'a, F: FnMut(&Team<'a>) -> Result<()>>(_: &Team<'a>, run: F) -> F {
    run
}

fn check(training: &Examples, validation: Option<&Examples>, settings: &DenseSettings) -> Result<()> {
    training.check_every_class_present()?;
    validation.map_or(Ok(()), |validation| training.check_same_shape(validation))?;
    let problem = if settings.layers.contains(&0) {
        "a dense layer needs at least one unit"
    } else if settings.epochs == 0 || settings.batch_size == 0 {
        "training needs at least one epoch and batches of at least one example"
    } else if !(settings.learning_rate.is_finite() && settings.learning_rate > 0.0) {
        "the learning rate must be a positive number"
    } else if settings.plateau.as_ref().is_some_and(|plateau| !(0.0..1.0).contains(&plateau.factor)) {
        "the factor of a drop in learning rate must be at least 0 and below 1"
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::Configuration, problem))
}

/// Glorot's uniform weights (Keras' default) and zero biases.
fn first_weights(training: &Examples, settings: &DenseSettings) -> Result<Dense> {
    let outputs = outputs(training.classes);
    let mut random = Random::new(settings.seed, "weights");
    let mut inputs = training.width;
    let mut layers = Vec::new();
    for units in settings.layers.iter().copied().chain([outputs]) {
        let limit = (6.0 / (inputs + units) as f64).sqrt();
        let weight = (0..units * inputs).map(|_| ((2.0 * random.uniform() - 1.0) * limit) as f32).collect();
        layers.push((weight, vec![0.0; units]));
        inputs = units;
    }
    Dense::new(training.classes, layers)
}

/// Sums over examples.
#[derive(Clone, Debug, Default)]
struct Loss {
    sum: f64,
    correct: usize,
    n: usize,
}

impl Loss {
    fn add(&mut self, other: &Loss) {
        self.sum += other.sum;
        self.correct += other.correct;
        self.n += other.n;
    }

    fn mean(&self) -> f64 {
        self.sum / self.n as f64
    }

    fn accuracy(&self) -> f64 {
        self.correct as f64 / self.n as f64
    }
}

/// The weighted log loss of N × K scores, and the slope of its mean over the batch in each score.
///
/// The mean divides by the number of examples, not by the sum of their weights, as Keras does.
fn loss_and_slopes(scores: &[f32], batch: &Examples, class_weights: &[f64]) -> (Loss, Vec<f32>) {
    let outputs = scores.len() / batch.len();
    let mut loss = Loss { n: batch.len(), ..Loss::default() };
    let mut slopes = Vec::with_capacity(scores.len());
    let mut row = Vec::with_capacity(outputs);
    for (scores, label) in scores.chunks_exact(outputs).zip(&batch.labels) {
        row.clear();
        row.extend(scores.iter().map(|score| f64::from(*score)));
        let weight = class_weights[*label];
        if let [score] = row[..] {
            let margin = if *label == 1 { score } else { -score };
            loss.sum += weight * (libm::log1p(libm::exp(-margin.abs())) + (-margin).max(0.0));
            loss.correct += usize::from((score > 0.0) == (*label == 1));
            probabilities_from_scores(&mut row);
            row[0] -= *label as f64;
        } else {
            let (best, largest) = first_largest(&row);
            let sum: f64 = row.iter().map(|score| libm::exp(score - largest)).sum();
            loss.sum += weight * (libm::log(sum) + largest - row[*label]);
            loss.correct += usize::from(best == *label);
            probabilities_from_scores(&mut row);
            row[*label] -= 1.0;
        }
        slopes.extend(row.iter().map(|slope| (slope * weight / batch.len() as f64) as f32));
    }
    (loss, slopes)
}

/// The loss of examples that are not trained on, every one counting 1.
fn evaluate<'a>(team: &Team<'a>, examples: &Examples<'a>) -> Loss {
    let weights = vec![1.0; examples.classes];
    let positions: Vec<usize> = (0..examples.len()).collect();
    let mut total = Loss::default();
    for batch in positions.chunks(WATCHED_AT_ONCE) {
        let batch = examples.select(batch);
        let scores = team.forward(batch.plain());
        total.add(&loss_and_slopes(&scores, &batch, &weights).0);
    }
    total
}

#[cfg(test)]
#[path = "fit_tests.rs"]
mod tests;
