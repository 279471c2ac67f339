//! From features and labels to a head: choosing the strength of regularisation, fitting, stopping.
//!
//! Everything here works on numbers in memory. Results depend on the numbers, the settings and the seed alone,
//! never on the number of threads or the machine.

mod barrier;
mod choice;
mod data;
mod early_stopping;
mod fit;
mod folds;
mod history;
mod lbfgs;
mod linear;
mod logistic;
mod optimiser;
mod schedule;
mod stage;
mod table;
mod team;

pub use choice::{FALLBACK_STRENGTH, Gain, LinearChoice, STRENGTHS, TAP_WEIGHTS, Trial, choose_linear};
pub(crate) use data::too_many_folds;
pub use data::{ClassWeight, Examples};
pub use early_stopping::EarlyStopping;
pub use fit::{DenseFit, DenseSettings, fit_dense};
pub use folds::{Folds, stratified_folds};
pub use history::{Epoch, History};
pub use linear::{CrossValidation, LinearFit, LinearSettings, cross_validate, fit_linear, train_linear};
pub(crate) use logistic::probabilities_from_scores;
pub use optimiser::AdamForm;
pub use schedule::Plateau;
pub use stage::{OnStage, Stage};

#[cfg(test)]
mod tests;
