//! Hands tensors out by the checkpoint's own names and keeps count of what was asked for. The idea is candle's
//! `VarBuilder`: the reader carries a prefix, so that the code of a network spells names as the checkpoint does.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Display;

use super::{LoadReport, Mismatch, Missing, Tensor, Weights};

/// A view of the tensors whose names begin with a prefix.
pub struct Reader<'a> {
    weights: &'a Weights,
    prefix: String,
    log: &'a RefCell<LoadReport>,
}

impl<'a> Reader<'a> {
    /// Lets `fill` read the weights from the root, and reports what became of each tensor. What is missing or of
    /// another shape reads as zeros, so that the report is about the whole network: check it before use.
    pub fn fill<T>(weights: &Weights, fill: impl FnOnce(&Reader) -> T) -> (T, LoadReport) {
        let log = RefCell::default();
        let filled = fill(&Reader { weights, prefix: String::new(), log: &log });
        let mut report = log.into_inner();
        let known: BTreeSet<&str> = report
            .applied
            .iter()
            .chain(report.mismatched.iter().map(|mismatch| &mismatch.name))
            .map(String::as_str)
            .collect();
        let unused = weights.names().filter(|name| !known.contains(name)).map(str::to_owned);
        report.unused = unused.collect();
        for missing in &mut report.missing {
            missing.nearest = nearest(&missing.name, &report.unused);
        }
        (filled, report)
    }

    /// The reader below that name: `reader.child("a").child(0)` reads names that begin with `a.0.`.
    pub fn child(&self, name: impl Display) -> Reader<'a> {
        Reader { prefix: self.name(name) + ".", ..*self }
    }

    /// Whether the file has a tensor of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.shape(name).is_some()
    }

    /// The shape of the tensor of that name, where the file has one.
    pub fn shape(&self, name: &str) -> Option<&'a [usize]> {
        let weights: &'a Weights = self.weights;
        weights.tensor(&self.name(name)).map(|tensor| tensor.shape.as_slice())
    }

    /// The names of all tensors below this prefix, without it, in byte order.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        let weights: &'a Weights = self.weights;
        weights.names().filter_map(|name| name.strip_prefix(&self.prefix))
    }

    /// The tensor of that name, which must have this shape.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Tensor {
        let name = self.name(name);
        let mut log = self.log.borrow_mut();
        match self.weights.tensor(&name) {
            Some(tensor) if tensor.shape == shape => {
                log.applied.push(name);
                return tensor.clone();
            }
            Some(tensor) => {
                log.mismatched.push(Mismatch { name, expected: shape.to_vec(), found: tensor.shape.clone() });
            }
            None => log.missing.push(Missing { name, shape: shape.to_vec(), nearest: None }),
        }
        Tensor::zeros(shape)
    }

    /// The tensor of that name, if the file has it in this shape: one that the network can do without.
    pub fn optional(&self, name: &str, shape: &[usize]) -> Option<Tensor> {
        match self.shape(name) {
            Some(found) => (found == shape).then(|| self.tensor(name, shape)),
            None => {
                let absent = Missing { name: self.name(name), shape: shape.to_vec(), nearest: None };
                self.log.borrow_mut().absent.push(absent);
                None
            }
        }
    }

    fn name(&self, name: impl Display) -> String {
        format!("{}{name}", self.prefix)
    }
}

/// The candidate with the fewest insertions, deletions and replacements, if at least half of the name agrees.
fn nearest(name: &str, candidates: &[String]) -> Option<String> {
    // Quadratic in the number of names: enough are looked at to help, few enough to be instant for any file.
    const LOOKED_AT: usize = 2_000;
    let (distance, nearest) =
        candidates.iter().take(LOOKED_AT).map(|candidate| (edits(name, candidate), candidate)).min()?;
    (distance <= name.len() / 2).then(|| nearest.clone())
}

/// Levenshtein's distance in bytes; names longer than 200 bytes are cut.
fn edits(one: &str, other: &str) -> usize {
    let cut = |name: &str| name.bytes().take(200).collect::<Vec<u8>>();
    let (one, other) = (cut(one), cut(other));
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}
