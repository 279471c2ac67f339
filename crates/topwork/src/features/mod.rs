//! Photos become rows of numbers, each once in its life.
//!
//! [`extract`] takes files to features on all cores; [`store`] keeps what was computed. Nothing here knows labels.

mod calibrate;
pub mod extract;
mod extractor;
pub mod store;

pub use calibrate::{CALIBRATION_PHOTOS, calibrate};
pub use extractor::{Extractor, NUMERICS_VERSION, Workspace};

/// A matrix of features, one row a photo, row after row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// The numbers in a row.
    pub width: usize,
    /// N x `width` values.
    pub values: Vec<f32>,
}

impl Features {
    /// The number of rows.
    pub fn len(&self) -> usize {
        self.values.len().checked_div(self.width).unwrap_or(0)
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One row of `width` values.
    pub fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.width..(index + 1) * self.width]
    }
}
