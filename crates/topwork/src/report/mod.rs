//! From figures to files: the end of the line.
//!
//! Plain data in ([`Evaluation`](crate::metrics::Evaluation), predictions, history, small pictures), text, JSON, CSV and
//! one self-contained page out. Nothing here knows a network, reads a file or asks for the time; only [`write_whole`]
//! touches the disk.

mod csv;
mod file;
mod html;
mod json;
mod picture;
mod plot;
mod select;
mod text;

pub use csv::{history_csv, predictions_csv, skipped_csv};
pub use file::write_whole;
#[cfg(feature = "download")]
pub(crate) use file::{PARTIAL_PREFIX, PARTIAL_SUFFIX, finish, partial_beside};
pub use html::{Report, SetReport, html};
pub use json::{METRICS_SCHEMA, metrics_json};
pub use picture::{Picture, Thumbnail, thumbnail};
pub use select::{random_photos, worst_mistakes};
pub use text::{
    accuracy_text, classification_text, confusion_array_text, confusion_text, counted, grouped, percent,
    verdict,
};

use crate::dataset::Subset;
use crate::run::Answer;

/// What the classifier says about one photo.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The set that it belongs to.
    pub set: Subset,
    /// The position of its true class, if it is known.
    pub label: Option<usize>,
    /// The answer, under the photo's name: its path below the folder of photos.
    pub answer: Answer,
}

impl Prediction {
    /// The probability of the predicted class; 0 without an answer.
    pub fn confidence(&self) -> f64 {
        self.answer.probability.unwrap_or(0.0)
    }
}
