//! When to stop, and which epoch to keep: Keras' `EarlyStopping(restore_best_weights=True)`.

use serde::{Deserialize, Serialize};

/// Stops once `val_loss` has not improved for a while; the best epoch's weights are kept in any case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EarlyStopping {
    /// Stops after this many epochs in a row without improvement.
    pub patience: usize,
    /// A loss counts as an improvement if it is lower than the best by more than this.
    pub min_delta: f64,
}

impl Default for EarlyStopping {
    /// Patience 5; the rest as Keras' own defaults.
    fn default() -> EarlyStopping {
        EarlyStopping { patience: 5, min_delta: 0.0 }
    }
}

/// Whether a loss beats the best so far. Keras compares in f32, and the first loss always does.
pub(crate) fn improves(loss: f64, best: Option<f64>, min_delta: f64) -> bool {
    best.is_none_or(|best| ((loss + min_delta.abs()) as f32) < best as f32)
}

/// What an epoch's loss means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) improved: bool,
    pub(crate) stop: bool,
}

pub(crate) struct StoppingState {
    settings: EarlyStopping,
    best: Option<f64>,
    wait: usize,
    epochs: usize,
}

impl StoppingState {
    pub(crate) fn new(settings: EarlyStopping) -> StoppingState {
        StoppingState { settings, best: None, wait: 0, epochs: 0 }
    }

    pub(crate) fn observe(&mut self, loss: f64) -> Verdict {
        self.epochs += 1;
        self.wait += 1;
        if improves(loss, self.best, self.settings.min_delta) {
            self.best = Some(loss);
            self.wait = 0;
            return Verdict { improved: true, stop: false };
        }
        Verdict { improved: false, stop: self.wait >= self.settings.patience && self.epochs > 1 }
    }
}
