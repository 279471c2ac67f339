//! Photos become rows of numbers, each once in its life.
//!
//! [`extract`] takes files to features on all cores; [`store`] keeps what was computed. Nothing here knows labels.

mod calibrate;
pub mod extract;
mod extractor;
mod facts;
pub mod store;

pub use calibrate::{CALIBRATION_PHOTOS, calibrate};
pub use extractor::{Extractor, NUMERICS_VERSION, Workspace};
pub use facts::{Facts, Look, look_warnings};
pub use store::StoreNotice;

use crate::error::{Error, ErrorKind, Result};
use crate::network::Layout;

/// A matrix of features, one row a photo, row after row, as the network gives and the store keeps them.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    layout: Layout,
    /// N rows of so many bytes as the layout says.
    bytes: Vec<u8>,
}

/// What a head takes of the tapped map of a network: its averages, times a factor, after those of the last map.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Tap {
    /// The layer whose output is averaged.
    pub layer: String,
    /// Multiplies each average.
    pub factor: f32,
}

impl Features {
    /// Rows of f32: `last` features of the last map, then `tapped` of a map in the middle, or 0 without one.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind) if the values are no whole number of rows.
    pub fn from_f32(last: usize, tapped: usize, values: &[f32]) -> Result<Features> {
        if last == 0 || !values.len().is_multiple_of(last + tapped) {
            let message = format!("{} values are no rows of {last} and {tapped} features", values.len());
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Ok(Features { layout: Layout::plain(last, tapped), bytes })
    }

    /// Rows of sums of two bytes, little endian: `last` of the last map, then `tapped` of a map in the middle, or 0 without
    /// one. A feature is its sum times the factor of its map.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind) if the bytes are no whole number of rows.
    pub fn from_sums(last: usize, tapped: usize, factors: [f32; 2], bytes: Vec<u8>) -> Result<Features> {
        if last == 0 || !bytes.len().is_multiple_of(2 * (last + tapped)) {
            let message = format!("{} bytes are no rows of {last} and {tapped} sums", bytes.len());
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        Ok(Features { layout: Layout::sums(last, tapped, factors), bytes })
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.bytes.len().checked_div(self.layout.row_bytes()).unwrap_or(0)
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How rows are to be read.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// One row as it is kept.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn bytes(&self, index: usize) -> &[u8] {
        let size = self.layout.row_bytes();
        &self.bytes[index * size..(index + 1) * size]
    }

    fn bytes_mut(&mut self, index: usize) -> &mut [u8] {
        let size = self.layout.row_bytes();
        &mut self.bytes[index * size..(index + 1) * size]
    }

    /// The averages of a row: of the last map, then of the tapped one if rows hold one.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, index: usize) -> Vec<f32> {
        let mut row = vec![0.0; self.layout.width()];
        self.layout.read(self.bytes(index), &mut row);
        row
    }

    /// What a head takes: the averages of the last map, and those of the tapped one if it uses them.
    ///
    /// # Panics
    /// If there is no such row, or the head uses a map that rows do not hold.
    pub fn inputs(&self, index: usize, tap: Option<&Tap>) -> Vec<f32> {
        inputs(&self.layout, self.bytes(index), tap)
    }
}

/// See [`Features::inputs`].
pub(crate) fn inputs(layout: &Layout, row: &[u8], tap: Option<&Tap>) -> Vec<f32> {
    let last = layout.parts()[0].channels;
    let mut inputs = vec![0.0; layout.width()];
    layout.read(row, &mut inputs);
    match tap {
        Some(tap) => {
            let held = layout.tap().map(|part| part.layer.as_str());
            assert_eq!(held, Some(tap.layer.as_str()), "rows without the map that the head uses");
            inputs[last..].iter_mut().for_each(|value| *value *= tap.factor);
        }
        None => inputs.truncate(last),
    }
    inputs
}
