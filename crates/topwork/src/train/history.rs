//! How training went, one row an epoch.

use serde::{Deserialize, Serialize};

/// The course of a training run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// One row a pass over the training examples (dense head) or an L-BFGS iteration (linear head).
    pub epochs: Vec<Epoch>,
    /// The `epoch` whose weights were kept; `None` where there is no such choice, as with the linear head.
    pub best_epoch: Option<usize>,
}

/// One row of a [`History`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: usize,
    /// Mean log loss (nats) over the training examples; the dense head's is the mean over the epoch's batches,
    /// each with the weights that it met, and with class weights, as in Keras.
    pub loss: f64,
    /// Share of training examples whose most probable class is theirs.
    pub accuracy: f64,
    /// Mean log loss over the validation examples.
    pub val_loss: Option<f64>,
    /// Share of validation examples whose most probable class is theirs.
    pub val_accuracy: Option<f64>,
    /// The step size: Adam's learning rate, or the step that the line search of L-BFGS took.
    pub learning_rate: f64,
}
