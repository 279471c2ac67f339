//! What became of each tensor when a network was filled.

use std::fmt;

use super::refused;
use crate::error::Result;

/// What became of each tensor when a network was filled from a file. All names are the file's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadReport {
    /// Tensors that are part of the network now, in the order in which it asked for them.
    pub applied: Vec<String>,
    /// Tensors that the network needs and the file lacks.
    pub missing: Vec<Missing>,
    /// Tensors that the network can do without, and the file lacks: a classifier's.
    pub absent: Vec<Missing>,
    /// Tensors of the file that the network has no use for.
    pub unused: Vec<String>,
    /// Tensors whose shape is not the network's.
    pub mismatched: Vec<Mismatch>,
}

/// A tensor that the network asks for and the file lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The name that the network asked for.
    pub name: String,
    /// The shape that it needs.
    pub shape: Vec<usize>,
    /// The unused name of the file that is most like it.
    pub nearest: Option<String>,
}

/// A tensor whose shape is not the network's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Its name.
    pub name: String,
    /// The shape that the network needs.
    pub expected: Vec<usize>,
    /// The shape in the file.
    pub found: Vec<usize>,
}

impl LoadReport {
    /// The network is whole and so was the file used: nothing missing, mismatched or unused.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`](crate::ErrorKind::Weights) with the first few tensors of each kind.
    pub fn require_exact(&self) -> Result<()> {
        match self.unused.is_empty() {
            true => self.require_complete(),
            false => Err(refused(format!("these weights do not fit the network: {self}"))),
        }
    }

    /// The network is whole: nothing missing or mismatched. The file may hold more.
    ///
    /// # Errors
    /// As [`LoadReport::require_exact`].
    pub fn require_complete(&self) -> Result<()> {
        if self.missing.is_empty() && self.mismatched.is_empty() {
            return Ok(());
        }
        Err(refused(format!("these weights do not fit the network: {self}")))
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} tensors applied", self.applied.len())?;
        let missing = self.missing.iter().map(|Missing { name, shape, nearest }| match nearest {
            Some(nearest) => format!("{name:?} {shape:?} (the file has {nearest:?})"),
            None => format!("{name:?} {shape:?}"),
        });
        list(formatter, "missing", missing.collect())?;
        let mismatched = self.mismatched.iter();
        let mismatched = mismatched.map(|Mismatch { name, expected, found }| {
            format!("{name:?} is {found:?} instead of {expected:?}")
        });
        list(formatter, "of another shape", mismatched.collect())?;
        list(formatter, "unused", self.unused.iter().map(|name| format!("{name:?}")).collect())
    }
}

fn list(formatter: &mut fmt::Formatter<'_>, what: &str, items: Vec<String>) -> fmt::Result {
    const SHOWN: usize = 5;
    if items.is_empty() {
        return Ok(());
    }
    write!(formatter, "; {} {what}: {}", items.len(), items[..items.len().min(SHOWN)].join(", "))?;
    if items.len() > SHOWN { write!(formatter, ", …") } else { Ok(()) }
}
