//! Between which values the tensors of a network lie, as seen on real photos: what a set of weights needs to be run on bytes.
//!
//! Recorded once for each set of weights, kept beside them, and part of the extractor's identity by their digest. Tensors that end in a
//! ReLU6 need none: they lie in 0 to 6.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// The number of the file format that this version writes and reads.
const FORMAT: u32 = 1;

/// The ranges of the tensors of one set of weights, by the names of the layers that make them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ranges {
    format: u32,
    /// BLAKE3 of the weights file, hexadecimal.
    pub weights: String,
    /// How they were chosen, for people.
    pub method: String,
    /// How many photos were looked at.
    pub photos: usize,
    /// BLAKE3, hexadecimal, of the features (f32, little endian) that these weights and ranges give for the
    /// [probe](super::probe), on every machine.
    pub probe: String,
    /// The smallest and the largest value that a layer's output can represent.
    pub tensors: BTreeMap<String, (f32, f32)>,
}

impl Ranges {
    /// Ranges whose probe is not known yet.
    pub fn new(
        weights: String,
        method: String,
        photos: usize,
        tensors: BTreeMap<String, (f32, f32)>,
    ) -> Ranges {
        Ranges { format: FORMAT, weights, method, photos, probe: String::new(), tensors }
    }

    /// Reads what [`to_json`](Ranges::to_json) wrote.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] if it is not understood, or a range is not finite or empty.
    pub fn from_json(json: &str) -> Result<Ranges> {
        let ranges: Ranges = serde_json::from_str(json).map_err(|error| {
            Error::new(ErrorKind::Weights, "the ranges of the tensors are not understood").with_source(error)
        })?;
        ranges.check()?;
        Ok(ranges)
    }

    /// Checks ranges that come from a file.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] if they are of another format, or a range is not finite or empty.
    pub fn check(&self) -> Result<()> {
        if self.format != FORMAT {
            let message = format!("ranges of format {}, and this version reads {FORMAT}", self.format);
            return Err(Error::new(ErrorKind::Weights, message));
        }
        for (name, (low, high)) in &self.tensors {
            if !(low.is_finite() && high.is_finite() && low < high) {
                let message = format!("the range of {name} is {low} to {high}");
                return Err(Error::new(ErrorKind::Weights, message));
            }
        }
        Ok(())
    }

    /// Sorted keys, a line a tensor.
    ///
    /// # Errors
    /// [`ErrorKind::Bug`] if they cannot be written.
    pub fn to_json(&self) -> Result<String> {
        let json = serde_json::to_string_pretty(self)
            .map_err(|error| Error::new(ErrorKind::Bug, "the ranges cannot be written").with_source(error))?;
        Ok(json + "\n")
    }

    /// BLAKE3 of all that features depend on.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        for (name, (low, high)) in &self.tensors {
            hasher.update(name.as_bytes()).update(&[0]);
            hasher.update(&low.to_le_bytes()).update(&high.to_le_bytes());
        }
        *hasher.finalize().as_bytes()
    }
}
