//! The table of who did what: `split.csv`, with the digest of every photo's bytes.
//!
//! Bytes out, nothing else: whoever calls writes the file.

use super::split::{Digest, Split};
use super::{Dataset, Subset};
use crate::error::{Error, ErrorKind, Result};

/// The rows `filename,set,label,blake3` of all photos that are used, in the order of [`Dataset::samples`].
///
/// With `fold_of`, one number for each training photo in that order, a column `fold` follows.
///
/// # Errors
/// Kind `Bug` only: writing to memory does not fail.
pub fn csv(
    dataset: &Dataset,
    split: &Split,
    digests: &[Option<Digest>],
    fold_of: Option<&[usize]>,
) -> Result<Vec<u8>> {
    let bug = |error: csv::Error| Error::new(ErrorKind::Bug, "cannot write split.csv").with_source(error);
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut heading = vec!["filename", "set", "label", "blake3"];
    heading.extend(fold_of.map(|_| "fold"));
    writer.write_record(&heading).map_err(bug)?;
    let mut folds = fold_of.unwrap_or_default().iter();
    for ((sample, set), digest) in dataset.samples.iter().zip(&split.sets).zip(digests) {
        if let (Some(set), Some(digest)) = (set, digest) {
            let hexadecimal = blake3::Hash::from_bytes(*digest).to_hex();
            let class = dataset.classes[sample.label].as_str();
            let fold = if *set == Subset::Training { folds.next().map(usize::to_string) } else { None };
            let mut row = vec![sample.name.as_str(), set.as_str(), class, hexadecimal.as_str()];
            row.extend(fold_of.map(|_| fold.as_deref().unwrap_or("")));
            writer.write_record(&row).map_err(bug)?;
        }
    }
    writer
        .into_inner()
        .map_err(|error| Error::new(ErrorKind::Bug, "cannot write split.csv").with_source(error.into_error()))
}
