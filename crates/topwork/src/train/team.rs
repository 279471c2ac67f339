//! Forward and backward passes through dense layers, by threads that stay together for a whole fit.
//!
//! Each member owns whole panels of units of every layer: their weights, their state of Adam, what they give and the
//! slopes of the loss in them. It computes its own from everybody's, so nothing is computed twice and nothing is added
//! up across threads; every sum runs over all inputs, units or examples in their order, whoever owns them. Between two
//! layers all wait for each other, which is also why no lock here is ever waited for.

use std::ops::Range;
use std::sync::mpsc::channel;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use topwork_kernels::Isa;
use topwork_kernels::buffer::Buffer;
use topwork_kernels::product::{AdamStep, Learned, Matrix, MatrixMut, PANEL, add_product, descend};

use crate::execution::Execution;
use crate::head::{Dense, DenseLayer, rectify};
use crate::train::barrier::Barrier;

/// A step with fewer multiplications than this for each member is not worth the waiting.
const WORTH_A_MEMBER: usize = 1_000_000;

/// Lanes of a vector: examples are padded to a multiple of it where they are columns.
const LANES: usize = 16;

/// Units whose slopes stay in a first-level cache while all units of the layer above pass by.
const CHUNK: usize = 64;

/// The layers of a head, dealt out to threads, with room for a number of examples.
pub(crate) struct Team<'a> {
    isa: Isa,
    classes: usize,
    /// Of each layer: inputs and units.
    sizes: Vec<(usize, usize)>,
    /// For each layer and member.
    parts: Vec<Vec<RwLock<Part>>>,
    /// For each layer and member what goes into the layer; in the end, the scores.
    values: Vec<Vec<RwLock<Values>>>,
    /// For each layer and member.
    slopes: Vec<Vec<RwLock<Slopes>>>,
    job: RwLock<Job<'a>>,
    ones: Vec<f32>,
    barrier: Barrier,
}

/// What all members do next, and with which rows of features.
struct Job<'a> {
    order: Order,
    rows: Vec<&'a [f32]>,
}

#[derive(Clone, Copy)]
enum Order {
    Forward,
    Backward(AdamStep),
    End,
}

/// One member's units of a layer.
struct Part {
    /// Panels of I x [`PANEL`].
    weight: Tensor,
    bias: Tensor,
}

/// Values that are learned, and the state of Adam.
struct Tensor {
    values: Buffer<f32>,
    means: Buffer<f32>,
    squares: Buffer<f32>,
}

/// What one member's units give.
struct Values {
    units: Range<usize>,
    /// N rows of so many values: whole panels.
    stride: usize,
    values: Buffer<f32>,
}

/// The slopes of the loss in the scores of one member's units.
struct Slopes {
    /// N rows of so many values: whole panels, zero where there is no unit.
    stride: usize,
    values: Buffer<f32>,
    /// The same with a row a unit, examples padded with zeros to whole vectors.
    transposed: Buffer<f32>,
}

impl Tensor {
    fn new(values: &[f32]) -> Tensor {
        let zeros = || Buffer::zeros(values.len());
        Tensor { values: Buffer::copy_of(values), means: zeros(), squares: zeros() }
    }

    fn learned(&mut self, range: Range<usize>) -> Learned<'_> {
        Learned {
            values: &mut self.values[range.clone()],
            means: &mut self.means[range.clone()],
            squares: &mut self.squares[range],
        }
    }
}

/// The units that a member owns of so many: whole panels.
fn share(units: usize, member: usize, members: usize) -> Range<usize> {
    let panels = units.div_ceil(PANEL).div_ceil(members);
    units.min(member * panels * PANEL)..units.min((member + 1) * panels * PANEL)
}

/// Rows of whole panels, and a line more, lest the rows of a tile fall into the same set of a cache.
fn stride(units: &Range<usize>) -> usize {
    units.len().next_multiple_of(PANEL) + LANES
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> Team<'a> {
    /// At most a member for each thread, for a head that meets at most `batch` examples at once.
    pub(crate) fn new(head: &Dense, batch: usize, execution: Execution) -> Team<'a> {
        let weights: usize = head.layers.iter().map(|layer| layer.inputs * layer.units).sum();
        let members = execution.threads.min(1 + weights * batch / WORTH_A_MEMBER).max(1);
        let each = |units: usize| (0..members).map(move |member| share(units, member, members));
        let values = |units: usize| {
            let values = |units: Range<usize>| {
                let stride = stride(&units);
                RwLock::new(Values { values: Buffer::zeros(batch * stride), stride, units })
            };
            each(units).map(values).collect()
        };
        let slopes = |layer: &DenseLayer| {
            let slopes = |units: Range<usize>| {
                let stride = stride(&units);
                let transposed = Buffer::zeros(units.len() * batch.next_multiple_of(LANES));
                RwLock::new(Slopes { stride, values: Buffer::zeros(batch * stride), transposed })
            };
            each(layer.units).map(slopes).collect()
        };
        let parts = |layer: &DenseLayer| {
            let part = |units: Range<usize>| {
                let panels = units.start.div_ceil(PANEL)..units.end.div_ceil(PANEL);
                let size = layer.inputs * PANEL;
                RwLock::new(Part {
                    weight: Tensor::new(&layer.weight[panels.start * size..panels.end * size]),
                    bias: Tensor::new(&layer.bias[panels.start * PANEL..panels.end * PANEL]),
                })
            };
            each(layer.units).map(part).collect()
        };
        let widths = [head.input_dim()].into_iter().chain(head.layers.iter().map(|layer| layer.units));
        Team {
            isa: execution.isa,
            classes: head.classes,
            sizes: head.layers.iter().map(|layer| (layer.inputs, layer.units)).collect(),
            parts: head.layers.iter().map(parts).collect(),
            values: widths.map(values).collect(),
            slopes: head.layers.iter().map(slopes).collect(),
            job: RwLock::new(Job { order: Order::End, rows: Vec::with_capacity(batch) }),
            ones: vec![1.0; batch],
            barrier: Barrier::new(members),
        }
    }

    /// Does `work` while the other members stand by; `None`, without having begun, if the system does not give a thread to each.
    pub(crate) fn assemble<T>(&self, work: impl FnOnce(&Self) -> T) -> Option<T> {
        std::thread::scope(|scope| {
            // Nobody waits at the barrier before all are there: it would be forever.
            let mut members = Vec::new();
            for member in 1..self.members() {
                let (start, started) = channel();
                let stand_by = move || started.into_iter().for_each(|()| self.stand_by(member));
                std::thread::Builder::new().spawn_scoped(scope, stand_by).ok()?;
                members.push(start);
            }
            members.into_iter().for_each(|start| start.send(()).unwrap_or_default());
            let _member = self.barrier.member();
            let _dismissal = Dismissal(self);
            Some(work(self))
        })
    }

    fn members(&self) -> usize {
        self.parts[0].len()
    }

    fn stand_by(&self, member: usize) {
        let _member = self.barrier.member();
        loop {
            self.barrier.wait();
            let job = read(&self.job);
            match job.order {
                Order::Forward => self.forward_of(member, &job.rows),
                Order::Backward(step) => self.backward_of(member, job.rows.len(), &step),
                Order::End => return,
            }
            drop(job);
            self.barrier.wait();
        }
    }

    /// The scores of so many rows of features, N x K.
    pub(crate) fn forward(&self, rows: &[&'a [f32]]) -> Vec<f32> {
        let mut job = write(&self.job);
        job.order = Order::Forward;
        job.rows.clear();
        job.rows.extend_from_slice(rows);
        drop(job);
        self.barrier.wait();
        self.forward_of(0, rows);
        self.barrier.wait();
        let mut scores = Vec::new();
        for row in 0..rows.len() {
            for part in &self.values[self.parts.len()] {
                let part = read(part);
                scores.extend_from_slice(&part.values[row * part.stride..][..part.units.len()]);
            }
        }
        scores
    }

    /// A step of every layer downhill, from the slopes of the loss in the scores of the last rows, N x K.
    pub(crate) fn backward(&self, slopes: &[f32], step: &AdamStep) {
        let mut job = write(&self.job);
        job.order = Order::Backward(*step);
        let rows = job.rows.len();
        drop(job);
        let (last, outputs) = (self.parts.len() - 1, slopes.len() / rows.max(1));
        for (values, mine) in self.values[last + 1].iter().zip(&self.slopes[last]) {
            let (units, mut mine) = (read(values).units.clone(), write(mine));
            let Slopes { stride, values, transposed } = &mut *mine;
            let lanes = rows.next_multiple_of(LANES);
            transposed.fill(0.0);
            for (row, slopes) in slopes.chunks_exact(outputs).enumerate() {
                for (at, slope) in slopes[units.clone()].iter().enumerate() {
                    values[row * *stride + at] = *slope;
                    transposed[at * lanes + row] = *slope;
                }
            }
        }
        self.barrier.wait();
        self.backward_of(0, rows, step);
        self.barrier.wait();
    }

    /// What Adam's running means of the gradient are, shaped like the layers.
    #[cfg(test)]
    pub(crate) fn means(&self) -> Vec<DenseLayer> {
        self.layers(|tensor| &tensor.means)
    }

    /// The head as it is now.
    pub(crate) fn head(&self) -> Dense {
        Dense { classes: self.classes, layers: self.layers(|tensor| &tensor.values) }
    }

    fn layers(&self, which: impl Fn(&Tensor) -> &Buffer<f32>) -> Vec<DenseLayer> {
        let layer = |(&(inputs, units), parts): (&(usize, usize), &Vec<RwLock<Part>>)| {
            let size = inputs * units.next_multiple_of(PANEL);
            let (mut weight, mut bias) = (Vec::with_capacity(size), Vec::with_capacity(units));
            for part in parts {
                let part = read(part);
                weight.extend_from_slice(which(&part.weight));
                bias.extend_from_slice(which(&part.bias));
            }
            DenseLayer { inputs, units, weight, bias }
        };
        self.sizes.iter().zip(&self.parts).map(layer).collect()
    }

    fn forward_of(&self, member: usize, rows: &[&[f32]]) {
        let mut mine = write(&self.values[0][member]);
        let Values { units, stride, values } = &mut *mine;
        for (row, place) in rows.iter().zip(values.chunks_exact_mut(*stride)) {
            place[..units.len()].copy_from_slice(&row[units.clone()]);
        }
        drop(mine);
        for (layer, parts) in self.parts.iter().enumerate() {
            self.barrier.wait();
            let part = read(&parts[member]);
            let mut mine = write(&self.values[layer + 1][member]);
            self.layer_forward(layer, &part, rows.len(), &mut mine);
        }
    }

    /// N x U = (N x I) · (I x U) + biases
    fn layer_forward(&self, layer: usize, part: &Part, rows: usize, mine: &mut Values) {
        let inputs = self.sizes[layer].0;
        let (stride, panels) = (mine.stride, part.weight.values.chunks_exact(inputs * PANEL));
        for (panel, weight) in panels.enumerate() {
            let column = panel * PANEL;
            for row in mine.values.chunks_exact_mut(stride).take(rows) {
                row[column..column + PANEL].copy_from_slice(&part.bias.values[column..column + PANEL]);
            }
            for before in &self.values[layer] {
                let before = read(before);
                let count = before.units.len();
                let left = Matrix::new(&before.values, rows, count, before.stride);
                let right = Matrix::new(&weight[before.units.start * PANEL..], count, PANEL, PANEL);
                let out = MatrixMut::new(&mut mine.values[column..], rows, PANEL, stride);
                add_product(self.isa, left, right, out);
            }
        }
        if layer + 1 < self.parts.len() {
            rectify(&mut mine.values[..rows * stride]);
        }
    }

    fn backward_of(&self, member: usize, rows: usize, step: &AdamStep) {
        for layer in (0..self.parts.len()).rev() {
            if layer > 0 {
                self.slopes_before(layer, member, rows);
                // The slopes of the layer below are all there, and the weights of this one are needed no more.
                self.barrier.wait();
            }
            self.learn(layer, member, rows, step);
        }
    }

    /// I x N = (I x U) · (U x N), and nothing where the ReLU gave 0.
    fn slopes_before(&self, layer: usize, member: usize, rows: usize) {
        let inputs = self.sizes[layer].0;
        let lanes = rows.next_multiple_of(LANES);
        let given = read(&self.values[layer][member]);
        let mut mine = write(&self.slopes[layer - 1][member]);
        let Slopes { stride, values, transposed } = &mut *mine;
        transposed[..given.units.len() * lanes].fill(0.0);
        for chunk in given.units.clone().step_by(CHUNK) {
            let chunk = chunk..given.units.end.min(chunk + CHUNK);
            let out = &mut transposed[(chunk.start - given.units.start) * lanes..];
            for ((part, slopes), above) in
                self.parts[layer].iter().zip(&self.slopes[layer]).zip(&self.values[layer + 1])
            {
                let (part, slopes, units) = (read(part), read(slopes), read(above).units.len());
                for (panel, weight) in part.weight.values.chunks_exact(inputs * PANEL).enumerate() {
                    let count = PANEL.min(units - panel * PANEL);
                    let left = Matrix::new(&weight[chunk.start * PANEL..], chunk.len(), count, PANEL);
                    let right = Matrix::new(&slopes.transposed[panel * PANEL * lanes..], count, lanes, lanes);
                    add_product(self.isa, left, right, MatrixMut::new(out, chunk.len(), lanes, lanes));
                }
            }
        }
        for (unit, slopes) in transposed.chunks_exact_mut(lanes).take(given.units.len()).enumerate() {
            for (row, slope) in slopes[..rows].iter_mut().enumerate() {
                if given.values[row * given.stride + unit] <= 0.0 {
                    *slope = 0.0;
                }
                values[row * *stride + unit] = *slope;
            }
        }
    }

    /// A step whose gradient is I x U = (N x I)ᵀ · (N x U); of the biases, sums over N.
    fn learn(&self, layer: usize, member: usize, rows: usize, step: &AdamStep) {
        let inputs = self.sizes[layer].0;
        let mut part = write(&self.parts[layer][member]);
        let slopes = read(&self.slopes[layer][member]);
        for panel in 0..part.bias.values.len() / PANEL {
            let right = Matrix::new(&slopes.values[panel * PANEL..], rows, PANEL, slopes.stride);
            for before in &self.values[layer] {
                let before = read(before);
                let left = Matrix::new(&before.values, rows, before.units.len(), before.stride);
                let first = panel * inputs * PANEL;
                let range = first + before.units.start * PANEL..first + before.units.end * PANEL;
                descend(self.isa, left, right, step, part.weight.learned(range));
            }
            let ones = Matrix::new(&self.ones, rows, 1, 1);
            descend(self.isa, ones, right, step, part.bias.learned(panel * PANEL..(panel + 1) * PANEL));
        }
    }
}

/// Sends the other members home, however the work ends.
struct Dismissal<'a, 'b>(&'a Team<'b>);

impl Drop for Dismissal<'_, '_> {
    fn drop(&mut self) {
        // In a panic the barrier breaks, which sends them home, too.
        if !std::thread::panicking() {
            write(&self.0.job).order = Order::End;
            self.0.barrier.wait();
        }
    }
}
