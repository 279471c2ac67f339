//! Logistic regression as it is applied: one score a class (two classes: one score), then probabilities.

use topwork_kernels::{Isa, linear};

use crate::error::{Error, ErrorKind, Result};
use crate::head::{NamedTensor, find, outputs, unknown_tensor};
use crate::train::probabilities_from_scores;

/// Weights and intercepts.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    classes: usize,
    width: usize,
    /// K × D, K = 1 for two classes.
    weight: Vec<f32>,
    /// K.
    bias: Vec<f32>,
}

impl Linear {
    /// A head of K × D weights and K intercepts; K is 1 for two classes, else the number of classes.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] if the sizes do not fit.
    pub fn new(classes: usize, weight: Vec<f32>, bias: Vec<f32>) -> Result<Linear> {
        let outputs = outputs(classes);
        if classes < 2 || bias.len() != outputs || weight.is_empty() || !weight.len().is_multiple_of(outputs)
        {
            let message = format!(
                "{} weights and {} intercepts do not fit {classes} classes",
                weight.len(),
                bias.len()
            );
            return Err(Error::new(ErrorKind::Model, message));
        }
        Ok(Linear { classes, width: weight.len() / outputs, weight, bias })
    }

    /// The same from the numbers of training, rounded to what is stored.
    pub(crate) fn from_f64(classes: usize, weight: &[f64], bias: &[f64]) -> Result<Linear> {
        let round = |values: &[f64]| values.iter().map(|value| *value as f32).collect();
        Linear::new(classes, round(weight), round(bias))
    }

    pub(crate) fn input_dim(&self) -> usize {
        self.width
    }

    pub(crate) fn classes(&self) -> usize {
        self.classes
    }

    /// The score of each output is the sum of products in f64 (a product of two f32 is exact there) in eight
    /// lanes, in the order that [`topwork_kernels::linear::scores`] states, plus the intercept.
    pub(crate) fn probabilities(&self, isa: Isa, features: &[f32]) -> Vec<f64> {
        assert_eq!(features.len(), self.width, "features do not fit the head");
        let mut scores = vec![0.0_f64; self.bias.len()];
        linear::scores(isa, &[features], &self.weight, &mut scores);
        scores.iter_mut().zip(&self.bias).for_each(|(score, bias)| *score += f64::from(*bias));
        probabilities_from_scores(&mut scores);
        if let [second] = scores[..] { vec![1.0 - second, second] } else { scores }
    }

    pub(crate) fn tensors(&self) -> Vec<NamedTensor> {
        let tensor = |name: &str, shape: Vec<usize>, values: &[f32]| NamedTensor {
            name: name.to_owned(),
            shape,
            values: values.to_vec(),
        };
        vec![
            tensor("linear.bias", vec![self.bias.len()], &self.bias),
            tensor("linear.weight", vec![self.bias.len(), self.width], &self.weight),
        ]
    }

    pub(crate) fn from_tensors(tensors: &[NamedTensor], classes: usize) -> Result<Linear> {
        let outputs = outputs(classes);
        let weight = find(tensors, "linear.weight", &[Some(outputs), None])?;
        let bias = find(tensors, "linear.bias", &[Some(outputs)])?;
        unknown_tensor(tensors, &[&weight.name, &bias.name])?;
        Linear::new(classes, weight.values.clone(), bias.values.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::Head;

    #[test]
    fn probabilities_are_sigmoid_and_softmax() {
        let two = Linear::new(2, vec![1.0, -2.0], vec![0.5]).unwrap();
        let p = 1.0 / (1.0 + (-1.5_f64).exp());
        assert!((two.probabilities(Isa::best(), &[3.0, 1.0])[1] - p).abs() < 1e-15);
        let three = Linear::new(3, vec![1.0, 2.0, 900.0], vec![0.0, 0.0, -1.0]).unwrap();
        assert_eq!(three.probabilities(Isa::best(), &[1.0]), [0.0, 0.0, 1.0]);
        let sum = 1.0 + 1.0 + (-1.0_f64).exp();
        assert!((three.probabilities(Isa::best(), &[0.0])[2] - (-1.0_f64).exp() / sum).abs() < 1e-15);
    }

    #[test]
    fn tensors_come_back() {
        for (classes, weights) in [(2, 3), (3, 9)] {
            let outputs = weights / 3;
            let weight = (0..weights).map(|value| value as f32).collect();
            let head = Head::Linear(Linear::new(classes, weight, vec![0.5; outputs]).unwrap());
            assert_eq!(Head::from_tensors(&head.tensors(), classes).unwrap(), head);
            assert!(Head::from_tensors(&head.tensors(), classes + 1).is_err());
            let mut broken = head.tensors();
            broken[1].values[0] = f32::NAN;
            assert!(Head::from_tensors(&broken, classes).is_err());
            broken[1].values.pop();
            assert!(Head::from_tensors(&broken, classes).is_err());
            assert!(Head::from_tensors(&head.tensors()[..1], classes).is_err());
            assert!(Head::from_tensors(&[], classes).is_err());
            let more =
                [head.tensors(), vec![NamedTensor { name: "x".into(), shape: vec![], values: vec![1.0] }]];
            assert!(Head::from_tensors(&more.concat(), classes).is_err());
        }
    }
}
