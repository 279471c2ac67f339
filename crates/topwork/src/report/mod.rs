//! From figures to files.

mod text;

pub use text::{accuracy_text, classification_text, confusion_text, grouped, percent, visible};
