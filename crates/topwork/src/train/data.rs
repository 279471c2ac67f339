//! What every way of training takes: examples that were checked once, and class weights.

use crate::error::{Error, ErrorKind, Result};
use crate::features::{Features, Tap, inputs};
use crate::network::{Layout, Part};
use crate::remedy::Remedy;
use crate::report::counted;
use crate::train::folds::{Folds, groups_of_classes, stratified_folds};

/// Features beyond this are no features of a network, and their squares would leave the range of f32.
const LARGEST_FEATURE: f32 = 1e12;

/// Features with their labels, checked: lengths fit, features are finite, labels are below the number of classes.
#[derive(Clone, Debug)]
pub struct Examples<'a> {
    pub(crate) rows: Rows<'a>,
    pub(crate) labels: Vec<usize>,
    /// Features of the last map.
    pub(crate) width: usize,
    pub(crate) classes: usize,
    /// Whether the tapped map counts, if rows hold one.
    with_tap: bool,
    /// For each example the number of its group, if some belong together.
    pub(crate) groups: Option<Vec<usize>>,
}

/// N rows of features, wherever they lie.
#[derive(Clone, Debug)]
pub(crate) enum Rows<'a> {
    /// Of the last map.
    Plain(Vec<&'a [f32]>),
    /// As a network gives them, perhaps with a tapped map.
    Kept(&'a Layout, Vec<&'a [u8]>),
}

impl Rows<'_> {
    fn len(&self) -> usize {
        match self {
            Rows::Plain(rows) => rows.len(),
            Rows::Kept(_, rows) => rows.len(),
        }
    }
}

impl<'a> Examples<'a> {
    /// Takes N × `width` features, row by row, and N labels in `0..classes`.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] if the lengths do not fit, there are fewer than two classes, a label is too
    /// large, or a feature is not a finite number of ordinary size.
    pub fn new(features: &'a [f32], width: usize, labels: &[usize], classes: usize) -> Result<Examples<'a>> {
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
        let width = rows.first().map_or(0, |row| row.len());
        if rows.len() != labels.len() || rows.iter().any(|row| row.is_empty() || row.len() != width) {
            let message =
                format!("{} labels do not fit {} rows of {width} features", labels.len(), rows.len());
            return fail(message);
        }
        check_labels(&labels, classes)?;
        let usable =
            |row: &&[f32]| row.iter().fold(true, |all, value| all & (value.abs() <= LARGEST_FEATURE));
        if let Some(row) = rows.iter().position(|row| !usable(row)) {
            return fail(format!("the features of example {row} are not finite or are absurdly large"));
        }
        Ok(Examples { rows: Rows::Plain(rows), labels, width, classes, with_tap: false, groups: None })
    }

    /// Takes rows of features as an extraction gives them, and a label in `0..classes` for each. Where rows hold a
    /// tapped map, a linear head chooses whether and how strongly it counts.
    ///
    /// # Errors
    /// As [`Examples::new`].
    ///
    /// # Panics
    /// If there is no row of that number.
    pub fn from_features(
        features: &'a Features,
        rows: &[usize],
        labels: Vec<usize>,
        classes: usize,
    ) -> Result<Examples<'a>> {
        if rows.len() != labels.len() {
            return fail(format!("{} labels do not fit {} rows of features", labels.len(), rows.len()));
        }
        check_labels(&labels, classes)?;
        let layout = features.layout();
        let kept: Vec<&[u8]> = rows.iter().map(|row| features.bytes(*row)).collect();
        if let Some(row) = kept.iter().position(|row| !layout.is_within(row, LARGEST_FEATURE)) {
            return fail(format!("the features of example {row} are not finite or are absurdly large"));
        }
        let width = layout.parts()[0].channels;
        Ok(Examples { rows: Rows::Kept(layout, kept), labels, width, classes, with_tap: true, groups: None })
    }

    /// The same, with the last map alone.
    pub fn without_tap(self) -> Examples<'a> {
        Examples { with_tap: false, ..self }
    }

    /// The same with a number for each example: those with the same number are never held out apart.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] if there is not one for each.
    pub fn with_groups(self, groups: Vec<usize>) -> Result<Examples<'a>> {
        if groups.len() != self.len() {
            return fail(format!("{} groups do not fit {} examples", groups.len(), self.len()));
        }
        Ok(Examples { groups: Some(groups), ..self })
    }

    /// Folds with every class in each, of whole groups; see [`stratified_folds`](crate::train::stratified_folds).
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] if the smallest class has fewer examples, or groups, than there are to be folds.
    pub fn folds(&self, count: usize, seed: u64) -> Result<Folds> {
        let groups = self.groups.as_deref();
        let folds = stratified_folds(&self.labels, groups, self.classes, count, seed);
        folds.filter(|folds| folds.count == count).ok_or_else(|| {
            let (counts, noun) = match groups {
                Some(groups) => (groups_of_classes(&self.labels, groups, self.classes), "group"),
                None => (self.class_counts(), "photo"),
            };
            too_many_folds(count, counts.into_iter().min().unwrap_or(0), noun)
        })
    }

    /// The number of examples.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Features of the last map, and of the tapped one if it counts.
    pub fn width(&self, with_tap: bool) -> usize {
        self.width + self.tap().filter(|_| with_tap).map_or(0, |part| part.channels)
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
        let rows = match &self.rows {
            Rows::Plain(rows) => Rows::Plain(positions.iter().map(|position| rows[*position]).collect()),
            Rows::Kept(layout, rows) => {
                Rows::Kept(layout, positions.iter().map(|position| rows[*position]).collect())
            }
        };
        let labels = positions.iter().map(|position| self.labels[*position]).collect();
        let groups = self.groups.as_ref();
        let groups = groups.map(|groups| positions.iter().map(|position| groups[*position]).collect());
        Examples { rows, labels, groups, ..*self }
    }

    /// The class of each example.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// What a head takes of one example: the features of the last map, and those of the tapped one if it uses them.
    ///
    /// # Panics
    /// If the position is out of range, or the head uses a map that rows do not hold.
    pub fn inputs(&self, position: usize, tap: Option<&Tap>) -> Vec<f32> {
        match &self.rows {
            Rows::Plain(rows) => {
                assert!(tap.is_none(), "rows without the map that the head uses");
                rows[position].to_vec()
            }
            Rows::Kept(layout, rows) => inputs(layout, rows[position], tap),
        }
    }

    /// Rows of f32, where they lie so.
    pub(crate) fn plain(&self) -> &[&'a [f32]] {
        match &self.rows {
            Rows::Plain(rows) => rows,
            Rows::Kept(..) => &[],
        }
    }

    /// What a head takes of all examples, row by row, and of how many features each.
    pub(crate) fn all_inputs(&self, tap: Option<&Tap>) -> (Vec<f32>, usize) {
        let width = self.width + tap.and(self.tap()).map_or(0, |part| part.channels);
        let mut values = Vec::with_capacity(self.len() * width);
        (0..self.len()).for_each(|position| values.extend(self.inputs(position, tap)));
        (values, width)
    }

    /// The tapped map, if rows hold one.
    pub(crate) fn tap(&self) -> Option<&'a Part> {
        match self.rows {
            Rows::Kept(layout, _) if self.with_tap => layout.tap(),
            _ => None,
        }
    }

    /// How many examples each class has.
    pub fn class_counts(&self) -> Vec<usize> {
        class_counts(&self.labels, self.classes)
    }

    /// An error unless every class has an example.
    pub(crate) fn check_every_class_present(&self) -> Result<()> {
        match self.class_counts().iter().position(|count| *count == 0) {
            None => Ok(()),
            Some(class) => fail(format!("class {class} of {} has no training example", self.classes)),
        }
    }

    /// An error unless the others have the same features and classes.
    pub(crate) fn check_same_shape(&self, others: &Examples) -> Result<()> {
        let shape = |examples: &Examples| {
            (examples.width, examples.classes, examples.tap().map(|part| part.layer.clone()))
        };
        if shape(self) == shape(others) {
            return Ok(());
        }
        fail("validation examples have another width or number of classes than training examples".to_owned())
    }
}

/// The error for more folds than the smallest class has photos or groups.
pub(crate) fn too_many_folds(folds: usize, smallest: usize, noun: &str) -> Error {
    let message = format!("{folds} folds, but the smallest class has {}", counted(smallest, noun));
    Error::new(ErrorKind::Configuration, message).with_hint(Remedy::FewerFolds)
}

fn fail<T>(message: String) -> Result<T> {
    Err(Error::new(ErrorKind::Configuration, message))
}

fn check_labels(labels: &[usize], classes: usize) -> Result<()> {
    if classes < 2 {
        return fail(format!("training needs at least two classes, found {classes}"));
    }
    match labels.iter().find(|label| **label >= classes) {
        Some(label) => fail(format!("label {label} is not one of {classes} classes")),
        None => Ok(()),
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
