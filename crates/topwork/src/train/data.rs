//! What every way of training takes: examples that were checked once, class weights, and a wish to stop.

use crate::error::{Error, ErrorKind, Result};

/// Asked again and again during training; `true` ends it with [`ErrorKind::Interrupted`].
pub type Stop<'a> = &'a (dyn Fn() -> bool + Sync);

/// Features beyond this are no features of a network, and their squares would leave the range of f32.
const LARGEST_FEATURE: f32 = 1e12;

/// Features with their labels, checked: lengths fit, features are finite, labels are below the number of classes.
#[derive(Clone, Debug)]
pub struct Examples<'a> {
    /// N rows of `width` features.
    pub(crate) rows: Vec<&'a [f32]>,
    pub(crate) labels: Vec<usize>,
    pub(crate) width: usize,
    pub(crate) classes: usize,
}

impl<'a> Examples<'a> {
    /// Takes N × `width` features, row by row, and N labels in `0..classes`.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] if the lengths do not fit, there are fewer than two classes, a label is too
    /// large, or a feature is not a finite number of ordinary size.
    pub fn new(features: &'a [f32], width: usize, labels: &[usize], classes: usize) -> Result<Examples<'a>> {
        let fail = |message: String| Err(Error::new(ErrorKind::Configuration, message));
        if width == 0 || features.len() != labels.len() * width {
            return fail(format!(
                "{} labels do not fit {} features of width {width}",
                labels.len(),
                features.len()
            ));
        }
        // Without any row, nothing but the caller knows the width.
        Ok(Examples {
            width,
            ..Examples::from_rows(features.chunks_exact(width).collect(), labels.to_vec(), classes)?
        })
    }

    /// Takes N rows of features and N labels in `0..classes`.
    ///
    /// # Errors
    /// As [`Examples::new`]; also if the rows differ in length.
    pub fn from_rows(rows: Vec<&'a [f32]>, labels: Vec<usize>, classes: usize) -> Result<Examples<'a>> {
        let fail = |message: String| Err(Error::new(ErrorKind::Configuration, message));
        if classes < 2 {
            return fail(format!("training needs at least two classes, found {classes}"));
        }
        let width = rows.first().map_or(0, |row| row.len());
        if rows.len() != labels.len() || rows.iter().any(|row| row.is_empty() || row.len() != width) {
            let message =
                format!("{} labels do not fit {} rows of {width} features", labels.len(), rows.len());
            return fail(message);
        }
        if let Some(label) = labels.iter().find(|label| **label >= classes) {
            return fail(format!("label {label} is not one of {classes} classes"));
        }
        let usable =
            |row: &&[f32]| row.iter().fold(true, |all, value| all & (value.abs() <= LARGEST_FEATURE));
        if let Some(row) = rows.iter().position(|row| !usable(row)) {
            return fail(format!("the features of example {row} are not finite or are absurdly large"));
        }
        Ok(Examples { rows, labels, width, classes })
    }

    /// The number of examples.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The examples at those positions, in that order.
    ///
    /// # Panics
    /// If a position is out of range.
    pub fn select(&self, positions: &[usize]) -> Examples<'a> {
        Examples {
            rows: positions.iter().map(|position| self.rows[*position]).collect(),
            labels: positions.iter().map(|position| self.labels[*position]).collect(),
            ..*self
        }
    }

    /// The class of each example.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The features of one example.
    ///
    /// # Panics
    /// If the position is out of range.
    pub fn row(&self, position: usize) -> &'a [f32] {
        self.rows[position]
    }

    /// How many examples each class has.
    pub fn class_counts(&self) -> Vec<usize> {
        class_counts(&self.labels, self.classes)
    }

    /// An error unless every class has an example.
    pub(crate) fn check_every_class_present(&self) -> Result<()> {
        match self.class_counts().iter().position(|count| *count == 0) {
            None => Ok(()),
            Some(class) => Err(Error::new(
                ErrorKind::Configuration,
                format!("class {class} of {} has no training example", self.classes),
            )),
        }
    }
}

pub(crate) fn class_counts(labels: &[usize], classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    for label in labels {
        counts[*label] += 1;
    }
    counts
}

/// How much an example of each class counts in the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeight {
    /// Every example counts 1.
    #[default]
    Equal,
    /// n / (K · n_c), as scikit-learn's `class_weight="balanced"`: every class counts the same in all.
    Balanced,
}

impl ClassWeight {
    /// The weight of each class, from the number of training examples of each.
    pub(crate) fn of(self, counts: &[usize]) -> Vec<f64> {
        let total: usize = counts.iter().sum();
        let weight = |count: &usize| match self {
            ClassWeight::Equal => 1.0,
            ClassWeight::Balanced => total as f64 / (counts.len() as f64 * (*count).max(1) as f64),
        };
        counts.iter().map(weight).collect()
    }
}
