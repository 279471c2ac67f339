//! A learning rate that drops when learning stands still: Keras' `ReduceLROnPlateau`.

use serde::{Deserialize, Serialize};

use crate::train::early_stopping::improves;

/// Lowers the learning rate once `val_loss` has not improved for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plateau {
    /// What the rate is multiplied by, below 1.
    pub factor: f64,
    /// Drops after this many epochs in a row without improvement.
    pub patience: usize,
    /// A loss counts as an improvement if it is lower than the best by more than this.
    pub min_delta: f64,
    /// Epochs after a drop in which nothing is counted.
    pub cooldown: usize,
    /// The rate never drops below this.
    pub min_learning_rate: f64,
}

impl Default for Plateau {
    /// Factor .1 and patience 3; the rest as Keras' own defaults.
    fn default() -> Plateau {
        Plateau { factor: 0.1, patience: 3, min_delta: 1e-4, cooldown: 0, min_learning_rate: 0.0 }
    }
}

pub(crate) struct PlateauState {
    settings: Plateau,
    best: Option<f64>,
    wait: usize,
    cooldown: usize,
}

impl PlateauState {
    pub(crate) fn new(settings: Plateau) -> PlateauState {
        PlateauState { settings, best: None, wait: 0, cooldown: 0 }
    }

    /// The rate of the next epoch; rates are f32, as Keras stores them.
    pub(crate) fn observe(&mut self, loss: f64, learning_rate: f32) -> f32 {
        if self.cooldown > 0 {
            self.cooldown -= 1;
            self.wait = 0;
        }
        if improves(loss, self.best, self.settings.min_delta) {
            self.best = Some(loss);
            self.wait = 0;
        } else if self.cooldown == 0 {
            self.wait += 1;
            if self.wait >= self.settings.patience && learning_rate > self.settings.min_learning_rate as f32 {
                self.cooldown = self.settings.cooldown;
                self.wait = 0;
                let lower = f64::from(learning_rate) * self.settings.factor;
                return lower.max(self.settings.min_learning_rate) as f32;
            }
        }
        learning_rate
    }
}
