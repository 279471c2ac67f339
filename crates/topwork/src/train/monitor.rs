//! How a caller follows a training, and ends it.

use crate::train::data::Stop;

/// Who listens while a head is trained, and may end it.
#[derive(Clone, Copy)]
pub struct Monitor<'a> {
    /// Asked again and again, many times a second; `true` ends the training.
    pub stop: Stop<'a>,
    /// Called as the training goes on, from the calling thread.
    pub progress: &'a dyn Fn(Stage),
}

/// What a training does at the moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stage {
    /// C and the features are chosen.
    Choosing {
        /// The fold that is held out, counted from 1.
        fold: usize,
        /// At most so many will be.
        folds: usize,
        /// How much of all that is done, if all folds are needed: 0 to 1.
        share: f64,
    },
    /// The head is fitted with what was chosen.
    Fitting {
        /// Steps taken.
        step: usize,
    },
}

impl Default for Monitor<'_> {
    /// In silence, to the end.
    fn default() -> Self {
        Monitor { stop: &|| false, progress: &|_| {} }
    }
}
