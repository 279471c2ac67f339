//! Rows of features as training sees them, and the two passes over them: scores of rows, sums of rows.
//!
//! Features are moved to their means, which changes nothing but the speed of convergence (w·x + b = w·(x − mean) + b +
//! w·mean), and a tapped map is scaled to the same total variance as the last one. Rows stay as they are kept; a block of
//! them at a time is made f32.

use std::ops::Range;

use topwork_kernels::Isa;
use topwork_kernels::exponential::exponentials;
use topwork_kernels::linear::{self, Panels, accumulate, add_scaled, dot};
use topwork_kernels::rows::{Kept, centred};

use crate::error::Result;
use crate::execution::{Execution, share};
use crate::features::Tap;
use crate::network::{Encoding, Part};
use crate::train::data::{Examples, Rows};

/// Rows that are summed before their sum is added to others, and whose scores lie together; fixed, so that threads cannot
/// change a bit.
pub(crate) const PART: usize = 256;

/// At most so many sums of parts are added to the total; fixed, too.
const GROUPS: usize = 16;

/// Rows that are made f32 at once: with two thousand features, a quarter of a megabyte.
const BLOCK: usize = 32;

/// Vectors of a problem that fill enough of a register for [`Panels`].
const MANY: usize = 8;

/// A pass with fewer multiplications is not worth a second thread.
const WORTH_A_THREAD: usize = 1_000_000;

/// The arithmetic of the passes over the features.
pub(crate) trait Precision: linear::Sum + Send + Sync + PartialOrd + 'static {
    const ONE: Self;
    fn from_f64(value: f64) -> Self;
    fn to_f64(self) -> f64;
    /// e to the power of each.
    fn exponentials(isa: Isa, values: &mut [Self]);
    fn dot(isa: Isa, left: &[Self], right: &[Self]) -> f64;
    /// Scores of rows with these M × D vectors, where a problem has so many of them.
    fn scorer<'v>(isa: Isa, vectors: &'v [Self], width: usize, _outputs: usize) -> Scorer<'v, Self> {
        few(isa, vectors, width)
    }
}

impl Precision for f32 {
    const ONE: f32 = 1.0;
    fn from_f64(value: f64) -> f32 {
        value as f32
    }
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    fn exponentials(isa: Isa, values: &mut [f32]) {
        exponentials(isa, values);
    }
    fn dot(isa: Isa, left: &[f32], right: &[f32]) -> f64 {
        dot(isa, left, right)
    }
    fn scorer<'v>(isa: Isa, vectors: &'v [f32], width: usize, outputs: usize) -> Scorer<'v, f32> {
        if outputs < MANY {
            return few(isa, vectors, width);
        }
        let panels = Panels::new(vectors, width);
        let stride = panels.stride();
        Scorer { stride, scores: Box::new(move |rows, out| panels.scores(isa, rows, out)) }
    }
}

impl Precision for f64 {
    const ONE: f64 = 1.0;
    fn from_f64(value: f64) -> f64 {
        value
    }
    fn to_f64(self) -> f64 {
        self
    }
    fn exponentials(_isa: Isa, values: &mut [f64]) {
        values.iter_mut().for_each(|value| *value = libm::exp(*value));
    }
    fn dot(isa: Isa, left: &[f64], right: &[f64]) -> f64 {
        dot(isa, left, right)
    }
}

/// What gives rows their scores: of N × D values N × `stride`, of which the first M of a row are scores.
pub(crate) struct Scorer<'v, T> {
    stride: usize,
    scores: Box<Scores<'v, T>>,
}

type Scores<'v, T> = dyn Fn(&[f32], &mut [T]) + Sync + 'v;

fn few<T: Precision>(isa: Isa, vectors: &[T], width: usize) -> Scorer<'_, T> {
    let scores = move |rows: &[f32], out: &mut [T]| {
        let rows: Vec<&[f32]> = rows.chunks_exact(width).collect();
        linear::scores(isa, &rows, vectors, out);
    };
    Scorer { stride: vectors.len() / width, scores: Box::new(scores) }
}

/// How features become what training sees: `(kept − centre) · scale`.
#[derive(Debug)]
pub(crate) struct Scaling {
    /// Of the last map, then of the tapped one, in the unit in which they are kept.
    centre: Vec<f32>,
    /// Of the last map: that of its features. Of the tapped one: so that both have the same total variance.
    scales: [f32; 2],
    /// By how much that multiplies the tapped map's features; 0 if it has no variance.
    pub(crate) tap_factor: f32,
    /// The mean square of each column.
    squares: Vec<f64>,
    /// The length of the longest row.
    radius: f64,
}

impl Scaling {
    /// From these examples.
    pub(crate) fn of(examples: &Examples, isa: Isa) -> Scaling {
        let (last, tap) = (examples.width, examples.tap());
        let width = last + tap.map_or(0, |part| part.channels);
        let n = examples.len().max(1) as f64;
        let mut scaling = Scaling {
            centre: vec![0.0; width],
            scales: [1.0; 2],
            tap_factor: 1.0,
            squares: vec![0.0; width],
            radius: 0.0,
        };
        let mut sums = vec![0.0; width];
        let mut row = vec![0.0; width];
        for index in 0..examples.len() {
            scaling.load(isa, examples, index, &mut row);
            add_scaled(isa, &mut sums, 1.0, &row);
        }
        let parts = [Some(unit(examples, 0)), tap.map(|_| unit(examples, 1))];
        let whole = |column: usize| parts[usize::from(column >= last)].is_some_and(|(whole, _)| whole);
        for (column, (centre, sum)) in scaling.centre.iter_mut().zip(&sums).enumerate() {
            let mean = sum / n;
            // The difference of two whole numbers is exact.
            *centre = if whole(column) { mean.round_ties_even() as f32 } else { mean as f32 };
        }
        scaling.scales = parts.map(|part| part.map_or(1.0, |(_, factor)| factor));
        let mut longest = Vec::with_capacity(examples.len());
        for index in 0..examples.len() {
            scaling.load(isa, examples, index, &mut row);
            row.iter_mut().for_each(|value| *value *= *value);
            add_scaled(isa, &mut scaling.squares, 1.0 / n, &row);
            let (last, tapped) = row.split_at(last);
            let sum = |values: &[f32]| values.iter().map(|value| f64::from(*value)).sum::<f64>();
            longest.push((sum(last), sum(tapped)));
        }
        let total = |squares: &[f64]| squares.iter().sum::<f64>();
        let (of_last, of_tap) = (total(&scaling.squares[..last]), total(&scaling.squares[last..]));
        let ratio = if of_tap > 0.0 { (of_last / of_tap).sqrt() as f32 } else { 0.0 };
        scaling.tap_factor = if ratio.is_finite() { ratio } else { 0.0 };
        scaling.scales[1] *= scaling.tap_factor;
        let square = f64::from(scaling.tap_factor).powi(2);
        scaling.squares[last..].iter_mut().for_each(|value| *value *= square);
        let lengths = longest.into_iter().map(|(last, tapped)| last + square * tapped);
        scaling.radius = lengths.fold(0.0, f64::max).sqrt();
        scaling
    }

    /// Columns, those of the tapped map too.
    pub(crate) fn width(&self) -> usize {
        self.centre.len()
    }

    /// What a head takes of the tapped map at that weight; `None` at 0, or if the examples have no such map.
    pub(crate) fn tap(&self, examples: &Examples, weight: f64) -> Option<Tap> {
        let part = examples.tap().filter(|_| weight > 0.0)?;
        let factor = (weight * f64::from(self.tap_factor)) as f32;
        Some(Tap { layer: part.layer.clone(), factor })
    }

    /// A row as training sees it; as many columns as `out` has room for.
    fn load(&self, isa: Isa, examples: &Examples, index: usize, out: &mut [f32]) {
        let last = examples.width;
        let (first, rest) = out.split_at_mut(last);
        let (centre, others) = self.centre.split_at(last);
        match &examples.rows {
            Rows::Plain(rows) => centred(isa, Kept::F32(rows[index]), centre, self.scales[0], first),
            Rows::Kept(layout, rows) => {
                let (bytes, tapped) = rows[index].split_at(layout.parts()[0].bytes());
                centred(isa, kept(&layout.parts()[0], bytes), centre, self.scales[0], first);
                if let (Some(part), false) = (layout.tap(), rest.is_empty()) {
                    centred(isa, kept(part, tapped), others, self.scales[1], rest);
                }
            }
        }
    }

    /// What the centre of a column is in features, with the tapped map's times the factor that training gives them.
    fn origin(&self, examples: &Examples, column: usize) -> f64 {
        let tapped = usize::from(column >= examples.width);
        let zero = match part(examples, tapped).map(|part| part.encoding) {
            Some(Encoding::Sum { zero, .. }) => f64::from(zero),
            _ => 0.0,
        };
        (f64::from(self.centre[column]) - zero) * f64::from(self.scales[tapped])
    }
}

fn part<'a>(examples: &Examples<'a>, number: usize) -> Option<&'a Part> {
    match examples.rows {
        Rows::Plain(_) => None,
        Rows::Kept(layout, _) => layout.parts().get(number),
    }
}

/// Whether a map's features are kept as whole numbers, and the unit in which they are kept.
fn unit(examples: &Examples, number: usize) -> (bool, f32) {
    match part(examples, number).map(|part| part.encoding) {
        Some(Encoding::Sum { factor, .. }) => (true, factor),
        _ => (false, 1.0),
    }
}

fn kept<'a>(part: &Part, bytes: &'a [u8]) -> Kept<'a> {
    match part.encoding {
        Encoding::F32 => Kept::Bytes(bytes),
        Encoding::Sum { size, .. } => Kept::Whole(size, bytes),
    }
}

/// The rows that problems share.
pub(crate) struct Table<'a> {
    pub(crate) examples: Examples<'a>,
    scaling: &'a Scaling,
    /// Columns: those of the last map, and of the tapped one unless it is left out.
    pub(crate) width: usize,
    pub(crate) execution: Execution<'a>,
}

/// The rows of a part, and what belongs to them of each problem.
type PartOf<'a, T> = (Range<usize>, Vec<&'a mut [T]>);

impl<'a> Table<'a> {
    pub(crate) fn new(
        examples: Examples<'a>,
        scaling: &'a Scaling,
        with_tap: bool,
        execution: Execution<'a>,
    ) -> Table<'a> {
        let width = if with_tap { scaling.centre.len() } else { examples.width };
        Table { examples, scaling, width, execution }
    }

    pub(crate) fn len(&self) -> usize {
        self.examples.len()
    }

    /// The mean squares of the columns.
    pub(crate) fn squares(&self) -> &[f64] {
        &self.scaling.squares[..self.width]
    }

    /// The length of the longest row.
    pub(crate) fn radius(&self) -> f64 {
        self.scaling.radius
    }

    /// Weights and intercept for what training sees become those for features, the tapped map's with their factor.
    pub(crate) fn uncentred(&self, weights: &[f64], intercept: f64, tap_weight: f64) -> f64 {
        let columns = weights.iter().enumerate();
        let shift = columns.map(|(column, weight)| {
            let counts = if column < self.examples.width { 1.0 } else { tap_weight };
            weight * counts * self.scaling.origin(&self.examples, column)
        });
        intercept - shift.sum::<f64>()
    }

    /// The threads that are worth it where each row meets so many outputs.
    pub(crate) fn threads_for(&self, outputs: usize) -> usize {
        let multiplications = self.len() * self.width * outputs.max(1);
        self.execution.threads.min(1 + multiplications / WORTH_A_THREAD)
    }

    /// Hands out the rows of each part with what belongs to them: problem j has `counts[j]` values a row in `values[j]`.
    fn parts<'b, T>(&self, values: Vec<&'b mut [T]>, counts: &[usize]) -> Vec<PartOf<'b, T>> {
        let mut chunks: Vec<_> =
            values.into_iter().zip(counts).map(|(values, count)| values.chunks_mut(PART * count)).collect();
        let starts = (0..self.len()).step_by(PART);
        starts
            .map(|start| {
                let rows = start..self.len().min(start + PART);
                (rows, chunks.iter_mut().map(|chunks| chunks.next().unwrap_or_default()).collect())
            })
            .collect()
    }

    /// Blocks of a range of rows, as training sees them.
    fn blocks(&self, rows: Range<usize>, buffer: &mut Vec<f32>, mut each: impl FnMut(Range<usize>, &[f32])) {
        buffer.resize(BLOCK * self.width, 0.0);
        for start in rows.clone().step_by(BLOCK) {
            let block = start..rows.end.min(start + BLOCK);
            for (index, out) in block.clone().zip(buffer.chunks_exact_mut(self.width)) {
                self.scaling.load(self.execution.isa, &self.examples, index, out);
            }
            let loaded = &buffer[..block.len() * self.width];
            each(block, loaded);
        }
    }

    /// The scores of all rows: of problem j with its `counts[j]` vectors among the M × D of `vectors`, into `out[j]`, part
    /// by part, in a part vector by vector.
    pub(crate) fn scores<T: Precision>(
        &self,
        vectors: &[T],
        counts: &[usize],
        out: Vec<&mut [T]>,
    ) -> Result<()> {
        let count: usize = counts.iter().sum();
        let threads = self.threads_for(count);
        let fewest = counts.iter().copied().min().unwrap_or(0);
        let Scorer { stride, scores: score } = T::scorer(self.execution.isa, vectors, self.width, fewest);
        share(threads, &mut self.parts(out, counts), |parts| {
            let (mut buffer, mut scores) = (Vec::new(), vec![T::default(); BLOCK * stride]);
            for (rows, targets) in parts {
                if self.execution.cancel.is_cancelled() {
                    return;
                }
                self.blocks(rows.clone(), &mut buffer, |block, loaded| {
                    let scores = &mut scores[..block.len() * stride];
                    score(loaded, scores);
                    let place = block.start - rows.start;
                    let mut first = 0;
                    for (target, outputs) in targets.iter_mut().zip(counts) {
                        for (output, target) in target.chunks_exact_mut(rows.len()).enumerate() {
                            let scores = scores[first + output..].iter().step_by(stride);
                            let target = &mut target[place..place + block.len()];
                            target.iter_mut().zip(scores).for_each(|(target, score)| *target = *score);
                        }
                        first += outputs;
                    }
                });
            }
        });
        self.execution.cancel.check("training")
    }

    /// Σ over the rows of coefficient · row: M × D, from coefficients that lie as [`scores`](Table::scores) leaves them.
    pub(crate) fn sums<T: Precision>(
        &self,
        coefficients: Vec<&mut [T]>,
        counts: &[usize],
    ) -> Result<Vec<f64>> {
        let count: usize = counts.iter().sum();
        let size = count * self.width;
        let mut total = vec![0.0; size];
        let mut parts = self.parts(coefficients, counts);
        let each = parts.len().div_ceil(GROUPS).max(1);
        let mut groups: Vec<_> = parts.chunks_mut(each).collect();
        let threads = self.threads_for(count).min(groups.len());
        let mut workers: Vec<Sums<T>> = (0..threads).map(|_| Sums::new(size)).collect();
        for wave in groups.chunks_mut(threads.max(1)) {
            self.execution.cancel.check("training")?;
            let mut work: Vec<_> = wave.iter_mut().zip(&mut workers).collect();
            let busy = work.len();
            share(busy, &mut work, |work| {
                work.iter_mut().for_each(|(parts, sums)| self.sum(parts, counts, sums));
            });
            let each = size.div_ceil(threads).max(1);
            let mut columns: Vec<_> = total.chunks_mut(each).enumerate().collect();
            share(threads, &mut columns, |columns| {
                for (number, total) in columns {
                    for sums in &workers[..busy] {
                        let sums = &sums.group[*number * each..][..total.len()];
                        total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
                    }
                }
            });
        }
        Ok(total)
    }

    /// The sums over the rows of some parts.
    fn sum<T: Precision>(&self, parts: &[PartOf<T>], counts: &[usize], sums: &mut Sums<T>) {
        let count: usize = counts.iter().sum();
        let Sums { group, part, gathered, buffer } = sums;
        gathered.resize(BLOCK * count, T::default());
        group.fill(0.0);
        for (rows, values) in parts {
            part.fill(T::default());
            self.blocks(rows.clone(), buffer, |block, loaded| {
                let place = block.start - rows.start;
                let mut first = 0;
                for (values, outputs) in values.iter().zip(counts) {
                    for (output, values) in values.chunks_exact(rows.len()).enumerate() {
                        let values = &values[place..place + block.len()];
                        let places = gathered[first + output..].iter_mut().step_by(count);
                        places.zip(values).for_each(|(place, value)| *place = *value);
                    }
                    first += outputs;
                }
                let loaded: Vec<&[f32]> = loaded.chunks_exact(self.width).collect();
                accumulate(self.execution.isa, &loaded, &gathered[..block.len() * count], part);
            });
            group.iter_mut().zip(&*part).for_each(|(group, part)| *group += part.to_f64());
        }
    }
}

/// What a thread needs to sum rows.
struct Sums<T> {
    /// M × D sums over some parts, and over one.
    group: Vec<f64>,
    part: Vec<T>,
    gathered: Vec<T>,
    buffer: Vec<f32>,
}

impl<T: Precision> Sums<T> {
    fn new(size: usize) -> Sums<T> {
        let part = vec![T::default(); size];
        Sums { group: vec![0.0; size], part, gathered: Vec::new(), buffer: Vec::new() }
    }
}
