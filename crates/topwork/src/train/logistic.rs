//! Logistic regression to convergence: L-BFGS on C · Σ weight · loss + ½‖W‖², the intercept not penalised.
//!
//! Several problems on the same rows (the weights that a tapped map may have) advance in lockstep, so that one pass over
//! the features serves them all; what each computes does not depend on the others. Scores are linear in the weights,
//! so the line search moves along known scores and costs no pass. It looks at slopes only: the objective is convex, and
//! slopes stay exact where differences of the objective drown in rounding.

use topwork_kernels::Isa;
use topwork_kernels::linear::{add_scaled, dot};

use crate::error::Result;
use crate::execution::share;
use crate::head::outputs;
use crate::train::lbfgs::Memory;
use crate::train::table::{PART, Precision, Table};

/// One regression on the rows of a table.
pub(crate) struct Problem<'a, T> {
    isa: Isa,
    labels: &'a [usize],
    /// C · weight of each class.
    weights: Vec<f64>,
    /// C · weight, summed over the rows.
    total: f64,
    /// 1 for two classes, else the number of classes: K.
    pub(crate) outputs: usize,
    /// Columns, and how many of them are not of the tapped map.
    width: usize,
    last: usize,
    /// What the tapped map's features are multiplied by.
    pub(crate) tap_weight: f64,
    /// K × D weights, then K intercepts, for features about their centre.
    point: Vec<f64>,
    /// N × K scores at the point, part by part, in a part output by output.
    scores: Vec<T>,
    gradient: Vec<f64>,
    memory: Memory,
    /// As the scores: weight · (probability − truth), where the line search looked last.
    residuals: Vec<T>,
    /// The loss there, with the weights.
    loss: f64,
    direction: Vec<f64>,
    direction_scores: Vec<T>,
    state: State,
    iterations: usize,
    /// The last step, as a multiple of the direction.
    pub(crate) step: f64,
    /// The solution (point and scores) before the last change of the loss's weights.
    previous: Option<(Vec<f64>, Vec<T>)>,
    smallest_error: f64,
    steps_since: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    Converged,
    /// Rounding or the limit of steps ended it.
    Stalled,
}

/// When a problem counts as solved.
#[derive(Clone, Copy)]
pub(crate) enum Tolerance {
    /// When what another step is expected to win is at most this share of the objective: half the slope along the
    /// direction of L-BFGS, which is exact for a quadratic function whose curvature the memory knows.
    Expected(f64),
    /// Norm of the weights' gradient × longest row, plus ten times the mean residual. The penalty makes the objective
    /// strongly convex with constant 1, so the weights are at most their gradient's norm away from the solution, and
    /// scores at most the first term.
    Proved(f64),
}

/// When to end.
#[derive(Clone, Copy)]
pub(crate) struct StopRule {
    pub(crate) tolerance: Tolerance,
    /// Steps.
    pub(crate) iterations: usize,
}

impl<'a, T: Precision> Problem<'a, T> {
    /// A problem at the point where all weights are zero; `weights` has one weight a class.
    pub(crate) fn new(
        table: &Table,
        labels: &'a [usize],
        tap_weight: f64,
        strength: f64,
        weights: &[f64],
    ) -> Problem<'a, T> {
        let outputs = outputs(table.examples.classes);
        let (size, scores) = (outputs * (table.width + 1), vec![T::default(); labels.len() * outputs]);
        let weights: Vec<f64> = weights.iter().map(|weight| strength * weight).collect();
        let mut problem = Problem {
            isa: table.execution.isa,
            labels,
            total: labels.iter().map(|label| weights[*label]).sum(),
            weights,
            outputs,
            width: table.width,
            last: table.examples.width,
            tap_weight,
            point: vec![0.0; size],
            gradient: vec![0.0; size],
            memory: Memory::new(table.execution.isa, size),
            residuals: scores.clone(),
            loss: 0.0,
            direction: vec![0.0; size],
            direction_scores: scores.clone(),
            scores,
            state: State::Running,
            iterations: 0,
            step: 0.0,
            previous: None,
            smallest_error: f64::INFINITY,
            steps_since: 0,
        };
        problem.restart(table, 1.0);
        problem
    }

    /// Multiplies every weight of the loss, and starts where the solutions so far point: at the last one plus the
    /// way from the one before it. What was learned about the curvature stays.
    pub(crate) fn strengthen(&mut self, table: &Table, factor: f64) {
        let solution = (self.point.clone(), self.scores.clone());
        if let Some((point, scores)) = &self.previous {
            self.point.iter_mut().zip(point).for_each(|(now, before)| *now += *now - before);
            let further = |now: T, before: T| T::from_f64(2.0 * now.to_f64() - before.to_f64());
            self.scores.iter_mut().zip(scores).for_each(|(now, before)| *now = further(*now, *before));
        }
        self.previous = Some(solution);
        self.weights.iter_mut().for_each(|weight| *weight *= factor);
        self.total *= factor;
        self.restart(table, factor);
    }

    /// Goes to another point; [`rescore`] must follow.
    pub(crate) fn go_to(&mut self, table: &Table, point: Vec<f64>) {
        self.point = point;
        self.previous = None;
        self.restart(table, 1.0);
    }

    /// K × D weights, then K intercepts, for features about their centre.
    pub(crate) fn point(&self) -> &[f64] {
        &self.point
    }

    /// The curvature of a logistic loss is at most ¼ · x²; that and the penalty are the first guess of the Hessian.
    fn restart(&mut self, table: &Table, factor: f64) {
        let share = 0.25 * self.total;
        let columns = table.squares().iter().enumerate();
        let diagonal: Vec<f64> = columns
            .map(|(column, square)| 1.0 / (1.0 + share * square * self.column_weight(column).powi(2)))
            .collect();
        let mut inverse = Vec::with_capacity(self.point.len());
        (0..self.outputs).for_each(|_| inverse.extend_from_slice(&diagonal));
        inverse.extend((0..self.outputs).map(|_| 1.0 / share.max(f64::MIN_POSITIVE)));
        self.memory.scale_loss(factor, self.outputs * self.width, inverse);
        self.state = State::Running;
        self.iterations = 0;
        self.smallest_error = f64::INFINITY;
        self.steps_since = 0;
    }

    fn column_weight(&self, column: usize) -> f64 {
        if column < self.last { 1.0 } else { self.tap_weight }
    }

    /// Whether the tolerance was reached.
    pub(crate) fn converged(&self) -> bool {
        self.state == State::Converged
    }

    /// Adds K × D vectors whose products with rows are scores, along a point or a direction.
    fn vectors(&self, point: &[f64], out: &mut Vec<T>) {
        for weights in point[..self.outputs * self.width].chunks_exact(self.width) {
            let (last, tapped) = weights.split_at(self.last);
            out.extend(last.iter().map(|weight| T::from_f64(*weight)));
            out.extend(tapped.iter().map(|weight| T::from_f64(weight * self.tap_weight)));
        }
    }

    /// K × D weights and K intercepts for features as they are.
    pub(crate) fn weights_and_intercepts(&self, table: &Table) -> (Vec<f64>, Vec<f64>) {
        let (weights, centred) = self.point.split_at(self.outputs * self.width);
        let intercepts = weights
            .chunks_exact(self.width)
            .zip(centred)
            .map(|(weights, intercept)| table.uncentred(weights, *intercept, self.tap_weight))
            .collect();
        (weights.to_vec(), intercepts)
    }

    /// The log loss of each row of a table at the point, and whether its most probable class (the first of equals) is
    /// its own.
    pub(crate) fn losses(&self, table: &Table) -> Result<Vec<(f64, bool)>> {
        let mut vectors = Vec::new();
        self.vectors(&self.point, &mut vectors);
        let mut scores = vec![T::default(); table.len() * self.outputs];
        table.scores(&vectors, &[self.outputs], vec![&mut scores])?;
        self.add_intercepts(&mut scores, &self.point);
        Ok(self.losses_of(&scores, &table.examples.labels, table.threads_for(self.outputs)))
    }

    /// The same of the rows that it is fitted on.
    pub(crate) fn own_losses(&self, table: &Table) -> Vec<(f64, bool)> {
        self.losses_of(&self.scores, self.labels, table.threads_for(self.outputs))
    }

    fn losses_of(&self, scores: &[T], labels: &[usize], threads: usize) -> Vec<(f64, bool)> {
        let mut losses = vec![(0.0, false); labels.len()];
        let parts = scores.chunks(PART * self.outputs).zip(labels.chunks(PART));
        let mut parts: Vec<_> = parts.zip(losses.chunks_mut(PART)).collect();
        share(threads, &mut parts, |parts| {
            let mut row = vec![0.0; self.outputs];
            for ((scores, labels), losses) in parts {
                for (index, (label, loss)) in labels.iter().zip(losses.iter_mut()).enumerate() {
                    let own = scores[index..].iter().step_by(labels.len());
                    row.iter_mut().zip(own).for_each(|(value, score)| *value = score.to_f64());
                    *loss = log_loss(&row, *label);
                }
            }
        });
        losses
    }

    fn add_intercepts(&self, scores: &mut [T], point: &[f64]) {
        let intercepts = &point[self.outputs * self.width..];
        for part in scores.chunks_mut(PART * self.outputs) {
            let rows = part.len() / self.outputs;
            for (scores, intercept) in part.chunks_exact_mut(rows.max(1)).zip(intercepts) {
                let intercept = T::from_f64(*intercept);
                scores.iter_mut().for_each(|score| *score = *score + intercept);
            }
        }
    }

    /// Writes the residuals at `scores + step · direction_scores`, and keeps the loss there; returns its slope.
    fn slope_of_loss(&mut self, threads: usize, step: f64) -> f64 {
        let (isa, k, weights) = (self.isa, self.outputs, &self.weights);
        let step = T::from_f64(step);
        let size = PART * k;
        let mut parts: Vec<_> = self
            .residuals
            .chunks_mut(size)
            .zip(self.scores.chunks(size))
            .zip(self.direction_scores.chunks(size))
            .zip(self.labels.chunks(PART))
            .map(|parts| (parts, 0.0, 0.0))
            .collect();
        share(threads, &mut parts, |parts| {
            for ((((residuals, scores), along), labels), loss, slope) in parts {
                for ((residual, score), along) in residuals.iter_mut().zip(*scores).zip(*along) {
                    *residual = *score + step * *along;
                }
                *loss = residuals_of(isa, residuals, labels, weights);
                *slope = T::dot(isa, residuals, along);
            }
        });
        self.loss = parts.iter().map(|(_, loss, _)| loss).sum();
        parts.iter().map(|(_, _, slope)| slope).sum()
    }

    /// Turns the sums of residual · row into the gradient; returns the one before.
    fn take_gradient(&mut self, sums: &[f64]) -> Vec<f64> {
        let mut gradient = Vec::with_capacity(self.point.len());
        for (sums, weights) in sums.chunks_exact(self.width).zip(self.point.chunks_exact(self.width)) {
            let ((one, other), (last, tapped)) = (sums.split_at(self.last), weights.split_at(self.last));
            gradient.extend(one.iter().zip(last).map(|(sum, weight)| sum + weight));
            gradient.extend(other.iter().zip(tapped).map(|(sum, weight)| sum * self.tap_weight + weight));
        }
        let mut totals = vec![0.0; self.outputs];
        for part in self.residuals.chunks(PART * self.outputs) {
            let rows = part.len() / self.outputs;
            for (total, residuals) in totals.iter_mut().zip(part.chunks_exact(rows.max(1))) {
                *total += residuals.iter().map(|residual| residual.to_f64()).sum::<f64>();
            }
        }
        gradient.extend(totals);
        std::mem::replace(&mut self.gradient, gradient)
    }

    /// Chooses where to go, unless no direction leads downhill or too little is to be won.
    fn choose_direction(&mut self, limits: StopRule) {
        self.direction = self.memory.direction(&self.gradient);
        let mut slope = dot(self.isa, &self.direction, &self.gradient);
        if slope >= 0.0 {
            self.memory.clear();
            self.direction = self.memory.direction(&self.gradient);
            slope = dot(self.isa, &self.direction, &self.gradient);
        }
        let weights = &self.point[..self.point.len() - self.outputs];
        let objective = self.loss + 0.5 * dot(self.isa, weights, weights);
        match limits.tolerance {
            Tolerance::Expected(share) if -0.5 * slope <= share * objective => {
                self.state = State::Converged;
            }
            _ if slope >= 0.0 || slope.is_nan() => self.state = State::Stalled,
            _ => {}
        }
    }

    /// Walks to where the slope along the direction has all but vanished; leaves the residuals of that place.
    fn search_line(&mut self, threads: usize) {
        let penalised = self.point.len() - self.outputs;
        let along = dot(self.isa, &self.point[..penalised], &self.direction[..penalised]);
        let square = dot(self.isa, &self.direction[..penalised], &self.direction[..penalised]);
        let start = dot(self.isa, &self.gradient, &self.direction);
        // The slope rises along the line: it is negative at `low` and positive at `high`.
        let (mut low, mut low_slope) = (0.0, start);
        let mut high: Option<(f64, f64)> = None;
        let mut step = 1.0;
        for _ in 0..30 {
            let slope = self.slope_of_loss(threads, step) + along + step * square;
            if slope >= 0.5 * start && slope <= -0.1 * start {
                break;
            }
            if slope < 0.0 {
                // The secant through both slopes, but never more than ten times as far.
                let secant = step + (step - low) * slope / (low_slope - slope);
                (low, low_slope) = (step, slope);
                if high.is_none() {
                    step = if secant > step && secant < 10.0 * step { secant } else { 10.0 * step };
                    continue;
                }
            } else {
                high = Some((step, slope));
            }
            if let Some((high, high_slope)) = high {
                // The secant, kept off the ends so that the bracket shrinks.
                let share = (-low_slope / (high_slope - low_slope)).clamp(0.05, 0.95);
                step = low + (high - low) * if share.is_finite() { share } else { 0.5 };
            }
        }
        self.step = step;
    }

    /// Moves, learns from the step and decides whether that was the last one.
    fn finish_step(&mut self, table: &Table, sums: &[f64], limits: StopRule) {
        let step: Vec<f64> = self.direction.iter().map(|value| value * self.step).collect();
        add_scaled(self.isa, &mut self.point, 1.0, &step);
        let (step_size, along) = (T::from_f64(self.step), &self.direction_scores);
        self.scores.iter_mut().zip(along).for_each(|(score, along)| *score = *score + step_size * *along);
        let before = self.take_gradient(sums);
        let change: Vec<f64> =
            self.gradient.iter().zip(&before).map(|(after, before)| after - before).collect();
        self.memory.learn(&step, &change);
        self.iterations += 1;
        self.judge(table, limits);
    }

    fn judge(&mut self, table: &Table, limits: StopRule) {
        let (weights, intercepts) = self.gradient.split_at(self.point.len() - self.outputs);
        // The penalty bounds the error of the weights, the mean residual that of the intercepts.
        let error = dot(self.isa, weights, weights).sqrt() * table.radius().max(1.0)
            + 10.0 * dot(self.isa, intercepts, intercepts).sqrt() / self.total;
        self.steps_since += 1;
        if error < self.smallest_error {
            (self.smallest_error, self.steps_since) = (error, 0);
        }
        if matches!(limits.tolerance, Tolerance::Proved(tolerance) if error <= tolerance) {
            self.state = State::Converged;
        } else if self.iterations >= limits.iterations || self.steps_since > 50 {
            self.state = State::Stalled;
        }
    }
}

/// The log loss of a row of scores, and whether the most probable class (the first of equals) is the row's own.
fn log_loss(scores: &[f64], label: usize) -> (f64, bool) {
    if let [score] = scores {
        let margin = if label == 1 { *score } else { -score };
        let loss = libm::log1p(libm::exp(-margin.abs())) + (-margin).max(0.0);
        return (loss, (*score > 0.0) == (label == 1));
    }
    let (best, largest) = first_largest(scores);
    let sum: f64 = scores.iter().map(|score| libm::exp(score - largest)).sum();
    (libm::log(sum) + largest - scores[label], best == label)
}

/// The position and value of the largest number, the first of equals.
pub(crate) fn first_largest(values: &[f64]) -> (usize, f64) {
    let mut best = (0, f64::NEG_INFINITY);
    for (position, value) in values.iter().enumerate() {
        if *value > best.1 {
            best = (position, *value);
        }
    }
    best
}

/// One score becomes the probability of the second class (sigmoid), several become all probabilities (softmax).
pub(crate) fn probabilities_from_scores(scores: &mut [f64]) {
    if let [score] = scores {
        let small = libm::exp(-score.abs());
        *score = if *score >= 0.0 { 1.0 / (1.0 + small) } else { small / (1.0 + small) };
        return;
    }
    let (_, largest) = first_largest(scores);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = libm::exp(*score - largest);
        sum += *score;
    }
    scores.iter_mut().for_each(|score| *score /= sum);
}

/// Scores of a part, output by output, become weight · (probability − truth); returns Σ weight · loss.
fn residuals_of<T: Precision>(isa: Isa, values: &mut [T], labels: &[usize], weights: &[f64]) -> f64 {
    let rows = labels.len();
    let one_output = values.len() == rows;
    let weight = |label: &usize| T::from_f64(weights[*label]);
    let mut loss = 0.0;
    if one_output {
        // e^−|score|, which cannot overflow.
        let size = |score: &T| if *score > T::default() { T::default() - *score } else { *score };
        let mut small: Vec<T> = values.iter().map(size).collect();
        T::exponentials(isa, &mut small);
        for ((value, small), label) in values.iter_mut().zip(small).zip(labels) {
            let positive = *value > T::default();
            let truth = if *label == 1 { T::ONE } else { T::default() };
            // What speaks for the other class, where that is more.
            let against = if positive == (*label == 1) { 0.0 } else { value.to_f64().abs() };
            loss += weights[*label] * (libm::log1p(small.to_f64()) + against);
            let likely = T::ONE / (T::ONE + small);
            let probability = if positive { likely } else { small * likely };
            *value = (probability - truth) * weight(label);
        }
        return loss;
    }
    let mut largest = values[..rows].to_vec();
    for scores in values[rows..].chunks_exact(rows) {
        for (largest, score) in largest.iter_mut().zip(scores) {
            *largest = if *score > *largest { *score } else { *largest };
        }
    }
    for (row, label) in labels.iter().enumerate() {
        loss += weights[*label] * (largest[row] - values[label * rows + row]).to_f64();
    }
    let mut sums = vec![T::default(); rows];
    for scores in values.chunks_exact_mut(rows) {
        scores.iter_mut().zip(&largest).for_each(|(score, largest)| *score = *score - *largest);
        T::exponentials(isa, scores);
        sums.iter_mut().zip(&*scores).for_each(|(sum, value)| *sum = *sum + *value);
    }
    let mut factors = largest;
    for ((factor, sum), label) in factors.iter_mut().zip(&sums).zip(labels) {
        loss += weights[*label] * libm::log(sum.to_f64());
        *factor = weight(label) / *sum;
    }
    for values in values.chunks_exact_mut(rows) {
        values.iter_mut().zip(&factors).for_each(|(value, factor)| *value = *value * *factor);
    }
    for (row, label) in labels.iter().enumerate() {
        let value = &mut values[label * rows + row];
        *value = *value - weight(label);
    }
    loss
}

/// Brings every problem to its solution; `watch` is called after each of its steps.
pub(crate) fn solve<T: Precision>(
    table: &Table,
    problems: &mut [&mut Problem<T>],
    limits: StopRule,
    mut watch: impl FnMut(&Problem<T>) -> Result<()>,
) -> Result<()> {
    let mut running: Vec<&mut Problem<T>> = problems.iter_mut().map(|problem| &mut **problem).collect();
    let threads =
        |running: &[&mut Problem<T>]| table.threads_for(running.iter().map(|problem| problem.outputs).sum());
    let every = threads(&running);
    share(every, &mut running, |problems| {
        for problem in problems {
            problem.slope_of_loss(1, 0.0);
        }
    });
    let sums = sums_of_residuals(table, &mut running)?;
    for (problem, sums) in running.iter_mut().zip(sums) {
        problem.take_gradient(&sums);
        problem.judge(table, limits);
    }
    loop {
        running.retain(|problem| problem.state == State::Running);
        let every = threads(&running);
        share(every, &mut running, |problems| {
            problems.iter_mut().for_each(|problem| problem.choose_direction(limits));
        });
        running.retain(|problem| problem.state == State::Running);
        if running.is_empty() {
            return Ok(());
        }
        score_directions(table, &mut running)?;
        // Problems side by side, or one with its rows side by side.
        let within = if running.len() > 1 { 1 } else { every };
        share(every, &mut running, |problems| {
            problems.iter_mut().for_each(|problem| problem.search_line(within));
        });
        let sums = sums_of_residuals(table, &mut running)?;
        let mut steps: Vec<_> = running.iter_mut().zip(sums).collect();
        share(every, &mut steps, |steps| {
            steps.iter_mut().for_each(|(problem, sums)| problem.finish_step(table, sums, limits));
        });
        running.iter().try_for_each(|problem| watch(problem))?;
    }
}

/// Computes the scores at each problem's point anew.
pub(crate) fn rescore<T: Precision>(table: &Table, problems: &mut [&mut Problem<T>]) -> Result<()> {
    problems.iter_mut().for_each(|problem| problem.direction.clone_from(&problem.point));
    score_directions(table, problems)?;
    for problem in problems {
        std::mem::swap(&mut problem.scores, &mut problem.direction_scores);
    }
    Ok(())
}

/// How the score of every row changes along each problem's direction.
fn score_directions<T: Precision>(table: &Table, problems: &mut [&mut Problem<T>]) -> Result<()> {
    let counts: Vec<usize> = problems.iter().map(|problem| problem.outputs).collect();
    let mut vectors = Vec::with_capacity(counts.iter().sum::<usize>() * table.width);
    problems.iter().for_each(|problem| problem.vectors(&problem.direction, &mut vectors));
    let out = problems.iter_mut().map(|problem| problem.direction_scores.as_mut_slice()).collect();
    table.scores(&vectors, &counts, out)?;
    for problem in problems {
        let mut scores = std::mem::take(&mut problem.direction_scores);
        problem.add_intercepts(&mut scores, &problem.direction);
        problem.direction_scores = scores;
    }
    Ok(())
}

/// For each problem Σ over the rows of residual · row: K × D.
fn sums_of_residuals<T: Precision>(table: &Table, problems: &mut [&mut Problem<T>]) -> Result<Vec<Vec<f64>>> {
    let counts: Vec<usize> = problems.iter().map(|problem| problem.outputs).collect();
    let residuals = problems.iter_mut().map(|problem| problem.residuals.as_mut_slice()).collect();
    let sums = table.sums(residuals, &counts)?;
    let mut first = 0;
    let sums = counts.iter().map(|count| {
        let at = first * table.width..(first + count) * table.width;
        first += count;
        sums[at].to_vec()
    });
    Ok(sums.collect())
}
