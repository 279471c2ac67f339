//! How strongly to regularise: stratified cross-validation on the training examples alone.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::train::data::{ClassWeight, Examples, Stop, class_counts};
use crate::train::folds::{Folds, stratified_folds};
use crate::train::logistic::{Limits, Problem, Table, solve};

/// The values of C that are tried: 10^-4 to 10^1 in half decades, the strongest penalty first.
pub const STRENGTHS: [f64; 11] = [
    0.0001,
    0.00031622776601683794,
    0.001,
    0.0031622776601683794,
    0.01,
    0.03162277660168379,
    0.1,
    0.31622776601683794,
    1.0,
    3.1622776601683795,
    10.0,
];

/// C where there are too few examples for a cross-validation.
pub const FALLBACK_STRENGTH: f64 = 0.01;

/// At most so many folds.
const FOLDS: usize = 5;

/// The passes of the cross-validation run in f32 and end early: an error of this size in a score moves the mean
/// log loss by far less than one row of the table differs from the next.
const LIMITS: Limits = Limits { tolerance: 0.1, iterations: 300 };

/// The choice of C and what it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StrengthChoice {
    /// C: the weight of the loss against the penalty.
    pub strength: f64,
    /// The number of folds; `None` if the smallest class has fewer than two examples, so that nothing was tried
    /// and C is [`FALLBACK_STRENGTH`].
    pub folds: Option<usize>,
    /// What was tried, in the order of [`STRENGTHS`].
    pub table: Vec<StrengthRow>,
}

/// How well one C predicts examples that it was not fitted on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StrengthRow {
    /// C.
    pub strength: f64,
    /// Mean log loss (nats) over all examples, each held out once.
    pub log_loss: f64,
    /// Share of the examples, each held out once, whose most probable class is theirs.
    pub accuracy: f64,
}

/// Chooses C by the lowest mean log loss over all held-out examples; of equal ones the stronger penalty.
///
/// The folds are stratified, seeded, and min(5, size of the smallest class) in number.
///
/// # Errors
/// [`ErrorKind::Configuration`](crate::ErrorKind) if a class has no example,
/// [`ErrorKind::Interrupted`](crate::ErrorKind) if asked to stop.
pub fn choose_strength(
    training: &Examples,
    class_weight: ClassWeight,
    seed: u64,
    threads: usize,
    stop: Stop,
) -> Result<StrengthChoice> {
    training.check_every_class_present()?;
    let Some(folds) = stratified_folds(&training.labels, training.classes, FOLDS, seed) else {
        return Ok(StrengthChoice { strength: FALLBACK_STRENGTH, folds: None, table: Vec::new() });
    };
    let groups = threads.clamp(1, folds.count);
    let table = Table::new(&training.rows, training.width, threads / groups);
    let group_size = folds.count.div_ceil(groups);
    let all: Vec<usize> = (0..folds.count).collect();
    let outcomes: Vec<Result<Vec<HeldOut>>> = std::thread::scope(|scope| {
        let workers: Vec<_> = all
            .chunks(group_size)
            .map(|group| {
                let (folds, table) = (&folds, &table);
                scope.spawn(move || held_out_losses(training, table, folds, group, class_weight, stop))
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("the solver does not panic")).collect()
    });
    let mut losses = vec![vec![(0.0, false); training.len()]; STRENGTHS.len()];
    for outcome in outcomes {
        for held_out in outcome? {
            losses[held_out.strength][held_out.row] = (held_out.loss, held_out.correct);
        }
    }
    let n = training.len() as f64;
    let row = |(strength, losses): (&f64, &Vec<(f64, bool)>)| StrengthRow {
        strength: *strength,
        log_loss: losses.iter().map(|(loss, _)| loss).sum::<f64>() / n,
        accuracy: losses.iter().filter(|(_, correct)| *correct).count() as f64 / n,
    };
    let table: Vec<StrengthRow> = STRENGTHS.iter().zip(&losses).map(row).collect();
    let best =
        table.iter().fold(&table[0], |best, row| if row.log_loss < best.log_loss { row } else { best });
    Ok(StrengthChoice { strength: best.strength, folds: Some(folds.count), table })
}

struct HeldOut {
    /// Position in [`STRENGTHS`].
    strength: usize,
    row: usize,
    loss: f64,
    correct: bool,
}

/// Fits a group of folds with every C, each from the solution of the one before it.
fn held_out_losses(
    training: &Examples,
    table: &Table,
    folds: &Folds,
    group: &[usize],
    class_weight: ClassWeight,
    stop: Stop,
) -> Result<Vec<HeldOut>> {
    let mut problems: Vec<Problem> = group
        .iter()
        .map(|fold| {
            let trained: Vec<usize> =
                folds.positions(*fold, false).iter().map(|position| training.labels[*position]).collect();
            let class_weights = class_weight.of(&class_counts(&trained, training.classes));
            let rows = training.labels.iter().zip(&folds.fold_of);
            let weights =
                rows.map(|(label, of)| if of == fold { 0.0 } else { STRENGTHS[0] * class_weights[*label] });
            Problem::new(table, &training.labels, training.classes, weights.collect())
        })
        .collect();
    let mut outcomes = Vec::new();
    for (index, strength) in STRENGTHS.iter().enumerate() {
        if index > 0 {
            let factor = strength / STRENGTHS[index - 1];
            problems.iter_mut().for_each(|problem| problem.strengthen(table, factor));
        }
        solve::<f32>(table, &mut problems, LIMITS, stop, |_| {})?;
        for (problem, fold) in problems.iter().zip(group) {
            outcomes.extend(folds.positions(*fold, true).into_iter().map(|row| {
                let (loss, correct) = problem.loss(row);
                HeldOut { strength: index, row, loss, correct }
            }));
        }
    }
    Ok(outcomes)
}
