//! How strongly to regularise, and whether the middle of the network helps: cross-validation on the training examples
//! alone.
//!
//! C is walked from a strong penalty to weaker ones, each fit beginning where the last one ended, until the log loss of the
//! held-out fold has turned. Every weight of the tapped map walks its own way, in the same passes over the features. A fold
//! is held out after the other, while another one could still change the choice and the effort is in proportion.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::execution::Execution;
use crate::features::Tap;
use crate::head::outputs;
use crate::random::Random;
use crate::train::data::{ClassWeight, Examples, class_counts};
use crate::train::folds::{deal, groups_of_classes, shuffled};
use crate::train::logistic::{Problem, StopRule, Tolerance, rescore, solve};
use crate::train::stage::{OnStage, Stage};
use crate::train::table::{Scaling, Table};

/// The values of C that are tried: 10^-4 to 10^2 in half decades, the strongest penalty first.
pub const STRENGTHS: [f64; 13] = [
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
    31.622776601683793,
    100.0,
];

/// C where nothing can be held out.
pub const FALLBACK_STRENGTH: f64 = 1.0;

/// The weights of the tapped map that are tried, beside features of the same total variance; 0 leaves it out.
pub const TAP_WEIGHTS: [f64; 3] = [0.0, 0.5, 1.0];

/// At most so many folds.
const FOLDS: usize = 5;

/// Where the walk starts in [`STRENGTHS`]; it goes back where the best lies here.
const START: usize = 2;

/// When a fit that is judged is close enough to its solution.
const RULE: StopRule = StopRule { tolerance: Tolerance::Expected(3e-4), iterations: 100 };

/// For what is only on the way.
pub(crate) const COARSE: StopRule = StopRule { tolerance: Tolerance::Expected(1e-3), iterations: 100 };

/// A loss counts as turned where it exceeds the best by this share, and by twice the standard error.
const TURNED: f64 = 0.01;

/// A smaller share of the log loss is not worth another C, or another fold.
const WORTH: f64 = 0.0025;

/// With so many examples held out a loss that falls no more is believed at once.
const MANY: usize = 200;

/// Standard errors by which the tapped map must win …
const MARGIN: f64 = 2.0;

/// … and more where few examples were held out, whose differences say little about their own spread: three times as many
/// standard errors with four of them, 1.4 times with twenty.
const FEW: f64 = 8.0;

/// Multiplications for each example that the choice may take: with few classes a quarter of what the features of a photo
/// take, the final fit and a middle way counted.
const EFFORT: f64 = 5e6;

/// Fewer are no effort: half a second. With less, two classes of 1,000 photos are chosen for by one fold, which errs.
const LEAST_EFFORT: f64 = 1e10;

/// Steps of L-BFGS that a walk takes, as a rule.
const STEPS: f64 = 35.0;

/// What a head rests on, and how it was chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinearChoice {
    /// C: the weight of the loss against the penalty.
    pub strength: f64,
    /// The weight of the tapped map's features, beside the last map's and with the same total variance; 0 if they are not
    /// used.
    pub tap_weight: f64,
    /// The folds that were held out, of five or as many as there are examples that can be; `None` if no class has two
    /// examples, so that nothing was tried and C is [`FALLBACK_STRENGTH`].
    pub folds: Option<usize>,
    /// What was tried, by weight of the tapped map and C.
    pub trials: Vec<Trial>,
    /// What the tapped map wins over the last one with its own best C; `None` if there is no such map.
    pub gain: Option<Gain>,
}

/// How well a setting predicts examples that it was not fitted on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// C.
    pub strength: f64,
    /// The weight of the tapped map.
    pub tap_weight: f64,
    /// Examples held out, each once.
    pub photos: usize,
    /// Mean log loss (nats) over them.
    pub log_loss: f64,
    /// Share of them whose most probable class is theirs.
    pub accuracy: f64,
}

/// What the tapped map wins, on examples that were held out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gain {
    /// Mean difference of the log losses, each setting with its own best C; above 0 where the map helps.
    pub log_loss: f64,
    /// Its standard error.
    pub standard_error: f64,
}

impl LinearChoice {
    /// Whether the best C is the last that was tried, so that a better one may lie beyond.
    pub fn is_at_the_end(&self) -> bool {
        let ends = [STRENGTHS[0], STRENGTHS[STRENGTHS.len() - 1]];
        self.folds.is_some() && ends.contains(&self.strength)
    }

    fn fallback() -> LinearChoice {
        LinearChoice {
            strength: FALLBACK_STRENGTH,
            tap_weight: 0.0,
            folds: None,
            trials: Vec::new(),
            gain: None,
        }
    }
}

/// Chooses C, and the weight of the tapped map if the examples have one, by the mean log loss of examples held out. With the
/// choice comes what a head takes of the tapped map.
///
/// The last map alone is chosen unless the tapped one wins by more than twice the standard error of the paired differences,
/// and by more where few examples were held out.
/// A held-out example counts 1, whatever the class weights of the fits.
///
/// Folds are seeded. The examples of a class are dealt out to all of them, so that a held-out example always has another of
/// its class to be learned from; a class with a single example is always learned from and never held out.
///
/// # Errors
/// [`ErrorKind::Configuration`](crate::ErrorKind) if a class has no example,
/// [`ErrorKind::Interrupted`](crate::ErrorKind) if asked to stop.
pub fn choose_linear(
    training: &Examples,
    class_weight: ClassWeight,
    seed: u64,
    execution: Execution,
    on_stage: OnStage,
) -> Result<(LinearChoice, Option<Tap>)> {
    let scaling = Scaling::of(training, execution.isa);
    let (choice, _) = choose(training, &scaling, class_weight, seed, execution, on_stage)?;
    let tap = scaling.tap(training, choice.tap_weight);
    Ok((choice, tap))
}

/// With the choice, where a fit to other examples of the same classes ended that is as good as its own start.
pub(crate) fn choose(
    training: &Examples,
    scaling: &Scaling,
    class_weight: ClassWeight,
    seed: u64,
    execution: Execution,
    on_stage: OnStage,
) -> Result<(LinearChoice, Option<Start>)> {
    training.check_every_class_present()?;
    let search = |examples| Search::new(examples, scaling, class_weight, seed, execution, on_stage);
    let Some(mut whole) = search(training) else {
        return Ok((LinearChoice::fallback(), None));
    };
    let tap_weights: &[f64] =
        if scaling.tap_factor > 0.0 && training.tap().is_some() { &[0.0, 1.0] } else { &[0.0] };
    let outputs = outputs(training.classes);
    let each = STEPS * step_cost(1.0, scaling.width(), outputs) * tap_weights.len() as f64;
    let effort = effort(training.len(), training.classes);
    let least = (50 * training.classes).max(5_000);
    if training.len() <= least || each * training.len() as f64 <= effort {
        return whole.among(tap_weights, START, effort);
    }
    // A part of the examples tells how much the tapped map counts; C is chosen anew on all of them, from where the part's
    // solution is. None of the part is held out then.
    let apart: Vec<bool> = whole.fold_of.iter().map(|fold| *fold == Some(0)).collect();
    let part = subset(training, &apart, least.max((0.2 * effort / each) as usize), seed);
    let part = training.select(&part);
    let Some(search) = search(&part) else {
        return Ok((LinearChoice::fallback(), None));
    };
    let first;
    (first, whole.begun) = search.among(tap_weights, START, 0.2 * effort)?;
    let near = STRENGTHS.iter().position(|strength| *strength == first.strength).unwrap_or(START);
    let (mut choice, start) = whole.among(&[first.tap_weight], near.saturating_sub(1), 0.0)?;
    choice.gain = first.gain;
    choice.trials.extend(first.trials.into_iter().filter(|trial| trial.tap_weight != first.tap_weight));
    choice.trials.sort_by(|one, other| {
        let key = |trial: &Trial| [trial.tap_weight, trial.strength];
        key(one).partial_cmp(&key(other)).unwrap_or(std::cmp::Ordering::Equal)
    });
    Ok((choice, start))
}

/// What the choice may cost, in multiplications.
fn effort(examples: usize, classes: usize) -> f64 {
    let classes = classes as f64;
    let share = (classes / 8.0).min(1.0) * (classes / 45.0).clamp(1.0, 4.0);
    // A few more, where classes are many and the examples of each few: much hangs on the choice.
    let more = if classes > 20.0 { 1_000.0 } else { 0.0 };
    ((examples as f64 + more) * EFFORT * share).max(LEAST_EFFORT)
}

/// A step of L-BFGS: two products, and the making of the rows.
fn step_cost(rows: f64, width: usize, outputs: usize) -> f64 {
    rows * width as f64 * (2 * outputs + 8) as f64
}

/// The fold in which each example is held out, and the number of folds; `None` if there is nothing to hold out.
pub(crate) fn dealt(
    labels: &[usize],
    groups: Option<&[usize]>,
    classes: usize,
    seed: u64,
) -> Option<(Vec<Option<usize>>, usize)> {
    let counts = match groups {
        Some(groups) => groups_of_classes(labels, groups, classes),
        None => class_counts(labels, classes),
    };
    let folds = FOLDS.min(counts.iter().filter(|count| **count > 1).sum::<usize>());
    if folds < 2 {
        return None;
    }
    let fold_of = deal(labels, groups, classes, folds, 2, seed);
    // Groups with examples of several classes may be fewer than the folds, which are filled in their order.
    let folds = fold_of.iter().flatten().max().map_or(0, |last| last + 1);
    (folds >= 2).then_some((fold_of, folds))
}

/// About so many examples that do not stand apart, the same share of each class but at least two where there are two.
fn subset(training: &Examples, apart: &[bool], wanted: usize, seed: u64) -> Vec<usize> {
    let mut random = Random::new(seed, "subset");
    let share = wanted as f64 / apart.iter().filter(|apart| !**apart).count().max(1) as f64;
    let mut kept = Vec::new();
    for class in 0..training.classes {
        let mut positions = shuffled(&training.labels, class, &mut random);
        positions.retain(|position| !apart[*position]);
        let count = ((positions.len() as f64 * share).ceil() as usize).max(2).min(positions.len());
        kept.extend_from_slice(&positions[..count]);
    }
    kept.sort_unstable();
    kept
}

/// A weight of the tapped map, and the values of C that it meets.
#[derive(Clone)]
struct Lane {
    tap_weight: f64,
    /// Positions in [`STRENGTHS`] that are fitted coarsely, on the way to those that are judged.
    ahead: Vec<usize>,
    /// Positions that are judged.
    walk: Vec<usize>,
}

impl Lane {
    /// Judges the values of C at these positions.
    fn new(tap_weight: f64, walk: Range<usize>) -> Lane {
        Lane { tap_weight, ahead: ahead(STRENGTHS[walk.start]), walk: walk.collect() }
    }

    fn len(&self) -> usize {
        self.ahead.len() + self.walk.len()
    }

    fn strength(&self, step: usize) -> f64 {
        STRENGTHS[self.ahead.iter().chain(&self.walk).copied().nth(step).unwrap_or(START)]
    }
}

/// On the way to a C: a penalty far too strong first, then one weaker by a factor of ten after the other. From there the
/// solution is a few steps away, from zero it may be hundreds.
pub(crate) fn ahead(strength: f64) -> Vec<usize> {
    (START..STRENGTHS.len()).step_by(2).take_while(|at| STRENGTHS[*at] < 0.9 * strength).collect()
}

/// A weight of the tapped map in thousandths, and the position of a C.
type Setting = (u32, usize);

fn setting(tap_weight: f64, strength: usize) -> Setting {
    ((tap_weight * 1000.0).round() as u32, strength)
}

struct Search<'a> {
    training: &'a Examples<'a>,
    scaling: &'a Scaling,
    class_weight: ClassWeight,
    execution: Execution<'a>,
    on_stage: OnStage<'a>,
    fold_of: Vec<Option<usize>>,
    folds: usize,
    /// Folds that were held out.
    used: usize,
    /// Multiplications.
    spent: f64,
    /// Log loss and verdict of the examples held out so far, fold by fold; shorter where a setting dropped out.
    trials: BTreeMap<Setting, Vec<(f64, bool)>>,
    /// For each weight of the tapped map, the last solution with the C that was then its best.
    starts: BTreeMap<u32, Start>,
    /// Where the first fit begins in place of zero, if it has one lane.
    begun: Option<Start>,
}

/// Where a fit may start.
pub(crate) struct Start {
    /// K × D weights, then K intercepts, as [`Problem::point`] gives them.
    point: Vec<f64>,
    width: usize,
}

impl Start {
    /// The point for a table of no more columns.
    pub(crate) fn of_width(self, width: usize, outputs: usize) -> Vec<f64> {
        let Start { point, width: own } = self;
        let (weights, intercepts) = point.split_at(outputs * own);
        let kept = weights.chunks_exact(own).flat_map(|weights| &weights[..width]);
        kept.chain(intercepts).copied().collect()
    }
}

impl<'a> Search<'a> {
    /// Before any fold is held out; `None` if there is nothing to hold out.
    fn new(
        training: &'a Examples<'a>,
        scaling: &'a Scaling,
        class_weight: ClassWeight,
        seed: u64,
        execution: Execution<'a>,
        on_stage: OnStage<'a>,
    ) -> Option<Search<'a>> {
        let (fold_of, folds) = dealt(&training.labels, training.groups.as_deref(), training.classes, seed)?;
        let (used, spent, trials, starts) = (0, 0.0, BTreeMap::new(), BTreeMap::new());
        Some(Search {
            training,
            scaling,
            class_weight,
            execution,
            on_stage,
            fold_of,
            folds,
            used,
            spent,
            trials,
            starts,
            begun: None,
        })
    }

    /// Chooses among these weights of the tapped map, with about so many multiplications; `start` is the first C that is
    /// judged.
    fn among(
        mut self,
        tap_weights: &[f64],
        start: usize,
        effort: f64,
    ) -> Result<(LinearChoice, Option<Start>)> {
        let walk = start..STRENGTHS.len();
        let all: Vec<Lane> =
            tap_weights.iter().map(|tap_weight| Lane::new(*tap_weight, walk.clone())).collect();
        self.hold_out(0, &all, true)?;
        let first = self.spent;
        while self.used < self.folds && self.spent + 1.1 * first <= 0.8 * effort {
            let contenders = self.contenders();
            if contenders.is_empty() {
                break;
            }
            self.hold_out(self.used, &contenders, false)?;
        }
        if let Some(lane) = self.middle_way() {
            for fold in 0..self.used {
                self.hold_out(fold, std::slice::from_ref(&lane), false)?;
            }
        }
        self.chosen()
    }

    /// Holds out a fold, and lets each lane meet its values of C; where they may turn, until they have turned, and
    /// if the best is the first of them, back from there.
    fn hold_out(&mut self, fold: usize, lanes: &[Lane], turning: bool) -> Result<()> {
        self.used = self.used.max(fold + 1);
        let positions = |held_out: bool| -> Vec<usize> {
            (0..self.fold_of.len()).filter(|at| (self.fold_of[*at] == Some(fold)) == held_out).collect()
        };
        let (training, scaling) = (self.training, self.scaling);
        let with_tap = lanes.iter().any(|lane| lane.tap_weight > 0.0);
        let table = Table::new(training.select(&positions(false)), scaling, with_tap, self.execution);
        let held_out = Table::new(training.select(&positions(true)), scaling, with_tap, self.execution);
        self.walk(&table, &held_out, lanes.to_vec(), turning)?;
        if !turning {
            return Ok(());
        }
        let back = lanes.iter().filter(|lane| {
            let first = lane.walk[0];
            let loss = |at| self.losses(setting(lane.tap_weight, at)).map(mean_loss);
            first > 0 && loss(first + 1).zip(loss(first)).is_none_or(|(next, first)| first <= next)
        });
        let back = back.map(|lane| Lane {
            tap_weight: lane.tap_weight,
            ahead: Vec::new(),
            walk: (0..lane.walk[0]).rev().collect(),
        });
        let back: Vec<Lane> = back.collect();
        self.walk(&table, &held_out, back, true)
    }

    /// Fits each lane with one C after the other.
    fn walk(&mut self, table: &Table, held_out: &Table, mut lanes: Vec<Lane>, turning: bool) -> Result<()> {
        let begun = self.begun.take();
        if begun.is_some() {
            lanes.iter_mut().for_each(|lane| lane.ahead.clear());
        }
        let counts = table.examples.class_counts();
        let weights = self.class_weight.of(&counts);
        let labels = table.examples.labels.clone();
        let problem =
            |lane: &Lane| Problem::<f32>::new(table, &labels, lane.tap_weight, lane.strength(0), &weights);
        let mut lanes: Vec<(Problem<f32>, Lane)> =
            lanes.into_iter().map(|lane| (problem(&lane), lane)).collect();
        if let (Some(start), [(problem, _)]) = (begun, lanes.as_mut_slice()) {
            problem.go_to(table, start.of_width(table.width, problem.outputs));
            rescore(table, &mut [problem])?;
        }
        let longest = lanes.iter().map(|(_, lane)| lane.len()).max().unwrap_or(0);
        for step in 0..longest {
            self.tell(step, longest);
            let mut problems: Vec<&mut Problem<f32>> = Vec::new();
            let mut limits = COARSE;
            for (problem, lane) in lanes.iter_mut().filter(|(_, lane)| step < lane.len()) {
                if step > 0 {
                    problem.strengthen(table, lane.strength(step) / lane.strength(step - 1));
                }
                if step >= lane.ahead.len() {
                    limits = RULE;
                }
                problems.push(problem);
            }
            let mut spent = 0.0;
            solve(table, &mut problems, limits, |problem| {
                spent += step_cost(table.len() as f64, table.width, problem.outputs);
                Ok(())
            })?;
            self.spent += spent;
            for (problem, lane) in lanes.iter_mut().filter(|(_, lane)| step < lane.len()) {
                let Some(judged) = step.checked_sub(lane.ahead.len()) else { continue };
                let key = setting(lane.tap_weight, lane.walk[judged]);
                let losses = problem.losses(held_out)?;
                self.trials.entry(key).or_default().extend(losses);
                if self.best_of(lane.tap_weight) == Some(key) {
                    let (point, width) = (problem.point().to_vec(), table.width);
                    self.starts.insert(key.0, Start { point, width });
                }
                if turning && self.has_turned(lane.tap_weight, &lane.walk[..=judged]) {
                    lane.walk.truncate(judged + 1);
                }
            }
        }
        Ok(())
    }

    fn tell(&self, step: usize, steps: usize) {
        let share = (self.used as f64 - 1.0 + step as f64 / steps as f64) / self.folds as f64;
        (self.on_stage)(Stage::Choosing { fold: self.used, folds: self.folds, share });
    }

    fn losses(&self, key: Setting) -> Option<&[(f64, bool)]> {
        self.trials.get(&key).map(Vec::as_slice)
    }

    /// Examples that a weight of the tapped map has met, in the folds that it took part in.
    fn met(&self, tap_weight: f64) -> usize {
        let keys = (0..STRENGTHS.len()).map(|strength| setting(tap_weight, strength));
        keys.filter_map(|key| self.trials.get(&key)).map(Vec::len).max().unwrap_or(0)
    }

    /// The mean log loss of a setting that took part in all folds that its weight of the tapped map took part in.
    fn mean(&self, tap_weight: f64, strength: usize) -> Option<f64> {
        let met = self.met(tap_weight);
        let losses = self.trials.get(&setting(tap_weight, strength)).filter(|losses| losses.len() == met)?;
        Some(mean_loss(losses))
    }

    /// The best C for a weight of the tapped map; of equals the strongest penalty.
    fn best_of(&self, tap_weight: f64) -> Option<Setting> {
        let means = (0..STRENGTHS.len()).filter_map(|at| Some((at, self.mean(tap_weight, at)?)));
        let best = means.reduce(|best, next| if next.1 < best.1 { next } else { best });
        best.map(|(strength, _)| setting(tap_weight, strength))
    }

    /// The best of some settings by the examples that two of them have both met; of equals the first.
    fn best_among(&self, settings: &[Setting]) -> Option<Setting> {
        let better =
            |best: Setting, next: Setting| if self.difference(best, next).0 < 0.0 { next } else { best };
        settings.iter().copied().reduce(better)
    }

    /// The mean of the differences of the losses of two settings, the first subtracted, and its standard error.
    fn difference(&self, from: Setting, to: Setting) -> (f64, f64) {
        let (one, other) = (self.losses(from).unwrap_or_default(), self.losses(to).unwrap_or_default());
        let pairs = one.iter().zip(other);
        let differences: Vec<f64> = pairs.map(|((from, _), (to, _))| to - from).collect();
        let n = differences.len().max(1) as f64;
        let mean = differences.iter().sum::<f64>() / n;
        let squares: f64 = differences.iter().map(|value| (value - mean).powi(2)).sum();
        (mean, (squares / (n - 1.0).max(1.0) / n).sqrt())
    }

    /// The standard errors by which a setting must win, as many examples as it has met.
    fn margin(&self, key: Setting) -> f64 {
        let met = self.losses(key).map_or(0, <[_]>::len).max(1);
        MARGIN * (1.0 + FEW / met as f64)
    }

    /// Whether the last C of a way is clearly worse than the best before it.
    fn has_turned(&self, tap_weight: f64, way: &[usize]) -> bool {
        let losses = |at: usize| self.losses(setting(tap_weight, at)).unwrap_or_default();
        let means: Vec<f64> = way.iter().map(|at| mean_loss(losses(*at))).collect();
        let best = (0..way.len()).fold(0, |best, at| if means[at] < means[best] { at } else { best });
        let last = way.len() - 1;
        let (worse, error) = self.difference(setting(tap_weight, way[best]), setting(tap_weight, way[last]));
        let level = last > 0 && losses(way[last]).len() >= MANY && {
            let before = means[..last].iter().copied().fold(f64::INFINITY, f64::min);
            means[last] > (1.0 - WORTH) * before
        };
        level || last >= best + 2 || (worse > TURNED * means[best] && worse > 2.0 * error)
    }

    /// The weight between 0 and 1, near the best C of 1, if neither of the two has clearly won.
    fn middle_way(&self) -> Option<Lane> {
        let [alone, middle, whole] = TAP_WEIGHTS;
        let best = self.best_of(whole)?;
        let (gain, error) = self.difference(best, self.best_of(alone)?);
        let walk = best.1.saturating_sub(1)..STRENGTHS.len().min(best.1 + 2);
        (gain.abs() <= self.margin(best) * error).then(|| Lane::new(middle, walk))
    }

    /// What another fold may still decide: settings that may be better than the best, by enough to matter. Empty if there
    /// are none.
    fn contenders(&self) -> Vec<Lane> {
        let bests: Vec<(f64, Setting)> =
            TAP_WEIGHTS.iter().filter_map(|weight| Some((*weight, self.best_of(*weight)?))).collect();
        let Some(best) = self.best_among(&bests.iter().map(|(_, key)| *key).collect::<Vec<_>>()) else {
            return Vec::new();
        };
        let enough = WORTH * self.losses(best).map(mean_loss).unwrap_or_default();
        let may_win = |from: Setting, key: Setting| {
            let (worse, error) = self.difference(from, key);
            worse - self.margin(key) * error < -enough
        };
        // The last map alone stays in the race until the tapped one has won, or lost, by the margin.
        let undecided = |alone: Setting| {
            let (worse, error) = self.difference(best, alone);
            alone != best && worse > enough && worse <= (self.margin(alone) + 1.0) * error
        };
        let (mut lanes, mut open) = (Vec::new(), false);
        for (tap_weight, own) in bests {
            let waits = tap_weight == 0.0 && undecided(own);
            if own != best && !waits && !may_win(best, own) {
                continue;
            }
            let strengths: Vec<usize> = (0..STRENGTHS.len())
                .filter(|at| self.mean(tap_weight, *at).is_some())
                .filter(|at| at.abs_diff(own.1) <= self.reach(tap_weight))
                .filter(|at| *at == own.1 || may_win(own, setting(tap_weight, *at)))
                .collect();
            open |= strengths.len() > 1 || own != best;
            if let (Some(first), Some(last)) = (strengths.first(), strengths.last()) {
                lanes.push(Lane::new(tap_weight, *first..last + 1));
            }
        }
        if open { lanes } else { Vec::new() }
    }

    /// How many values of C from the best so far another fold is asked about: with few photos held out the best may be far
    /// from where it seems to be.
    fn reach(&self, tap_weight: f64) -> usize {
        match self.met(tap_weight) {
            0..MANY => STRENGTHS.len(),
            MANY..500 => 2,
            _ => 1,
        }
    }

    fn chosen(mut self) -> Result<(LinearChoice, Option<Start>)> {
        // The last map alone, or where it was out of the question the only weight that is left.
        let Some(alone) = TAP_WEIGHTS.iter().find_map(|weight| self.best_of(*weight)) else {
            return Ok((LinearChoice::fallback(), None));
        };
        let gain = |tapped: Setting| {
            let (log_loss, standard_error) = self.difference(tapped, alone);
            Gain { log_loss, standard_error }
        };
        let wins = |tapped: &Setting| {
            let Gain { log_loss, standard_error } = gain(*tapped);
            log_loss > self.margin(*tapped) * standard_error
        };
        let tapped: Vec<Setting> =
            TAP_WEIGHTS[1..].iter().filter_map(|weight| self.best_of(*weight)).collect();
        let winners: Vec<Setting> = tapped.iter().copied().filter(wins).collect();
        let winner = self.best_among(&winners);
        let gain = winner.or_else(|| self.best_among(&tapped)).filter(|tapped| *tapped != alone).map(gain);
        let key = winner.unwrap_or(alone);
        let trials = self.trials.iter().map(|(key, losses)| Trial {
            strength: STRENGTHS[key.1],
            tap_weight: f64::from(key.0) / 1000.0,
            photos: losses.len(),
            log_loss: mean_loss(losses),
            accuracy: losses.iter().filter(|(_, correct)| *correct).count() as f64
                / losses.len().max(1) as f64,
        });
        let choice = LinearChoice {
            strength: STRENGTHS[key.1],
            tap_weight: f64::from(key.0) / 1000.0,
            folds: Some(self.used),
            trials: trials.collect(),
            gain,
        };
        Ok((choice, self.starts.remove(&key.0)))
    }
}

fn mean_loss(losses: &[(f64, bool)]) -> f64 {
    losses.iter().map(|(loss, _)| loss).sum::<f64>() / losses.len().max(1) as f64
}
