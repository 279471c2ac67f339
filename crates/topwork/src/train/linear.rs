//! The linear head: fitted to convergence, with the strength chosen by cross-validation.

use crate::error::{Error, ErrorKind, Result};
use crate::head::{Head, Linear};
use crate::train::data::{ClassWeight, Examples, Stop};
use crate::train::folds::Folds;
use crate::train::history::{Epoch, History};
use crate::train::logistic::{Limits, Problem, Table, rescore, solve};
use crate::train::strength::{StrengthChoice, choose_strength};

/// Scores within 10^-5 of the solution, so probabilities within 2.5 · 10^-6 (scores of more classes alike).
const LIMITS: Limits = Limits { tolerance: 1e-5, least_spread: 1.0, iterations: 5_000 };

/// Most of the way goes in f32; what that leaves out of account is made good by the scores being computed anew in f64.
const FIRST_LIMITS: Limits = Limits { tolerance: 0.03, least_spread: 1.0, iterations: 1_000 };

/// A fitted linear head.
#[derive(Clone, Debug)]
pub struct LinearFit {
    /// The head.
    pub head: Linear,
    /// One row an iteration. It has no best epoch: the problem is convex, the last row is its one solution.
    pub history: History,
    /// `false` if rounding or the limit of iterations ended the fit before it was exact to 10^-5.
    pub converged: bool,
}

/// Fits logistic regression: the minimum of C · Σ weight · loss + ½‖W‖², the intercept not penalised.
///
/// Two classes have one weight vector (binomial loss), more have one each (multinomial loss), as scikit-learn's
/// `LogisticRegression`. Validation examples are only watched, for the history.
///
/// # Errors
/// [`ErrorKind::Configuration`] if a class has no example, C is not a positive number or validation does not fit,
/// [`ErrorKind::Interrupted`] if asked to stop.
pub fn fit_linear(
    training: &Examples,
    validation: Option<&Examples>,
    class_weight: ClassWeight,
    strength: f64,
    threads: usize,
    stop: Stop,
) -> Result<LinearFit> {
    training.check_every_class_present()?;
    if !(strength.is_finite() && strength > 0.0) {
        return Err(Error::new(
            ErrorKind::Configuration,
            format!("C must be a positive number, not {strength}"),
        ));
    }
    let class_weights = class_weight.of(&training.class_counts());
    let mut rows = training.rows.clone();
    let mut labels = training.labels.clone();
    let mut weights: Vec<f64> = labels.iter().map(|label| strength * class_weights[*label]).collect();
    if let Some(validation) = validation {
        if (validation.width, validation.classes) != (training.width, training.classes) {
            let message =
                "validation examples have another width or number of classes than training examples";
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        rows.extend_from_slice(&validation.rows);
        labels.extend_from_slice(&validation.labels);
        weights.resize(rows.len(), 0.0);
    }
    let table = Table::new(&rows, training.width, threads);
    let mut problems = [Problem::new(&table, &labels, training.classes, weights)];
    let mut history = History::default();
    let mut watch = |problem: &Problem| {
        let (loss, accuracy) = mean_loss(problem, 0..training.len());
        let watched = (rows.len() > training.len()).then(|| mean_loss(problem, training.len()..rows.len()));
        history.epochs.push(Epoch {
            epoch: history.epochs.len() + 1,
            loss,
            accuracy,
            val_loss: watched.map(|(loss, _)| loss),
            val_accuracy: watched.map(|(_, accuracy)| accuracy),
            learning_rate: problem.step,
        });
    };
    solve::<f32>(&table, &mut problems, FIRST_LIMITS, stop, &mut watch)?;
    let point = problems[0].point().to_vec();
    problems[0].resume(&table, 1.0, point);
    rescore::<f64>(&table, &mut problems);
    solve::<f64>(&table, &mut problems, LIMITS, stop, &mut watch)?;
    let (weights, intercepts) = problems[0].weights_and_intercepts(&table);
    let head = Linear::from_f64(training.classes, &weights, &intercepts)?;
    Ok(LinearFit { head, history, converged: problems[0].converged() })
}

fn mean_loss(problem: &Problem, rows: std::ops::Range<usize>) -> (f64, f64) {
    let n = rows.len() as f64;
    let (mut loss, mut correct) = (0.0, 0.0);
    for row in rows {
        let (row_loss, is_correct) = problem.loss(row);
        loss += row_loss;
        correct += f64::from(u8::from(is_correct));
    }
    (loss / n, correct / n)
}

/// Chooses C by cross-validation on the training examples, then fits all of them with it.
///
/// # Errors
/// As [`choose_strength`] and [`fit_linear`].
pub fn train_linear(
    training: &Examples,
    validation: Option<&Examples>,
    class_weight: ClassWeight,
    seed: u64,
    threads: usize,
    stop: Stop,
) -> Result<(LinearFit, StrengthChoice)> {
    let choice = choose_strength(training, class_weight, seed, threads, stop)?;
    let fit = fit_linear(training, validation, class_weight, choice.strength, threads, stop)?;
    Ok((fit, choice))
}

/// Predictions for every example by a head that was not trained on it.
#[derive(Clone, Debug)]
pub struct CrossValidation {
    /// Which fold each example was held out in.
    pub folds: Folds,
    /// N × K probabilities.
    pub probabilities: Vec<f64>,
    /// The choice of C in each fold, made inside the fold's training part.
    pub choices: Vec<StrengthChoice>,
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
    threads: usize,
    stop: Stop,
) -> Result<CrossValidation> {
    if folds.fold_of.len() != examples.len() || folds.fold_of.iter().any(|fold| *fold >= folds.count) {
        let message = format!("folds for {} examples do not fit {}", folds.fold_of.len(), examples.len());
        return Err(Error::new(ErrorKind::Configuration, message));
    }
    let mut choices = Vec::with_capacity(folds.count);
    let probabilities = out_of_fold(examples, folds, |training, _| {
        let (fit, choice) = train_linear(training, None, class_weight, seed, threads, stop)?;
        choices.push(choice);
        Ok(fit)
    })?;
    Ok(CrossValidation { folds: folds.clone(), probabilities, choices })
}

/// N × K probabilities: `train` is given the other folds' examples and the fold's number, once a fold.
pub(crate) fn out_of_fold(
    examples: &Examples,
    folds: &Folds,
    mut train: impl FnMut(&Examples, usize) -> Result<LinearFit>,
) -> Result<Vec<f64>> {
    let mut probabilities = vec![0.0; examples.len() * examples.classes];
    for fold in 0..folds.count {
        let head = Head::Linear(train(&examples.select(&folds.positions(fold, false)), fold)?.head);
        for position in folds.positions(fold, true) {
            let row = head.probabilities(examples.rows[position]);
            probabilities[position * examples.classes..][..examples.classes].copy_from_slice(&row);
        }
    }
    Ok(probabilities)
}
