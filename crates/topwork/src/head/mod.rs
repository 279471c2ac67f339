//! The head: features → probabilities. What training makes, a model file stores and every caller applies.
//!
//! A head is applied to one row at a time in a fixed order of plain multiplications and additions, with `exp` from
//! `libm`, so the same features give the same bits on every machine. It reads no files.

mod dense;
mod linear;

pub use dense::Dense;
pub(crate) use dense::{DenseLayer, rectify};
pub use linear::Linear;

use topwork_kernels::Isa;

use crate::error::{Error, ErrorKind, Result};

/// A tensor as a model file holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// For example `linear.weight`.
    pub name: String,
    /// The size of each axis.
    pub shape: Vec<usize>,
    /// The values, the last axis innermost.
    pub values: Vec<f32>,
}

/// The trained top of a classifier.
#[derive(Clone, Debug, PartialEq)]
pub enum Head {
    /// Logistic regression.
    Linear(Linear),
    /// Dense ReLU layers.
    Dense(Dense),
}

impl Head {
    /// The number of features that it takes.
    pub fn input_dim(&self) -> usize {
        match self {
            Head::Linear(head) => head.input_dim(),
            Head::Dense(head) => head.input_dim(),
        }
    }

    /// The number of classes that it tells apart.
    pub fn classes(&self) -> usize {
        match self {
            Head::Linear(head) => head.classes(),
            Head::Dense(head) => head.classes(),
        }
    }

    /// The probability of each class, from one row of features. The instruction set changes the speed alone.
    ///
    /// # Panics
    /// If the row is not [`input_dim`](Head::input_dim) long.
    pub fn probabilities(&self, isa: Isa, features: &[f32]) -> Vec<f64> {
        match self {
            Head::Linear(head) => head.probabilities(isa, features),
            Head::Dense(head) => head.probabilities(isa, features),
        }
    }

    /// The tensors that a model file stores.
    pub fn tensors(&self) -> Vec<NamedTensor> {
        match self {
            Head::Linear(head) => head.tensors(),
            Head::Dense(head) => head.tensors(),
        }
    }

    /// The head of stored tensors; which kind it is follows from their names.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] if tensors are missing, unknown, of the wrong shape or not finite.
    pub fn from_tensors(tensors: &[NamedTensor], classes: usize) -> Result<Head> {
        if let Some(bad) = tensors.iter().find(|tensor| !tensor.values.iter().all(|value| value.is_finite()))
        {
            return Err(Error::new(
                ErrorKind::Model,
                format!("tensor {} has values that are not finite", bad.name),
            ));
        }
        if tensors.iter().any(|tensor| tensor.name.starts_with("dense.")) {
            return Dense::from_tensors(tensors, classes).map(Head::Dense);
        }
        Linear::from_tensors(tensors, classes).map(Head::Linear)
    }
}

/// Scores that a head gives: one in all for two classes, else one a class.
pub(crate) fn outputs(classes: usize) -> usize {
    if classes == 2 { 1 } else { classes }
}

/// The tensor of that name and shape.
fn find<'a>(tensors: &'a [NamedTensor], name: &str, shape: &[Option<usize>]) -> Result<&'a NamedTensor> {
    let Some(tensor) = tensors.iter().find(|tensor| tensor.name == name) else {
        return Err(Error::new(ErrorKind::Model, format!("the head has no tensor {name}")));
    };
    let fits = tensor.shape.len() == shape.len()
        && tensor.shape.iter().zip(shape).all(|(found, wanted)| wanted.is_none_or(|wanted| wanted == *found))
        && tensor.shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size))
            == Some(tensor.values.len());
    if !fits {
        let wanted: Vec<String> =
            shape.iter().map(|size| size.map_or("any".to_owned(), |size| size.to_string())).collect();
        let message = format!(
            "tensor {name} has shape {:?} and {} values, expected [{}]",
            tensor.shape,
            tensor.values.len(),
            wanted.join(", ")
        );
        return Err(Error::new(ErrorKind::Model, message));
    }
    Ok(tensor)
}

/// An error if a tensor has none of these names.
fn unknown_tensor(tensors: &[NamedTensor], names: &[&str]) -> Result<()> {
    match tensors.iter().find(|tensor| !names.contains(&tensor.name.as_str())) {
        None => Ok(()),
        Some(tensor) => {
            Err(Error::new(ErrorKind::Model, format!("the head has an unknown tensor {}", tensor.name)))
        }
    }
}
