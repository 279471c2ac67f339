//! The linear head: fitted to convergence, with the strength chosen by cross-validation.

use topwork_kernels::Isa;

use crate::error::{Error, ErrorKind, Result};
use crate::execution::Execution;
use crate::features::Tap;
use crate::head::{Head, Linear};
use crate::train::choice::{COARSE, LinearChoice, STRENGTHS, Start, ahead, choose};
use crate::train::data::{ClassWeight, Examples};
use crate::train::folds::Folds;
use crate::train::history::{Epoch, History};
use crate::train::logistic::{Problem, StopRule, Tolerance, rescore, solve};
use crate::train::stage::{OnStage, Stage};
use crate::train::table::{Precision, Scaling, Table};

/// Most of the way goes in f32, to where another step would win less than 10^-4 of the objective.
const FIRST_RULE: StopRule = StopRule { tolerance: Tolerance::Expected(1e-4), iterations: 500 };

/// Then f64, until scores are within 10^-5 of the solution, so probabilities within 2.5 · 10^-6 (of more classes alike) …
const PROOF: Tolerance = Tolerance::Proved(1e-5);

/// … where a step takes at most this many multiplications. What f32 leaves is below what any figure of a report shows, and
/// f64 takes several times as long.
const POLISHED: usize = 10_000_000;

/// A fitted linear head.
#[derive(Clone, Debug)]
pub struct LinearFit {
    /// The head.
    pub head: Linear,
    /// What it takes of the tapped map; `None` if it takes the last map alone.
    pub tap: Option<Tap>,
    /// One row an iteration. It has no best epoch: the problem is convex, the last row is its one solution.
    pub history: History,
    /// Whether scores are proved to lie within 10^-5 of the solution's; where that would take long, whether another step
    /// would win less than 10^-4 of the objective.
    pub converged: bool,
}

/// What a linear head rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearSettings {
    /// C: the weight of the loss against the penalty.
    pub strength: f64,
    /// The weight of the tapped map's features, scaled to the same total variance as the last map's; 0 leaves them out.
    pub tap_weight: f64,
    /// How much an example of each class counts.
    pub class_weight: ClassWeight,
}

/// Fits logistic regression: the minimum of C · Σ weight · loss + ½‖W‖², the intercept not penalised.
///
/// Two classes have one weight vector (binomial loss), more have one each (multinomial loss), as scikit-learn's
/// `LogisticRegression`. Validation examples are only watched, for the history.
///
/// # Errors
/// [`ErrorKind::Configuration`] if a class has no example, C is not a positive number, the tapped map's weight is negative
/// or there is no such map, or validation does not fit; [`ErrorKind::Interrupted`] if asked to stop.
pub fn fit_linear(
    training: &Examples,
    validation: Option<&Examples>,
    settings: LinearSettings,
    execution: Execution,
    on_stage: OnStage,
) -> Result<LinearFit> {
    fit(training, validation, settings, (&Scaling::of(training, execution.isa), None), execution, on_stage)
}

fn fit(
    training: &Examples,
    validation: Option<&Examples>,
    settings: LinearSettings,
    (scaling, start): (&Scaling, Option<Start>),
    execution: Execution,
    on_stage: OnStage,
) -> Result<LinearFit> {
    training.check_every_class_present()?;
    let LinearSettings { strength, tap_weight, class_weight } = settings;
    let fail = |message: String| Err(Error::new(ErrorKind::Configuration, message));
    if !(strength.is_finite() && strength > 0.0) {
        return fail(format!("C must be a positive number, not {strength}"));
    }
    if !(tap_weight.is_finite() && tap_weight >= 0.0) {
        return fail(format!("the weight of the tapped map must be a number from 0 on, not {tap_weight}"));
    }
    if tap_weight > 0.0 && training.tap().is_none() {
        return fail("a weight of the tapped map, but the examples have no such map".to_owned());
    }
    let tap = scaling.tap(training, tap_weight);
    let table = Table::new(training.clone(), scaling, tap.is_some(), execution);
    let validation = match validation {
        None => None,
        Some(validation) => {
            training.check_same_shape(validation)?;
            Some(Table::new(validation.clone(), scaling, tap.is_some(), execution))
        }
    };
    let weights = class_weight.of(&training.class_counts());
    let mut history = History::default();
    let watched = validation.as_ref();
    let ahead = if start.is_some() { Vec::new() } else { ahead(strength) };
    let way: Vec<f64> = ahead.into_iter().map(|at| STRENGTHS[at]).chain([strength]).collect();
    let mut first = Problem::<f32>::new(&table, &training.labels, tap_weight, way[0], &weights);
    if let Some(start) = start {
        let point = start.of_width(table.width, first.outputs);
        first.go_to(&table, point);
        rescore(&table, &mut [&mut first])?;
    }
    for steps in way.windows(2) {
        run(&table, &mut first, COARSE, watched, &mut history, on_stage)?;
        first.strengthen(&table, steps[1] / steps[0]);
    }
    run(&table, &mut first, FIRST_RULE, watched, &mut history, on_stage)?;
    let (point, mut converged) = (first.point().to_vec(), first.converged());
    let mut solution = first.weights_and_intercepts(&table);
    let step = 2 * table.len() * table.width * first.outputs;
    drop(first);
    if step <= POLISHED {
        let limits = StopRule { tolerance: PROOF, iterations: 5_000 };
        let mut exact = Problem::<f64>::new(&table, &training.labels, tap_weight, strength, &weights);
        exact.go_to(&table, point);
        rescore(&table, &mut [&mut exact])?;
        run(&table, &mut exact, limits, watched, &mut history, on_stage)?;
        solution = exact.weights_and_intercepts(&table);
        converged = exact.converged();
    }
    let head = Linear::from_f64(training.classes, &solution.0, &solution.1)?;
    Ok(LinearFit { head, tap, history, converged })
}

/// Solves a problem from where it is.
fn run<T: Precision>(
    table: &Table,
    problem: &mut Problem<T>,
    limits: StopRule,
    validation: Option<&Table>,
    history: &mut History,
    on_stage: OnStage,
) -> Result<()> {
    solve(table, &mut [problem], limits, |problem| {
        on_stage(Stage::Fitting { step: history.epochs.len() + 1 });
        let (loss, accuracy) = means(&problem.own_losses(table));
        let watched = match validation {
            Some(validation) => Some(means(&problem.losses(validation)?)),
            None => None,
        };
        history.epochs.push(Epoch {
            epoch: history.epochs.len() + 1,
            loss,
            accuracy,
            val_loss: watched.map(|(loss, _)| loss),
            val_accuracy: watched.map(|(_, accuracy)| accuracy),
            learning_rate: problem.step,
        });
        Ok(())
    })
}

fn means(losses: &[(f64, bool)]) -> (f64, f64) {
    let n = losses.len() as f64;
    let loss: f64 = losses.iter().map(|(loss, _)| loss).sum();
    let correct = losses.iter().filter(|(_, correct)| *correct).count();
    (loss / n, correct as f64 / n)
}

/// Chooses C and the features by cross-validation on the training examples, then fits all of them with that.
///
/// # Errors
/// As [`choose_linear`](crate::train::choose_linear) and [`fit_linear`].
pub fn train_linear(
    training: &Examples,
    validation: Option<&Examples>,
    class_weight: ClassWeight,
    seed: u64,
    execution: Execution,
    on_stage: OnStage,
) -> Result<(LinearFit, LinearChoice)> {
    let scaling = Scaling::of(training, execution.isa);
    let (choice, start) = choose(training, &scaling, class_weight, seed, execution, on_stage)?;
    let LinearChoice { strength, tap_weight, .. } = choice;
    let settings = LinearSettings { strength, tap_weight, class_weight };
    let fit = fit(training, validation, settings, (&scaling, start), execution, on_stage)?;
    Ok((fit, choice))
}

/// Predictions for every example by a head that was not trained on it.
#[derive(Clone, Debug)]
pub struct CrossValidation {
    /// Which fold each example was held out in.
    pub folds: Folds,
    /// N × K probabilities.
    pub probabilities: Vec<f64>,
    /// The choice of C and the features in each fold, made inside the fold's training part.
    pub choices: Vec<LinearChoice>,
}

/// Trains once a fold, on the other folds alone (the choice of C included), and predicts the fold.
///
/// # Errors
/// As [`train_linear`]; [`ErrorKind::Configuration`] if the folds do not fit the examples.
pub fn cross_validate(
    examples: &Examples,
    folds: &Folds,
    class_weight: ClassWeight,
    seed: u64,
    execution: Execution,
    on_stage: OnStage,
) -> Result<CrossValidation> {
    if folds.fold_of.len() != examples.len() || folds.fold_of.iter().any(|fold| *fold >= folds.count) {
        let message = format!("folds for {} examples do not fit {}", folds.fold_of.len(), examples.len());
        return Err(Error::new(ErrorKind::Configuration, message));
    }
    let mut choices = Vec::with_capacity(folds.count);
    let probabilities = out_of_fold(examples, folds, execution.isa, |training, _| {
        let (fit, choice) = train_linear(training, None, class_weight, seed, execution, on_stage)?;
        choices.push(choice);
        Ok(fit)
    })?;
    Ok(CrossValidation { folds: folds.clone(), probabilities, choices })
}

/// N × K probabilities: `train` is given the other folds' examples and the fold's number, once a fold.
pub(crate) fn out_of_fold(
    examples: &Examples,
    folds: &Folds,
    isa: Isa,
    mut train: impl FnMut(&Examples, usize) -> Result<LinearFit>,
) -> Result<Vec<f64>> {
    let mut probabilities = vec![0.0; examples.len() * examples.classes];
    for fold in 0..folds.count {
        let LinearFit { head, tap, .. } = train(&examples.select(&folds.train_indices(fold)), fold)?;
        let head = Head::Linear(head);
        for position in folds.held_out_indices(fold) {
            let row = head.probabilities(isa, &examples.inputs(position, tap.as_ref()));
            probabilities[position * examples.classes..][..examples.classes].copy_from_slice(&row);
        }
    }
    Ok(probabilities)
}
