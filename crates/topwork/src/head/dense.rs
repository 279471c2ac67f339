//! Dense layers: forward as everybody applies them, backward as training needs it, side by side.
//!
//! Every layer but the last ends in a ReLU; the last gives one score a class, or one score in all for two classes.
//! Sums are f32 in the orders that `topwork_kernels::linear` states, so neither the batch nor the number of threads
//! nor the machine changes a bit. It reads no files and chooses no weights.

use topwork_kernels::{Isa, linear};

use crate::error::{Error, ErrorKind, Result};
use crate::head::{NamedTensor, find, unknown_tensor};
use crate::train::probabilities_from_scores;

/// Products of fewer multiplications than this are not worth a thread.
const WORTH_A_THREAD: usize = 1_000_000;

/// Dense ReLU layers and an output layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    classes: usize,
    /// At least one; each takes what the one before it gives.
    pub(crate) layers: Vec<Layer>,
}

/// score = weight · input + bias
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layer {
    /// U × I: one row a unit.
    pub(crate) weight: Vec<f32>,
    /// U.
    pub(crate) bias: Vec<f32>,
}

impl Layer {
    fn units(&self) -> usize {
        self.bias.len()
    }

    fn inputs(&self) -> usize {
        self.weight.len() / self.bias.len()
    }
}

impl Dense {
    /// A head of layers (U × I weights, U biases), the output layer last.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] if the sizes do not fit.
    pub fn new(classes: usize, layers: Vec<(Vec<f32>, Vec<f32>)>) -> Result<Dense> {
        let fail = |message: String| Err(Error::new(ErrorKind::Model, message));
        if classes < 2 || layers.is_empty() {
            return fail(format!("{} dense layers cannot tell {classes} classes apart", layers.len()));
        }
        let mut inputs = None;
        for (index, (weight, bias)) in layers.iter().enumerate() {
            if weight.is_empty() || bias.is_empty() || !weight.len().is_multiple_of(bias.len()) {
                return fail(format!("dense layer {index}: {} weights, {} biases", weight.len(), bias.len()));
            }
            if inputs.is_some_and(|inputs| inputs != weight.len() / bias.len()) {
                return fail(format!("dense layer {index} does not take what layer {} gives", index - 1));
            }
            inputs = Some(bias.len());
        }
        let outputs = if classes == 2 { 1 } else { classes };
        if inputs != Some(outputs) {
            return fail(format!("the last dense layer should have {outputs} units for {classes} classes"));
        }
        let layers = layers.into_iter().map(|(weight, bias)| Layer { weight, bias }).collect();
        Ok(Dense { classes, layers })
    }

    pub(crate) fn width(&self) -> usize {
        self.layers[0].inputs()
    }

    pub(crate) fn classes(&self) -> usize {
        self.classes
    }

    pub(crate) fn probabilities(&self, features: &[f32]) -> Vec<f64> {
        assert_eq!(features.len(), self.width(), "features do not fit the head");
        let outputs = self.forward(&[features], 1);
        let mut scores: Vec<f64> = outputs[outputs.len() - 1].iter().map(|score| f64::from(*score)).collect();
        probabilities_from_scores(&mut scores);
        if let [second] = scores[..] { vec![1.0 - second, second] } else { scores }
    }

    /// What each layer gives for N rows (N × U, after the ReLU; of the last layer the scores).
    pub(crate) fn forward(&self, rows: &[&[f32]], threads: usize) -> Vec<Vec<f32>> {
        let mut outputs: Vec<Vec<f32>> = Vec::with_capacity(self.layers.len());
        for (index, layer) in self.layers.iter().enumerate() {
            let inputs = match outputs.last() {
                Some(before) => before.chunks_exact(layer.inputs()).collect(),
                None => rows.to_vec(),
            };
            // N × U = (N × I) · (U × I)ᵀ
            let mut output = vec![0.0; rows.len() * layer.units()];
            let share = share_of(rows.len(), layer.weight.len() * rows.len(), threads);
            each(inputs.chunks(share).zip(output.chunks_mut(share * layer.units())), |(inputs, output)| {
                linear::scores(Isa::best(), inputs, &layer.weight, output);
            });
            let last = index + 1 == self.layers.len();
            for row in output.chunks_exact_mut(layer.units()) {
                for (value, bias) in row.iter_mut().zip(&layer.bias) {
                    let score = *value + bias;
                    *value = if last { score } else { score.max(0.0) };
                }
            }
            outputs.push(output);
        }
        outputs
    }

    /// The gradients of a loss, from its slope in the scores (N × K): one layer each, shaped like the layers.
    pub(crate) fn backward(
        &self,
        rows: &[&[f32]],
        outputs: &[Vec<f32>],
        score_slopes: Vec<f32>,
        threads: usize,
    ) -> Vec<Layer> {
        let mut slopes = score_slopes;
        let mut gradients = Vec::with_capacity(self.layers.len());
        for (index, layer) in self.layers.iter().enumerate().rev() {
            let (units, width) = (layer.units(), layer.inputs());
            let inputs: Vec<&[f32]> = match index {
                0 => rows.to_vec(),
                _ => outputs[index - 1].chunks_exact(width).collect(),
            };
            let share = |count| share_of(count, layer.weight.len() * rows.len(), threads);
            // U × I = (N × U)ᵀ · (N × I); U = sums over N
            let mut weight = vec![0.0; units * width];
            let size = share(units);
            each(weight.chunks_mut(size * width).enumerate(), |(part, weight)| {
                let mine = part * size..(part * size + size).min(units);
                let coefficients: Vec<f32> =
                    slopes.chunks_exact(units).flat_map(|row| &row[mine.clone()]).copied().collect();
                linear::accumulate(Isa::best(), &inputs, &coefficients, weight);
            });
            let mut bias = vec![0.0; units];
            for row in slopes.chunks_exact(units) {
                bias.iter_mut().zip(row).for_each(|(sum, slope)| *sum += slope);
            }
            if index > 0 {
                // N × I = (N × U) · (U × I), and nothing where the ReLU gave 0
                let mut before = vec![0.0; rows.len() * width];
                let units_of_weight: Vec<&[f32]> = layer.weight.chunks_exact(width).collect();
                let size = share(rows.len());
                each(before.chunks_mut(size * width).zip(slopes.chunks(size * units)), |(before, slopes)| {
                    let count = slopes.len() / units;
                    let transposed: Vec<f32> = (0..units)
                        .flat_map(|unit| (0..count).map(move |row| slopes[row * units + unit]))
                        .collect();
                    linear::accumulate(Isa::best(), &units_of_weight, &transposed, before);
                });
                for (slope, output) in before.iter_mut().zip(&outputs[index - 1]) {
                    *slope = if *output > 0.0 { *slope } else { 0.0 };
                }
                slopes = before;
            }
            gradients.push(Layer { weight, bias });
        }
        gradients.reverse();
        gradients
    }

    pub(crate) fn tensors(&self) -> Vec<NamedTensor> {
        let mut tensors = Vec::with_capacity(2 * self.layers.len());
        for (index, layer) in self.layers.iter().enumerate() {
            tensors.push(NamedTensor {
                name: format!("dense.{index}.bias"),
                shape: vec![layer.units()],
                values: layer.bias.clone(),
            });
            tensors.push(NamedTensor {
                name: format!("dense.{index}.weight"),
                shape: vec![layer.units(), layer.inputs()],
                values: layer.weight.clone(),
            });
        }
        tensors
    }

    pub(crate) fn from_tensors(tensors: &[NamedTensor], classes: usize) -> Result<Dense> {
        let mut layers = Vec::new();
        let mut names = Vec::new();
        for index in 0..tensors.len() / 2 {
            let weight = find(tensors, &format!("dense.{index}.weight"), &[None, None])?;
            let bias = find(tensors, &format!("dense.{index}.bias"), &[Some(weight.shape[0])])?;
            names.extend([weight.name.as_str(), &bias.name]);
            layers.push((weight.values.clone(), bias.values.clone()));
        }
        unknown_tensor(tensors, &names)?;
        Dense::new(classes, layers)
    }
}

/// How many of `count` items a thread takes.
fn share_of(count: usize, multiplications: usize, threads: usize) -> usize {
    let threads = threads.min(1 + multiplications / WORTH_A_THREAD).max(1);
    count.div_ceil(threads).max(1)
}

/// Does all pieces of work, each in its own thread where there is more than one.
fn each<T: Send>(work: impl ExactSizeIterator<Item = T>, action: impl Fn(T) + Sync) {
    if work.len() <= 1 {
        work.for_each(action);
        return;
    }
    let action = &action;
    std::thread::scope(|scope| work.for_each(|piece| drop(scope.spawn(move || action(piece)))));
}
