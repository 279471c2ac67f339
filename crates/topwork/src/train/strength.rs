//! How strongly to regularise: stratified cross-validation on the training examples alone.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::train::data::{ClassWeight, Examples, Stop, class_counts};
use crate::train::folds::{Folds, stratified_folds};
use crate::train::logistic::{Limits, Problem, Table, rescore, solve};

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

/// Every C is fitted, ever closer to its solution where it matters: a round brings the scores of its values of C to
/// within a tolerance (see [`Limits`]), and the next takes those whose log loss exceeds the lowest by at most a share
/// of it. The tolerance bounds the worst row in the worst case; the log loss itself is much closer. On 1,700 photos of
/// cats and dogs and 1,000 of five breeds, log losses within a tenth of the lowest were wrong by at most .9 % at a
/// tolerance of 5 and .2 % at 1; far from the lowest by up to 7 % at 2. Passes run in f32.
const ROUNDS: [(f64, f64); 3] = [(2.0, 0.1), (0.5, 0.02), (0.1, 0.0)];

/// Steps of one fit; reached only by data on which rounding ends progress anyway.
const ITERATIONS: usize = 300;

/// The choice of C and what it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StrengthChoice {
    /// C: the weight of the loss against the penalty.
    pub strength: f64,
    /// The number of folds; `None` if the smallest class has fewer than two examples, so that nothing was tried
    /// and C is [`FALLBACK_STRENGTH`].
    pub folds: Option<usize>,
    /// What was tried, in the order of [`STRENGTHS`]. The further a row is from the lowest log loss, the coarser is its
    /// own: far away it may be wrong by some percent, the lowest is good to four digits.
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
    let workers = threads.clamp(1, folds.count);
    let table = Table::new(&training.rows, training.width, threads / workers);
    let all: Vec<usize> = (0..folds.count).collect();
    let mut groups: Vec<Group> = all
        .chunks(folds.count.div_ceil(workers))
        .map(|members| Group::new(training, &table, &folds, members, class_weight))
        .collect();
    let n = training.len() as f64;
    let mut losses = vec![vec![(0.0, false); training.len()]; STRENGTHS.len()];
    let mut rows: Vec<StrengthRow> = Vec::new();
    let mut wanted: Vec<usize> = (0..STRENGTHS.len()).collect();
    for (tolerance, share) in ROUNDS {
        let limits = Limits { tolerance, least_spread: 0.02, iterations: ITERATIONS };
        let outcomes: Vec<Result<Vec<HeldOut>>> = std::thread::scope(|scope| {
            let (folds, table, wanted) = (&folds, &table, &wanted);
            let workers: Vec<_> = groups
                .iter_mut()
                .map(|group| scope.spawn(move || group.fit(table, folds, wanted, limits, stop)))
                .collect();
            workers.into_iter().map(|worker| worker.join().expect("the solver does not panic")).collect()
        });
        for outcome in outcomes {
            for held_out in outcome? {
                losses[held_out.strength][held_out.row] = (held_out.loss, held_out.correct);
            }
        }
        let row = |(strength, losses): (&f64, &Vec<(f64, bool)>)| StrengthRow {
            strength: *strength,
            log_loss: losses.iter().map(|(loss, _)| loss).sum::<f64>() / n,
            accuracy: losses.iter().filter(|(_, correct)| *correct).count() as f64 / n,
        };
        rows = STRENGTHS.iter().zip(&losses).map(row).collect();
        let lowest = rows.iter().map(|row| row.log_loss).fold(f64::INFINITY, f64::min);
        wanted = (0..rows.len()).filter(|index| rows[*index].log_loss <= (1.0 + share) * lowest).collect();
    }
    let best = rows.iter().fold(&rows[0], |best, row| if row.log_loss < best.log_loss { row } else { best });
    Ok(StrengthChoice { strength: best.strength, folds: Some(folds.count), table: rows })
}

struct HeldOut {
    /// Position in [`STRENGTHS`].
    strength: usize,
    row: usize,
    loss: f64,
    correct: bool,
}

/// Folds whose problems advance together, in one thread.
struct Group<'a> {
    folds: &'a [usize],
    problems: Vec<Problem<'a>>,
    /// Position in [`STRENGTHS`] of the C that the problems have now.
    strength: usize,
    /// Where the fit of each C has got to, one point a fold; empty before the first.
    points: Vec<Vec<Vec<f64>>>,
}

impl<'a> Group<'a> {
    fn new(
        training: &'a Examples,
        table: &Table,
        folds: &Folds,
        members: &'a [usize],
        class_weight: ClassWeight,
    ) -> Group<'a> {
        let problem = |fold: &usize| {
            let trained: Vec<usize> =
                folds.positions(*fold, false).iter().map(|position| training.labels[*position]).collect();
            let class_weights = class_weight.of(&class_counts(&trained, training.classes));
            let rows = training.labels.iter().zip(&folds.fold_of);
            let weights =
                rows.map(|(label, of)| if of == fold { 0.0 } else { STRENGTHS[0] * class_weights[*label] });
            Problem::new(table, &training.labels, training.classes, weights.collect())
        };
        let problems = members.iter().map(problem).collect();
        Group { folds: members, problems, strength: 0, points: vec![Vec::new(); STRENGTHS.len()] }
    }

    /// Fits with each wanted C: first from the solution of the one before it, later from where its own fit ended.
    fn fit(
        &mut self,
        table: &Table,
        folds: &Folds,
        wanted: &[usize],
        limits: Limits,
        stop: Stop,
    ) -> Result<Vec<HeldOut>> {
        let mut outcomes = Vec::new();
        for &strength in wanted {
            let factor = STRENGTHS[strength] / STRENGTHS[self.strength];
            if !self.points[strength].is_empty() {
                for (problem, point) in self.problems.iter_mut().zip(self.points[strength].drain(..)) {
                    problem.resume(table, factor, point);
                }
                rescore::<f32>(table, &mut self.problems);
            } else if strength > 0 {
                self.problems.iter_mut().for_each(|problem| problem.strengthen(table, factor));
            }
            self.strength = strength;
            solve::<f32>(table, &mut self.problems, limits, stop, |_| {})?;
            self.points[strength] = self.problems.iter().map(|problem| problem.point().to_vec()).collect();
            for (problem, fold) in self.problems.iter().zip(self.folds) {
                outcomes.extend(folds.positions(*fold, true).into_iter().map(|row| {
                    let (loss, correct) = problem.loss(row);
                    HeldOut { strength, row, loss, correct }
                }));
            }
        }
        Ok(outcomes)
    }
}
