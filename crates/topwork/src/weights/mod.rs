//! Files of network weights → named f32 tensors. Recognised by content, not by file name; nothing in a file is
//! trusted and nothing in it runs.

mod cache;
mod digests;
#[cfg(feature = "download")]
mod download;
mod reader;
mod record;
mod report;
mod safetensors;
mod source;

pub use cache::{Cache, Found, OtherCaches, Place, Rejected, Search, State, Verified};
pub use digests::Digests;
#[cfg(feature = "download")]
pub use download::{Policy, download};
pub use reader::Reader;
pub use report::{LoadReport, Mismatch, Missing};
pub use source::{Checksum, Source};

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// The largest file that is read.
const MAX_BYTES: u64 = 4 << 30;

/// The largest number of tensors in a file.
const MAX_TENSORS: usize = 20_000;

/// An f32 array and its shape, the last axis contiguous.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Length of each axis; empty for a single number.
    pub shape: Vec<usize>,
    /// As many finite values as the shape has places.
    pub values: Vec<f32>,
}

impl Tensor {
    fn zeros(shape: &[usize]) -> Tensor {
        Tensor { shape: shape.to_vec(), values: vec![0.0; shape.iter().product()] }
    }
}

/// The tensors of one file, by name, with its metadata and digest.
#[derive(Clone, Debug, Default)]
pub struct Weights {
    tensors: BTreeMap<String, Tensor>,
    metadata: BTreeMap<String, String>,
    digest: [u8; 32],
}

impl Weights {
    /// Reads a weights file.
    ///
    /// # Errors
    /// As [`Weights::from_bytes`], with the path; [`ErrorKind::Io`] if the file cannot be read.
    pub fn read(path: &Path) -> Result<Weights> {
        Weights::from_bytes(&read_bytes(path)?).map_err(|error| error.with_path(path))
    }

    /// Reads the bytes of a weights file. All values become f32, exactly: f16, bf16 and f32 are accepted.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] if the format is unknown, the file damaged, too large, of another element type, or if a
    /// value is not finite; the message names the tensor.
    pub fn from_bytes(bytes: &[u8]) -> Result<Weights> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(refused(format!("{} bytes of weights; the limit is {MAX_BYTES}", bytes.len())));
        }
        if safetensors::recognises(bytes) {
            return safetensors::read(bytes);
        }
        Err(refused("this is not a weights file that topwork knows")
            .with_hint("topwork reads .safetensors files"))
    }

    /// The tensor of that name.
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// All names, in byte order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The text under a key of the file's own metadata.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// BLAKE3 of the file's bytes.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }
}

/// The bytes of a file that is not larger than any weights file may be.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    let failed = |error| Error::io("cannot read the weights", path, error);
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() || metadata.len() > MAX_BYTES {
        let found =
            if metadata.is_file() { format!("{} bytes", metadata.len()) } else { "no file".to_owned() };
        let message = format!("expected a file of at most {MAX_BYTES} bytes, found {found}");
        return Err(refused(message).with_path(path));
    }
    std::fs::read(path).map_err(failed)
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Weights, message)
}

#[cfg(test)]
mod tests;
