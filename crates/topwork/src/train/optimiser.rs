//! Adam, in the forms of Keras and of PyTorch, which differ in where a small number keeps the division safe.

use serde::{Deserialize, Serialize};

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

/// The state of one tensor: running means of the gradient and of its square.
pub(crate) struct Adam {
    form: AdamForm,
    mean: Vec<f32>,
    square: Vec<f32>,
    /// β₁ᵗ and β₂ᵗ.
    powers: (f64, f64),
}

impl Adam {
    pub(crate) fn new(form: AdamForm, size: usize) -> Adam {
        Adam { form, mean: vec![0.0; size], square: vec![0.0; size], powers: (1.0, 1.0) }
    }

    /// One step; elements do not interact, so threads change nothing.
    pub(crate) fn step(&mut self, values: &mut [f32], gradient: &[f32], learning_rate: f32, threads: usize) {
        self.powers.0 *= BETA_1;
        self.powers.1 *= BETA_2;
        let (unseen_mean, unseen_square) = (1.0 - self.powers.0, 1.0 - self.powers.1);
        let rate = f64::from(learning_rate);
        // √v is multiplied by `scale` before `epsilon` is added.
        let (rate, scale, epsilon) = match self.form {
            AdamForm::Keras => (rate * unseen_square.sqrt() / unseen_mean, 1.0, 1e-7),
            AdamForm::PyTorch => (rate / unseen_mean, 1.0 / unseen_square.sqrt(), 1e-8),
        };
        let (rate, scale) = (rate as f32, scale as f32);
        let update = |values: &mut [f32], gradient: &[f32], mean: &mut [f32], square: &mut [f32]| {
            let state = mean.iter_mut().zip(square);
            for ((value, gradient), (mean, square)) in values.iter_mut().zip(gradient).zip(state) {
                *mean += (gradient - *mean) * (1.0 - BETA_1) as f32;
                *square += (gradient * gradient - *square) * (1.0 - BETA_2) as f32;
                *value -= *mean * rate / (square.sqrt() * scale + epsilon);
            }
        };
        if threads < 2 || values.len() < 100_000 {
            return update(values, gradient, &mut self.mean, &mut self.square);
        }
        let share = values.len().div_ceil(threads);
        let state = self.mean.chunks_mut(share).zip(self.square.chunks_mut(share));
        std::thread::scope(|scope| {
            for ((values, gradient), (mean, square)) in
                values.chunks_mut(share).zip(gradient.chunks(share)).zip(state)
            {
                scope.spawn(move || update(values, gradient, mean, square));
            }
        });
    }
}
