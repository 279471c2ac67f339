//! Dense layers, as everybody applies them.
//!
//! Every layer but the last ends in a ReLU; the last gives one score a class, or one score in all for two classes.
//! A score is the bias, to which the products are added in the order of the inputs, in f32, as
//! [`topwork_kernels::product`] states, so neither the batch nor the number of threads nor the machine changes a bit,
//! and training sees the very numbers that a saved head gives. It reads no files and chooses no weights.

use topwork_kernels::Isa;
use topwork_kernels::product::{Matrix, MatrixMut, PANEL, add_product};

use crate::error::{Error, ErrorKind, Result};
use crate::head::{NamedTensor, find, outputs, unknown_tensor};
use crate::train::probabilities_from_scores;

/// Dense ReLU layers and an output layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    pub(crate) classes: usize,
    /// At least one; each takes what the one before it gives.
    pub(crate) layers: Vec<DenseLayer>,
}

/// score = weight · input + bias
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DenseLayer {
    pub(crate) inputs: usize,
    pub(crate) units: usize,
    /// Panels of [`PANEL`] units, each inputs x `PANEL`; units that are missing in the last one are zero.
    pub(crate) weight: Vec<f32>,
    /// One a unit, and zeros up to whole panels.
    pub(crate) bias: Vec<f32>,
}

impl DenseLayer {
    /// From U x I weights, one row a unit, and U biases.
    fn new(rows: &[f32], bias: &[f32]) -> DenseLayer {
        let (units, inputs) = (bias.len(), rows.len() / bias.len());
        let panels = units.div_ceil(PANEL);
        let mut layer = DenseLayer {
            inputs,
            units,
            weight: vec![0.0; panels * inputs * PANEL],
            bias: vec![0.0; panels * PANEL],
        };
        layer.bias[..units].copy_from_slice(bias);
        for (unit, row) in rows.chunks_exact(inputs).enumerate() {
            let first = layer.place(unit);
            let places = layer.weight[first..].iter_mut().step_by(PANEL);
            places.zip(row).for_each(|(place, value)| *place = *value);
        }
        layer
    }

    /// Where the first weight of a unit is.
    fn place(&self, unit: usize) -> usize {
        unit / PANEL * self.inputs * PANEL + unit % PANEL
    }

    /// U x I weights, one row a unit.
    pub(crate) fn rows(&self) -> Vec<f32> {
        let row = |unit| self.weight[self.place(unit)..].iter().step_by(PANEL).take(self.inputs);
        (0..self.units).flat_map(row).copied().collect()
    }
}

/// ReLU.
pub(crate) fn rectify(values: &mut [f32]) {
    values.iter_mut().for_each(|value| *value = value.max(0.0));
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
        let outputs = outputs(classes);
        if inputs != Some(outputs) {
            return fail(format!("the last dense layer should have {outputs} units for {classes} classes"));
        }
        let layers = layers.iter().map(|(weight, bias)| DenseLayer::new(weight, bias)).collect();
        Ok(Dense { classes, layers })
    }

    pub(crate) fn input_dim(&self) -> usize {
        self.layers[0].inputs
    }

    pub(crate) fn classes(&self) -> usize {
        self.classes
    }

    pub(crate) fn probabilities(&self, isa: Isa, features: &[f32]) -> Vec<f64> {
        assert_eq!(features.len(), self.input_dim(), "features do not fit the head");
        let mut values = features.to_vec();
        for (index, layer) in self.layers.iter().enumerate() {
            let mut output = layer.bias.clone();
            let input = Matrix::new(&values, 1, layer.inputs, layer.inputs);
            let panels = layer.weight.chunks_exact(layer.inputs * PANEL);
            for (panel, output) in panels.zip(output.chunks_exact_mut(PANEL)) {
                let panel = Matrix::new(panel, layer.inputs, PANEL, PANEL);
                add_product(isa, input, panel, MatrixMut::new(output, 1, PANEL, PANEL));
            }
            output.truncate(layer.units);
            if index + 1 < self.layers.len() {
                rectify(&mut output);
            }
            values = output;
        }
        let mut scores: Vec<f64> = values.into_iter().map(f64::from).collect();
        probabilities_from_scores(&mut scores);
        if let [second] = scores[..] { vec![1.0 - second, second] } else { scores }
    }

    pub(crate) fn tensors(&self) -> Vec<NamedTensor> {
        let mut tensors = Vec::with_capacity(2 * self.layers.len());
        for (index, layer) in self.layers.iter().enumerate() {
            tensors.push(NamedTensor {
                name: format!("dense.{index}.bias"),
                shape: vec![layer.units],
                values: layer.bias[..layer.units].to_vec(),
            });
            tensors.push(NamedTensor {
                name: format!("dense.{index}.weight"),
                shape: vec![layer.units, layer.inputs],
                values: layer.rows(),
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
