//! What a training is doing.

/// Hears what a training is doing.
pub type OnStage<'a> = &'a dyn Fn(Stage);

/// What is being done.
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
