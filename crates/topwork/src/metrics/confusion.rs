//! Who was taken for whom: whole numbers, from which every other figure is computed.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Above this number of classes the JSON lists the cells that are not zero: a table of mostly zeros would grow with the
/// square of the classes (5,000 classes: 50 MB).
const DENSE_CLASSES: usize = 1_000;

/// Counts of (true class, predicted class), by position in `labels`.
///
/// JSON: `{"labels": [name, …], "counts": [[…], …]}`, rows are true classes; above 1,000 classes
/// `{"labels": […], "cells": [[true, predicted, count], …]}` in that order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfusionMatrix {
    labels: Vec<String>,
    cells: BTreeMap<(usize, usize), u64>,
    support: Vec<u64>,
    predicted: Vec<u64>,
    correct: u64,
}

/// One kind of mistake, and how often it happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// What it was.
    #[serde(rename = "true")]
    pub actual: String,
    /// What it was taken for.
    pub predicted: String,
    /// On how many photos.
    pub count: u64,
}

impl ConfusionMatrix {
    /// No photo counted yet.
    pub fn new(labels: &[String]) -> ConfusionMatrix {
        ConfusionMatrix {
            labels: labels.to_vec(),
            cells: BTreeMap::new(),
            support: vec![0; labels.len()],
            predicted: vec![0; labels.len()],
            correct: 0,
        }
    }

    /// Counts photos of one cell.
    ///
    /// # Panics
    /// If a position is outside the list of labels: the caller's class list does not belong to its data.
    pub fn add(&mut self, actual: usize, predicted: usize, count: u64) {
        self.support[actual] += count;
        self.predicted[predicted] += count;
        if actual == predicted {
            self.correct += count;
        }
        if count > 0 {
            *self.cells.entry((actual, predicted)).or_default() += count;
        }
    }

    /// The classes, in the order of rows and columns.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// How many photos of class `actual` were taken for class `predicted`.
    pub fn count(&self, actual: usize, predicted: usize) -> u64 {
        self.cells.get(&(actual, predicted)).copied().unwrap_or(0)
    }

    /// The cells that are not zero: true class, predicted class, count; ordered.
    pub fn cells(&self) -> impl Iterator<Item = (usize, usize, u64)> + '_ {
        self.cells.iter().map(|(&(actual, predicted), &count)| (actual, predicted, count))
    }

    /// One row of the table for each true class.
    pub fn rows(&self) -> Vec<Vec<u64>> {
        let mut rows = vec![vec![0; self.labels.len()]; self.labels.len()];
        for (actual, predicted, count) in self.cells() {
            rows[actual][predicted] = count;
        }
        rows
    }

    /// Photos of each true class.
    pub fn support(&self) -> &[u64] {
        &self.support
    }

    /// Photos for which each class was predicted.
    pub fn predicted(&self) -> &[u64] {
        &self.predicted
    }

    /// Photos whose class was predicted rightly.
    pub fn correct(&self) -> u64 {
        self.correct
    }

    /// All photos.
    pub fn n(&self) -> u64 {
        self.support.iter().sum()
    }

    /// The mistakes, most frequent first; equally frequent ones in the order of the classes. At most `limit`.
    pub fn worst(&self, limit: usize) -> Vec<Confusion> {
        let mut mistakes: Vec<_> =
            self.cells().filter(|(actual, predicted, _)| actual != predicted).collect();
        mistakes.sort_by_key(|&(actual, predicted, count)| (std::cmp::Reverse(count), actual, predicted));
        mistakes.truncate(limit);
        let name = |at: usize| self.labels[at].clone();
        mistakes
            .into_iter()
            .map(|(actual, predicted, count)| Confusion {
                actual: name(actual),
                predicted: name(predicted),
                count,
            })
            .collect()
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    labels: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    counts: Option<Vec<Vec<u64>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cells: Option<Vec<(usize, usize, u64)>>,
}

impl Serialize for ConfusionMatrix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let dense = self.labels.len() <= DENSE_CLASSES;
        let stored = Stored {
            labels: self.labels.clone(),
            counts: dense.then(|| self.rows()),
            cells: (!dense).then(|| self.cells().collect()),
        };
        stored.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ConfusionMatrix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ConfusionMatrix, D::Error> {
        let stored = Stored::deserialize(deserializer)?;
        let cells = match (stored.counts, stored.cells) {
            (Some(counts), None) => {
                let classes = stored.labels.len();
                if counts.len() != classes || counts.iter().any(|row| row.len() != classes) {
                    return Err(D::Error::custom(format!("counts must be {classes} rows of {classes}")));
                }
                let cell = |(actual, row): (usize, Vec<u64>)| {
                    row.into_iter().enumerate().map(move |(predicted, count)| (actual, predicted, count))
                };
                counts.into_iter().enumerate().flat_map(cell).collect()
            }
            (None, Some(cells)) => cells,
            _ => return Err(D::Error::custom("expected either counts or cells")),
        };
        let mut total = 0u64;
        let mut matrix = ConfusionMatrix::new(&stored.labels);
        for (actual, predicted, count) in cells {
            if actual.max(predicted) >= stored.labels.len() {
                return Err(D::Error::custom(format!("cell {actual}, {predicted} is outside the table")));
            }
            total = total.checked_add(count).ok_or_else(|| D::Error::custom("counts overflow"))?;
            matrix.add(actual, predicted, count);
        }
        Ok(matrix)
    }
}
