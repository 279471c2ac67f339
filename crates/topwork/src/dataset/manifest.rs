//! The table of who did what: `split.csv`, with the digest of every photo's bytes.
//!
//! Bytes out, nothing else: whoever calls writes the file.

use super::split::{Digest, Split};
use super::{Dataset, Set};
use crate::error::{Error, ErrorKind, Result};

/// The rows `filename,set,label,blake3` of all photos that are used, in the order of [`Dataset::samples`].
///
/// # Errors
/// Kind `Bug` only: writing to memory does not fail.
pub fn csv(dataset: &Dataset, split: &Split, digests: &[Option<Digest>]) -> Result<Vec<u8>> {
    let bug = |error: csv::Error| Error::new(ErrorKind::Bug, "cannot write split.csv").with_source(error);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["filename", "set", "label", "blake3"]).map_err(bug)?;
    for ((sample, set), digest) in dataset.samples.iter().zip(&split.sets).zip(digests) {
        if let (Some(set), Some(digest)) = (set, digest) {
            let hexadecimal = blake3::Hash::from_bytes(*digest).to_hex();
            let class = dataset.classes[sample.label].as_str();
            writer
                .write_record([&sample.name, Set::as_str(*set), class, hexadecimal.as_str()])
                .map_err(bug)?;
        }
    }
    writer
        .into_inner()
        .map_err(|error| Error::new(ErrorKind::Bug, "cannot write split.csv").with_source(error.into_error()))
}
