//! Photos become rows of numbers, each once in its life.
//!
//! [`extract`] takes files to features on all cores; [`store`] keeps what was computed. Nothing here knows labels.

pub mod extract;
mod extractor;
pub mod store;

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

/// Why a photo has no features: a short code in lower case with hyphens, and the same for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Such as `truncated`, `not-an-image`, `no-permission`, `internal`.
    pub reason: String,
    /// Such as the decoder's message.
    pub detail: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.reason, self.detail)
    }
}

impl From<crate::photo::Unreadable> for Refusal {
    fn from(unreadable: crate::photo::Unreadable) -> Refusal {
        Refusal::new(unreadable.reason.as_str(), unreadable.detail)
    }
}

impl Refusal {
    /// A refusal for that reason.
    pub fn new(reason: impl Into<String>, detail: impl Into<String>) -> Refusal {
        Refusal { reason: reason.into(), detail: detail.into() }
    }
}
