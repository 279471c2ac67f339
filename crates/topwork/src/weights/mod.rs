//! Files of network weights → named f32 tensors. Recognised by content, not by file name; nothing in a file is
//! trusted and nothing in it runs.

mod archive;
mod cache;
mod digests;
#[cfg(feature = "download")]
mod download;
mod element;
mod format;
mod hdf5;
mod keras;
mod pickle;
mod pytorch;
mod reader;
mod record;
mod report;
mod safetensors;
mod source;
mod tar;

pub use cache::{Cache, Found, OtherCaches, Place, Rejected, Search, State, Verified};
pub use digests::Digests;
#[cfg(feature = "download")]
pub use download::{Policy, download};
pub use reader::Reader;
pub use report::{LoadReport, Mismatch, Missing};
pub use source::{Checksum, Source};

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use archive::Archive;
use format::Format;

use crate::error::{Error, ErrorKind, Result};
use crate::fence::fenced;

/// The largest file that is read.
const MAX_BYTES: u64 = 4 << 30;

/// The largest number of tensors in a file.
const MAX_TENSORS: usize = 20_000;

/// How many times as large as its file all that is read from it may be: zeros compress to nothing, and a view may repeat.
const MAX_EXPANSION: usize = 16;

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
    contents: Contents,
    digest: [u8; 32],
    source: Option<&'static str>,
}

/// What the reader of a format found.
#[derive(Clone, Debug, Default)]
struct Contents {
    tensors: BTreeMap<String, Tensor>,
    metadata: BTreeMap<String, String>,
    unread: Vec<String>,
}

impl Weights {
    /// Reads a weights file. `docs/weights.md` lists the formats, which are told apart by content.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] with the path, as [`Weights::from_bytes`]; and if it is not a regular file or cannot be read.
    pub fn read(path: &Path) -> Result<Weights> {
        Weights::parse(Cow::Owned(read_bytes(path)?)).map_err(|error| error.with_path(path))
    }

    /// Reads the bytes of a weights file. All values become f32, exactly: f16, bf16 and f32 are accepted.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] if the format is unknown, the file damaged, too large, of another element type, or if a
    /// value is not finite; the message names the tensor.
    pub fn from_bytes(bytes: &[u8]) -> Result<Weights> {
        Weights::parse(Cow::Borrowed(bytes))
    }

    fn parse(bytes: Cow<[u8]>) -> Result<Weights> {
        check_bytes(bytes.len() as u64)?;
        let Some(format) = Format::of(&bytes) else {
            let (what, hint) = format::guess(&bytes);
            return Err(refused(format!("this is {what}")).with_hint(hint));
        };
        let digest = *blake3::hash(&bytes).as_bytes();
        // The libraries that read these files are young: should one panic, then that is the file's refusal.
        let contents = fenced(|| match format {
            Format::Safetensors => safetensors::read(&bytes),
            Format::Zip => read_zip(bytes),
            Format::PyTorchLegacy => pytorch::read_legacy(bytes.into_owned()),
            Format::PyTorchTar => pytorch::read_tar(bytes.into_owned()),
            Format::Hdf5 => keras::read(bytes.into_owned()),
            Format::Pickle => Err(pytorch::refuse_pickle(&bytes)),
        });
        let contents =
            contents.unwrap_or_else(|| Err(refused("a damaged file that its reader cannot cope with")))?;
        Ok(Weights { contents, digest, source: None })
    }

    /// The tensor of that name.
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.contents.tensors.get(name)
    }

    /// All names, in byte order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.contents.tensors.keys().map(String::as_str)
    }

    /// The text under a key of the file's own metadata.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.contents.metadata.get(key).map(String::as_str)
    }

    /// What the file holds beside these tensors: Python objects, by their names, which nothing built or ran; the state of an
    /// optimiser.
    pub fn unread(&self) -> &[String] {
        &self.contents.unread
    }

    /// BLAKE3 of the file's bytes.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The name of the published file that this is, where a [`Cache`] knows it for one.
    pub fn source(&self) -> Option<&'static str> {
        self.source
    }
}

/// The bytes of a weights file. What it is gets checked before it is opened, so that a pipe without a writer cannot block.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    regular_bytes(path).map_err(|error| error.with_path(path))
}

fn regular_bytes(path: &Path) -> Result<Vec<u8>> {
    let unreadable = |error| refused("cannot read the weights file").with_source(error);
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        let what = if metadata.is_dir() { "a folder" } else { "a pipe, socket or device" };
        return Err(refused(format!("this is {what}, not a weights file")));
    }
    check_bytes(metadata.len())?;
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    // One byte more than allowed, so that a file that grows meanwhile is noticed and not followed.
    File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    check_bytes(bytes.len() as u64)?;
    Ok(bytes)
}

/// PyTorch's archive has a pickle in it, Keras' an HDF5 file.
fn read_zip(bytes: Cow<[u8]>) -> Result<Contents> {
    let mut archive = Archive::open(&bytes)?;
    match (archive.find(pytorch::PICKLE), archive.find(keras::WEIGHTS)) {
        (Some(_), None) => {
            drop(archive);
            pytorch::read_zip(bytes.into_owned())
        }
        (None, Some(name)) => {
            let weights = archive.read(&name)?;
            drop(archive);
            drop(bytes);
            keras::read(weights)
        }
        (Some(_), Some(_)) => Err(refused("an archive of PyTorch and of Keras at once")),
        (None, None) => {
            let message = format!("a zip archive without {} and without {}", pytorch::PICKLE, keras::WEIGHTS);
            Err(refused(message).with_hint("if a weights file is in it, unpack that"))
        }
    }
}

fn check_bytes(bytes: u64) -> Result<()> {
    match bytes > MAX_BYTES {
        true => Err(refused(format!("{bytes} bytes of weights; the limit is {MAX_BYTES}"))),
        false => Ok(()),
    }
}

fn check_count(tensors: usize) -> Result<()> {
    match tensors > MAX_TENSORS {
        true => Err(refused(format!("{tensors} tensors in one file; the limit is {MAX_TENSORS}"))),
        false => Ok(()),
    }
}

/// PyTorch's count of training steps, an integer beside each batch norm; it takes no part in the arithmetic.
fn is_count_of_steps(name: &str) -> bool {
    name.ends_with("num_batches_tracked")
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Weights, message)
}

#[cfg(test)]
mod tests;
