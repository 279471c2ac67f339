//! Logistic regression to convergence: L-BFGS on C · Σ weight · loss + ½‖W‖², the intercept not penalised.
//!
//! Several problems on the same rows (the folds of a cross-validation) advance in lockstep, so that one pass over
//! the features serves them all; what each computes does not depend on the others. Two ideas keep passes few:
//!
//! * Features are centred by changing the intercept (w·x + b = w·(x − mean) + b + w·mean), which changes
//!   nothing but the speed of convergence.
//! * Scores are linear in the weights, so the line search moves along known scores and costs no pass. It looks
//!   at slopes only: the objective is convex, and slopes stay exact where differences of the objective drown in
//!   rounding.

use topwork_kernels::linear::{add_scaled, dot};
use topwork_kernels::{Isa, linear};

use crate::error::{Error, ErrorKind, Result};
use crate::train::data::Stop;
use crate::train::lbfgs::Memory;

/// Rows that are summed before their sum is added to the total; fixed, so that threads cannot change a bit.
const PART: usize = 512;

/// The arithmetic of the passes over the features. Everything else is f64.
pub(crate) trait Precision: linear::Sum + Send + Sync {
    fn from_f64(value: f64) -> Self;
    fn to_f64(self) -> f64;
}

impl Precision for f32 {
    fn from_f64(value: f64) -> f32 {
        value as f32
    }
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Precision for f64 {
    fn from_f64(value: f64) -> f64 {
        value
    }
    fn to_f64(self) -> f64 {
        self
    }
}

/// The rows of features that problems share.
pub(crate) struct Table<'a> {
    rows: &'a [&'a [f32]],
    /// D means, the origin of the centred features.
    mean: Vec<f64>,
    /// D sums of squares of the centred features.
    squares: Vec<f64>,
    /// The length of the longest centred row.
    radius: f64,
    isa: Isa,
    threads: usize,
}

impl<'a> Table<'a> {
    pub(crate) fn new(rows: &'a [&'a [f32]], width: usize, threads: usize) -> Table<'a> {
        let mut mean = vec![0.0; width];
        for row in rows {
            mean.iter_mut().zip(*row).for_each(|(mean, value)| *mean += f64::from(*value));
        }
        mean.iter_mut().for_each(|mean| *mean /= rows.len().max(1) as f64);
        let mut squares = vec![0.0; width];
        let isa = Isa::best();
        let mut radius = 0.0_f64;
        let mut row_squares = vec![0.0; width];
        let ones = vec![1.0; width];
        for row in rows {
            for ((square, value), mean) in row_squares.iter_mut().zip(*row).zip(&mean) {
                let centred = f64::from(*value) - mean;
                *square = centred * centred;
            }
            add_scaled(isa, &mut squares, 1.0, &row_squares);
            radius = radius.max(dot(isa, &row_squares, &ones));
        }
        Table { rows, mean, squares, radius: radius.sqrt(), isa, threads: threads.max(1) }
    }

    fn width(&self) -> usize {
        self.mean.len()
    }

    /// The scores of all rows with M vectors of D weights: N × M.
    fn scores<T: Precision>(&self, vectors: &[T]) -> Vec<T> {
        let count = vectors.len() / self.width();
        let mut out = vec![T::default(); self.rows.len() * count];
        if count == 0 || out.is_empty() {
            return out;
        }
        let share = self.rows.len().div_ceil(self.threads);
        let work = self.rows.chunks(share).zip(out.chunks_mut(share * count));
        if self.threads == 1 {
            work.for_each(|(rows, out)| linear::scores(self.isa, rows, vectors, out));
        } else {
            std::thread::scope(|scope| {
                for (rows, out) in work {
                    scope.spawn(move || linear::scores(self.isa, rows, vectors, out));
                }
            });
        }
        out
    }

    /// Σ over the rows of coefficient · row, for M coefficients a row: M × D.
    fn sums<T: Precision>(&self, coefficients: &[T]) -> Vec<f64> {
        let count = coefficients.len() / self.rows.len().max(1);
        let size = count * self.width();
        let mut total = vec![0.0; size];
        if size == 0 {
            return total;
        }
        let parts: Vec<_> = self.rows.chunks(PART).zip(coefficients.chunks(PART * count)).collect();
        let mut buffers = vec![vec![T::default(); size]; self.threads.min(parts.len())];
        for wave in parts.chunks(buffers.len()) {
            let sum_part = |rows: &[&[f32]], coefficients: &[T], buffer: &mut [T]| {
                buffer.fill(T::default());
                linear::accumulate(self.isa, rows, coefficients, buffer);
            };
            let work = wave.iter().zip(&mut buffers);
            if wave.len() == 1 {
                work.for_each(|((rows, coefficients), buffer)| sum_part(rows, coefficients, buffer));
            } else {
                std::thread::scope(|scope| {
                    for ((rows, coefficients), buffer) in work {
                        scope.spawn(move || sum_part(rows, coefficients, buffer));
                    }
                });
            }
            for buffer in &buffers[..wave.len()] {
                total.iter_mut().zip(buffer).for_each(|(total, part)| *total += part.to_f64());
            }
        }
        total
    }
}

/// One regression: which rows count how much, and where it stands.
pub(crate) struct Problem<'a> {
    isa: Isa,
    labels: &'a [usize],
    /// C · weight of each row; 0 for rows that are only watched (held out, validation).
    weights: Vec<f64>,
    /// 1 for two classes, else the number of classes: K.
    outputs: usize,
    /// K × D weights, then K intercepts for centred features.
    point: Vec<f64>,
    /// N × K scores at the point, for watched rows too.
    scores: Vec<f64>,
    gradient: Vec<f64>,
    memory: Memory,
    /// N × K: weight · (probability − truth), at the point.
    residuals: Vec<f64>,
    direction: Vec<f64>,
    direction_scores: Vec<f64>,
    state: State,
    /// Steps taken.
    pub(crate) iterations: usize,
    /// The last step, as a multiple of the direction.
    pub(crate) step: f64,
    /// The solution (point and scores) before the last change of the loss's weights.
    previous: Option<(Vec<f64>, Vec<f64>)>,
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
pub(crate) struct Limits {
    /// Norm of the weights' gradient × longest centred row, plus ten times the mean residual. The penalty makes
    /// the objective strongly convex with constant 1, so the weights are at most their gradient's norm away from
    /// the solution, and scores at most the first term.
    pub(crate) tolerance: f64,
    /// Where the root mean square of the scores is below 1, the tolerance is multiplied by it, or by this where that is
    /// more; 1 leaves the tolerance as it is.
    pub(crate) least_spread: f64,
    pub(crate) iterations: usize,
}

impl<'a> Problem<'a> {
    /// A problem at the point where all weights are zero.
    pub(crate) fn new(table: &Table, labels: &'a [usize], classes: usize, weights: Vec<f64>) -> Problem<'a> {
        let outputs = if classes == 2 { 1 } else { classes };
        let size = outputs * (table.width() + 1);
        let mut problem = Problem {
            isa: table.isa,
            labels,
            weights,
            outputs,
            point: vec![0.0; size],
            scores: vec![0.0; labels.len() * outputs],
            gradient: vec![0.0; size],
            memory: Memory::new(table.isa, size),
            residuals: vec![0.0; labels.len() * outputs],
            direction: vec![0.0; size],
            direction_scores: vec![0.0; labels.len() * outputs],
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
            self.scores.iter_mut().zip(scores).for_each(|(now, before)| *now += *now - before);
        }
        self.previous = Some(solution);
        self.weights.iter_mut().for_each(|weight| *weight *= factor);
        self.restart(table, factor);
    }

    /// Multiplies every weight of the loss, and goes to a point of the new problem; [`rescore`] must follow.
    pub(crate) fn resume(&mut self, table: &Table, factor: f64, point: Vec<f64>) {
        self.point = point;
        self.previous = None;
        self.weights.iter_mut().for_each(|weight| *weight *= factor);
        self.restart(table, factor);
    }

    /// K × D weights, then K intercepts for centred features.
    pub(crate) fn point(&self) -> &[f64] {
        &self.point
    }

    /// The curvature of a logistic loss is at most ¼ · x²; that and the penalty are the first guess of the Hessian.
    fn restart(&mut self, table: &Table, factor: f64) {
        let total: f64 = self.weights.iter().sum();
        let share = 0.25 * total / self.weights.len().max(1) as f64;
        let diagonal: Vec<f64> = table.squares.iter().map(|square| 1.0 / (1.0 + share * square)).collect();
        let mut inverse = Vec::with_capacity(self.point.len());
        (0..self.outputs).for_each(|_| inverse.extend_from_slice(&diagonal));
        inverse.extend((0..self.outputs).map(|_| 1.0 / (0.25 * total).max(f64::MIN_POSITIVE)));
        self.memory.scale_loss(factor, self.outputs * table.width(), inverse);
        self.state = State::Running;
        self.iterations = 0;
        self.smallest_error = f64::INFINITY;
        self.steps_since = 0;
    }

    /// Whether the tolerance was reached.
    pub(crate) fn converged(&self) -> bool {
        self.state == State::Converged
    }

    /// K × D weights and K intercepts for features as they are.
    pub(crate) fn weights_and_intercepts(&self, table: &Table) -> (Vec<f64>, Vec<f64>) {
        let (weights, centred) = self.point.split_at(self.outputs * table.width());
        let intercepts = weights
            .chunks_exact(table.width())
            .zip(centred)
            .map(|(w, b)| b - dot(table.isa, w, &table.mean))
            .collect();
        (weights.to_vec(), intercepts)
    }

    /// The log loss of a row, and whether its most probable class (the first of equals) is its own.
    pub(crate) fn loss(&self, row: usize) -> (f64, bool) {
        let label = self.labels[row];
        let scores = &self.scores[row * self.outputs..][..self.outputs];
        if let [score] = scores {
            let margin = if label == 1 { *score } else { -score };
            let loss = libm::log1p(libm::exp(-margin.abs())) + (-margin).max(0.0);
            (loss, (*score > 0.0) == (label == 1))
        } else {
            let (best, largest) = first_largest(scores);
            let sum: f64 = scores.iter().map(|score| libm::exp(score - largest)).sum();
            (libm::log(sum) + largest - scores[label], best == label)
        }
    }

    /// Writes the residuals at `scores + step · direction_scores`; returns the loss's slope there.
    fn slope_of_loss(&mut self, step: f64) -> f64 {
        let mut slope = 0.0;
        let k = self.outputs;
        for (row, weight) in self.weights.iter().enumerate().filter(|(_, weight)| **weight != 0.0) {
            let at = row * k..(row + 1) * k;
            let (scores, along) = (&self.scores[at.clone()], &self.direction_scores[at.clone()]);
            let residuals = &mut self.residuals[at];
            for ((residual, score), along) in residuals.iter_mut().zip(scores).zip(along) {
                *residual = score + step * along;
            }
            probabilities_from_scores(residuals);
            if k == 1 {
                residuals[0] -= self.labels[row] as f64;
            } else {
                residuals[self.labels[row]] -= 1.0;
            }
            for (residual, along) in residuals.iter_mut().zip(along) {
                *residual *= weight;
                slope += *residual * along;
            }
        }
        slope
    }

    /// Turns the sums of residual · row into the gradient.
    fn take_gradient(&mut self, table: &Table, sums: &[f64]) -> Vec<f64> {
        let width = table.width();
        let mut gradient = Vec::with_capacity(self.point.len());
        let mut totals = vec![0.0; self.outputs];
        for residuals in self.residuals.chunks_exact(self.outputs) {
            totals.iter_mut().zip(residuals).for_each(|(total, residual)| *total += residual);
        }
        for (output, total) in totals.iter().enumerate() {
            let at = output * width..(output + 1) * width;
            let values = sums[at.clone()].iter().zip(&table.mean).zip(&self.point[at]);
            gradient.extend(values.map(|((sum, mean), weight)| sum - total * mean + weight));
        }
        gradient.extend(totals);
        std::mem::replace(&mut self.gradient, gradient)
    }

    /// Chooses where to go; `false` if no direction leads downhill.
    fn choose_direction(&mut self) -> bool {
        self.direction = self.memory.direction(&self.gradient);
        if dot(self.isa, &self.direction, &self.gradient) < 0.0 {
            return true;
        }
        self.memory.clear();
        self.direction = self.memory.direction(&self.gradient);
        dot(self.isa, &self.direction, &self.gradient) < 0.0
    }

    /// Walks to where the slope along the direction has all but vanished; leaves the residuals of that place.
    fn search_line(&mut self) {
        let penalised = self.point.len() - self.outputs;
        let along = dot(self.isa, &self.point[..penalised], &self.direction[..penalised]);
        let square = dot(self.isa, &self.direction[..penalised], &self.direction[..penalised]);
        let start = dot(self.isa, &self.gradient, &self.direction);
        // The slope rises along the line: it is negative at `low` and positive at `high`.
        let (mut low, mut low_slope) = (0.0, start);
        let mut high: Option<(f64, f64)> = None;
        let mut step = 1.0;
        for _ in 0..30 {
            let slope = self.slope_of_loss(step) + along + step * square;
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
    fn finish_step(&mut self, table: &Table, sums: &[f64], limits: Limits) {
        let step: Vec<f64> = self.direction.iter().map(|value| value * self.step).collect();
        add_scaled(self.isa, &mut self.point, 1.0, &step);
        let (step_size, along) = (self.step, &self.direction_scores);
        self.scores.iter_mut().zip(along).for_each(|(score, along)| *score += step_size * along);
        let before = self.take_gradient(table, sums);
        let change: Vec<f64> =
            self.gradient.iter().zip(&before).map(|(after, before)| after - before).collect();
        self.memory.learn(&step, &change);
        self.iterations += 1;
        self.judge(table, limits);
    }

    fn judge(&mut self, table: &Table, limits: Limits) {
        let (weights, intercepts) = self.gradient.split_at(self.point.len() - self.outputs);
        let total: f64 = self.weights.iter().sum();
        // The penalty bounds the error of the weights, the mean residual that of the intercepts.
        let error = dot(self.isa, weights, weights).sqrt() * table.radius.max(1.0)
            + 10.0 * dot(self.isa, intercepts, intercepts).sqrt() / total;
        self.steps_since += 1;
        if error < self.smallest_error {
            (self.smallest_error, self.steps_since) = (error, 0);
        }
        let spread = (dot(self.isa, &self.scores, &self.scores) / self.scores.len().max(1) as f64).sqrt();
        if error <= limits.tolerance * spread.clamp(limits.least_spread, 1.0) {
            self.state = State::Converged;
        } else if self.iterations >= limits.iterations || self.steps_since > 50 {
            self.state = State::Stalled;
        }
    }
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

/// Brings every problem to its solution; `watch` is called after each of its steps.
pub(crate) fn solve<T: Precision>(
    table: &Table,
    problems: &mut [Problem],
    limits: Limits,
    stop: Stop,
    mut watch: impl FnMut(&Problem),
) -> Result<()> {
    let mut running: Vec<&mut Problem> = problems.iter_mut().collect();
    for problem in &mut running {
        problem.slope_of_loss(0.0);
    }
    let sums = sums_of_residuals::<T>(table, &running);
    for (problem, sums) in running.iter_mut().zip(sums) {
        problem.take_gradient(table, &sums);
        problem.judge(table, limits);
    }
    loop {
        running.retain_mut(|problem| {
            if problem.state == State::Running && !problem.choose_direction() {
                problem.state = State::Stalled;
            }
            problem.state == State::Running
        });
        if running.is_empty() {
            return Ok(());
        }
        if stop() {
            return Err(Error::new(ErrorKind::Interrupted, "training was stopped"));
        }
        score_directions::<T>(table, &mut running);
        running.iter_mut().for_each(|problem| problem.search_line());
        let sums = sums_of_residuals::<T>(table, &running);
        for (problem, sums) in running.iter_mut().zip(sums) {
            problem.finish_step(table, &sums, limits);
            watch(problem);
        }
    }
}

/// Computes the scores at each problem's point anew.
pub(crate) fn rescore<T: Precision>(table: &Table, problems: &mut [Problem]) {
    let mut problems: Vec<&mut Problem> = problems.iter_mut().collect();
    problems.iter_mut().for_each(|problem| problem.direction.clone_from(&problem.point));
    score_directions::<T>(table, &mut problems);
    for problem in problems {
        std::mem::swap(&mut problem.scores, &mut problem.direction_scores);
    }
}

/// How the score of every row changes along each problem's direction.
fn score_directions<T: Precision>(table: &Table, problems: &mut [&mut Problem]) {
    let width = table.width();
    let mut vectors = Vec::new();
    for problem in problems.iter() {
        vectors.extend(problem.direction[..problem.outputs * width].iter().map(|value| T::from_f64(*value)));
    }
    let scores = table.scores(&vectors);
    let count = vectors.len() / width;
    let mut first = 0;
    for problem in problems {
        let k = problem.outputs;
        let (weights, intercepts) = problem.direction.split_at(k * width);
        let offsets: Vec<f64> = weights
            .chunks_exact(width)
            .zip(intercepts)
            .map(|(w, b)| b - dot(table.isa, w, &table.mean))
            .collect();
        for (row, along) in problem.direction_scores.chunks_exact_mut(k).enumerate() {
            let scores = &scores[row * count + first..][..k];
            for ((along, score), offset) in along.iter_mut().zip(scores).zip(&offsets) {
                *along = score.to_f64() + offset;
            }
        }
        first += k;
    }
}

/// For each problem Σ over the rows of residual · row: K × D.
fn sums_of_residuals<T: Precision>(table: &Table, problems: &[&mut Problem]) -> Vec<Vec<f64>> {
    let count: usize = problems.iter().map(|problem| problem.outputs).sum();
    let mut coefficients = vec![T::default(); table.rows.len() * count];
    let mut first = 0;
    for problem in problems {
        let k = problem.outputs;
        for (row, residuals) in problem.residuals.chunks_exact(k).enumerate() {
            for (output, residual) in residuals.iter().enumerate() {
                coefficients[row * count + first + output] = T::from_f64(*residual);
            }
        }
        first += k;
    }
    let sums = table.sums(&coefficients);
    let mut first = 0;
    problems
        .iter()
        .map(|problem| {
            let at = first * table.width()..(first + problem.outputs) * table.width();
            first += problem.outputs;
            sums[at].to_vec()
        })
        .collect()
}
