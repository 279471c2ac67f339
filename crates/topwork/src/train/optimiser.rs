//! Adam, in the forms of Keras and of PyTorch, which differ in where a small number keeps the division safe.

use serde::{Deserialize, Serialize};
use topwork_kernels::product::AdamStep;

/// Whose Adam.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdamForm {
    /// w −= α · m / (√v + 1e-7) with α = rate · √(1 − β₂ᵗ) / (1 − β₁ᵗ) (Keras 3.15, `optimizers/adam.py`).
    #[default]
    Keras,
    /// w −= rate / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + 1e-8) (PyTorch 2.15, `optim/adam.py`).
    PyTorch,
}

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;

/// How many steps were taken, as far as the next one depends on it.
pub(crate) struct Adam {
    form: AdamForm,
    /// β₁ᵗ and β₂ᵗ.
    powers: (f64, f64),
}

impl Adam {
    pub(crate) fn new(form: AdamForm) -> Adam {
        Adam { form, powers: (1.0, 1.0) }
    }

    /// The numbers of the next step, the same for every value that is learned.
    pub(crate) fn next(&mut self, learning_rate: f32) -> AdamStep {
        self.powers.0 *= BETA_1;
        self.powers.1 *= BETA_2;
        let (unseen_mean, unseen_square) = (1.0 - self.powers.0, 1.0 - self.powers.1);
        let rate = f64::from(learning_rate);
        let (rate, scale, epsilon) = match self.form {
            AdamForm::Keras => (rate * unseen_square.sqrt() / unseen_mean, 1.0, 1e-7),
            AdamForm::PyTorch => (rate / unseen_mean, 1.0 / unseen_square.sqrt(), 1e-8),
        };
        let (mean_share, square_share) = ((1.0 - BETA_1) as f32, (1.0 - BETA_2) as f32);
        AdamStep { mean_share, square_share, rate: rate as f32, scale: scale as f32, epsilon }
    }
}
